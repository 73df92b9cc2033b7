"""A store behind a server: a Qlik Cloud tenant, or another `qwebhook serve`.

remote        the way to a server: time limits, retries, credentials
credentials   what lets a client in
answers       what a server answers, and what its refusals mean
server_time   the server's clock, by its answers
service       the API: its prefix, what kind of server it is, lists page by page
shapes        webhooks and deliveries as servers show them
tenant        what a tenant takes, and what it does not do
webhooks, history, letting_in, replays    the operations
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwebhook.model.errors import InvalidInput
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Webhook, WebhookDraft, WebhookReplacement
from qwebhook.store.contract import (
    DeliveryQuery,
    Inbound,
    Page,
    ReplayOutcome,
    Role,
    Statistics,
    StatisticsQuery,
    Token,
    WebhookQuery,
    WebhookStatistics,
)
from qwebhook.store.replayed import Replayed
from qwebhook.store.rest.history import History
from qwebhook.store.rest.letting_in import LettingIn
from qwebhook.store.rest.remote import Remote
from qwebhook.store.rest.replays import Replays
from qwebhook.store.rest.service import Forgetful, Information, Memory, Service
from qwebhook.store.rest.webhooks import Webhooks

if TYPE_CHECKING:
    from qwebhook.model.catalogue import EventType
    from qwebhook.model.delivery import Attempt, Delivery
    from qwebhook.model.endpoint import Endpoint


class RestStore:
    """`Administration` over a server's REST API, and what else a server does.

    `by`, `limit` and `own` are the server's business: it knows who asks, and what that one may have. What a tenant does
    not do is refused before anything is sent (InvalidInput). All raise NotAuthorised, Forbidden and Unavailable.
    """

    def __init__(self, remote: Remote, memory: Memory | None = None) -> None:
        self._service = Service(remote, memory or Forgetful())
        self._webhooks = Webhooks(self._service)
        self._history = History(self._service, self._webhooks)
        self._replays = Replays(self._service)
        self._letting_in = LettingIn(self._service)

    @property
    def remote(self) -> Remote:
        """The way to the server."""
        return self._service.remote

    @property
    def name(self) -> str:
        """How messages name the server."""
        return self._service.name

    @property
    def is_qwebhook(self) -> bool:
        """Whether a qwebhook server is there, and not a tenant; it is asked once, unless it is known already."""
        return self._service.is_qwebhook

    def information(self) -> Information | None:
        """What a qwebhook server says of itself and of the token; None of a tenant."""
        return self._service.information()

    def list_webhooks(self, query: WebhookQuery) -> Page[Webhook]:
        return self._webhooks.page(query)

    def get_webhook(self, webhook_id: str) -> Webhook:
        return self._webhooks.get(webhook_id)

    def find_webhook(self, reference: str) -> Webhook:
        return self._webhooks.find(reference)

    def create_webhook(self, draft: WebhookDraft, by: str, limit: int | None = None) -> Webhook:
        return self._webhooks.create(draft)

    def patch_webhook(self, webhook_id: str, operations: Sequence[PatchOperation], by: str) -> Webhook:
        return self._webhooks.patch(webhook_id, operations)

    def replace_webhook(self, webhook_id: str, replacement: WebhookReplacement, by: str) -> Webhook:
        return self._webhooks.replace(webhook_id, replacement)

    def rotate_secret(self, webhook_id: str, secret: str, grace: int, by: str) -> Webhook:
        return self._webhooks.rotate_secret(webhook_id, secret, grace)

    def delete_webhook(self, webhook_id: str) -> None:
        self._webhooks.delete(webhook_id)

    def discard_pending(self, webhook_id: str) -> int:
        return self._webhooks.discard_pending(webhook_id)

    def endpoint(self, webhook_id: str) -> Endpoint:
        """No server gives secrets out. Raises NotFound, InvalidInput."""
        webhook = self.get_webhook(webhook_id)
        raise InvalidInput(
            f"the secret of {webhook.name} cannot be read back from {self.name}", "give it with --secret"
        )

    def event_types(self) -> list[EventType]:
        """The event types that webhooks there can subscribe to."""
        return self._webhooks.event_types()

    def list_deliveries(self, query: DeliveryQuery) -> Page[Delivery]:
        return self._history.page(query)

    def get_delivery(self, webhook_id: str, delivery_id: str, own: bool = False) -> Delivery:
        return self._history.get(webhook_id, delivery_id)

    def list_attempts(self, webhook_id: str, delivery_id: str, own: bool = False) -> list[Attempt]:
        return self._history.attempts(webhook_id, delivery_id)

    def resend(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Let the server send a delivery again, once and at once: the new record, whose status may be `fail`."""
        return self._history.resend(webhook_id, delivery_id)

    def test_fire(self, webhook_id: str, event: bytes) -> Delivery:
        """Let a qwebhook server send a test event, once and at once: the record. event: JSON, in any envelope."""
        return self._history.test_fire(webhook_id, event)

    def statistics(self) -> Statistics:
        return self._history.statistics()

    def list_statistics(self, query: StatisticsQuery) -> Page[WebhookStatistics]:
        return self._history.list_statistics(query)

    def now(self) -> int:
        """The server's time (milliseconds since the epoch), by whole seconds, rounded down; this machine's where it
        tells none.
        """
        if self.remote.time.now() is None:
            self._service.information()
        told = self.remote.time.now()
        return time.time_ns() // 1_000_000 if told is None else told

    def replay(
        self, webhook_id: str, since: int, until: int | None = None, *, everything: bool = False, dry_run: bool = False
    ) -> Replayed:
        """Let a qwebhook server put a webhook's past events into its queue again; returns when all are in it.

        since, until, everything: as in `ReplayQuery`; None for what is now there.
        """
        return self._replays.replay(webhook_id, since, until, everything, dry_run)

    def replay_outcome(self, replayed: Replayed) -> ReplayOutcome:
        """How the deliveries of a replay have fared so far."""
        return self._replays.outcome(replayed)

    def create_token(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        return self._letting_in.create_token(name, role, user_id)

    def list_tokens(self) -> list[Token]:
        return self._letting_in.list_tokens()

    def revoke_token(self, reference: str) -> Token:
        return self._letting_in.revoke_token(reference)

    def create_inbound(self, name: str, secrets: Sequence[str], by: str) -> Inbound:
        return self._letting_in.create_inbound(name, secrets)

    def list_inbounds(self) -> list[Inbound]:
        return self._letting_in.list_inbounds()

    def remove_inbound(self, reference: str) -> Inbound:
        return self._letting_in.remove_inbound(reference)

    def close(self) -> None:
        self._service.remote.close()
