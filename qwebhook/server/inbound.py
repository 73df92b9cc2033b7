"""Who may push events without a token: whoever signs them with an inbound secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from qwebhook.deliver.writer import Clock
from qwebhook.model.errors import NotAuthorised, WrongCredentials
from qwebhook.model.signature import verify_qlik, verify_standard
from qwebhook.server.access import Kept
from qwebhook.store.contract import InboundStore

_NOTHING_TO_CHECK_WITH = "there is no inbound secret to check signatures with"
_HINT = "sign the raw body with a secret of an inbound (`qwebhook inbound add`), or send a bearer token"


class Signatures(msgspec.Struct, rename="kebab"):
    """The headers of a request that sign it; "" where one is missing."""

    webhook_id: str = ""
    webhook_timestamp: str = ""
    webhook_signature: str = ""
    qlik_signature: str = ""


# As ASGI has them.
SIGNATURE_HEADERS = frozenset(name.encode() for name in Signatures.__struct_encode_fields__)


def signatures_in(headers: Mapping[bytes, str]) -> Signatures:
    """The signatures among a request's headers. Raises NotAuthorised if there are none."""
    found = Signatures(*(headers.get(name.encode(), "") for name in Signatures.__struct_encode_fields__))
    if not found.webhook_signature and not found.qlik_signature:
        raise NotAuthorised("there is neither a bearer token nor a signature", _HINT)
    return found


class _Store(InboundStore, Protocol):
    def version(self) -> int: ...


class InboundSignatures:
    """The inbound secrets of a store, and what they sign. clock: milliseconds since the epoch.

    A secret added meanwhile works at once, since a signature that does not fit is checked against the store as it is;
    a removed one stops within `access.RECHECK_SECONDS`.
    """

    def __init__(self, store: _Store, clock: Clock) -> None:
        self._secrets = Kept(store.version, store.inbound_secrets)
        self._clock = clock

    def expect(self) -> None:
        """Let a signed request's body come only if there is a secret to check it with. Raises WrongCredentials."""
        if not self._secrets.get() and not self._secrets.get(now=True):
            raise WrongCredentials(_NOTHING_TO_CHECK_WITH, _HINT)

    def require(self, signatures: Signatures, body: bytes) -> None:
        """Let a request pass if one of its signatures holds, by whichever secret.

        body: as it came, whatever it is. Raises NotAuthorised, StoreKeyProblem.
        """
        known = self._secrets.get()
        problem = self._problem(known, signatures, body)
        if problem:
            present = self._secrets.get(now=True)
            if present is not known:
                problem = self._problem(present, signatures, body)
        if problem:
            raise WrongCredentials(problem, _HINT)

    def _problem(self, secrets: Sequence[str], signatures: Signatures, body: bytes) -> str:
        """Why no signature holds, "" if one does."""
        if not secrets:
            return _NOTHING_TO_CHECK_WITH
        problem = "Qlik-Signature does not fit the body and any inbound secret"
        if signatures.webhook_signature:
            problem = verify_standard(
                secrets,
                signatures.webhook_id,
                signatures.webhook_timestamp,
                signatures.webhook_signature,
                body,
                self._clock() / 1000,
            )
        if problem and signatures.qlik_signature and verify_qlik(secrets, body, signatures.qlik_signature):
            return ""
        return problem
