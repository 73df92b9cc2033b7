"""Reading the audit log over the API; an administrator may.

Chosen where the facts are silent: a window includes its start and not its end, and has both; the archive takes a date
and no filter, and knows only what is older than the 90 days; the settings' fields.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from tests.tenant.access import need_admin
from tests.tenant.answers import Answer, Refused, json_answer
from tests.tenant.asking import Asked, sorting, whole_number
from tests.tenant.audits import KEPT, Event
from tests.tenant.clock import DAY, read
from tests.tenant.paging import CURSORS, Key, Ordered, page

if TYPE_CHECKING:
    from tests.tenant.tenant import Tenant

_PARAMETERS = ("eventTime", "eventType", "source", "userId", "id", "sort", "limit", *CURSORS)
_ONE_VALUE: dict[str, Callable[[Event], str | None]] = {
    "eventType": lambda event: event.type,
    "source": lambda event: event.source,
    "userId": lambda event: event.user_id,
}
_SORT_KEYS: dict[str, Callable[[Event], Key]] = {
    "eventTime": Event.key,
    "source": lambda event: (event.source, *event.key()),
    "eventType": lambda event: (event.type or "", *event.key()),
}


def list_audits(tenant: Tenant, asked: Asked) -> Answer:
    need_admin(asked.caller, "the audit log")
    given = asked.parameters(*_PARAMETERS)
    limit = whole_number(given.get("limit", "10"), "limit", 1, 100)
    field, descending = sorting(given.get("sort", "-eventTime"), "source", "eventType", "eventTime")
    events, start, end = tenant.audits.events, tenant.audits.age_limit(), None
    if "eventTime" in given:
        earliest, end = _window(given["eventTime"])
        start = max(start, earliest)
    low = bisect_left(events, (start, 0), key=Event.key)
    high = len(events) if end is None else max(low, bisect_left(events, (end, 0), key=Event.key))
    if field != "eventTime":
        events = sorted(events[low:high], key=_SORT_KEYS[field])
        low, high = 0, len(events)
    ordered = Ordered(events, _SORT_KEYS[field], descending)
    return page(asked, ordered, limit, Event.item, _wanted(tenant, given), low, high)


def _wanted(tenant: Tenant, given: dict[str, str]) -> Callable[[Event], bool]:
    """Whether an event is what the filters ask for."""
    wanted = {name: given[name] for name in _ONE_VALUE if name in given}
    for name, value in wanted.items():
        if "," in value:
            raise Refused(400, f"{name} takes one value")
    ids = set(given["id"].split(",")) if "id" in given else None
    is_visible = tenant.audits.is_visible()
    if not wanted and ids is None:
        return is_visible
    return lambda event: (
        is_visible(event)
        and (ids is None or event.id in ids)
        and all(_ONE_VALUE[name](event) == value for name, value in wanted.items())
    )


def _window(text: str) -> tuple[int, int]:
    """Start and end, in milliseconds since the epoch. Raises Refused (400)."""
    start, slash, end = text.partition("/")
    try:
        window = read(start), read(end)
    except ValueError:
        window = (1, 0)
    if not slash or window[0] > window[1]:
        raise Refused(400, f"eventTime must be start/end in ISO 8601, not {text!r}")
    return window


def list_archive(tenant: Tenant, asked: Asked) -> Answer:
    need_admin(asked.caller, "the audit log")
    audits = tenant.audits
    given = asked.parameters("date", *(CURSORS if audits.archive_page else ()))
    text = given.get("date", "")
    try:
        day = read(f"{date.fromisoformat(text)}T00:00:00Z")
    except ValueError:
        day = -1
    if day < 0 or len(text) != len("YYYY-MM-DD"):
        raise Refused(400, f"date must be YYYY-MM-DD, not {text!r}")
    events = audits.events
    low = bisect_left(events, (day, 0), key=Event.key)
    high = max(low, bisect_left(events, (min(day + DAY, audits.age_limit()), 0), key=Event.key))
    ordered = Ordered(events, Event.key, False)
    limit = audits.archive_page or max(1, high - low)
    return page(asked, ordered, limit, Event.item, audits.is_visible(), low, high)


def list_types(tenant: Tenant, asked: Asked) -> Answer:
    return _known(tenant, asked, "type")


def list_sources(tenant: Tenant, asked: Asked) -> Answer:
    return _known(tenant, asked, "source")


def _known(tenant: Tenant, asked: Asked, field: str) -> Answer:
    need_admin(asked.caller, "the audit log")
    asked.nothing_else()
    return json_answer({"data": tenant.audits.known(field)})


def get_settings(tenant: Tenant, asked: Asked) -> Answer:
    need_admin(asked.caller, "the audit log")
    asked.nothing_else()
    return json_answer({"Enabled": True, "ArchiveEnabled": True, "EventTTL": KEPT // 1000})


def get_audit(tenant: Tenant, asked: Asked) -> Answer:
    need_admin(asked.caller, "the audit log")
    asked.nothing_else()
    is_visible, oldest = tenant.audits.is_visible(), tenant.audits.age_limit()
    for event in tenant.audits.events:
        if event.id == asked.places["id"] and is_visible(event) and event.time >= oldest:
            return json_answer(event.item())
    raise Refused(404, "Not found", f"there is no audit event {asked.places['id']!r}")
