"""A store in one SQLite file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Webhook, WebhookDraft, WebhookReplacement
from qwebhook.store.contract import (
    DeliveryQuery,
    Inbound,
    Page,
    Role,
    Statistics,
    StatisticsQuery,
    Token,
    WebhookQuery,
    WebhookStatistics,
)
from qwebhook.store.sqlite.connection import MIGRATIONS, Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.webhooks import Webhooks

if TYPE_CHECKING:
    from qwebhook.model.delivery import Attempt, Delivery
    from qwebhook.model.endpoint import Endpoint
    from qwebhook.store.sqlite.checking import StoreCheck
    from qwebhook.store.sqlite.history import History
    from qwebhook.store.sqlite.inbounds import Inbounds
    from qwebhook.store.sqlite.journal import SqliteJournal
    from qwebhook.store.sqlite.tokens import Tokens


class SqliteStore:
    """`Administration`, `TokenStore` and `InboundStore` over one connection; `open_journal` gives the `Journal`, over
    another.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._webhooks = Webhooks(connection, _now)

    @classmethod
    def open(
        cls, path: Path, *, create: bool = False, migrate: bool = True, migrations: Path = MIGRATIONS
    ) -> SqliteStore:
        """Open the store in a file; see `Connection.open`. Raises Unavailable."""
        return cls(Connection.open(path, create=create, migrate=migrate, migrations=migrations))

    @property
    def path(self) -> Path:
        return self._connection.path

    def list_webhooks(self, query: WebhookQuery) -> Page[Webhook]:
        return self._webhooks.page(query)

    def get_webhook(self, webhook_id: str) -> Webhook:
        return self._webhooks.get(webhook_id)

    def find_webhook(self, reference: str) -> Webhook:
        return self._webhooks.find(reference)

    def create_webhook(self, draft: WebhookDraft, by: str, limit: int | None = None) -> Webhook:
        return self._webhooks.create(draft, by, limit)

    def create_webhook_unless_named(self, draft: WebhookDraft, by: str) -> tuple[Webhook, bool]:
        """Make a webhook, unless there is one of its name: that one, and False. Raises as `create_webhook` does."""
        return self._webhooks.create_unless_named(draft, by)

    def patch_webhook(self, webhook_id: str, operations: Sequence[PatchOperation], by: str) -> Webhook:
        return self._webhooks.patch(webhook_id, operations, by)

    def replace_webhook(self, webhook_id: str, replacement: WebhookReplacement, by: str) -> Webhook:
        return self._webhooks.replace(webhook_id, replacement, by)

    def rotate_secret(self, webhook_id: str, secret: str, grace: int, by: str) -> Webhook:
        return self._webhooks.rotate_secret(webhook_id, secret, grace, by)

    def delete_webhook(self, webhook_id: str) -> None:
        self._webhooks.delete(webhook_id)

    def discard_pending(self, webhook_id: str) -> int:
        return self._webhooks.discard_pending(webhook_id)

    def endpoint(self, webhook_id: str) -> Endpoint:
        return self._webhooks.endpoint(self._webhooks.row(webhook_id)[0])

    def list_deliveries(self, query: DeliveryQuery) -> Page[Delivery]:
        return self._history().page(query)

    def get_delivery(self, webhook_id: str, delivery_id: str, own: bool = False) -> Delivery:
        return self._history().get(webhook_id, delivery_id, own)

    def list_attempts(self, webhook_id: str, delivery_id: str, own: bool = False) -> list[Attempt]:
        return self._history().attempts(webhook_id, delivery_id, own)

    def _history(self) -> History:
        from qwebhook.store.sqlite.history import History

        return History(self._connection)

    def statistics(self) -> Statistics:
        from qwebhook.store.sqlite.counting import statistics

        return statistics(self._connection)

    def list_statistics(self, query: StatisticsQuery) -> Page[WebhookStatistics]:
        from qwebhook.store.sqlite.counting import page

        return page(self._connection, query)

    def create_token(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        return self._tokens().create(name, role, user_id)

    def list_tokens(self) -> list[Token]:
        return self._tokens().all()

    def revoke_token(self, reference: str) -> Token:
        return self._tokens().revoke(reference)

    def note_token_use(self, used: Mapping[str, int]) -> None:
        self._tokens().note_use(used)

    def tokens_by_digest(self) -> dict[bytes, Token]:
        return self._tokens().by_digest()

    def _tokens(self) -> Tokens:
        from qwebhook.store.sqlite.tokens import Tokens

        return Tokens(self._connection, _now)

    def create_inbound(self, name: str, secrets: Sequence[str], by: str) -> Inbound:
        return self._inbounds().create(name, secrets, by)

    def list_inbounds(self) -> list[Inbound]:
        return self._inbounds().all()

    def remove_inbound(self, reference: str) -> Inbound:
        return self._inbounds().remove(reference)

    def inbound_secrets(self) -> list[str]:
        return self._inbounds().secrets()

    def _inbounds(self) -> Inbounds:
        from qwebhook.store.sqlite.inbounds import Inbounds

        return Inbounds(self._connection, _now)

    def version(self) -> int:
        with store_errors(self.path):
            version: int = self._connection.execute(queries("access")["version"]).fetchone()[0]
        return version

    def check(self) -> StoreCheck:
        """Look for what is wrong in the store; it is only read."""
        from qwebhook.store.sqlite.checking import check

        return check(self._connection)

    def open_journal(self) -> SqliteJournal:
        """The queue and the history of the same file, on a connection of their own."""
        from qwebhook.store.sqlite.journal import SqliteJournal

        return SqliteJournal(Connection.open(self.path))

    def server(self) -> str | None:
        """Who serves the file now, such as `process 4711 at http://127.0.0.1:8787`; None if nobody does."""
        from qwebhook.store.sqlite.lock import holder_of

        holder = holder_of(self.path)
        return str(holder) if holder else None

    def close(self) -> None:
        self._connection.close()


def _now() -> int:
    return time.time_ns() // 1_000_000
