"""Webhooks in SQLite: making, finding, changing and deleting them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import Ambiguous, InvalidWebhook, NotFound, QuotaExceeded, StoreKeyProblem
from qwebhook.model.identifiers import random_id
from qwebhook.model.patch import Patched, PatchOperation, apply_patch, apply_replacement
from qwebhook.model.sheet import is_template
from qwebhook.model.signature import MOST_SECRETS, TimedSecret, check_secret
from qwebhook.model.webhook import Settings, Webhook, WebhookDraft, WebhookReplacement, check_draft
from qwebhook.store.contract import Page, WebhookQuery
from qwebhook.store.sqlite import listing
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row, columns_of, webhook_from
from qwebhook.store.sqlite.sealing import Seals

_SQL = queries("webhooks")
_COLUMNS = _SQL["columns"]
_FIRST_SEALED = _COLUMNS.count(",") + 1


def sql(name: str) -> str:
    """A query that reads webhooks, with its columns put in."""
    return _SQL[name].replace("{columns}", _COLUMNS)


class Webhooks:
    """The webhooks' part of `Administration`, over one connection. clock gives milliseconds since the epoch."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._clock = clock
        self._seals = Seals(connection.vault)

    def page(self, query: WebhookQuery) -> Page[Webhook]:
        return listing.page(self._connection, query)

    def row(self, webhook_id: str) -> Row:
        """The columns of a webhook. Raises NotFound."""
        with store_errors(self._connection.path):
            row: Row | None = self._connection.execute(sql("get"), (webhook_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no webhook {webhook_id}", "the list has those there are (`qwebhook list`)")
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
                "the list has those there are (`qwebhook list`)",
            )
        if len(found) > 1:
            shown = ", ".join(row[1] for row in found[:2]) + (", …" if len(found) > 2 else "")
            raise Ambiguous(f"{reference!r} fits several webhooks ({shown})", "name one by its id")
        return webhook_from(found[0])

    def create(self, draft: WebhookDraft, by: str, limit: int | None) -> Webhook:
        parameters = self._checked(draft, by)
        with self._connection.transaction():
            if limit is not None:
                self._check_quota(by, limit)
            return self._insert(parameters)

    def create_unless_named(self, draft: WebhookDraft, by: str) -> tuple[Webhook, bool]:
        parameters = self._checked(draft, by)
        with self._connection.transaction():
            present = self._connection.execute(sql("by_name"), (draft.name,)).fetchone()
            if present is not None:
                return webhook_from(present), False
            return self._insert(parameters), True

    def _checked(self, draft: WebhookDraft, by: str) -> dict[str, Any]:
        """The parameters of `insert`."""
        check_draft(draft)
        _check_rendering(draft.url, draft.qwebhook)
        now = self._clock()
        identifier = random_id(now, os.urandom(10))
        secrets = [(draft.secret, None)] if draft.secret is not None else []
        return {
            "id": identifier,
            "encrypted_headers": self._seals.seal_headers(identifier, draft.encrypted_headers),
            "secrets": self._seals.seal_secrets(identifier, secrets),
            "origin": draft.origin,
            "now": now,
            "by": by,
            **columns_of(_as_read(draft)),
        }

    def _insert(self, parameters: dict[str, Any]) -> Webhook:
        self._connection.execute(_SQL["insert"], parameters)
        return self.get(parameters["id"])

    def _check_quota(self, user: str, limit: int) -> None:
        made = self._connection.execute(_SQL["count_facet"], (listing.creator_facet(user),)).fetchone()[0]
        if made >= limit:
            raise QuotaExceeded(
                f"the user {user} has made {made} webhooks, and may have {limit}", "delete one that is not needed"
            )

    def patch(self, webhook_id: str, operations: Sequence[PatchOperation], by: str) -> Webhook:
        return self._change(
            webhook_id,
            lambda webhook, row: apply_patch(webhook, operations, lambda: self._encrypted_headers(row, webhook_id)),
            by,
        )

    def replace(self, webhook_id: str, replacement: WebhookReplacement, by: str) -> Webhook:
        return self._change(webhook_id, lambda webhook, _: apply_replacement(webhook, replacement), by)

    def _change(self, webhook_id: str, decide: Callable[[Webhook, int], Patched], by: str) -> Webhook:
        """Write what is decided, given the webhook as it is within the transaction and its row's number."""
        with self._connection.transaction():
            columns = self.row(webhook_id)
            row, before = columns[0], webhook_from(columns)
            patched = decide(before, row)
            after = patched.webhook
            if after.qwebhook is not before.qwebhook or after.url != before.url:
                _check_rendering(after.url, after.qwebhook)
            if after.enabled and not before.enabled:
                self._connection.execute(_SQL["clear_failing"], (row,))
            self.update(row, after, self._clock(), by)
            if _is_given(before, after):
                self._cancel(row)
                self._connection.execute(_SQL["give"], (row,))
            if patched.secret is not msgspec.UNSET:
                secrets = [(patched.secret, None)] if isinstance(patched.secret, str) else []
                self._seal(row, "secrets", self._seals.seal_secrets(webhook_id, secrets))
            if isinstance(patched.encrypted_headers, dict):
                sealed = self._seals.seal_headers(webhook_id, patched.encrypted_headers)
                self._seal(row, "encrypted_headers", sealed)
            return webhook_from(self.row(webhook_id))

    def rotate_secret(self, webhook_id: str, secret: str, grace: int, by: str) -> Webhook:
        check_secret(secret)
        with self._connection.transaction():
            columns = self.row(webhook_id)
            row, now = columns[0], self._clock()
            _, sealed = self._connection.execute(_SQL["sealed"], (row,)).fetchone()
            before = self._seals.open_secrets(webhook_id, sealed)
            if before and before[0][0] == secret:
                raise InvalidWebhook("secret", "is the present one", "rotate to another one")
            secrets: list[TimedSecret] = [(secret, None)]
            # Without grace nothing older signs, whatever it was promised: the secret may have leaked.
            for one, until in before if grace else ():
                end = now + grace if until is None else until
                if end > now and one != secret:
                    secrets.append((one, end))
            if len(secrets) > MOST_SECRETS:
                raise InvalidWebhook(
                    "secret",
                    f"would be one of {len(secrets)} that sign",
                    f"use {MOST_SECRETS} at most: wait until a grace period is over, or replace them all by an update",
                )
            self._seal(row, "secrets", self._seals.seal_secrets(webhook_id, secrets))
            self.update(row, webhook_from(columns), now, by)
            return webhook_from(self.row(webhook_id))

    def _seal(self, row: int, column: str, sealed: bytes | None) -> None:
        self._connection.execute(_SQL[f"seal_{column}"], (sealed, row))

    def update(self, row: int, webhook: Webhook, now: int, by: str) -> None:
        """Write what can be read back of a webhook, within a transaction. now: milliseconds since the epoch."""
        parameters = {
            "row": row,
            "disabled_reason": webhook.disabled_reason,
            "disabled_reason_code": webhook.disabled_reason_code,
            "now": now,
            "by": by,
            **columns_of(webhook),
        }
        self._connection.execute(_SQL["update"], parameters)

    def delete(self, webhook_id: str) -> None:
        with self._connection.transaction():
            row = self.row(webhook_id)[0]
            self._cancel(row)
            for name in ("clear_failing", "delete"):
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

    def endpoint(self, row: int, *, tolerant: bool = False) -> Endpoint:
        """The webhook with its secrets opened. Raises NotFound, StoreKeyProblem.

        tolerant: make an endpoint all the same of what cannot be opened; it tells its `problem`, and nothing is sent.
        """
        with store_errors(self._connection.path):
            columns = self._connection.execute(sql("endpoint"), (row,)).fetchone()
        if columns is None:
            raise NotFound("the webhook was deleted meanwhile")
        identifier = columns[1]
        webhook = webhook_from(columns)
        sealed_headers, sealed_secrets = columns[_FIRST_SEALED:]
        try:
            secrets = self._seals.open_secrets(identifier, sealed_secrets)
            headers = self._seals.open_headers(identifier, sealed_headers)
        except StoreKeyProblem as error:
            if not tolerant:
                raise
            hint = f"give it a new one: qwebhook update {identifier} --secret generate"
            return Endpoint(columns[0], columns[2], webhook, [], {}, problem=f"{error.message} ({hint})")
        return Endpoint(columns[0], columns[2], webhook, secrets, headers)

    def _encrypted_headers(self, row: int, identifier: str) -> dict[str, str]:
        sealed, _ = self._connection.execute(_SQL["sealed"], (row,)).fetchone()
        return self._seals.open_headers(identifier, sealed)


def _is_given(before: Webhook, after: Webhook) -> bool:
    """Whether a change makes a webhook that of a user whose it was not."""
    return after.level == "user" and (before.level, before.owner_id) != (after.level, after.owner_id)


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


def _check_rendering(url: str, settings: Settings) -> None:
    # Most webhooks have none of these, and need not wait for what they import.
    if (settings.preset, settings.template, settings.sheet) != (None, None, None) or is_template(url):
        from qwebhook.render.body import check_rendering

        check_rendering(url, settings)
