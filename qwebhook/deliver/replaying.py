"""Replays: past events put into a webhook's queue again, in steps that hold nobody up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from qwebhook.deliver.writer import Clock, Run
from qwebhook.store.contract import Claim, Journal, ReplayOutcome, ReplayQuery, ReplayStep

# Events looked at in one turn of the writer: between two, what comes in is written.
STEP = 500


class Replayed(msgspec.Struct, rename="camel"):
    """What a replay has done so far. matching: events that the webhook wants; of these, delivered: left out because
    they have a success on record; pending: left out because they wait in the queue; enqueued: put into it.

    ranges: the sequences of the new deliveries, [first, last] each; none after a dry run, where `enqueued` says how
    many there would be.
    """

    webhook_id: str
    matching: int = 0
    delivered: int = 0
    pending: int = 0
    enqueued: int = 0
    ranges: list[tuple[int, int]] = []

    def _add(self, step: ReplayStep) -> None:
        self.matching += step.matching
        self.delivered += step.delivered
        self.pending += step.pending
        self.enqueued += step.enqueued
        for claim in step.claims:
            if self.ranges and self.ranges[-1][1] + 1 == claim.sequence:
                self.ranges[-1] = self.ranges[-1][0], claim.sequence
            else:
                self.ranges.append((claim.sequence, claim.sequence))


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
        replayed._add(step)
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
