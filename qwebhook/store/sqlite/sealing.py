"""What is encrypted in a store: secrets and encrypted headers, each bound to whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from qwebhook.model.signature import TimedSecret
from qwebhook.store.vault import Vault


class _StoredSecret(msgspec.Struct, omit_defaults=True):
    """A signing secret; `until` (ms) ends the grace period of one that is being replaced."""

    secret: str
    until: int | None = None


class Seals:
    """Seals and opens what belongs to the webhook, or the inbound, with an id. Opening raises StoreKeyProblem."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal_secrets(self, identifier: str, secrets: Sequence[TimedSecret]) -> bytes | None:
        if not secrets:
            return None
        plain = msgspec.json.encode([_StoredSecret(secret, until) for secret, until in secrets])
        return self._vault.seal(plain, f"{identifier}/secret")

    def open_secrets(self, identifier: str, sealed: bytes | None) -> list[TimedSecret]:
        if sealed is None:
            return []
        plain = self._vault.open(sealed, f"{identifier}/secret")
        return [(stored.secret, stored.until) for stored in msgspec.json.decode(plain, type=list[_StoredSecret])]

    def seal_headers(self, identifier: str, headers: Mapping[str, str]) -> bytes | None:
        if not headers:
            return None
        return self._vault.seal(msgspec.json.encode(headers), f"{identifier}/encryptedHeaders")

    def open_headers(self, identifier: str, sealed: bytes | None) -> dict[str, str]:
        if sealed is None:
            return {}
        plain = self._vault.open(sealed, f"{identifier}/encryptedHeaders")
        return msgspec.json.decode(plain, type=dict[str, str])

    def seal_inbound(self, identifier: str, secrets: Sequence[str]) -> bytes:
        return self._vault.seal(msgspec.json.encode(secrets), f"{identifier}/inbound")

    def open_inbound(self, identifier: str, sealed: bytes) -> list[str]:
        return msgspec.json.decode(self._vault.open(sealed, f"{identifier}/inbound"), type=list[str])
