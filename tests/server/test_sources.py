"""What a server reads by itself, over a real store and a real tenant."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from qwebhook.model.errors import QwebhookError
from qwebhook.server import sources as sources_module
from qwebhook.server.shedding import Shedding
from qwebhook.source.pace import Stopped
from qwebhook.store.contract import SourcePlace
from tests.server.source_reading import MOST_PENDING, Reading, reading
from tests.tenant import Tenant


def accepted(server: Reading) -> bool:
    return b"\nqwebhook_events_accepted_total 0.0" not in server.metrics.text()


async def until_accepted(server: Reading) -> None:
    while not accepted(server):  # noqa: ASYNC110 there is nothing else to wait for
        await asyncio.sleep(0.01)


async def left_off(server: Reading, tenant: Tenant, ago: int) -> None:
    """As if the tenant's log had been read until so many milliseconds ago."""
    name, now = f"audits:{tenant.url}", tenant.clock.now()
    place = SourcePlace(now - ago, now - ago)
    await server.writer.run(lambda journal: journal.keep_source_place(name, place, now))


def test_what_is_read_waits_as_well_while_nothing_may_be_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources_module, "OVERLOADED_WAIT", 0.01)

    async def run(tenant: Tenant) -> None:
        async with reading(tenant, tmp_path) as server:
            await left_off(server, tenant, 60_000)
            tenant.audits.add()
            refused = asyncio.Event()
            check = Shedding.check

            def noticed(shedding: Shedding) -> None:
                try:
                    check(shedding)
                except QwebhookError:
                    refused.set()
                    raise

            monkeypatch.setattr(Shedding, "check", noticed)
            server.pending[0] = MOST_PENDING
            await server.shedding.look()
            server.sources.start()
            await asyncio.wait_for(refused.wait(), 20)
            assert not accepted(server)
            server.pending[0] = 0
            await server.shedding.look()
            await asyncio.wait_for(until_accepted(server), 20)

    with Tenant() as tenant:
        asyncio.run(run(tenant))


def test_the_lag_after_a_mistake_is_what_it_was_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_module, "AFTER_A_MISTAKE", 0.0)

    async def run(tenant: Tenant) -> None:
        async with reading(tenant, tmp_path) as server:
            await left_off(server, tenant, 3_600_000)
            loop, tried, calls = asyncio.get_running_loop(), asyncio.Event(), iter(range(3))

            def mistaken(*_: object) -> None:
                if next(calls) == 2:
                    loop.call_soon_threadsafe(tried.set)
                    raise Stopped
                raise ValueError("a mistake")

            monkeypatch.setattr(sources_module, "follow", mistaken)
            server.sources.start()
            await asyncio.wait_for(tried.wait(), 20)
            (lag,) = re.findall(rb"\nqwebhook_source_lag_seconds{.*} (\S+)", server.metrics.text())
            assert 3600 <= float(lag) < 3660

    with Tenant() as tenant:
        asyncio.run(run(tenant))
