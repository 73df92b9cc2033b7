"""Tokens: found by digest, read again when the store has changed, and judged by their role."""

from __future__ import annotations

import pytest

from qwebhook.model.errors import Forbidden, NotAuthorised
from qwebhook.server.access import RECHECK_SECONDS, Access
from qwebhook.store.contract import Role, Token
from qwebhook.store.sqlite.tokens import token_digest
from tests.builders import TIME
from tests.server.clock import Clock

ROLES: tuple[Role, ...] = ("admin", "publisher")


class Tokens:
    """A store of tokens; counts how often it is read."""

    def __init__(self) -> None:
        self.digests: dict[bytes, Token] = {}
        self.changes = 0
        self.reads = 0

    def create_token(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        token = Token(id=name, name=name, role=role, user_id=user_id, created_at=TIME)
        self.digests[token_digest(f"value-of-{name}")] = token
        self.changes += 1
        return token, f"value-of-{name}"

    def revoke(self, name: str) -> None:
        del self.digests[token_digest(f"value-of-{name}")]
        self.changes += 1

    def tokens_by_digest(self) -> dict[bytes, Token]:
        self.reads += 1
        return dict(self.digests)

    def version(self) -> int:
        return self.changes


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def access(tokens: Tokens, clock: Clock) -> Access:
    return Access(tokens, lambda: round(clock.now * 1000))


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_valid_token_is_known(access: Access, tokens: Tokens, scheme: str) -> None:
    token, value = tokens.create_token("ci", "publisher", None)
    assert access.require(scheme + value, ROLES) == token


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "value-of-ci", "Basic value-of-ci", "Bearer other", "Bearer \xff"]
)
def test_anything_else_is_not_authorised(access: Access, tokens: Tokens, header: str) -> None:
    tokens.create_token("ci", "admin", None)
    with pytest.raises(NotAuthorised) as caught:
        access.require(header, ROLES)
    assert not isinstance(caught.value, Forbidden)
    assert "value-of-ci" not in str(caught.value)


def test_a_token_of_another_role_is_forbidden(access: Access, tokens: Tokens) -> None:
    _, value = tokens.create_token("graphs", "metrics", None)
    with pytest.raises(Forbidden, match="metrics"):
        access.require(f"Bearer {value}", ROLES)
    access.require(f"Bearer {value}", ("metrics",))


def test_a_new_token_works_at_once(access: Access, tokens: Tokens) -> None:
    _, first = tokens.create_token("first", "admin", None)
    access.require(f"Bearer {first}", ROLES)
    _, second = tokens.create_token("second", "admin", None)
    access.require(f"Bearer {second}", ROLES)


def test_a_revoked_token_stops_within_a_second(access: Access, tokens: Tokens, clock: Clock) -> None:
    _, value = tokens.create_token("ci", "admin", None)
    access.require(f"Bearer {value}", ROLES)
    tokens.revoke("ci")
    assert RECHECK_SECONDS < 1
    clock.now += RECHECK_SECONDS + 0.01
    with pytest.raises(NotAuthorised):
        access.require(f"Bearer {value}", ROLES)


def test_tokens_are_read_again_only_when_something_has_changed(access: Access, tokens: Tokens, clock: Clock) -> None:
    _, value = tokens.create_token("ci", "admin", None)
    for _ in range(5):
        access.require(f"Bearer {value}", ROLES)
        with pytest.raises(NotAuthorised):
            access.require("Bearer unknown", ROLES)
        clock.now += 10
    assert tokens.reads == 1


def test_the_last_use_of_each_token_is_remembered_until_somebody_takes_it(
    access: Access, tokens: Tokens, clock: Clock
) -> None:
    _, first = tokens.create_token("first", "admin", None)
    _, second = tokens.create_token("second", "user", "ann")
    access.require(f"Bearer {first}", ROLES)
    clock.now += 1
    access.require(f"Bearer {first}", ROLES)
    clock.now += 1
    with pytest.raises(Forbidden):
        access.require(f"Bearer {second}", ROLES)
    with pytest.raises(NotAuthorised):
        access.require("Bearer unknown", ROLES)
    assert access.take_uses() == {"first": 101_000, "second": 102_000}
    assert access.take_uses() == {}
