"""Inbound signatures: either scheme, any secret, and nothing said of which."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import pytest

from qwebhook.model.errors import NotAuthorised
from qwebhook.model.signature import qlik_signature, standard_key, standard_signature
from qwebhook.server.access import RECHECK_SECONDS
from qwebhook.server.inbound import SIGNATURE_HEADERS, InboundSignatures, Signatures, signatures_in
from qwebhook.store.contract import Inbound
from tests.builders import SECRET, STANDARD_SECRET
from tests.deliver.claims import NOW
from tests.server.clock import Clock

BODY = b'{"a": 1}'
OTHER = "another-secret-of-32-characters-or-more"


class Inbounds:
    """A store of inbound secrets; counts how often they are read."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = list(secrets)
        self.changes = self.reads = 0

    def inbound_secrets(self) -> list[str]:
        self.reads += 1
        return list(self.secrets)

    def version(self) -> int:
        return self.changes

    def create_inbound(self, name: str, secrets: Sequence[str], by: str) -> Inbound:
        self.secrets += secrets
        self.changes += 1
        return Inbound(id="1", name=name, secrets=len(secrets), created_at="", created_by_user_id=by)

    def list_inbounds(self) -> list[Inbound]:
        return []

    def remove_inbound(self, reference: str) -> Inbound:
        self.secrets.clear()
        self.changes += 1
        return Inbound(id="1", name=reference, secrets=0, created_at="", created_by_user_id="")


def gate(*secrets: str) -> InboundSignatures:
    return InboundSignatures(Inbounds(*secrets), lambda: NOW)


def standard(secret: str, body: bytes = BODY, seconds: int = NOW // 1000, also: str = "") -> Signatures:
    entry = standard_signature(standard_key(secret), "msg_1", seconds, body)
    return Signatures("msg_1", str(seconds), f"{also} {entry}".strip())


def qlik(secret: str, body: bytes = BODY) -> Signatures:
    return Signatures(qlik_signature=qlik_signature(secret, body))


@pytest.mark.parametrize("secret", [SECRET, STANDARD_SECRET])
@pytest.mark.parametrize("sign", [standard, qlik])
def test_either_scheme_by_any_secret(sign: type, secret: str) -> None:
    for secrets in ((secret,), (OTHER, secret), (secret, OTHER)):
        gate(*secrets).require(sign(secret), BODY)


def test_any_entry_counts() -> None:
    other = "v1," + b64encode(bytes(32)).decode()
    gate(SECRET).require(standard(SECRET, also=f"v1a,xyz {other}"), BODY)


def test_one_scheme_that_holds_is_enough() -> None:
    both = standard(OTHER)
    both.qlik_signature = qlik_signature(SECRET, BODY)
    gate(SECRET).require(both, BODY)
    old = standard(SECRET, seconds=1)
    old.qlik_signature = qlik_signature(SECRET, BODY)
    gate(SECRET).require(old, BODY)


@pytest.mark.parametrize(
    ("signatures", "words"),
    [
        (standard(OTHER), "does not fit"),
        (standard(SECRET, b"{}"), "does not fit"),
        (standard(SECRET, seconds=NOW // 1000 - 301), "301 s old"),
        (standard(SECRET, seconds=NOW // 1000 + 301), "301 s ahead"),
        (Signatures("msg_1", "soon", "v1,x"), "webhook-timestamp"),
        (Signatures("msg_1", "1", "v2,x"), "no v1 entry"),
        (qlik(OTHER), "Qlik-Signature does not fit"),
        (qlik(SECRET, b"{}"), "Qlik-Signature does not fit"),
        (Signatures(qlik_signature="é"), "Qlik-Signature does not fit"),
    ],
)
def test_what_does_not_hold_is_refused_and_no_secret_is_hinted_at(signatures: Signatures, words: str) -> None:
    told = set()
    for secrets in ((SECRET, STANDARD_SECRET), (STANDARD_SECRET, SECRET)):
        with pytest.raises(NotAuthorised, match=words) as caught:
            gate(*secrets).require(signatures, BODY)
        told.add(str(caught.value))
    assert len(told) == 1


@pytest.mark.parametrize("seconds", [NOW // 1000 - 299, NOW // 1000 + 299])
def test_five_minutes_are_tolerated(seconds: int) -> None:
    gate(SECRET).require(standard(SECRET, seconds=seconds), BODY)


def test_without_secrets_nothing_holds() -> None:
    with pytest.raises(NotAuthorised, match="no inbound secret"):
        gate().require(qlik(SECRET), BODY)
    with pytest.raises(NotAuthorised, match="no inbound secret"):
        gate().require(qlik(""), BODY)


def test_a_new_secret_works_at_once_and_a_removed_one_stops_within_a_second(clock: Clock) -> None:
    store = Inbounds(OTHER)
    inbound = InboundSignatures(store, lambda: NOW)
    inbound.require(qlik(OTHER), BODY)
    store.create_inbound("new", [SECRET], "me")
    inbound.require(qlik(SECRET), BODY)
    store.remove_inbound("new")
    clock.now += RECHECK_SECONDS + 0.01
    assert RECHECK_SECONDS < 1
    with pytest.raises(NotAuthorised):
        inbound.require(qlik(SECRET), BODY)


def test_secrets_are_opened_only_when_something_has_changed(clock: Clock) -> None:
    store = Inbounds(SECRET)
    inbound = InboundSignatures(store, lambda: NOW)
    assert store.reads == 0
    for _ in range(5):
        inbound.require(qlik(SECRET), BODY)
        with pytest.raises(NotAuthorised):
            inbound.require(qlik(OTHER), BODY)
        clock.now += 10
    assert store.reads == 1


def test_the_headers_that_sign() -> None:
    assert {b"webhook-id", b"webhook-timestamp", b"webhook-signature", b"qlik-signature"} == SIGNATURE_HEADERS
    found = signatures_in({b"qlik-signature": "ab", b"webhook-id": "1"})
    assert (found.qlik_signature, found.webhook_id, found.webhook_signature) == ("ab", "1", "")
    for headers in ({}, {b"webhook-id": "1", b"webhook-timestamp": "1"}, {b"qlik-signature": ""}):
        with pytest.raises(NotAuthorised, match="neither a bearer token nor a signature"):
            signatures_in(headers)
