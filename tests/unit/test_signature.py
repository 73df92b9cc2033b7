"""Both signature schemes, against each other's rules and against an independent library."""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.signature import (
    TOLERANCE_SECONDS,
    Signer,
    check_secret,
    generated_secret,
    qlik_signature,
    standard_key,
    standard_signature,
    verify_qlik,
    verify_standard,
)
from tests.builders import SECRET, STANDARD_SECRET
from tests.strategies import plain_secrets, secrets, standard_secrets

NOW = 1_795_536_000
ID = "0193600b-0e9f-7000-8000-000000000001"
BODY = b'{"a":1}'
bodies = st.binary(max_size=200)
texts = st.text(max_size=80).map(str.encode)


def flipped(data: bytes, bit: int) -> bytes:
    """The data with one bit changed; `bit` counts from anywhere."""
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def signed(secret: str, body: bytes, timestamp: int = NOW, message_id: str = ID) -> str:
    return Signer([(secret, None)]).headers(message_id, timestamp, body)["webhook-signature"]


def library(secret: str) -> standardwebhooks.Webhook:
    """The library's idea of the secret; one that is not `whsec_` it takes as bytes."""
    return standardwebhooks.Webhook(secret if secret.startswith("whsec_") else secret.encode())


# --- Known answers ---


def test_the_standard_scheme_gives_the_published_answer() -> None:
    # The example of the Standard Webhooks specification, section "Symmetric".
    key = standard_key("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    body = b'{"event_type": "ping"}'
    ours = standard_signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    plain = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body
    expected = hmac.new(b64decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), plain, hashlib.sha256).digest()
    assert ours == "v1," + b64encode(expected).decode()


def test_the_qlik_scheme_is_the_hex_hmac_of_the_body() -> None:
    # RFC 4231, test case 2.
    assert qlik_signature("Jefe", b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_the_qlik_key_is_the_whole_secret_with_its_prefix() -> None:
    expected = hmac.new(STANDARD_SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert Signer([(STANDARD_SECRET, None)]).headers(ID, NOW, BODY)["Qlik-Signature"] == expected


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        pytest.param("whsec_" + b64encode(b"k" * 24).decode(), b"k" * 24, id="the least"),
        pytest.param("whsec_" + b64encode(b"k" * 64).decode(), b"k" * 64, id="the most"),
        pytest.param("plain", b"plain", id="plain"),
        pytest.param("pässwörd", "pässwörd".encode(), id="plain, not ASCII"),
        pytest.param(
            "whsec_" + b64encode(b"k" * 23).decode(),
            b"whsec_" + b64encode(b"k" * 23),
            id="a plain one that begins like a standard one: too short",
        ),
        pytest.param("whsec_" + b64encode(b"k" * 65).decode(), b"whsec_" + b64encode(b"k" * 65), id="too long"),
        pytest.param("whsec_not base64 at all!", b"whsec_not base64 at all!", id="not base64"),
        pytest.param("whsec_ä", "whsec_ä".encode(), id="not ASCII"),
        pytest.param("WHSEC_" + b64encode(b"k" * 32).decode(), b"WHSEC_" + b64encode(b"k" * 32), id="capitals"),
    ],
)
def test_the_key_of_the_standard_scheme(secret: str, key: bytes) -> None:
    assert standard_key(secret) == key


# --- Against the standardwebhooks library ---


@given(secrets, texts)
def test_the_library_verifies_what_is_signed_here(secret: str, body: bytes) -> None:
    now = int(time.time())
    headers = {"webhook-id": ID, "webhook-timestamp": str(now), "webhook-signature": signed(secret, body, now)}
    library(secret).verify(body, headers, json_parse=False)


@given(secrets, texts)
def test_what_the_library_signs_is_verified_here(secret: str, body: bytes) -> None:
    theirs = library(secret).sign(ID, datetime.fromtimestamp(NOW, UTC), body.decode())
    assert verify_standard([secret], ID, str(NOW), theirs, body, NOW) == ""


def test_the_library_verifies_either_secret_of_a_rotation() -> None:
    now = int(time.time())
    headers = Signer([(STANDARD_SECRET, None), (SECRET, None)]).headers(ID, now, BODY)
    headers |= {"webhook-id": ID, "webhook-timestamp": str(now)}
    for secret in (STANDARD_SECRET, SECRET):
        assert library(secret).verify(BODY, headers) == {"a": 1}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library("x" * 32).verify(BODY, headers)


