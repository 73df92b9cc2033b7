"""Who may do what: bearer tokens and their roles."""

from __future__ import annotations

import time

from qwebhook.model.errors import Forbidden, NotAuthorised
from qwebhook.store.contract import Role, Token, TokenStore
from qwebhook.store.sqlite import token_digest

# A revoked token may work this much longer.
RECHECK_SECONDS = 0.5


class Access:
    """The tokens of a store, kept in memory and looked up by digest.

    A token made meanwhile works at once, since an unknown one is looked for in the store; a revoked one stops within
    `RECHECK_SECONDS`.
    """

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._tokens: dict[bytes, Token] = {}
        self._version = -1
        self._checked = 0.0

    def require(self, authorization: str, roles: tuple[Role, ...]) -> Token:
        """The token of an `Authorization` header, if its role is one of those.

        Raises NotAuthorised without a valid token, Forbidden with one of another role.
        """
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise NotAuthorised("a bearer token is needed", "make one with `qwebhook token create NAME --role ROLE`")
        token = self._find(token_digest(value.strip()))
        if token is None:
            raise NotAuthorised("the token is not valid", "make one with `qwebhook token create NAME --role ROLE`")
        if token.role not in roles:
            raise Forbidden(f"a token of role {token.role} may not do this", f"use one of role {' or '.join(roles)}")
        return token

    def _find(self, digest: bytes) -> Token | None:
        now = time.monotonic()
        token = self._tokens.get(digest)
        if token is None or now - self._checked > RECHECK_SECONDS:
            version = self._store.version()
            if version != self._version:
                self._tokens, self._version = self._store.tokens_by_digest(), version
            self._checked = now
            token = self._tokens.get(digest)
        return token
