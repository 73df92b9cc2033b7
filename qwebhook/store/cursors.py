"""Cursors of keyset pages: the place of a row in an order, and which way to go from it."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from qwebhook.model.errors import InvalidInput
from qwebhook.store.contract import MAX_LIMIT, Page

T = TypeVar("T")
Direction = Literal["next", "prev"]
# What a database can compare a column with.
Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Cursor(msgspec.Struct, array_like=True, gc=False):
    """value: the sort column of the row at the edge. row: its number, which decides between equals."""

    query: str
    direction: Direction
    value: Integer | str
    row: Integer


def fingerprint(query: msgspec.Struct) -> str:
    """What a cursor belongs to: the query without its cursor and limit."""
    restrictions = {**msgspec.structs.asdict(query), "cursor": None, "limit": None}
    return hashlib.sha256(msgspec.json.encode(restrictions)).hexdigest()[:12]


def encode(cursor: Cursor) -> str:
    return urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def decode(text: str, query: str) -> Cursor:
    """The cursor, if it belongs to the query with that fingerprint. Raises InvalidInput."""
    try:
        cursor = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
    except (ValueError, msgspec.DecodeError):
        raise malformed() from None
    if cursor.query != query:
        raise InvalidInput(
            "the cursor belongs to a list with other filters or another order", "start at the first page"
        )
    return cursor


def malformed() -> InvalidInput:
    """The error for a cursor that no page can have given."""
    return InvalidInput("the cursor is malformed", "take it from the links of a page as it is")


class Paging:
    """One page of a keyset list: which way the rows are read, and the page made of them.

    field: the sort's name without its sign. descending: how to read the rows, which for a page before the cursor is
    against the order asked for. Raises InvalidInput for a limit or a cursor that cannot be used.
    """

    def __init__(self, query: msgspec.Struct, sort: str, limit: int, cursor: str | None) -> None:
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput(f"limit is {limit}", f"use 1 to {MAX_LIMIT}")
        self._belongs = fingerprint(query)
        self._limit = limit
        self.cursor = decode(cursor, self._belongs) if cursor else None
        self._backwards = self.cursor is not None and self.cursor.direction == "prev"
        self.field = sort.lstrip("+-")
        self.descending = sort.startswith("-") != self._backwards

    @property
    def direction(self) -> str:
        return "DESC" if self.descending else "ASC"

    @property
    def comparison(self) -> str:
        """How a row beyond the cursor compares with it."""
        return "<" if self.descending else ">"

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than shown tells whether there are more."""
        return self._limit + 1

    def page(
        self,
        rows: list[tuple[Any, ...]],
        make: Callable[[tuple[Any, ...]], T],
        value_column: int,
        row_column: int,
    ) -> Page[T]:
        """The page of the rows read, with the cursors of its neighbours."""
        more = len(rows) > self._limit
        shown = rows[: self._limit]
        if self._backwards:
            shown.reverse()

        def edge(row: tuple[Any, ...], direction: Direction) -> str:
            return encode(Cursor(self._belongs, direction, row[value_column], row[row_column]))

        page = Page([make(row) for row in shown])
        if shown and (more or self._backwards):
            page.next = edge(shown[-1], "next")
        if shown and self.cursor is not None and (more or not self._backwards):
            page.previous = edge(shown[0], "prev")
        return page