# --- Own signatures are accepted, altered ones refused ---


@given(secrets, bodies, st.integers(0, 10**11))
def test_own_signatures_are_accepted(secret: str, body: bytes, timestamp: int) -> None:
    headers = Signer([(secret, None)]).headers(ID, timestamp, body)
    assert verify_qlik([secret], body, headers["Qlik-Signature"])
    assert headers["Qlik-Signature"] == qlik_signature(secret, body)
    assert verify_standard([secret], ID, str(timestamp), headers["webhook-signature"], body, timestamp) == ""


@given(secrets, st.binary(min_size=1, max_size=100), st.integers(0, 10**6))
def test_one_changed_bit_of_the_body_is_refused(secret: str, body: bytes, bit: int) -> None:
    headers = Signer([(secret, None)]).headers(ID, NOW, body)
    altered = flipped(body, bit)
    assert not verify_qlik([secret], altered, headers["Qlik-Signature"])
    assert "does not fit" in verify_standard([secret], ID, str(NOW), headers["webhook-signature"], altered, NOW)


@given(secrets, bodies, st.integers(0, 10**6))
def test_one_changed_bit_of_the_signature_is_refused(secret: str, body: bytes, bit: int) -> None:
    standard = b64decode(signed(secret, body).removeprefix("v1,"))
    altered = "v1," + b64encode(flipped(standard, bit)).decode()
    assert "does not fit" in verify_standard([secret], ID, str(NOW), altered, body, NOW)
    qlik = flipped(bytes.fromhex(qlik_signature(secret, body)), bit).hex()
    assert not verify_qlik([secret], body, qlik)


@given(standard_secrets, bodies, st.integers(0, 10**6))
def test_one_changed_bit_of_the_key_is_refused(secret: str, body: bytes, bit: int) -> None:
    other = generated_secret(flipped(standard_key(secret), bit))
    assert not verify_qlik([other], body, qlik_signature(secret, body))
    assert verify_standard([other], ID, str(NOW), signed(secret, body), body, NOW)


@pytest.mark.parametrize(
    ("message_id", "timestamp"), [(ID[:-1] + "2", str(NOW)), (ID, str(NOW + 1)), (ID + ".1", str(NOW))]
)
def test_id_and_timestamp_are_signed(message_id: str, timestamp: str) -> None:
    assert "does not fit" in verify_standard([SECRET], message_id, timestamp, signed(SECRET, BODY), BODY, NOW)


@given(st.text(max_size=40), st.text(max_size=80))
def test_any_text_is_answered_and_never_raises(timestamp: str, signature: str) -> None:
    assert not verify_qlik([SECRET], BODY, signature)
    assert verify_standard([SECRET], ID, timestamp, signature, BODY, NOW)


def test_qlik_hex_is_read_in_either_case_and_between_spaces() -> None:
    assert verify_qlik([SECRET], BODY, f" {qlik_signature(SECRET, BODY).upper()} ")


def test_no_secret_verifies_nothing() -> None:
    assert not verify_qlik([], BODY, qlik_signature(SECRET, BODY))
    assert verify_standard([], ID, str(NOW), signed(SECRET, BODY), BODY, NOW)


def test_one_of_several_secrets_is_enough() -> None:
    assert verify_qlik(["x" * 32, SECRET], BODY, qlik_signature(SECRET, BODY))
    assert verify_standard(["x" * 32, SECRET], ID, str(NOW), signed(SECRET, BODY), BODY, NOW) == ""
    assert verify_qlik(iter([SECRET]), BODY, qlik_signature(SECRET, BODY))


def test_entries_of_other_versions_are_passed_over() -> None:
    both = f"v1a,{'A' * 88} {signed(SECRET, BODY)}"
    assert verify_standard([SECRET], ID, str(NOW), both, BODY, NOW) == ""
    only = signed(SECRET, BODY).replace("v1,", "v2,")
    assert "no v1 entry" in verify_standard([SECRET], ID, str(NOW), only, BODY, NOW)


@pytest.mark.parametrize(
    "timestamp",
    ["", "now", "1.5", "-1", "+1", " 1", "١", "1e9", "0x10", "9" * 5000],
    ids=lambda timestamp: timestamp[:8] or "empty",
)
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(timestamp: str) -> None:
    answer = verify_standard([SECRET], ID, timestamp, signed(SECRET, BODY), BODY, NOW)
    assert answer == "webhook-timestamp is not a whole number of seconds"


