"""Delivering past events again, and how that went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from itertools import pairwise
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from qwebhook.deliver import replaying
from qwebhook.model.errors import InvalidInput, NotFound, Unavailable
from qwebhook.model.timestamps import from_rfc3339
from qwebhook.server.administration import Store
from qwebhook.server.api.operation import Answer, Call, NoParameters
from qwebhook.server.api.ownership import is_confined, own_webhook, user_of
from qwebhook.server.api.webhooks import own_webhooks
from qwebhook.server.body import ClientGone
from qwebhook.store.contract import Journal, ReplayOutcome, ReplayQuery
from qwebhook.store.replayed import Replayed

T = TypeVar("T")
SequenceNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]
MAX_REPLAYS = 100
MAX_RANGES = 1000


class Replay(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Which past events to deliver again: those accepted from `since` up to `until` (now, unless given), RFC 3339.

    Without a webhook, to every enabled one. Those that have a success on record are left out, unless `all`. A dry run
    counts, and changes nothing.
    """

    since: str
    until: str | None = None
    webhook_id: str | None = None
    all: bool = False
    dry_run: bool = False


class ReplayResult(msgspec.Struct):
    """What was put into the queue, for each webhook."""

    data: list[Replayed]


class ReplayedRanges(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The deliveries that a replay made for a webhook, as it told them: the first and last of each range, in order."""

    webhook_id: str
    ranges: Annotated[list[tuple[SequenceNumber, SequenceNumber]], Meta(max_length=MAX_RANGES)]


class OutcomeQuestion(msgspec.Struct, forbid_unknown_fields=True):
    """Which deliveries to ask about."""

    replays: Annotated[list[ReplayedRanges], Meta(max_length=MAX_REPLAYS)]


async def replay(call: Call[NoParameters, Replay]) -> Answer:
    backend, body = call.backend, call.body
    since = from_rfc3339(body.since)
    until = backend.clock() if body.until is None else from_rfc3339(body.until)

    def chosen(store: Store) -> list[str]:
        if body.webhook_id is not None:
            return [own_webhook(store, call.token, body.webhook_id).id]
        return [webhook.id for webhook in own_webhooks(store, call.token, enabled=True)]

    results: list[Replayed] = []
    gone = asyncio.ensure_future(call.receive())

    def told(replayed: Replayed) -> None:
        if not results or results[-1] is not replayed:
            results.append(replayed)

    async def step(webhook_id: str, work: Callable[[Journal], T]) -> T:
        """Before each: nobody is to wait for the end of what nobody wants, or may have any longer."""
        if gone.done():
            raise ClientGone
        if backend.worker.stopping:
            raise Unavailable("the server is stopping", "replay the rest when it is back")
        if is_confined(call.token):
            await backend.store.read(partial(own_webhook, token=call.token, webhook_id=webhook_id))
        return await backend.writer.run(work)

    try:
        async with backend.replaying:
            for webhook_id in await backend.store.read(chosen):
                # What is deleted while all are replayed is left out, as it would have been a moment later.
                with suppress(NotFound) if body.webhook_id is None else nullcontext():
                    await replaying.replay(
                        partial(step, webhook_id),
                        ReplayQuery(webhook_id, since, until, body.all),
                        backend.clock,
                        dry_run=body.dry_run,
                        offered=backend.worker.offer,
                        told=told,
                    )
    except (ClientGone, Unavailable) as error:
        backend.log.warning(
            "replay ended early",
            by=user_of(call.token),
            reason="the client has gone" if isinstance(error, ClientGone) else error.message,
            enqueued=0 if body.dry_run else sum(one.enqueued for one in results),
        )
        raise
    finally:
        gone.cancel()
    changed = "" if body.dry_run else body.webhook_id or "all"
    return Answer(200, ReplayResult(results), changed=changed)


async def outcome(call: Call[NoParameters, OutcomeQuestion]) -> Answer:
    store, own = call.backend.store, is_confined(call.token)
    total = ReplayOutcome(0, 0, 0)
    for asked in call.body.replays:
        _check_order(asked.ranges)
        if own:
            await store.read(partial(own_webhook, token=call.token, webhook_id=asked.webhook_id))
        found = await replaying.outcome(store.observe, asked.webhook_id, asked.ranges, own=own)
        total = ReplayOutcome(
            total.pending + found.pending, total.succeeded + found.succeeded, total.failed + found.failed
        )
    return Answer(200, total)


def _check_order(ranges: Sequence[tuple[int, int]]) -> None:
    """So that no delivery is looked at twice, or a thousand times. Raises InvalidInput."""
    ordered = all(first <= last for first, last in ranges)
    if not ordered or any(before[1] >= after[0] for before, after in pairwise(ranges)):
        raise InvalidInput("ranges: are not in order, or overlap", "give them as the replay told them")
