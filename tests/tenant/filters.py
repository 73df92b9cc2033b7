"""Which filters of a webhook are taken: the service's subset of SCIM (RFC 7644), read but never evaluated here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tests.tenant.answers import Refused

ATTRIBUTES = {name.lower(): name for name in ("id", "spaceId", "topLevelResourceId", "data.status")}
RELOAD_FINISHED = "com.qlik.v1.app.reload.finished"
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[A-Za-z.]+|\S)')


def check_filter(expression: str, event_types: Sequence[str]) -> None:
    """Raises Refused (400) for what is outside `attribute eq|ne "value"`, joined by `and` and `or`."""
    tokens = _TOKEN.findall(expression)
    if len(tokens) % 4 != 3:
        raise _wrong(expression, "comparisons like id eq \"a1\", joined by 'and' or 'or', are expected")
    for start in range(0, len(tokens), 4):
        attribute, operator, value = tokens[start : start + 3]
        _check_comparison(expression, attribute, operator, value, event_types)
        if start + 3 < len(tokens) and tokens[start + 3].lower() not in ("and", "or"):
            raise _wrong(expression, f"'and' or 'or' is expected, not {tokens[start + 3]!r}")


def _check_comparison(expression: str, attribute: str, operator: str, value: str, event_types: Sequence[str]) -> None:
    if attribute.lower() not in ATTRIBUTES:
        raise _wrong(expression, f"{attribute!r} is none of {', '.join(ATTRIBUTES.values())}")
    if operator.lower() not in ("eq", "ne"):
        raise _wrong(expression, f"'eq' or 'ne' is expected, not {operator!r}")
    try:
        text = json.loads(value)
    except ValueError:
        text = None
    if not isinstance(text, str):
        raise _wrong(expression, f"a JSON string is expected, not {value!r}")
    if attribute.lower() == "data.status":
        if list(event_types) != [RELOAD_FINISHED]:
            raise _wrong(expression, f"data.status needs {RELOAD_FINISHED} as the only event type")
        if text not in ("ok", "error"):
            raise _wrong(expression, 'data.status is "ok" or "error"')


def _wrong(expression: str, detail: str) -> Refused:
    return Refused(400, f"filter {expression!r} is not valid", detail)
