"""Taking nothing more before the disk or the queue is too full: what was accepted must have room to be delivered."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from qwebhook.deliver.writer import Overloaded
from qwebhook.model.errors import QwebhookError
from qwebhook.server.log import Log

LOOK_EVERY = 1.0
# Counting what is pending may take this part of the time.
COUNTING_SHARE = 0.02


class Shedding:
    """Looks at the disk and the queue now and then, and says whether events may be accepted.

    folder: of the store. keep_free: bytes that must stay free on its disk. most_pending: deliveries. pending: counts
    them.
    """

    def __init__(
        self, folder: Path, keep_free: int, most_pending: int, pending: Callable[[], Awaitable[int]], log: Log
    ) -> None:
        self._folder = folder
        self._keep_free = keep_free
        self._most_pending = most_pending
        self._pending = pending
        self._log = log
        self._count = 0
        self._count_at = 0.0
        self.reason = ""

    def check(self) -> None:
        """Raises Overloaded while nothing may be accepted."""
        if self.reason:
            raise Overloaded(self.reason, "send it again later")

    async def watch(self) -> None:
        """Look again and again, for as long as the server lives."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Look now. Sets `reason`, "" when all is well, and logs a change."""
        reason = self._disk() or await self._queue()
        if reason and not self.reason:
            self._log.error("accepting nothing", reason=reason)
        elif self.reason and not reason:
            self._log.info("accepting again")
        self.reason = reason

    def _margin(self, limit: int) -> int:
        # It takes a little more to go on than to stop, or it would do both every second.
        return min(limit // 20, 16 << 20) if self.reason else 0

    def _disk(self) -> str:
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return ""  # whether it can be written is the writer's to find out
        if free >= self._keep_free + self._margin(self._keep_free):
            return ""
        return f"the store's disk has {free >> 20} MiB free, and {self._keep_free >> 20} MiB are to stay free"

    async def _queue(self) -> str:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._count_at:
            start = loop.time()
            try:
                self._count = await self._pending()
            except QwebhookError:
                return self.reason
            self._count_at = loop.time() + (loop.time() - start) / COUNTING_SHARE
        if self._count < self._most_pending - self._margin(self._most_pending):
            return ""
        return f"{self._count} deliveries are pending, and {self._most_pending} may be"
