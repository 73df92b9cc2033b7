"""The receivers, one path for each webhook: those that answer, slowly or not, that fail now and then, or hang."""

from __future__ import annotations

import asyncio
import json
from random import Random

from aiohttp import web

from soak.events import body_of
from soak.ledger import Ledger

SLOW_SECONDS = 0.2
FAILING_SHARE = 0.05


class Receivers:
    """All of them on one free loopback port. healing: from when on the failing one fails no more."""

    def __init__(self, ledger: Ledger, random: Random) -> None:
        self._ledger = ledger
        self._random = random
        self.healed = False
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Receivers:
        application = web.Application()
        application.router.add_post("/{name}", self._take)
        # A handler that hangs ends with its connection, or those of every server that was killed would pile up.
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def url(self, name: str) -> str:
        """Where a webhook delivers to."""
        return f"http://127.0.0.1:{self._port}/{name}"

    async def _take(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = await request.read()
        number = int(json.loads(body)["id"])
        if body != body_of(number):
            self._ledger.fault(f"event {number} came to {name} with another body")
        if name == "hanging":
            await asyncio.Event().wait()
        if name == "failing" and not self.healed and self._random.random() < FAILING_SHARE:
            self._ledger.counts["failed answers"] += 1
            return web.Response(status=503, headers={"Retry-After": "1"})
        self._ledger.came(name, number)
        if name == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        return web.Response(text="thanks")
