"""What every part of the soak works with: a store, its server, receivers, publishers, and the verdict at the end."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from base64 import b64encode
from contextlib import AsyncExitStack, closing
from pathlib import Path
from random import Random
from typing import Self

import aiohttp

from qwebhook.deliver.lane import MOST_CONCURRENCY
from qwebhook.model.event import read_event
from soak.changes import Changes
from soak.events import body_of
from soak.ledger import Ledger
from soak.load import Load
from soak.power_loss import check_integrity, read_only
from soak.process import PATIENCE, Home, Server
from soak.receivers import Receivers

RESIDENT_LIMIT = 300 << 20
JUMP_SECONDS = 3600.0
SETTLE_SECONDS = 300.0
ROUND_SECONDS = 30.0
HANGING = "hanging"

PENDING = """
    SELECT w.name, e.key FROM pending AS p JOIN webhook AS w ON w.row = p.webhook JOIN event AS e ON e.row = p.event
"""
PENDING_ELSEWHERE = """
    SELECT count(*) FROM pending AS p JOIN webhook AS w ON w.row = p.webhook WHERE w.name <> 'hanging'
"""


class Trial:
    """In a `with` block there are webhooks, their receivers, and publishers that wait for the server to be started.

    Everything random comes from `random`, but for what the machine adds. moved: how far the clock was set ahead.
    """

    def __init__(self, folder: Path, random: Random, rate: float, *options: str, store: Path | None = None) -> None:
        self.home = Home(folder, store)
        self.random = random
        self.ledger = Ledger()
        # There is always something in flight that hangs, and waiting for it would be in vain.
        self.server = Server(self.home, "--drain", "500ms", *options)
        self.receivers = Receivers(self.ledger, random)
        self.changes = Changes(self.home, self.ledger, self.receivers, random)
        self.starts: list[float] = []
        self.moved = 0.0
        self.resident = 0
        self._rate = rate
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.receivers)
        self._open.push_async_callback(self._leave)
        token = await self.changes.prepare()
        self.load = Load(self.server, self.ledger, token, self._rate)
        self._open.push_async_callback(self.load.close)
        watching = asyncio.create_task(self._watch())
        self._open.callback(watching.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _leave(self) -> None:
        if not self.server.ended:
            await self.server.end()

    async def _watch(self) -> None:
        """Sample the server's memory."""
        while True:
            if not self.server.ended:
                self.resident = max(self.resident, self.server.resident())
            await asyncio.sleep(0.5)

    async def spawn(self) -> None:
        """Start the server, and do not wait for it."""
        self.ledger.start += 1
        await self.server.spawn()

    async def start(self) -> None:
        """Start the server, which must come up by itself."""
        began = time.monotonic()
        await self.spawn()
        await self.server.listening()
        status, words = await self.ready()
        if status != 200:
            self.ledger.fault(f"after a start /readyz was answered {status}: {words}")
        self.starts.append(time.monotonic() - began)

    async def ready(self) -> tuple[int, str]:
        """What `/readyz` is answered."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session,
            session.get(f"{self.server.url}/readyz") as response,
        ):
            return response.status, await response.text()

    async def check(self) -> None:
        """What SQLite says of the store; the server may be at work."""
        start = self.ledger.start
        for problem in await asyncio.to_thread(check_integrity, self.home.store):
            self.ledger.fault(f"integrity check after start {start}: {problem}")
        self.ledger.counts["integrity checks"] += 1

    async def check_by_command(self) -> None:
        """What qwebhook itself says of the store."""
        code, out, error = await self.home.run("store", "check")
        self.ledger.counts["store checks"] += 1
        if code:
            self.ledger.fault(f"store check ended with {code}: {out} {error}")

    async def settle(self) -> None:
        """Wait until all has come that is owed, and judge; the server runs, and has ended when this is done.

        Only the receiver that never answers may leave anything pending.
        """
        self.changes.end()
        await self.load.end()
        await self._end_gently()
        self.receivers.healed = True
        deadline = time.monotonic() + SETTLE_SECONDS
        settled = False
        while not settled and time.monotonic() < deadline:
            # Whatever waits for its time, its time has come.
            self.moved += JUMP_SECONDS
            self.home.clock.move(self.moved)
            await self.start()
            settled = await self._settled()
            await self._end_gently()
        await self.check()
        await self.check_by_command()
        self._judge()

    async def _end_gently(self) -> None:
        code = await self.server.end(signal.SIGTERM)
        if code:
            self.ledger.fault(f"after SIGTERM the server ended with {code}:\n" + "\n".join(self.server.lines))

    async def _settled(self) -> bool:
        """Whether soon nothing is pending but what hangs."""
        deadline = time.monotonic() + ROUND_SECONDS
        while _pending_elsewhere(self.home.store):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    def _judge(self) -> None:
        ledger = self.ledger
        waiting = pending(self.home.store)
        missing = [*ledger.missing(), *self.changes.missing()]
        for name, number in missing:
            if (name, key_of(number)) not in waiting:
                ledger.counts["lost"] += 1
                ledger.fault(f"event {number} was accepted, and is lost for {name}")
            elif name != HANGING:
                ledger.fault(f"event {number} is still pending for {name}, which answers")
        for name, number in self.changes.surplus():
            ledger.fault(f"event {number} came to {name}, which was disabled")
        for (start, name), count in ledger.repeats.items():
            if count > MOST_CONCURRENCY:
                ledger.fault(f"{count} deliveries to {name} were repeated at start {start}: more than in flight")
        if self.resident > RESIDENT_LIMIT:
            ledger.fault(f"the server took {self.resident >> 20} MiB of memory")
        ledger.counts["pending"] = len(waiting)


def key_of(number: int) -> str:
    """What the store knows an event by."""
    return b64encode(read_event(body_of(number)).key).decode()


def pending(store: Path) -> set[tuple[str, str]]:
    """The names of webhooks and the keys of the events that wait for them."""
    with closing(read_only(store)) as database:
        return set(database.execute(PENDING).fetchall())


def _pending_elsewhere(store: Path) -> int:
    with closing(read_only(store)) as database:
        try:
            count: int = database.execute(PENDING_ELSEWHERE).fetchone()[0]
        except sqlite3.OperationalError:
            return -1  # busy
    return count
