"""What every database does with the tokens of a server."""

from __future__ import annotations

from hashlib import sha256

import pytest

from qwebhook.model.errors import Conflict, InvalidInput
from tests.builders import USER, webhook_draft
from tests.store.conftest import Driver


def test_a_token_is_known_by_its_digest_alone(database: Driver) -> None:
    store = database.make()
    token, value = store.create_token("ci", "user", USER)
    assert (token.name, token.role, token.user_id) == ("ci", "user", USER)
    other, another = store.create_token("scrape", "metrics", None)
    assert value != another
    assert len(value) >= 40
    known = database.open().tokens_by_digest()
    assert known == {sha256(value.encode()).digest(): token, sha256(another.encode()).digest(): other}


def test_a_name_is_taken_once(database: Driver) -> None:
    store = database.make()
    store.create_token("ci", "publisher", None)
    with pytest.raises(Conflict):
        database.open().create_token("ci", "admin", None)
    assert len(store.tokens_by_digest()) == 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[31m", "\udcff"])
def test_a_name_can_be_printed(database: Driver, name: str) -> None:
    store = database.make()
    with pytest.raises(InvalidInput):
        store.create_token(name, "admin", None)
    assert store.tokens_by_digest() == {}


def test_a_token_of_a_user_names_the_user(database: Driver) -> None:
    with pytest.raises(InvalidInput):
        database.make().create_token("ci", "user", None)


def test_the_version_rises_with_every_token_and_webhook(database: Driver) -> None:
    store, other = database.make(), database.open()
    seen = [other.version()]
    store.create_token("ci", "admin", None)
    seen.append(other.version())
    made = store.create_webhook(webhook_draft(), USER)
    seen.append(other.version())
    store.delete_webhook(made.id)
    seen.append(other.version())
    assert seen == sorted(set(seen))
    assert other.version() == seen[-1]
