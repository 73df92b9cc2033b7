"""Replays: past events put into a webhook's queue again, in steps that hold nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from qwebhook.deliver.writer import Clock, Run
from qwebhook.store.contract import BEGINNING, Claim, Journal, Place, ReplayOutcome, ReplayQuery, ReplayStep
from qwebhook.store.replayed import Replayed

# Events looked at in one turn of the writer: between two, what comes in is written.
STEP = 500
# Seconds between two steps that wrote: another process that waits for the file only looks now and then whether it is
# free, and would hardly ever find it so. It then waited for seconds, up to the end of its patience.
PAUSE = 0.002


async def replay(
    run: Run,
    query: ReplayQuery,
    clock: Clock,
    *,
    dry_run: bool = False,
    offered: Callable[[Iterable[Claim]], None] | None = None,
    told: Callable[[Replayed], None] | None = None,
) -> Replayed:
    """Put a webhook's past events into its queue again, in order.

    clock: milliseconds since the epoch. offered: takes the new deliveries of each step, for whoever delivers here;
    told: is told after each step how far it is (the same object each time). Raises NotFound.
    """
    replayed = Replayed(query.webhook_id)
    after: Place | None = BEGINNING
    while after is not None:
        step = await _step(run, query, after, clock(), dry_run, offered)
        replayed.add(step)
        if told is not None:
            told(replayed)
        if step.claims:
            await asyncio.sleep(PAUSE)
        after = step.last
    return replayed


async def _step(
    run: Run,
    query: ReplayQuery,
    after: Place,
    now: int,
    dry_run: bool,
    offered: Callable[[Iterable[Claim]], None] | None,
) -> ReplayStep:
    loop = asyncio.get_running_loop()

    def work(journal: Journal) -> ReplayStep:
        step = journal.replay(query, after, STEP, now, dry_run)
        if offered is not None and step.claims:
            # From here, so that it comes before a change that cancels them.
            loop.call_soon_threadsafe(offered, step.claims)
        return step

    return await run(work)


async def outcome(run: Run, webhook_id: str, ranges: Sequence[tuple[int, int]], *, own: bool = False) -> ReplayOutcome:
    """How the deliveries of a replay have fared so far. ranges: those of the `Replayed`. own: as in DeliveryQuery.

    Raises NotFound.
    """

    def read(journal: Journal) -> ReplayOutcome:
        found = [journal.replay_outcome(webhook_id, first, last, own) for first, last in ranges]
        return ReplayOutcome(
            sum(one.pending for one in found), sum(one.succeeded for one in found), sum(one.failed for one in found)
        )

    return await run(read)
