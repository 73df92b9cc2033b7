"""What a receiver sends back of a secret is kept out of records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.deliver.redaction import without
from qwebhook.model.delivery import Reply
from qwebhook.model.webhook import OMITTED

SECRET = 'Bearer "s3cret"/x'


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (f"you sent {SECRET}!", f"you sent {OMITTED}!"),
        ('{"h": "Bearer \\"s3cret\\"/x"}', f'{{"h": "{OMITTED}"}}'),
        (SECRET + SECRET, OMITTED + OMITTED),
        ("Bearer only", "Bearer only"),
        ("", ""),
    ],
)
def test_a_body(body: str, kept: str) -> None:
    assert without(Reply(200, [], body.encode()), [SECRET]).body == kept.encode()


def test_the_longest_is_replaced_first_and_short_ones_never() -> None:
    reply = without(
        Reply(200, [("X", "token-1-more ok")], b"token-1-more token-1 ok"), ["token-1", "token-1-more", "ok"]
    )
    assert reply.body == f"{OMITTED} {OMITTED} ok".encode()
    assert reply.headers == [("X", f"{OMITTED} ok")]


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40), st.integers(4, 39))
def test_a_body_that_breaks_off_within_a_secret(secret: str, length: int) -> None:
    start = secret[: min(length, len(secret) - 1)]
    reply = without(Reply(200, [], b"before " + start.encode(), truncated=True), [secret])
    assert not reply.body.endswith(start.encode())
    whole = without(Reply(200, [], b"before " + start.encode()), [secret])
    assert whole.body == b"before " + start.encode()
