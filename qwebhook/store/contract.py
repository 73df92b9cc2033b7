"""What a store does, in two parts.

`Administration` is what people and scripts use; every driver has it, a REST client too. `Journal` is what the
delivery engine uses; the databases have it. Both are synchronous: the server puts them behind one writer thread.

A driver's guarantees are the tests in `tests/store/`, which every driver must pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from qwebhook.model.delivery import Attempt, Delivery, Exchange, Outcome, Status
from qwebhook.model.endpoint import Endpoint, EndpointIndex
from qwebhook.model.event import Event
from qwebhook.model.patch import PatchOperation
from qwebhook.model.trace import Trace
from qwebhook.model.webhook import Level, Origin, Webhook, WebhookDraft, WebhookReplacement

T = TypeVar("T")

WebhookSort = Literal[
    "name", "+name", "-name", "url", "+url", "-url",
    "createdAt", "+createdAt", "-createdAt", "updatedAt", "+updatedAt", "-updatedAt",
]  # fmt: skip
DeliverySort = Literal["status", "+status", "-status", "triggeredAt", "+triggeredAt", "-triggeredAt"]
Role = Literal["admin", "user", "publisher", "metrics"]
MAX_LIMIT = 100


class Page(msgspec.Struct, Generic[T]):
    """Some of a list; `next` and `previous` are cursors for the neighbouring pages, None at the ends."""

    items: list[T]
    next: str | None = None
    previous: str | None = None


class WebhookQuery(msgspec.Struct, kw_only=True):
    """Which webhooks, in which order. None does not restrict.

    name, url: substrings, without regard to case. event_types: all must be subscribed, under whatever names; a tenant
    takes the names as they are. origins: any.
    cursor: from a Page of the same query. limit: 1 to 100.
    """

    name: str | None = None
    url: str | None = None
    enabled: bool | None = None
    event_types: Sequence[str] = ()
    level: Level | None = None
    origins: Sequence[Origin] = ()
    owner_id: str | None = None
    created_by_user_id: str | None = None
    updated_by_user_id: str | None = None
    sort: WebhookSort = "-createdAt"
    limit: int = 20
    cursor: str | None = None


class DeliveryQuery(msgspec.Struct, kw_only=True):
    """Which deliveries, in which order, as in WebhookQuery. webhook_id None means those of every webhook; a database
    has those of deleted ones among them.

    own: of one webhook, only those made since it was given to the user whose it is. A server knows by itself who asks.
    """

    webhook_id: str | None = None
    event_type: str | None = None
    status: Status | None = None
    own: bool = False
    sort: DeliverySort = "-triggeredAt"
    limit: int = 20
    cursor: str | None = None


class Administration(Protocol):
    """Webhooks and the history of their deliveries.

    Once a change has returned, every event accepted later sees it. All raise Unavailable when the store cannot be
    reached, NotFound for ids that do not exist.
    """

    def list_webhooks(self, query: WebhookQuery) -> Page[Webhook]:
        """A page of webhooks. Paging while rows come and go shows none twice and misses none that stays.

        Raises InvalidInput for a cursor of another query.
        """

    def get_webhook(self, webhook_id: str) -> Webhook: ...

    def find_webhook(self, reference: str) -> Webhook:
        """By id, else by exact name, else by an unambiguous prefix of an id. Raises NotFound, Ambiguous."""

    def create_webhook(self, draft: WebhookDraft, by: str, limit: int | None = None) -> Webhook:
        """`by` is the id of the user who makes it; limit: how many webhooks one user may have made.

        Raises InvalidWebhook, InvalidFilter, QuotaExceeded.
        """

    def patch_webhook(self, webhook_id: str, operations: Sequence[PatchOperation], by: str) -> Webhook:
        """Apply a patch in one transaction. Enabling clears `disabledReason` and resumes what was held; giving the
        webhook to a user cancels what is pending, since it was not for them.

        Raises InvalidPatch, InvalidWebhook, InvalidFilter, Forbidden.
        """

    def replace_webhook(self, webhook_id: str, replacement: WebhookReplacement, by: str) -> Webhook:
        """Replace what clients write, in one transaction: what is left out is cleared (`WebhookReplacement`).

        Enabling and giving do what they do in a patch. Raises InvalidWebhook, InvalidFilter, Forbidden.
        """

    def rotate_secret(self, webhook_id: str, secret: str, grace: int, by: str) -> Webhook:
        """Sign with a new secret; the present one signs, too, for `grace` more milliseconds.

        Those before it keep the grace that they were given; with a grace of 0, the new one signs alone. Raises
        InvalidWebhook.
        """

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook; what is pending for it is cancelled, what is on record stays there."""

    def discard_pending(self, webhook_id: str) -> int:
        """Cancel what is pending for a webhook; the number of deliveries cancelled."""

    def list_deliveries(self, query: DeliveryQuery) -> Page[Delivery]: ...

    def get_delivery(self, webhook_id: str, delivery_id: str, own: bool = False) -> Delivery:
        """own: as in DeliveryQuery."""

    def list_attempts(self, webhook_id: str, delivery_id: str, own: bool = False) -> list[Attempt]:
        """The attempts of a delivery, first to last. own: as in DeliveryQuery."""

    def endpoint(self, webhook_id: str) -> Endpoint:
        """The webhook with its secrets, for signing by hand and for test-fires."""

    def statistics(self) -> Statistics:
        """What there is, and how deliveries have fared in the history that is kept."""

    def list_statistics(self, query: StatisticsQuery) -> Page[WebhookStatistics]:
        """The figures of each webhook, in the order they were made. Raises InvalidInput as `list_webhooks` does."""

    def close(self) -> None: ...


