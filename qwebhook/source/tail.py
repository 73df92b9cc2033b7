"""Following the audit log: what is new in it, where one is, and what was passed over.

An event can be in the log later than its eventTime says, so each reading begins some time before the place that was
reached, and what was read before is known by its eventId. The place is where reading would go on after a restart: it
moves only over items that have been handed on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from qwebhook.model.event import Event
from qwebhook.source.audit_log import DAY, SECOND, AuditPages
from qwebhook.source.items import time_of
from qwebhook.source.sorting import Known, Skip, sort_out
from qwebhook.source.windows import read_pages
from qwebhook.store.contract import SourcePlace

# How far before its place a reading begins: always, and now and then.
OVERLAP = 60 * SECOND
DEEP_OVERLAP = 15 * 60 * SECOND
# After a deep reading of so many pages, the next is due in as many times this (seconds): of the tenant's limit of a
# thousand requests a minute, looking for what came late takes thirty at most.
DEEP_EVERY = 2.0
# Ahead of the tenant's time, of which only whole seconds are known, and whose clocks differ a little.
AHEAD = 5 * SECOND
# In a tenant where nothing happens the place follows all the same, so far behind the present, or twice that.
LONGEST_QUIET = DAY
REMEMBERED = 20_000


class Step(msgspec.Struct):
    """What one page brought. place: where reading would go on once the events have been handed on."""

    events: list[Event]
    skips: list[Skip]
    place: SourcePlace


class Tail:
    """The log from a place on. A place of None begins now.

    remembered: how many items are known again; more than come within the overlap, so that none is handed on twice.
    monotonic: seconds.
    """

    def __init__(
        self,
        pages: AuditPages,
        place: SourcePlace | None,
        *,
        remembered: int = REMEMBERED,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pages = pages
        self._place = place
        self._known = Known(remembered)
        self._monotonic = monotonic
        self._deep_due = monotonic()
        self._reading = 0

    @property
    def place(self) -> SourcePlace | None:
        """Where reading would go on; None before the first."""
        return self._place

    def read(self) -> Iterator[Step]:
        """All that is new by now, page by page.

        A step counts as handed on when the next is asked for: whoever fails with one gets it again in the next reading.
        Raises what `AuditPages` raises; what was handed on by then stays so.
        """
        self._reading += 1
        place = self._place
        if place is None:
            now = self._pages.now()
            place = SourcePlace(now, now)
            # To be kept at once: what comes from now on is wanted, even if nothing else is read before a restart.
            yield Step([], [], place)
            self._place = place
        end = self._pages.now() + AHEAD
        deep = self._monotonic() >= self._deep_due
        overlap = DEEP_OVERLAP if deep else OVERLAP
        start = max(place.since, place.reached - overlap)
        progress = _Progress(place.reached, end)
        pages = 0
        for items in read_pages(self._pages, start, end):
            pages += 1
            events, skips, marks = sort_out(items, self._known, self._reading, place.since)
            reached = SourcePlace(place.since, progress.after(items))
            yield Step(events, skips, reached)
            self._place = reached
            self._known.add(marks, self._reading)
        reached = SourcePlace(place.since, progress.at_end())
        if reached != self._place:
            yield Step([], [], reached)
            self._place = reached
        if deep:
            self._deep_due = self._monotonic() + pages * DEEP_EVERY


class _Progress:
    """How far a reading has come. end: its end, beyond which an item's time, which may be anything, counts for nothing.

    While the items come in order, all before the latest has been read. Should they not, only the end says so.
    """

    def __init__(self, reached: int, end: int) -> None:
        self._reached = reached
        self._end = end
        self._latest: int | None = None
        self._highest = reached
        self._ordered = True

    def after(self, items: list[bytes]) -> int:
        """The place after these items."""
        for moment in map(time_of, items):
            if moment is None:
                continue
            if self._latest is not None and moment < self._latest - SECOND:
                self._ordered = False
            self._latest = moment
            self._highest = max(self._highest, min(moment, self._end))
        if self._ordered:
            self._reached = self._highest
        return self._reached

    def at_end(self) -> int:
        """The place when all has been read. Where nothing happens it moves seldom: each time, it is written down."""
        return self._highest if self._highest > self._end - 2 * LONGEST_QUIET else self._end - LONGEST_QUIET
