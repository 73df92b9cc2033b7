"""A request as the operations see it, and how strictly it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.tenant.access import User
from tests.tenant.answers import Json, Refused


@dataclass(frozen=True)
class Asked:
    """A request that was let in.

    origin: scheme and host as the client addressed them. prefix: "core" or "v1" for webhooks, else "". places: what
    stood in the path's `{…}`. query: as it came, in order. content_type: as it came, "" without one.
    """

    origin: str
    path: str
    prefix: str
    places: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    content_type: str
    body: bytes
    caller: User

    def parameters(self, *known: str) -> dict[str, str]:
        """The query's parameters, each at most once and none but the known ones. Raises Refused (400)."""
        found: dict[str, str] = {}
        for name, value in self.query:
            if name not in known:
                raise Refused(400, f"unknown query parameter {name!r}")
            if name in found:
                raise Refused(400, f"query parameter {name!r} is given twice")
            found[name] = value
        return found

    def nothing_else(self) -> None:
        """Refuse a query and a body where neither has a meaning. Raises Refused (400)."""
        self.parameters()
        if self.body:
            raise Refused(400, "this operation takes no body")

    def json(self) -> Any:
        """The body, whatever it is. Raises Refused (400)."""
        if self.content_type.partition(";")[0].strip().lower() != "application/json":
            raise Refused(400, f"the content type must be application/json, not {self.content_type!r}")
        try:
            return json.loads(self.body, object_pairs_hook=_without_duplicates)
        except ValueError as error:
            raise Refused(400, "the body is not JSON", str(error)) from None

    def object(self) -> Json:
        """The body, which must be an object. Raises Refused (400)."""
        value = self.json()
        if not isinstance(value, dict):
            raise Refused(400, "the body must be an object")
        return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is given twice")
    return found


def whole_number(text: str, name: str, least: int, most: int) -> int:
    """A number in a query. Raises Refused (400)."""
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise Refused(400, f"{name} must be {least} to {most}, not {text!r}")
    return int(text)


def one_of(text: str, name: str, *allowed: str) -> str:
    """A word in a query. Raises Refused (400)."""
    if text not in allowed:
        raise Refused(400, f"{name} must be one of {', '.join(allowed)}, not {text!r}")
    return text


def sorting(text: str, *allowed: str) -> tuple[str, bool]:
    """(field, descending) of a `sort`; a `+` that was not escaped has become a space and is refused. Raises Refused."""
    field = text[1:] if text[:1] in ("+", "-") else text
    return one_of(field, "sort", *allowed), text.startswith("-")
