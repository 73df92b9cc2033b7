"""The tokens of a server in SQLite."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping

from qwebhook.model.errors import InvalidInput, NotFound
from qwebhook.model.identifiers import random_id
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store.contract import Role, Token
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.naming import check_name, unique
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row

_SQL = queries("access")
TOKEN_PREFIX = "qwh_"  # noqa: S105 tells what the text is, when one is found in a log


def token_digest(value: str) -> bytes:
    """What is kept of a token. A token has 256 random bits, so that a plain digest cannot be guessed back."""
    return hashlib.sha256(value.encode()).digest()


class Tokens:
    """`TokenStore` over one connection. clock gives milliseconds since the epoch."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._clock = clock

    def create(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        check_name("token", name)
        if role == "user" and not user_id:
            raise InvalidInput("a token of role user needs the user's id", "give it as userId, or with --user-id")
        value = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = self._clock()
        identifier = random_id(now, os.urandom(10))
        with unique("token", name), self._connection.transaction():
            self._connection.execute(_SQL["insert_token"], (identifier, name, token_digest(value), role, user_id, now))
        return _token((identifier, name, role, user_id, now, None)), value

    def all(self) -> list[Token]:
        with store_errors(self._connection.path):
            return [_token(row) for row in self._connection.execute(_SQL["tokens"])]

    def revoke(self, reference: str) -> Token:
        with self._connection.transaction():
            row = self._connection.execute(_SQL["token"], (reference,)).fetchone()
            if row is None:
                raise NotFound(
                    f"there is no token with the id or name {reference!r}",
                    "the list has those there are (`qwebhook token list`)",
                )
            self._connection.execute(_SQL["delete_token"], (row[0],))
        return _token(row)

    def note_use(self, used: Mapping[str, int]) -> None:
        with self._connection.transaction():
            self._connection.executemany(_SQL["note_token_use"], used.items())

    def by_digest(self) -> dict[bytes, Token]:
        with store_errors(self._connection.path):
            rows = self._connection.execute(_SQL["tokens_by_digest"]).fetchall()
        return {row[0]: _token((*row[1:], None)) for row in rows}


def _token(row: Row) -> Token:
    return Token(
        id=row[0],
        name=row[1],
        role=row[2],
        user_id=row[3],
        created_at=to_rfc3339(row[4]),
        last_used_at=to_rfc3339(row[5]) if row[5] is not None else None,
    )
