"""A store in one SQLite file."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qwebhook.model.errors import Conflict, InvalidInput
from qwebhook.model.identifiers import random_id
from qwebhook.model.patch import PatchOperation
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.webhook import Webhook, WebhookDraft
from qwebhook.store.contract import DeliveryQuery, Page, Role, Token, WebhookQuery
from qwebhook.store.sqlite.connection import MIGRATIONS, Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.webhooks import Webhooks

if TYPE_CHECKING:
    from qwebhook.model.delivery import Attempt, Delivery
    from qwebhook.model.endpoint import Endpoint
    from qwebhook.store.sqlite.history import History
    from qwebhook.store.sqlite.journal import SqliteJournal

_SQL = queries("administration")
TOKEN_PREFIX = "qwh_"  # noqa: S105 tells what the text is, when one is found in a log


class SqliteStore:
    """`Administration` and `TokenStore` over one connection; `open_journal` gives the `Journal`, over another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._webhooks = Webhooks(connection, _now)

    @classmethod
    def open(cls, path: Path, *, create: bool = False, migrations: Path = MIGRATIONS) -> SqliteStore:
        """Open the store in a file; with `create`, make a missing one. Raises Unavailable."""
        return cls(Connection.open(path, create=create, migrations=migrations))

    @property
    def path(self) -> Path:
        return self._connection.path

    def list_webhooks(self, query: WebhookQuery) -> Page[Webhook]:
        return self._webhooks.page(query)

    def get_webhook(self, webhook_id: str) -> Webhook:
        return self._webhooks.get(webhook_id)

    def find_webhook(self, reference: str) -> Webhook:
        return self._webhooks.find(reference)

    def create_webhook(self, draft: WebhookDraft, by: str) -> Webhook:
        return self._webhooks.create(draft, by)

    def patch_webhook(self, webhook_id: str, operations: Sequence[PatchOperation], by: str) -> Webhook:
        return self._webhooks.patch(webhook_id, operations, by)

    def delete_webhook(self, webhook_id: str) -> None:
        self._webhooks.delete(webhook_id)

    def discard_pending(self, webhook_id: str) -> int:
        return self._webhooks.discard_pending(webhook_id)

    def endpoint(self, webhook_id: str) -> Endpoint:
        return self._webhooks.endpoint(self._webhooks.row(webhook_id)[0])

    def list_deliveries(self, query: DeliveryQuery) -> Page[Delivery]:
        return self._history().page(query)

    def get_delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        return self._history().get(webhook_id, delivery_id)

    def list_attempts(self, webhook_id: str, delivery_id: str) -> list[Attempt]:
        return self._history().attempts(webhook_id, delivery_id)

    def _history(self) -> History:
        from qwebhook.store.sqlite.history import History

        return History(self._connection)

    def create_token(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        if not name.strip() or not name.isprintable():
            raise InvalidInput("the token's name is empty or cannot be printed")
        if role == "user" and not user_id:
            raise InvalidInput("a token of role user needs the user's id", "give --user-id")
        value = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = _now()
        identifier = random_id(now, os.urandom(10))
        try:
            with self._connection.transaction():
                self._connection.execute(
                    _SQL["token_insert"], (identifier, name, token_digest(value), role, user_id, now)
                )
        except Exception as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise Conflict(f"there is a token named {name!r} already", "choose another name") from None
            raise
        return Token(id=identifier, name=name, role=role, user_id=user_id, created_at=to_rfc3339(now)), value

    def tokens_by_digest(self) -> dict[bytes, Token]:
        with store_errors(self.path):
            rows = self._connection.execute(_SQL["tokens"]).fetchall()
        return {
            row[0]: Token(id=row[1], name=row[2], role=row[3], user_id=row[4], created_at=to_rfc3339(row[5]))
            for row in rows
        }

    def version(self) -> int:
        with store_errors(self.path):
            version: int = self._connection.execute(_SQL["version"]).fetchone()[0]
        return version

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


def token_digest(value: str) -> bytes:
    """What is kept of a token. A token has 256 random bits, so that a plain digest cannot be guessed back."""
    return hashlib.sha256(value.encode()).digest()


def _now() -> int:
    return time.time_ns() // 1_000_000
