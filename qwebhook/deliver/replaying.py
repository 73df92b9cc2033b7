"""Replays: past events put into a webhook's queue again, in steps that hold nobody up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from qwebhook.deliver.writer import Clock, Run
from qwebhook.store.contract import Claim, Journal, ReplayOutcome, ReplayQuery, ReplayStep
from qwebhook.store.replayed import Replayed

# Events looked at in one turn of the writer: between two, what comes in is written.
STEP = 500


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

    clock: milliseconds since the epoch. offered: takes the new deliveries after each step, for whoever delivers here;
    told: is told after each step how far it is (the same object each time). Raises NotFound.
    """
    replayed = Replayed(query.webhook_id)
    after: int | None = 0
    while after is not None:
        step = await _step(run, query, after, clock(), dry_run)
        if offered is not None and step.claims:
            offered(step.claims)
        replayed.add(step)
        if told is not None:
            told(replayed)
        after = step.last
    return replayed


async def _step(run: Run, query: ReplayQuery, after: int, now: int, dry_run: bool) -> ReplayStep:
    return await run(lambda journal: journal.replay(query, after, STEP, now, dry_run))


async def outcome(run: Run, webhook: int, ranges: Sequence[tuple[int, int]]) -> ReplayOutcome:
    """How the deliveries of a replay have fared so far. webhook: its row. ranges: those of the `Replayed`."""

    def read(journal: Journal) -> ReplayOutcome:
        found = [journal.replay_outcome(webhook, first, last) for first, last in ranges]
        return ReplayOutcome(
            sum(one.pending for one in found), sum(one.succeeded for one in found), sum(one.failed for one in found)
        )

    return await run(read)
