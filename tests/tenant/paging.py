"""Pages of a list, with links to their neighbours.

A cursor holds the sort key of the item next to the page, not a count: what is added or deleted meanwhile neither
repeats an item nor leaves one out. It is good only for the filters and the order that it was made for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from tests.tenant.answers import Answer, Refused, json_answer
from tests.tenant.asking import Asked

T = TypeVar("T")
Key = tuple[Any, ...]
CURSORS = ("next", "prev")


class Ordered(Generic[T]):
    """Items in ascending order of a unique key, and how a list shows them."""

    def __init__(self, items: Sequence[T], key: Callable[[T], Key], descending: bool) -> None:
        self.items = items
        self.key = key
        self.descending = descending

    def beyond(self, cursor: Key | None, forward: bool, low: int, high: int) -> Iterable[T]:
        """The items past the cursor, nearest first; without one, from the list's beginning."""
        if forward != self.descending:
            start = low if cursor is None else max(low, bisect_right(self.items, cursor, key=self.key))
            return (self.items[index] for index in range(start, high))
        end = high if cursor is None else min(high, bisect_left(self.items, cursor, key=self.key))
        return (self.items[index] for index in range(end - 1, low - 1, -1))


def page(
    asked: Asked,
    ordered: Ordered[T],
    limit: int,
    shown: Callable[[T], Any],
    wanted: Callable[[T], bool] = lambda _: True,
    low: int = 0,
    high: int | None = None,
) -> Answer:
    """The page that the query asks for, of the wanted items between two positions. Raises Refused (400)."""
    high = len(ordered.items) if high is None else high
    given = {name: value for name, value in asked.query if name in CURSORS}
    if len(given) > 1:
        raise Refused(400, "next and prev exclude each other")
    forward = "prev" not in given
    cursor = _decoded(next(iter(given.values())), asked) if given else None

    beyond = (item for item in ordered.beyond(cursor, forward, low, high) if wanted(item))
    found = list(islice(beyond, limit + 1))
    more, found = len(found) > limit, found[:limit]
    back = cursor is not None and any(map(wanted, _behind(ordered, cursor, forward, low, high)))
    if not forward:
        found, more, back = found[::-1], back, more

    links = {"self": {"href": _address(asked, asked.query)}}
    if more and found:
        links["next"] = {"href": _neighbour(asked, "next", ordered.key(found[-1]))}
    if back and found:
        links["prev"] = {"href": _neighbour(asked, "prev", ordered.key(found[0]))}
    return json_answer({"data": [shown(item) for item in found], "links": links})


def _behind(ordered: Ordered[T], cursor: Key, forward: bool, low: int, high: int) -> Iterable[T]:
    """What the page does not reach: the item of the cursor itself, and what lies on its other side."""
    index = bisect_left(ordered.items, cursor, key=ordered.key)
    if low <= index < high and ordered.key(ordered.items[index]) == cursor:
        yield ordered.items[index]
    yield from ordered.beyond(cursor, not forward, low, high)


def _neighbour(asked: Asked, relation: str, key: Key) -> str:
    kept = [(name, value) for name, value in asked.query if name not in CURSORS]
    return _address(asked, [*kept, (relation, _encoded(key, asked))])


def _address(asked: Asked, query: Iterable[tuple[str, str]]) -> str:
    text = urlencode(list(query))
    return asked.origin + asked.path + (f"?{text}" if text else "")


def _encoded(key: Key, asked: Asked) -> str:
    return base64.urlsafe_b64encode(json.dumps([_filters(asked), *key]).encode()).decode().rstrip("=")


def _decoded(text: str, asked: Asked) -> Key:
    try:
        filters, *key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):
        raise Refused(400, "the cursor is not one of this tenant") from None
    if filters != _filters(asked):
        raise Refused(400, "the cursor belongs to another path, other filters or another order")
    return tuple(key)


def _filters(asked: Asked) -> str:
    """A digest of what a cursor is good for."""
    kept = sorted((name, value) for name, value in asked.query if name not in (*CURSORS, "limit"))
    return hashlib.sha256(repr((asked.path, kept)).encode()).hexdigest()[:16]
