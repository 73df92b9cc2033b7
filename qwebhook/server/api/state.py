"""What the server says of itself."""

from __future__ import annotations

from typing import Literal

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from qwebhook import __version__
from qwebhook.server.administration import Store
from qwebhook.server.api.lists import PageParameters, StatisticsList, links
from qwebhook.server.api.operation import Answer, Call
from qwebhook.store.contract import Page, Role, Statistics, StatisticsQuery, WebhookStatistics


class Alive(msgspec.Struct):
    """The process is alive."""

    status: Literal["alive"]
    version: str


class Ready(msgspec.Struct):
    """Events can be accepted and delivered now."""

    status: Literal["ready"]


class NotReady(msgspec.Struct):
    """Why they cannot."""

    status: Literal["not ready"]
    reason: str


class Information(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What this is. role, userId: those of the token that was shown."""

    product: Literal["qwebhook"]
    version: str
    api_prefixes: list[str]
    capabilities: list[str]
    role: Role | None = None
    user_id: str | None = None


async def healthy(_: Call[None, None]) -> Answer:
    return Answer(200, Alive("alive", __version__))


async def ready(call: Call[None, None]) -> Answer:
    trouble = await call.backend.readiness.trouble()
    return Answer(503, NotReady("not ready", trouble)) if trouble else Answer(200, Ready("ready"))


async def figures(call: Call[None, None]) -> Answer:
    backend = call.backend
    depth, oldest = await backend.store.observe(lambda journal: journal.pending())
    metrics = backend.metrics
    metrics.queue_depth.set(depth)
    metrics.oldest_pending_seconds.set(0 if oldest is None else max(backend.clock() - oldest, 0) / 1000)
    metrics.in_flight.set(backend.worker.in_flight)
    for state, count in backend.worker.breakers().items():
        metrics.breakers.labels(state).set(count)
    return Answer(200, metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def statistics(call: Call[PageParameters, None]) -> Answer:
    query = StatisticsQuery(limit=call.query.limit, cursor=call.query.cursor)

    def counted(store: Store) -> tuple[Statistics, Page[WebhookStatistics]]:
        return store.statistics(), store.list_statistics(query)

    totals, page = await call.backend.store.read(counted)
    return Answer(200, StatisticsList(**msgspec.structs.asdict(totals), data=page.items, links=links(call, page)))
