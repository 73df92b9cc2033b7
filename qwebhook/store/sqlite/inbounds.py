"""Whose signatures let events in, in SQLite."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from qwebhook.model.errors import InvalidInput, NotFound
from qwebhook.model.identifiers import random_id
from qwebhook.model.signature import check_secret
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store.contract import Inbound
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.naming import check_name, unique
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row
from qwebhook.store.sqlite.sealing import Seals

_SQL = queries("access")


class Inbounds:
    """`InboundStore` over one connection. clock gives milliseconds since the epoch."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._seals = Seals(connection.vault)
        self._clock = clock

    def create(self, name: str, secrets: Sequence[str], by: str) -> Inbound:
        check_name("inbound", name)
        if not secrets:
            raise InvalidInput("the inbound has no secret", "give at least one")
        for secret in secrets:
            check_secret(secret)
        if len(set(secrets)) < len(secrets):
            raise InvalidInput("a secret of the inbound is given twice")
        now = self._clock()
        identifier = random_id(now, os.urandom(10))
        sealed = self._seals.seal_inbound(identifier, secrets)
        row = (identifier, name, sealed, len(secrets), now, by)
        with unique("inbound", name), self._connection.transaction():
            self._connection.execute(_SQL["insert_inbound"], row)
        return _inbound((identifier, name, len(secrets), now, by))

    def all(self) -> list[Inbound]:
        with store_errors(self._connection.path):
            return [_inbound(row) for row in self._connection.execute(_SQL["inbounds"])]

    def remove(self, reference: str) -> Inbound:
        with self._connection.transaction():
            row = self._connection.execute(_SQL["inbound"], (reference,)).fetchone()
            if row is None:
                raise NotFound(
                    f"there is no inbound with the id or name {reference!r}",
                    "the list has those there are (`qwebhook inbound list`)",
                )
            self._connection.execute(_SQL["delete_inbound"], (row[0],))
        return _inbound(row)

    def secrets(self) -> list[str]:
        with store_errors(self._connection.path):
            rows = self._connection.execute(_SQL["inbound_secrets"]).fetchall()
        return [secret for identifier, sealed in rows for secret in self._seals.open_inbound(identifier, sealed)]


def _inbound(row: Row) -> Inbound:
    return Inbound(id=row[0], name=row[1], secrets=row[2], created_at=to_rfc3339(row[3]), created_by_user_id=row[4])
