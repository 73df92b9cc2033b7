"""The queue and the history, as the delivery engine sees them, and what it says to them and is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from qwebhook.model.delivery import Exchange, Outcome
from qwebhook.model.endpoint import Endpoint, EndpointIndex
from qwebhook.model.event import Event
from qwebhook.model.trace import Trace
from qwebhook.model.webhook import Webhook

# Later than any time.
NEVER = 1 << 62


class Claim(msgspec.Struct, gc=False):
    """A pending delivery in the hands of the worker.

    webhook: the endpoint's row. sequence: orders deliveries by arrival; (webhook, due, sequence) names the pending
    row. attempt: the number of the coming one, from 1. due, triggered_at: milliseconds since the epoch.
    event: its row. key: the event's sixteen-byte key. not_before: when a retry was to come, for strictly ordered
    webhooks, whose retries keep their `due`. trace: that of the request which brought the event.
    """

    webhook: int
    due: int
    sequence: int
    attempt: int
    event: int
    type: str
    key: bytes
    body: bytes
    triggered_at: int
    not_before: int = 0
    trace: Trace | None = None


class Accepted(msgspec.Struct, gc=False):
    """What became of one event: its id (the first one's for a duplicate) and the deliveries it made."""

    id: str
    duplicate: bool
    claims: list[Claim]


class Recording(msgspec.Struct, gc=False):
    """The end of an attempt, to be written down. A `Gone`, or failures for days, disable the webhook with it."""

    claim: Claim
    exchange: Exchange
    outcome: Outcome
    reason: str


class Written(msgspec.Struct):
    """What one transaction did.

    accepted: one for each event given, in order. disabled: webhooks that the recordings disabled, as they are now.
    raised: claims of the events that tell of it. endpoints: the new index, if any webhook changed.
    """

    accepted: list[Accepted]
    disabled: list[Webhook]
    raised: list[Claim]
    endpoints: EndpointIndex | None


class Original(msgspec.Struct):
    """What a delivery sent, to be sent again. event: its row; 0 if it never was an accepted event (a test-fire).

    key, type, body, trace: the event's, as it came in.
    """

    endpoint: Endpoint
    event: int
    type: str
    key: bytes
    body: bytes
    test: bool
    trace: Trace | None = None


class DirectAttempt(msgspec.Struct):
    """An attempt that was made outside the queue: a resend or a test-fire, to be written down as a delivery.

    webhook, event: their rows (event 0: none). type: the event's.
    """

    webhook: int
    event: int
    type: str
    exchange: Exchange
    test: bool = False


class ReplayQuery(msgspec.Struct, frozen=True):
    """Which past events to deliver again. since, until: ms since the epoch, the latter not included.

    everything: those too that have a success on record.
    """

    webhook_id: str
    since: int
    until: int
    everything: bool = False


# A place among past events: when one was accepted (milliseconds since the epoch), and its row.
Place = tuple[int, int]
BEGINNING: Place = (0, 0)


class ReplayStep(msgspec.Struct):
    """What one step of a replay did. matching: events that the webhook wants; of these, delivered: those left out
    because they have a success on record; pending: those left out because they wait in the queue.

    claims: the deliveries that were put into the queue; in a dry run none is, and `enqueued` says how many would be.
    last: the place of the last event looked at, from which the next step goes on; None when there are no more.
    """

    matching: int
    delivered: int
    pending: int
    enqueued: int
    claims: list[Claim]
    last: Place | None


class ReplayOutcome(msgspec.Struct):
    """How the deliveries of a replay have fared so far. pending: not decided yet, retries included."""

    pending: int
    succeeded: int
    failed: int


class SourcePlace(msgspec.Struct, frozen=True):
    """How far a source has been read, in milliseconds since the epoch, in the source's own time.

    since: where it began, before which nothing is wanted. reached: where reading goes on.
    """

    since: int
    reached: int


class BackfillStep(msgspec.Struct):
    """What one step of a backfill did. Of the events given, delivered: left out because they have a success on record;
    pending: left out because they wait in the queue; unknown: left out because they never came.

    claims: the deliveries that were put into the queue; in a dry run none is, and `enqueued` says how many would be.
    """

    delivered: int
    pending: int
    unknown: int
    enqueued: int
    claims: list[Claim]


class Journal(Protocol):
    """The queue and the history, as the delivery engine sees them. Times are milliseconds since the epoch."""

    def write(self, events: Sequence[Event], recordings: Sequence[Recording], now: int) -> Written:
        """Accept events and record attempts in one durable transaction.

        Each event is matched against the webhooks as they are within the transaction. A duplicate, also within the
        call, makes no delivery. A retry is due when its outcome says; that of a strictly ordered webhook keeps its
        place at the head of the queue, and the worker waits. Raises Unavailable if the store is in trouble, another
        error if something given cannot be written at all; either way, nothing was written.
        """

    def refresh(self) -> EndpointIndex | None:
        """The endpoints, if another process changed any since the last look; otherwise None."""

    def foreign_commits(self) -> int:
        """A number that changes when another process has changed the store."""

    def claim(self, webhook: int, now: int, limit: int, held: set[int]) -> list[Claim]:
        """Up to `limit` deliveries of a webhook that are due, in order, without those whose sequence is held."""

    def next_due(self, webhook: int, held: set[int]) -> int | None:
        """When the earliest delivery that is not held falls due; None if there is none."""

    def hasten(self, now: int) -> None:
        """Make due what waits for a time that can only come of a clock that was set back since: what was triggered
        later than now, or is due beyond any wait between attempts. Only while no delivery is claimed.
        """

    def pending(self) -> tuple[int, int | None]:
        """How many deliveries are pending, and when the oldest of them was triggered."""

    def original(self, webhook_id: str, delivery_id: str) -> Original:
        """What a delivery sent, and the webhook as it is now. Raises NotFound, also when the body is not kept."""

    def record_direct(self, attempt: DirectAttempt) -> str:
        """Write down an attempt that was made outside the queue; the id of its delivery.

        Triggered when it started, or when the journal last wrote if that was later, so that records stay in order. A
        success ends a webhook's failing; a failure counts for nothing.
        """

    def replay(self, query: ReplayQuery, after: Place, limit: int, now: int, dry_run: bool = False) -> ReplayStep:
        """Look at up to `limit` past events, in order, beyond a place, and put those that the webhook is to have into
        its queue again. Each gets a delivery of its own, due now. Raises NotFound.
        """

    def replay_outcome(self, webhook_id: str, first: int, last: int, own: bool = False) -> ReplayOutcome:
        """How the deliveries of a webhook with sequences from `first` to `last` have fared, also when it is deleted.

        own: as in DeliveryQuery. Raises NotFound for a webhook that never was.
        """

    def backfill(
        self, webhook_id: str, events: Sequence[Event], now: int, *, accept: bool, dry_run: bool = False
    ) -> BackfillStep:
        """Put events that were read elsewhere into the queue of one webhook, which wants them, unless it has had them.

        accept: whether those that never came count as accepted with it, and would be duplicates from then on; otherwise
        they are left out. Raises NotFound.
        """

    def source_place(self, source: str) -> SourcePlace | None:
        """How far a source has been read; None for one that never was. source: its name."""

    def keep_source_place(self, source: str, place: SourcePlace, now: int) -> None:
        """Remember how far a source has been read, durably."""

    def delivery_id(self, claim: Claim) -> str:
        """The id that the record of the delivery has."""

    def check_writable(self) -> None:
        """Raises Unavailable if nothing can be written now."""

    def sweep(self, before: int, limit: int, now: int = NEVER) -> int:
        """Delete up to `limit` deliveries and events from before a time, pending ones never; how many went.

        0 only when nothing is left to delete. now: what is from after it, when the clock was ahead, stays, and keeps
        nothing else.
        """

    def close(self) -> None: ...
