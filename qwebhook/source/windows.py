"""A stretch of the audit log as pages, oldest first: the archive by days, then the log in windows that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from qwebhook.model.errors import Unavailable
from qwebhook.source.audit_log import DAY, KEPT, PAGE_SIZE, SECOND, AuditPage, AuditPages, day_of
from qwebhook.source.items import time_of

# A cursor is followed through a day at most: one that fails half-way through months would lose much.
WINDOW = DAY
# Whether a window includes its ends is not documented: what lies on the border of two is in one of them for certain.
SEAM = SECOND


def read_pages(pages: AuditPages, start: int, end: int) -> Iterator[list[bytes]]:
    """The items with an eventTime from start to end, a hundred at most at once; some may come twice.

    start, end: milliseconds since the epoch, in the tenant's time. Raises Unavailable, also when a list never ends.
    """
    horizon = pages.now() - KEPT
    if start < horizon:
        yield from _archived(pages, start, min(end, horizon))
    begun = max(start, horizon)
    low = begun
    while low < end:
        until = min(low + WINDOW, end)
        seam = max(low - SEAM, begun)
        for page in _follow(lambda cursor, start=seam, until=until: pages.log(start, until, cursor)):  # type: ignore[misc]
            yield _within(page.items, low, None)
        low = until
    if start < horizon < end:
        # What was old enough for the archive only when that had been read, and was gone from the log.
        yield from _archived(pages, horizon, min(end, pages.now() - KEPT))


def _archived(pages: AuditPages, start: int, end: int) -> Iterator[list[bytes]]:
    for day in _days(start, end):
        for page in _follow(lambda cursor, day=day: pages.archive(day, cursor)):  # type: ignore[misc]
            items = _within(page.items, start, end)
            # A day may come in one piece, and is handed on in such as others are.
            for first in range(0, len(items) or 1, PAGE_SIZE):
                yield items[first : first + PAGE_SIZE]


def _follow(read: Callable[[str | None], AuditPage]) -> Iterator[AuditPage]:
    """The pages from the first to the last. Raises Unavailable when a cursor comes again."""
    cursor: str | None = None
    seen: set[int] = set()
    while True:
        page = read(cursor)
        yield page
        cursor = page.next
        if cursor is None:
            return
        if hash(cursor) in seen:
            raise Unavailable("the audit log's pages lead back to one that was read", "it is read again from its place")
        seen.add(hash(cursor))


def _within(items: list[bytes], start: int, end: int | None) -> list[bytes]:
    """Those from a time on and before another; one without a time is among them."""
    times = [time_of(item) for item in items]
    return [
        item
        for item, time in zip(items, times, strict=True)
        if time is None or (start <= time and (end is None or time < end))
    ]


def _days(start: int, end: int) -> Iterator[date]:
    day = day_of(start)
    while datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * SECOND < end:
        yield day
        day += timedelta(days=1)
