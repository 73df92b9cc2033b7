"""The one writer: everything that waits goes into one durable transaction.

While a transaction is being made durable (a millisecond or several of waiting for the disk), what comes in gathers, and
the next transaction takes all of it. So the rate is bounded by the disk's bandwidth, not by its latency.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

from qwebhook.model.errors import QwebhookError, Unavailable
from qwebhook.model.event import Event
from qwebhook.store.contract import Accepted, Journal, Recording, Written

T = TypeVar("T")
Clock = Callable[[], int]

# Events that may wait for the writer, and bytes of their bodies; beyond either, the server says that it cannot keep up.
WAITING_LIMIT = 10_000
WAITING_BYTES = 64 << 20
# Events in one transaction, so that the first of them does not wait for a very long one.
BATCH_LIMIT = 500
RETRY_SECONDS = 1.0


class Run(Protocol):
    """Runs work on a journal, wherever that is: `Writer.run`, or a journal of the caller's own."""

    def __call__(self, work: Callable[[Journal], T], /) -> Awaitable[T]: ...


class Overloaded(Unavailable):
    """More is coming in than can be written; `Retry-After` says when to come back."""

    code = "QWH-OVERLOADED"


class _Batch(NamedTuple):
    """What goes into one transaction, each with the future of whoever waits for it."""

    events: list[tuple[list[Event], asyncio.Future[list[Accepted]]]]
    recordings: list[tuple[Recording, asyncio.Future[None]]]

    @property
    def all_events(self) -> list[Event]:
        return [event for group, _ in self.events for event in group]

    @property
    def all_recordings(self) -> list[Recording]:
        return [recording for recording, _ in self.recordings]

    @property
    def size(self) -> int:
        return len(self.events) + len(self.recordings)


class Writer:
    """Runs a journal on a thread of its own, for one event loop.

    written: called in the loop after each transaction, before its callers go on.
    failed: called in the loop with the error of a transaction: its events are refused, its recordings tried again.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        written: Callable[[Written], None],
        failed: Callable[[QwebhookError], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._written = written
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "qwebhook-writer")
        # The loop appends, the thread takes from the front; after a fault the loop puts back, while the thread rests.
        self._events: deque[tuple[list[Event], asyncio.Future[list[Accepted]]]] = deque()
        self._recordings: deque[tuple[Recording, asyncio.Future[None]]] = deque()
        # Other work that waits for the thread.
        self._jobs = 0
        self._waiting = 0
        self._waiting_bytes = 0
        # After a fault: how many of the first are written one at a time, until what cannot be written has been found.
        self._events_alone = 0
        self._recordings_alone = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def accept(self, events: list[Event]) -> asyncio.Future[list[Accepted]]:
        """Done when the events are on disk. Raises Overloaded at once, Unavailable later."""
        count, size = len(events), _size_of(events)
        # One request may hold more than that, and would be no smaller the next time.
        if self._waiting and (self._waiting + count > WAITING_LIMIT or self._waiting_bytes + size > WAITING_BYTES):
            raise Overloaded("more events wait than can be written", "send them again in a few seconds")
        self._waiting += count
        self._waiting_bytes += size
        future: asyncio.Future[list[Accepted]] = self._loop.create_future()
        self._events.append((events, future))
        self._start()
        return future

    def record(self, recording: Recording) -> asyncio.Future[None]:
        """Done when the attempt is on disk, which is tried until the store works again: what was sent must not be
        sent again. Raises Unavailable only if this very attempt cannot be written.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._recordings.append((recording, future))
        self._start()
        return future

    async def run(self, work: Callable[[Journal], T]) -> T:
        """Run something else on the journal, between two transactions."""
        self._jobs += 1
        return await self._loop.run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Journal], T]) -> T:
        self._jobs -= 1
        return work(self._journal)

    def _start(self) -> None:
        if self._idle.is_set():
            self._idle.clear()
            # One turn of the loop later, so that everything this turn brings in goes along.
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        """Let the thread write, unless nothing waits. Only while it rests."""
        if self._events or self._recordings:
            self._loop.run_in_executor(self._thread, self._write)
        else:
            self._idle.set()

    def _write(self) -> None:
        """On the thread: one transaction after the other, as long as there is something to write.

        The next begins without a word from the loop, which has its hands full with the one before. A fault, and other
        work that waits, end the row: the loop decides how to go on.
        """
        while self._events or self._recordings:
            batch = self._take()
            try:
                written = self._journal.write(batch.all_events, batch.all_recordings, self._clock())
            except Exception as error:
                self._loop.call_soon_threadsafe(self._not_done, batch, error)
                return
            self._loop.call_soon_threadsafe(self._done, batch, written)
            if self._jobs:
                break
        self._loop.call_soon_threadsafe(self._next)

    def _take(self) -> _Batch:
        """What goes into the next transaction: all recordings and as many events as fit; after a fault, one thing."""
        batch = _Batch([], [])
        if self._recordings_alone:
            self._recordings_alone -= 1
            batch.recordings.append(self._recordings.popleft())
            return batch
        if self._events_alone:
            self._events_alone -= 1
            batch.events.append(self._events.popleft())
            return batch
        for _ in range(len(self._recordings)):
            batch.recordings.append(self._recordings.popleft())
        size = 0
        while self._events and size < BATCH_LIMIT:
            batch.events.append(self._events.popleft())
            size += len(batch.events[-1][0])
        return batch

    def _done(self, batch: _Batch, written: Written) -> None:
        self._settle(batch, written.accepted)
        self._written(written)

    def _not_done(self, batch: _Batch, error: Exception) -> None:
        if isinstance(error, Unavailable):
            # The store is in trouble: events are refused, attempts kept until they can be written.
            self._failed(error)
            self._refuse(batch.events, error)
            if batch.recordings:
                self._recordings.extendleft(reversed(batch.recordings))
                self._loop.call_later(RETRY_SECONDS, self._next)
                return
        elif batch.size > 1:
            # Something in it cannot be written, and must not take the rest with it: one at a time, then.
            self._events.extendleft(reversed(batch.events))
            self._recordings.extendleft(reversed(batch.recordings))
            self._events_alone, self._recordings_alone = len(batch.events), len(batch.recordings)
        else:
            failure = Unavailable(f"the store failed: {error!r}")
            failure.__cause__ = error
            self._failed(failure)
            self._refuse(batch.events, failure)
            self._refuse(batch.recordings, failure)
        self._next()

    def _settle(self, batch: _Batch, accepted: list[Accepted]) -> None:
        position = 0
        for group, accepting in batch.events:
            if not accepting.done():
                accepting.set_result(accepted[position : position + len(group)])
            position += len(group)
            self._no_longer_waiting(group)
        for _, recorded in batch.recordings:
            if not recorded.done():
                recorded.set_result(None)

    def _refuse(self, waiting: Sequence[tuple[Any, asyncio.Future[Any]]], error: QwebhookError) -> None:
        for things, future in waiting:
            if isinstance(things, list):
                self._no_longer_waiting(things)
            if not future.done():
                future.set_exception(error)

    def _no_longer_waiting(self, events: list[Event]) -> None:
        self._waiting -= len(events)
        self._waiting_bytes -= _size_of(events)

    async def close(self, seconds: float) -> bool:
        """Write what waits and stop the thread; whether everything was written within the seconds."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            self._thread.shutdown(wait=False, cancel_futures=True)
            return False
        self._thread.shutdown()
        return True


def _size_of(events: list[Event]) -> int:
    return sum([len(event.body) for event in events])
