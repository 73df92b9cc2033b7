"""Who may use a server, and who may push events to it: tokens, and inbounds, whose signatures count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

Role = Literal["admin", "user", "publisher", "metrics"]


class Token(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """An access token to a server, without its value."""

    id: str
    name: str
    role: Role
    created_at: str
    user_id: str | None = None
    last_used_at: str | None = None


class TokenStore(Protocol):
    """The tokens that `serve` accepts; only their digests are kept."""

    def create_token(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        """A token and its value, which is shown once. Raises Conflict for a name in use."""

    def list_tokens(self) -> list[Token]:
        """Every token, by name."""

    def revoke_token(self, reference: str) -> Token:
        """Revoke a token, named by its id or its name. Raises NotFound."""

    def note_token_use(self, used: Mapping[str, int]) -> None:
        """Remember when tokens were last used: milliseconds since the epoch, by the token's id."""

    def tokens_by_digest(self) -> dict[bytes, Token]:
        """Every valid token by the SHA-256 of its value."""

    def version(self) -> int:
        """A number that rises whenever a token, an inbound or a webhook is changed by anyone."""


class Inbound(msgspec.Struct, kw_only=True, rename="camel"):
    """Someone whose signatures let events in. secrets: how many there are; they are never shown."""

    id: str
    name: str
    secrets: int
    created_at: str
    created_by_user_id: str


class InboundStore(Protocol):
    """Whose signatures `POST /events` accepts. The secrets are encrypted at rest."""

    def create_inbound(self, name: str, secrets: Sequence[str], by: str) -> Inbound:
        """Raises Conflict for a name in use, InvalidInput for a secret that cannot be used."""

    def list_inbounds(self) -> list[Inbound]:
        """Every inbound, by name."""

    def remove_inbound(self, reference: str) -> Inbound:
        """Remove one, named by its id or its name. Raises NotFound."""

    def inbound_secrets(self) -> list[str]:
        """The secrets of all inbounds, opened. Raises StoreKeyProblem."""
