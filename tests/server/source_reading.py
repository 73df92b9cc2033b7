"""A server's sources over a real store and a real tenant, with nothing else of the server around them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Targets
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.addresses import AddressPolicy
from qwebhook.server.lifecycle import clock
from qwebhook.server.log import Log
from qwebhook.server.metrics import Metrics
from qwebhook.server.readiness import Readiness
from qwebhook.server.shedding import Shedding
from qwebhook.server.sources import Source, Sources
from qwebhook.source.pace import Stopping
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from qwebhook.store.sqlite import SqliteStore
from tests.tenant import Tenant

MOST_PENDING = 100


class Reading(NamedTuple):
    """pending: how many deliveries wait, as the only entry, which a test may change."""

    sources: Sources
    writer: Writer
    readiness: Readiness
    shedding: Shedding
    metrics: Metrics
    pending: list[int]


class _Nobody:
    def attempted(self, *_: object) -> None: ...

    def broken(self, *_: object) -> None: ...


@contextlib.asynccontextmanager
async def reading(tenant: Tenant, folder: Path) -> AsyncIterator[Reading]:
    """Sources that are not yet started; they are stopped at the end."""
    store = SqliteStore.open(folder / "store.db", create=True)
    journal = store.open_journal()
    targets = Targets(Sender(AddressPolicy([])))
    log, metrics = Log(io.StringIO(), "json"), Metrics()
    worker = Worker(targets, _Nobody(), clock, lambda: 0.5)
    writer = Writer(journal, clock, worker.written, lambda _: None)
    stopping = Stopping()
    remote = Remote(tenant.url, BearerKey(tenant.key, ""), sleep=stopping.sleep)
    counted = [0]

    async def pending() -> int:
        return counted[0]

    shedding = Shedding(folder, 0, MOST_PENDING, pending, log)
    sources = Sources([Source("audits:prod", remote, stopping)], writer, shedding, metrics, log, clock, "")
    try:
        yield Reading(sources, writer, Readiness(writer, worker, shedding, sources), shedding, metrics, counted)
    finally:
        await sources.stop(5)
        await writer.close(5)
        await targets.close()
        journal.close()
        store.close()
