"""What a replay has come to, wherever it was carried out."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from qwebhook.store.contract import Claim, ReplayStep


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

    def add(self, step: ReplayStep) -> None:
        """Count what one more step did."""
        self.matching += step.matching
        self.delivered += step.delivered
        self.pending += step.pending
        self.enqueued += step.enqueued
        self.add_claims(step.claims)

    def add_claims(self, claims: Iterable[Claim]) -> None:
        """Extend the ranges by new deliveries, in order."""
        for claim in claims:
            if self.ranges and self.ranges[-1][1] + 1 == claim.sequence:
                self.ranges[-1] = self.ranges[-1][0], claim.sequence
            else:
                self.ranges.append((claim.sequence, claim.sequence))