@pytest.mark.parametrize(
    ("offset", "answer"),
    [
        (0, ""),
        (TOLERANCE_SECONDS, ""),
        (-TOLERANCE_SECONDS, ""),
        (TOLERANCE_SECONDS + 1, "the signature is 301 s old, more than the 300 s allowed"),
        (-TOLERANCE_SECONDS - 1, "the signature is 301 s ahead, more than the 300 s allowed"),
    ],
)
def test_the_age_of_a_signature(offset: int, answer: str) -> None:
    assert verify_standard([SECRET], ID, str(NOW), signed(SECRET, BODY), BODY, NOW + offset) == answer


def test_the_tolerance_can_be_widened() -> None:
    assert verify_standard([SECRET], ID, str(NOW), signed(SECRET, BODY), BODY, NOW + 5000, 6000) == ""


# --- Rotation, no secret ---


def test_a_rotation_lists_both_and_qlik_uses_the_new_one() -> None:
    new, old = STANDARD_SECRET, SECRET
    headers = Signer([(new, None), (old, None)]).headers(ID, NOW, BODY)
    assert headers["webhook-signature"] == f"{signed(new, BODY)} {signed(old, BODY)}"
    assert headers["Qlik-Signature"] == qlik_signature(new, BODY)
    for secret in (new, old):
        assert verify_standard([secret], ID, str(NOW), headers["webhook-signature"], BODY, NOW) == ""


@pytest.mark.parametrize(("seconds", "signs"), [(-1, True), (0, False), (1, False)])
def test_an_old_secret_signs_until_its_grace_period_ends(seconds: int, signs: bool) -> None:
    signer = Signer([(STANDARD_SECRET, None), (SECRET, NOW * 1000), ("x" * 40, (NOW + 60) * 1000)])
    headers = signer.headers(ID, NOW + seconds, BODY)
    accepted = [
        verify_standard([secret], ID, str(NOW + seconds), headers["webhook-signature"], BODY, NOW) == ""
        for secret in (STANDARD_SECRET, SECRET, "x" * 40)
    ]
    assert accepted == [True, signs, True]
    assert headers["Qlik-Signature"] == qlik_signature(STANDARD_SECRET, BODY)


def test_without_a_secret_there_is_neither_header() -> None:
    assert Signer([]).headers(ID, NOW, BODY) == {}


# --- Which secrets are taken ---


@given(secrets)
def test_a_good_secret_is_taken(secret: str) -> None:
    check_secret(secret)


@given(st.binary(min_size=32, max_size=32))
def test_a_generated_secret_is_taken_and_carries_its_bytes(random_bytes: bytes) -> None:
    secret = generated_secret(random_bytes)
    check_secret(secret)
    assert standard_key(secret) == random_bytes
    assert len(secret) == 50


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        ("", "has 0 characters"),
        ("correct-horse-battery-staple-31", "has 31 characters"),
        ("s3cr3t" * 11, "has 66 characters"),
        ("correct-horse\nbattery-staple-correct", "cannot be printed"),
        ("correct-horse\x00battery-staple-correct", "cannot be printed"),
        ("correct-horse-battery-staple\udcff\udcff\udcff\udcff", "cannot be printed"),
        ("whsec_" + b64encode(b"k" * 20).decode()[:-3], "has 31 characters"),
    ],
    ids=["empty", "short", "long", "line break", "NUL", "bytes that are not UTF-8", "short whsec_"],
)
def test_a_bad_secret_is_refused_without_being_shown(secret: str, complaint: str) -> None:
    with pytest.raises(InvalidWebhook) as refused:
        check_secret(secret)
    assert refused.value.field == "secret"
    assert complaint in refused.value.message
    assert "32 to 64" in refused.value.hint
    if secret:
        assert secret not in str(refused.value)
        assert secret[:6].removeprefix("whsec_") == "" or secret[:6] not in str(refused.value)


@given(plain_secrets.filter(lambda secret: len(secret) >= 8))
def test_the_length_counts_characters(secret: str) -> None:
    with pytest.raises(InvalidWebhook):
        check_secret(secret[:31])
    check_secret("ü" * 32)
