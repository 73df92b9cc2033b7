"""Webhooks and the history of their deliveries, as people and scripts see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from qwebhook.model.delivery import Attempt, Delivery, Status
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Level, Origin, Webhook, WebhookDraft, WebhookReplacement

T = TypeVar("T")

WebhookSort = Literal[
    "name", "+name", "-name", "url", "+url", "-url",
    "createdAt", "+createdAt", "-createdAt", "updatedAt", "+updatedAt", "-updatedAt",
]  # fmt: skip
DeliverySort = Literal["status", "+status", "-status", "triggeredAt", "+triggeredAt", "-triggeredAt"]
MAX_LIMIT = 100


class Page(msgspec.Struct, Generic[T]):
    """Some of a list; `next` and `previous` are cursors for the neighbouring pages, None at the ends."""

    items: list[T]
    next: str | None = None
    previous: str | None = None


class WebhookQuery(msgspec.Struct, kw_only=True):
    """Which webhooks, in which order. None does not restrict.

    name, url: substrings, without regard to case. event_types: all must be subscribed, under whatever names; a tenant
    takes the names as they are. origins: any. cursor: from a Page of the same query. limit: 1 to 100.
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

    event_type: under any of its names; a tenant takes it as it is. own: of one webhook, only those made since it was
    given to the user whose it is. A server knows by itself who asks.
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
