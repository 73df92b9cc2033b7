"""What is found out once for all who ask for it meanwhile, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Found(NamedTuple, Generic[V]):
    """until: when it is to be asked for again, seconds since the epoch. weight: what it takes of the room."""

    value: V
    until: float
    weight: int = 1


class Once(Generic[K, V]):
    """Answers by what was asked. For one event loop.

    find: finds an answer, and does not raise. It goes on when who has asked does not wait any longer, so that the next
    has it. room: the weight of what is kept; the least recently used makes way.
    """

    def __init__(
        self, find: Callable[[K], Awaitable[Found[V]]], room: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._find = find
        self._free = room
        self._clock = clock
        self._kept: dict[K, Found[V]] = {}
        self._asked: dict[K, asyncio.Task[V]] = {}

    def known(self, key: K) -> V | None:
        """What is kept, if it need not be asked for again."""
        found = self._kept.get(key)
        if found is None or found.until <= self._clock():
            return None
        self._kept[key] = self._kept.pop(key)  # the order is that of use
        return found.value

    def last(self, key: K) -> V | None:
        """What was found last, however long ago, if it is still kept."""
        found = self._kept.get(key)
        return found.value if found is not None else None

    async def of(self, key: K) -> V:
        """What is kept, or else found now."""
        value = self.known(key)
        if value is not None:
            return value
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key))
        return await asyncio.shield(task)

    async def _ask(self, key: K) -> V:
        try:
            found = await self._find(key)
        finally:
            del self._asked[key]
        self._drop(key)
        self._kept[key] = found
        self._free -= found.weight
        while self._free < 0:
            self._drop(next(iter(self._kept)))
        return found.value

    def _drop(self, key: K) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._free += found.weight

    async def close(self) -> None:
        """End what is being asked."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
