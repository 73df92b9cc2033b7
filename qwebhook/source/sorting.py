"""Sorting out the items of a page: which are new events, and which are passed over, and why."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

import msgspec

from qwebhook.model.errors import EventRejected
from qwebhook.model.event import Event
from qwebhook.source.items import name_of, read_item, time_of

Kind = Literal["malformed", "repeated"]


class Skip(msgspec.Struct, frozen=True):
    """An item that was passed over. name: what it is known by. time: its eventTime (ms), if it has one."""

    kind: Kind
    name: str
    time: int | None
    reason: str


class Known:
    """The latest items read, each with the number of the reading; so many at most, since a log has no end."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._readings: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._readings)

    def reading_of(self, mark: bytes) -> int | None:
        """The number of the reading that an item was read in first."""
        return self._readings.get(mark)

    def add(self, marks: Iterable[bytes], reading: int) -> None:
        """Remember items, and forget the oldest for them."""
        for mark in marks:
            if len(self._readings) >= self._limit:
                del self._readings[next(iter(self._readings))]
            self._readings[mark] = reading


def sort_out(
    items: Iterable[bytes], known: Known, reading: int, since: int
) -> tuple[list[Event], list[Skip], Iterable[bytes]]:
    """The events that are new, what is passed over, and the marks of all of them, to be remembered.

    reading: the number of this one. since: what is older (ms) is not wanted.
    """
    events: list[Event] = []
    skips: list[Skip] = []
    marks: dict[bytes, None] = {}
    for item in items:
        name, moment = name_of(item), time_of(item)
        mark = blake2b(name, digest_size=12).digest()
        first = reading if mark in marks else known.reading_of(mark)
        if first is not None:
            # Known from an earlier reading: that is what overlapping is for.
            if first == reading:
                skips.append(Skip("repeated", _shown(name), moment, "it came twice in one reading"))
            continue
        if moment is not None and moment < since:
            continue
        marks[mark] = None
        try:
            events.append(read_item(item))
        except EventRejected as error:
            skips.append(Skip("malformed", _shown(name), moment, error.message))
    return events, skips, marks


def _shown(name: bytes) -> str:
    return name[:80].decode(errors="replace").strip('"')
