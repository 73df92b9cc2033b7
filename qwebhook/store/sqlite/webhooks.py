"""Webhooks in SQLite: listing, making, changing, deleting, and opening what is sealed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import Ambiguous, NotFound, StoreKeyProblem
from qwebhook.model.identifiers import random_id
from qwebhook.model.patch import PatchOperation, apply_patch
from qwebhook.model.webhook import Webhook, WebhookDraft, check_draft
from qwebhook.store import cursors
from qwebhook.store.contract import Page, WebhookQuery
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row, columns_of, json_text, webhook_from

_SQL = queries("administration")
_COLUMNS = _SQL["columns"]
_FIRST_SEALED = _COLUMNS.count(",") + 1
# How the order's column is found in a row, for the cursor.
_SORT_COLUMNS = {"name": 3, "url": 4, "createdAt": 20, "updatedAt": 22}


def sql(name: str) -> str:
    """A query that reads webhooks, with its columns put in."""
    return _SQL[name].replace("{columns}", _COLUMNS)


class StoredSecret(msgspec.Struct, omit_defaults=True):
    """A signing secret; `until` (ms) ends the grace period of one that is being replaced."""

    secret: str
    until: int | None = None


class Webhooks:
    """The webhooks' part of `Administration`, over one connection. clock gives milliseconds since the epoch."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._clock = clock

    def page(self, query: WebhookQuery) -> Page[Webhook]:
        paging = cursors.Paging(query, query.sort, query.limit, query.cursor)
        where, values = self._restrictions(query)
        order = _SQL[f"order {paging.field}"]
        if paging.cursor is not None:
            where.append(_SQL["where beyond"].format(order=order, comparison=paging.comparison))
            values += [paging.cursor.value, paging.cursor.value, paging.cursor.row]
        statement = sql("list").format(where=" AND ".join(where) or "1", order=order, direction=paging.direction)
        with store_errors(self._connection.path):
            rows: list[Row] = self._connection.execute(statement, [*values, paging.fetch]).fetchall()
        return paging.page(rows, webhook_from, _SORT_COLUMNS[paging.field], 0)

    def _restrictions(self, query: WebhookQuery) -> tuple[list[str], list[Any]]:
        where: list[str] = []
        values: list[Any] = []
        for name in ("name", "url"):
            text = getattr(query, name)
            if text:
                where.append(_SQL[f"where {name}"])
                values.append(text.casefold())
        for name in ("enabled", "level", "owner_id", "created_by_user_id", "updated_by_user_id"):
            value = getattr(query, name)
            if value is not None:
                where.append(_SQL[f"where {name}"])
                values.append(value)
        for event_type in query.event_types:
            where.append(_SQL["where event_type"])
            values.append(event_type)
        if query.origins:
            where.append(_SQL["where origins"])
            values.append(json_text(list(query.origins)))
        return where, values

    def row(self, webhook_id: str) -> Row:
        """The columns of a webhook. Raises NotFound."""
        with store_errors(self._connection.path):
            row: Row | None = self._connection.execute(sql("get"), (webhook_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no webhook {webhook_id}", "`qwebhook list` shows those there are")
        return row

    def get(self, webhook_id: str) -> Webhook:
        return webhook_from(self.row(webhook_id))

    def find(self, reference: str) -> Webhook:
        with store_errors(self._connection.path):
            row = self._connection.execute(sql("get"), (reference,)).fetchone()
            if row is not None:
                return webhook_from(row)
            found = self._connection.execute(sql("by_name"), (reference,)).fetchall()
            if not found and reference:
                bounds = (reference, reference + "\U0010ffff")
                found = self._connection.execute(sql("by_prefix"), bounds).fetchall()
        if not found:
            raise NotFound(
                f"there is no webhook with the id or name {reference!r}",
                "`qwebhook list` shows those there are",
            )
        if len(found) > 1:
            shown = ", ".join(row[1] for row in found[:2]) + (", …" if len(found) > 2 else "")
            raise Ambiguous(f"{reference!r} fits several webhooks ({shown})", "name one by its id")
        return webhook_from(found[0])

    def create(self, draft: WebhookDraft, by: str) -> Webhook:
        check_draft(draft)
        now = self._clock()
        identifier = random_id(now, os.urandom(10))
        parameters = {
            "id": identifier,
            "encrypted_headers": self._sealed_headers(identifier, draft.encrypted_headers),
            "secrets": self._sealed_secrets(identifier, draft.secret),
            "origin": draft.origin,
            "now": now,
            "by": by,
            **columns_of(_as_read(draft)),
        }
        with self._connection.transaction():
            row = self._connection.execute(_SQL["insert"], parameters).fetchone()[0]
            self._subscribe(row, draft.event_types)
        return webhook_from(self.row(identifier))

    def patch(self, webhook_id: str, operations: Sequence[PatchOperation], by: str) -> Webhook:
        with self._connection.transaction():
            columns = self.row(webhook_id)
            row, webhook = columns[0], webhook_from(columns)
            patched = apply_patch(webhook, operations, lambda: self._open_headers(row, webhook_id))
            after = patched.webhook
            if after.enabled and not webhook.enabled:
                after.disabled_reason = after.disabled_reason_code = None
                self._connection.execute(_SQL["clear_failing"], (row,))
            self.update(row, after, by)
            if patched.secret is not msgspec.UNSET:
                sealed = self._sealed_secrets(webhook_id, patched.secret)
                self._connection.execute(_SQL["seal_secrets"], (sealed, row))
            if isinstance(patched.encrypted_headers, dict):
                sealed = self._sealed_headers(webhook_id, patched.encrypted_headers)
                self._connection.execute(_SQL["seal_encrypted_headers"], (sealed, row))
            if after.event_types != webhook.event_types:
                self._subscribe(row, after.event_types)
            return webhook_from(self.row(webhook_id))

    def update(self, row: int, webhook: Webhook, by: str) -> None:
        """Write what can be read back of a webhook, within a transaction."""
        parameters = {
            "row": row,
            "disabled_reason": webhook.disabled_reason,
            "disabled_reason_code": webhook.disabled_reason_code,
            "now": self._clock(),
            "by": by,
            **columns_of(webhook),
        }
        self._connection.execute(_SQL["update"], parameters)

    def delete(self, webhook_id: str) -> None:
        with self._connection.transaction():
            row = self.row(webhook_id)[0]
            self._cancel(row)
            for name in ("clear_event_types", "clear_failing", "delete"):
                self._connection.execute(_SQL[name], (row,))

    def discard_pending(self, webhook_id: str) -> int:
        with self._connection.transaction():
            row = self.row(webhook_id)[0]
            # A new version of the webhook makes a running server let go of what it holds in memory.
            self._connection.execute(_SQL["touch"], (row,))
            return self._cancel(row)

    def _cancel(self, row: int) -> int:
        self._connection.execute(_SQL["cancel_started"], (row,))
        return self._connection.execute(_SQL["cancel_pending"], (row,)).rowcount

    def _subscribe(self, row: int, event_types: Sequence[str]) -> None:
        self._connection.execute(_SQL["clear_event_types"], (row,))
        self._connection.executemany(_SQL["add_event_type"], [(name, row) for name in event_types])

    def endpoint(self, row: int, *, tolerant: bool = False) -> Endpoint:
        """The webhook with its secrets opened. Raises NotFound, StoreKeyProblem.

        tolerant: make an endpoint all the same of what cannot be opened; it tells its `problem`, and nothing is sent.
        """
        with store_errors(self._connection.path):
            columns = self._connection.execute(sql("endpoint"), (row,)).fetchone()
        if columns is None:
            raise NotFound("the webhook was deleted meanwhile")
        sealed_headers, sealed_secrets = columns[_FIRST_SEALED:]
        identifier, now = columns[1], self._clock()
        webhook = webhook_from(columns)
        try:
            return self._opened(columns, webhook, sealed_headers, sealed_secrets, now)
        except StoreKeyProblem as error:
            if not tolerant:
                raise
            hint = f"give it a new one: qwebhook update {identifier} --secret generate"
            return Endpoint(columns[0], columns[2], webhook, [], {}, problem=f"{error.message} ({hint})")

    def _opened(
        self, columns: Row, webhook: Webhook, sealed_headers: bytes | None, sealed_secrets: bytes | None, now: int
    ) -> Endpoint:
        identifier = webhook.id
        secrets = [
            stored.secret
            for stored in self._open_secrets(identifier, sealed_secrets)
            if stored.until is None or stored.until > now
        ]
        headers = self._opened_headers(identifier, sealed_headers)
        return Endpoint(columns[0], columns[2], webhook, secrets, headers)

    def _open_headers(self, row: int, identifier: str) -> dict[str, str]:
        return self._opened_headers(identifier, self._connection.execute(_SQL["sealed"], (row,)).fetchone()[0])

    def _opened_headers(self, identifier: str, sealed: bytes | None) -> dict[str, str]:
        if sealed is None:
            return {}
        plain = self._connection.vault.open(sealed, f"{identifier}/encryptedHeaders")
        return msgspec.json.decode(plain, type=dict[str, str])

    def _sealed_headers(self, identifier: str, headers: dict[str, str]) -> bytes | None:
        if not headers:
            return None
        return self._connection.vault.seal(msgspec.json.encode(headers), f"{identifier}/encryptedHeaders")

    def _open_secrets(self, identifier: str, sealed: bytes | None) -> list[StoredSecret]:
        if sealed is None:
            return []
        plain = self._connection.vault.open(sealed, f"{identifier}/secret")
        return msgspec.json.decode(plain, type=list[StoredSecret])

    def _sealed_secrets(self, identifier: str, secret: str | msgspec.UnsetType | None) -> bytes | None:
        if not isinstance(secret, str):
            return None
        plain = msgspec.json.encode([StoredSecret(secret)])
        return self._connection.vault.seal(plain, f"{identifier}/secret")


def _as_read(draft: WebhookDraft) -> Webhook:
    """The draft in the shape that is read, its read-only fields empty."""
    fields = {name: getattr(draft, name) for name in draft.__struct_fields__ if name != "secret"}
    fields["encrypted_headers"] = sorted(draft.encrypted_headers)
    return Webhook(
        **fields,
        id="",
        secret_key_added=draft.secret is not None,
        created_at="",
        created_by_user_id="",
        updated_at="",
        updated_by_user_id="",
    )
