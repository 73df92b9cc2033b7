"""The store behind two threads: changes on the writer's, so that they never wait for a lock; reads on one of its own.

A change goes between two transactions of the writer. The journal then looks at the webhooks again in the same turn, and
the worker has them before the change is answered and before it hears of any event that was accepted later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.errors import Unavailable
from qwebhook.store.contract import Administration, InboundStore, Journal, TokenStore

T = TypeVar("T")


class Store(Administration, TokenStore, InboundStore, Protocol):
    """All that can be administered."""


class ServedStore:
    """A store for the handlers of requests. To be made and used within one event loop.

    changing, reading: two connections to the same store. observed: a journal that is only read, so that counting a
    long queue does not hold the writer.
    """

    def __init__(self, writer: Writer, worker: Worker, changing: Store, reading: Store, observed: Journal) -> None:
        self._writer = writer
        self._worker = worker
        self._changing = changing
        self._reading = reading
        self._observed = observed
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "qwebhook-reader")

    async def read(self, work: Callable[[Store], T]) -> T:
        """What the work makes of the store; it must not change anything."""
        return await self._loop.run_in_executor(self._thread, work, self._reading)

    async def observe(self, work: Callable[[Journal], T]) -> T:
        """What the work makes of the journal; it must not change anything."""
        return await self._loop.run_in_executor(self._thread, work, self._observed)

    async def change(self, work: Callable[[Store], T]) -> T:
        """Make a change. Once it has returned, every event accepted later sees it."""

        def changed(journal: Journal) -> T:
            result = work(self._changing)
            # The change is made, whatever comes now; if the store fails, the next look finds it.
            with contextlib.suppress(Unavailable):
                index = journal.refresh()
                if index is not None:
                    # From here, so that it comes before anything that the writer's next transaction brings.
                    self._loop.call_soon_threadsafe(self._worker.take_endpoints, index)
            return result

        return await self._writer.run(changed)

    async def note(self, work: Callable[[Store], T]) -> T:
        """Write down something that concerns neither webhooks nor deliveries."""
        return await self._writer.run(lambda _: work(self._changing))

    def close(self) -> None:
        """End the reading thread when it has done what waits; the stores are closed by whoever opened them."""
        self._thread.shutdown()
