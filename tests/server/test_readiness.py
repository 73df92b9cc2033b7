"""Whether the server is ready, over a real store and a real tenant that stops answering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from qwebhook.server import sources as sources_module
from qwebhook.server.readiness import RECHECK_SECONDS
from tests.server.source_reading import reading
from tests.tenant import Tenant
from tests.tenant.faults import status


async def until(trouble: Callable[[], Awaitable[str]], wanted: str) -> None:
    while await trouble() != wanted:  # noqa: ASYNC110 there is nothing else to wait for
        await asyncio.sleep(RECHECK_SECONDS / 20)


def test_a_source_of_which_nothing_is_heard_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_module, "DEAF_SECONDS", 0.2)

    async def run(tenant: Tenant) -> None:
        async with reading(tenant, tmp_path) as server:
            fault = tenant.faults.inject(status(401), path="*/audits*", times=None)
            server.sources.start()
            await asyncio.wait_for(until(server.readiness.trouble, "nothing is heard of audits:prod"), 20)
            fault.left = 0
            await asyncio.wait_for(until(server.readiness.trouble, ""), 40)

    with Tenant() as tenant:
        asyncio.run(run(tenant))
