"""Changes by commands while the server runs, is down, or is just being killed: each counts from its end on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from random import Random

from soak.events import CHANGING, HOOKS, TYPE
from soak.ledger import Ledger
from soak.process import Home
from soak.receivers import Receivers

KEPT = 4


@dataclass
class Changed:
    """A webhook that was made in between. on, off: times within which it was enabled for certain, or was not."""

    name: str
    on: list[tuple[float, float]] = field(default_factory=list)
    off: list[tuple[float, float]] = field(default_factory=list)
    deleted: bool = False


class Changes:
    """Makes, disables, enables and deletes webhooks, and makes and revokes tokens, one command after the other."""

    def __init__(self, home: Home, ledger: Ledger, receivers: Receivers, random: Random) -> None:
        self._home = home
        self._ledger = ledger
        self._receivers = receivers
        self._random = random
        self._ending = asyncio.Event()
        self.webhooks: list[Changed] = []

    async def prepare(self) -> str:
        """Make the webhooks that stay; a token for publishers."""
        token = await self._run("token", "create", "publisher", "--role", "publisher")
        await asyncio.gather(
            *(
                self._run("create", hook.name, "--url", self._receivers.url(hook.name), *hook.arguments)
                for hook in HOOKS
            )
        )
        return token

    async def _run(self, *words: str) -> str:
        code, out, error = await self._home.run(*words)
        self._ledger.counts["commands"] += 1
        if code:
            self._ledger.fault(f"qwebhook {' '.join(words[:2])} ended with {code}: {error}")
        return out

    async def run(self) -> None:
        """Go on until `end`."""
        number = 0
        while not self._ending.is_set():
            number += 1
            await self._one(f"changing-{number}")
            await self._run("token", "create", f"token-{number}", "--role", "metrics")
            await self._run("token", "revoke", f"token-{number}", "--yes")
            alive = [one for one in self.webhooks if not one.deleted]
            if len(alive) > KEPT:
                # Deliveries go with their webhook: no more is said of what it has to get.
                alive[0].deleted = True
                await self._run("delete", alive[0].name, "--yes")

    async def _one(self, name: str) -> None:
        url = self._receivers.url(name)
        changed = Changed(name)
        await self._run("create", name, "--url", url, "--event", TYPE + CHANGING)
        self.webhooks.append(changed)
        changed.on.append(await self._while_it_lasts())
        await self._run("disable", name)
        changed.off.append(await self._while_it_lasts())
        await self._run("enable", name)
        changed.on.append((time.monotonic(), float("inf")))

    async def _while_it_lasts(self) -> tuple[float, float]:
        """A moment or some seconds in which nothing is changed, cut short by the end of it all."""
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), self._random.uniform(0, 3))
        return began, time.monotonic()

    def end(self) -> None:
        """Let the webhook in hand come to its end, enabled, and change nothing more."""
        self._ending.set()

    def missing(self) -> list[tuple[str, int]]:
        """What has not come to the webhooks that are there at the end, of what was accepted while they were enabled."""
        return [
            (one.name, number)
            for one in self.webhooks
            if not one.deleted
            for number, times in self._ledger.changing.items()
            if _within(times, one.on) and number not in self._ledger.changed.get(one.name, set())
        ]

    def surplus(self) -> list[tuple[str, int]]:
        """What came to webhooks that had been disabled before it was sent, and were until it was accepted."""
        return [
            (one.name, number)
            for one in self.webhooks
            for number in self._ledger.changed.get(one.name, ())
            if number in self._ledger.changing and _within(self._ledger.changing[number], one.off)
        ]


def _within(times: tuple[float, float], spans: list[tuple[float, float]]) -> bool:
    return any(begin <= times[0] and times[1] <= end for begin, end in spans)
