"""Who may do what: bearer tokens and their roles."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from qwebhook.model.errors import Forbidden, NotAuthorised, WrongCredentials
from qwebhook.store.contract import Role, Token, TokenStore
from qwebhook.store.sqlite.tokens import token_digest

T = TypeVar("T")

# A revoked token may work this much longer.
RECHECK_SECONDS = 0.5
_HINT = "an administrator makes one: `qwebhook token create NAME --role ROLE`"


class Kept(Generic[T]):
    """What a server reads from its store for every request, kept in memory until the store's version changes.

    version: the store's. read: reads it anew.
    """

    def __init__(self, version: Callable[[], int], read: Callable[[], T]) -> None:
        self._read_version = version
        self._read = read
        self._checked = 0.0
        self._version = -1
        self._value: T

    def get(self, *, now: bool = False) -> T:
        """As it was within the last `RECHECK_SECONDS`, or with `now` as it is at this moment."""
        at = time.monotonic()
        if now or at - self._checked > RECHECK_SECONDS:
            version = self._read_version()
            if version != self._version:
                self._value, self._version = self._read(), version
            self._checked = at
        return self._value


class Access:
    """The tokens of a store, looked up by digest.

    A token made meanwhile works at once, since an unknown one is looked for in the store; a revoked one stops within
    `RECHECK_SECONDS`. When each was last used is remembered until somebody takes it. clock: milliseconds since the
    epoch.
    """

    def __init__(self, store: TokenStore, clock: Callable[[], int]) -> None:
        self._tokens = Kept(store.version, store.tokens_by_digest)
        self._clock = clock
        self._uses: dict[str, int] = {}

    def require(self, authorization: str, roles: tuple[Role, ...]) -> Token:
        """The token of an `Authorization` header, if its role is one of those.

        Raises NotAuthorised without a valid token, Forbidden with one of another role.
        """
        token = self.holder(authorization)
        if token.role not in roles:
            raise Forbidden(f"a token of role {token.role} may not do this", f"use one of role {' or '.join(roles)}")
        return token

    def holder(self, authorization: str) -> Token:
        """The token of an `Authorization` header. Raises NotAuthorised without a valid one."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise NotAuthorised("a bearer token is needed", _HINT)
        token = self._find(token_digest(value.strip()))
        if token is None:
            raise WrongCredentials("the token is not valid", _HINT)
        self._uses[token.id] = self._clock()
        return token

    def take_uses(self) -> dict[str, int]:
        """When tokens were last used, by their ids, since this was asked before."""
        uses, self._uses = self._uses, {}
        return uses

    def _find(self, digest: bytes) -> Token | None:
        return self._tokens.get().get(digest) or self._tokens.get(now=True).get(digest)