class WebhookStatistics(msgspec.Struct, kw_only=True, rename="camel"):
    """One webhook's figures. pending: deliveries in the queue; succeeded, failed: by the status on record."""

    webhook_id: str
    name: str
    enabled: bool
    pending: int
    oldest_pending_at: str | None
    succeeded: int
    failed: int


class StatisticsQuery(msgspec.Struct, kw_only=True):
    """Which page of the webhooks' figures, as in WebhookQuery."""

    limit: int = 20
    cursor: str | None = None


class Statistics(msgspec.Struct, kw_only=True, rename="camel"):
    """The figures of a store. What is on record of deleted webhooks counts, too."""

    webhooks: int
    enabled: int
    pending: int
    oldest_pending_at: str | None
    succeeded: int
    failed: int


class Token(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """An access token to a server, without its value."""

    id: str
    name: str
    role: Role
    created_at: str
    user_id: str | None = None
    last_used_at: str | None = None


class TokenStore(Protocol):
    """The tokens that `serve` accepts; only their digests are kept."""

    def create_token(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        """A token and its value, which is shown once. Raises Conflict for a name in use."""

    def list_tokens(self) -> list[Token]:
        """Every token, by name."""

    def revoke_token(self, reference: str) -> Token:
        """Revoke a token, named by its id or its name. Raises NotFound."""

    def note_token_use(self, used: Mapping[str, int]) -> None:
        """Remember when tokens were last used: milliseconds since the epoch, by the token's id."""

    def tokens_by_digest(self) -> dict[bytes, Token]:
        """Every valid token by the SHA-256 of its value."""

    def version(self) -> int:
        """A number that rises whenever a token, an inbound or a webhook is changed by anyone."""


class Inbound(msgspec.Struct, kw_only=True, rename="camel"):
    """Someone whose signatures let events in. secrets: how many there are; they are never shown."""

    id: str
    name: str
    secrets: int
    created_at: str
    created_by_user_id: str


class InboundStore(Protocol):
    """Whose signatures `POST /events` accepts. The secrets are encrypted at rest."""

    def create_inbound(self, name: str, secrets: Sequence[str], by: str) -> Inbound:
        """Raises Conflict for a name in use, InvalidInput for a secret that cannot be used."""

    def list_inbounds(self) -> list[Inbound]:
        """Every inbound, by name."""

    def remove_inbound(self, reference: str) -> Inbound:
        """Remove one, named by its id or its name. Raises NotFound."""

    def inbound_secrets(self) -> list[str]:
        """The secrets of all inbounds, opened. Raises StoreKeyProblem."""


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


# Later than any time.
NEVER = 1 << 62


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
