"""Names for the ids in events: looked up once for many events, kept for a while, and never waited for long."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from qwebhook.deliver.daemon_threads import DaemonThreads
from qwebhook.model.errors import RenderFailed
from qwebhook.render.message import Names, mentioned

PATIENCE_SECONDS = 1.0
KEPT = 10_000
KEPT_SECONDS = 600.0
# After a look-up that failed, or took too long, nothing is waited for.
TROUBLE_SECONDS = 30.0
THREADS = 4
WAITING_LIMIT = 200
LookUp = Callable[[str, str], dict[str, str]]


class _Known(NamedTuple):
    about: dict[str, str]
    until: float


class NameFinder:
    """Finds what is known of the users, spaces and apps that events mention. For one event loop.

    look_up: asks the tenant, for a kind and an id; runs on a thread.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._loop = asyncio.get_running_loop()
        self._threads = DaemonThreads("qwebhook-names", THREADS)
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._trouble_until = 0.0

    async def of(self, event_type: str, body: bytes) -> Names:
        """What is known by now, or within a second, of what an event mentions, by its kind."""
        try:
            wanted = mentioned(body, event_type)
        except RenderFailed:  # which it is then told by whoever renders it
            return {}
        asked = [future for one in wanted.items() if (future := self._asking(one)) is not None]
        if asked and self._loop.time() >= self._trouble_until:
            _, late = await asyncio.wait(asked, timeout=PATIENCE_SECONDS)
            if late:
                self._trouble_until = self._loop.time() + TROUBLE_SECONDS
        return {kind: self._known[kind, name].about for kind, name in wanted.items() if (kind, name) in self._known}

    def _asking(self, one: tuple[str, str]) -> asyncio.Future[None] | None:
        """The look-up that is under way, or is begun; None for what is known, and for one too many."""
        known = self._known.get(one)
        if known is not None and known.until > self._loop.time():
            return None
        asked = self._asked.get(one)
        if asked is None and len(self._asked) < WAITING_LIMIT:
            asked = self._asked[one] = asyncio.ensure_future(self._ask(one))
        return asked

    async def _ask(self, one: tuple[str, str]) -> None:
        try:
            about = await self._loop.run_in_executor(self._threads, self._look_up, *one)
            seconds = KEPT_SECONDS
        except Exception:  # whatever an answer can be made to do to us
            # What was known before is better than nothing, until the next look.
            before = self._known.get(one)
            about, seconds = (before.about if before else {}), TROUBLE_SECONDS
            self._trouble_until = self._loop.time() + TROUBLE_SECONDS
        finally:
            del self._asked[one]
        self._known[one] = _Known(about, self._loop.time() + seconds)
        self._known.move_to_end(one)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

    async def close(self) -> None:
        """Wait for no look-up any more."""
        asked = list(self._asked.values())
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
