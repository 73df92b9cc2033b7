"""Whether the server is ready, over a real store and a real tenant that stops answering."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Targets
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.addresses import AddressPolicy
from qwebhook.server import sources as sources_module
from qwebhook.server.lifecycle import clock
from qwebhook.server.log import Log
from qwebhook.server.metrics import Metrics
from qwebhook.server.readiness import RECHECK_SECONDS, Readiness
from qwebhook.server.shedding import Shedding
from qwebhook.server.sources import Source, Sources
from qwebhook.source.pace import Stopping
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from qwebhook.store.sqlite import SqliteStore
from tests.tenant import Tenant
from tests.tenant.faults import status


class Nobody:
    def attempted(self, *_: object) -> None: ...

    def broken(self, *_: object) -> None: ...


async def until(trouble: Callable[[], Awaitable[str]], wanted: str) -> None:
    while await trouble() != wanted:  # noqa: ASYNC110 there is nothing else to wait for
        await asyncio.sleep(RECHECK_SECONDS / 20)


def test_a_source_of_which_nothing_is_heard_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_module, "DEAF_SECONDS", 0.2)

    async def run(tenant: Tenant) -> None:
        store = SqliteStore.open(tmp_path / "store.db", create=True)
        journal = store.open_journal()
        targets = Targets(Sender(AddressPolicy([])))
        log = Log(io.StringIO(), "json")
        worker = Worker(targets, Nobody(), clock, lambda: 0.5)
        writer = Writer(journal, clock, worker.written, lambda _: None)
        stopping = Stopping()
        remote = Remote(tenant.url, BearerKey(tenant.key, ""), sleep=stopping.sleep)
        sources = Sources([Source("audits:prod", remote, stopping)], writer, Metrics(), log, clock, "")

        async def pending() -> int:
            return 0

        readiness = Readiness(writer, worker, Shedding(tmp_path, 0, 100, pending, log), sources)
        fault = tenant.faults.inject(status(401), path="*/audits*", times=None)
        sources.start()
        await asyncio.wait_for(until(readiness.trouble, "nothing is heard of audits:prod"), 20)
        fault.left = 0
        await asyncio.wait_for(until(readiness.trouble, ""), 40)
        await sources.stop(5)
        await writer.close(5)
        await targets.close()
        journal.close()
        store.close()

    with Tenant() as tenant:
        asyncio.run(run(tenant))
