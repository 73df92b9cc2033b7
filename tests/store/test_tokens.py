"""What every database does with the tokens of a server."""

from __future__ import annotations

from hashlib import sha256

import pytest

from qwebhook.model.errors import Conflict, InvalidInput, NotFound
from qwebhook.model.timestamps import to_rfc3339
from tests.builders import USER, webhook_draft
from tests.store.conftest import Database
from tests.store.recordings import HOUR, NOW, SECOND


def test_a_token_is_known_by_its_digest_alone(database: Database) -> None:
    store = database.make()
    token, value = store.create_token("ci", "user", USER)
    assert (token.name, token.role, token.user_id) == ("ci", "user", USER)
    other, another = store.create_token("scrape", "metrics", None)
    assert value != another
    assert len(value) >= 40
    known = database.open().tokens_by_digest()
    assert known == {sha256(value.encode()).digest(): token, sha256(another.encode()).digest(): other}


def test_a_name_is_taken_once(database: Database) -> None:
    store = database.make()
    store.create_token("ci", "publisher", None)
    with pytest.raises(Conflict):
        database.open().create_token("ci", "admin", None)
    assert len(store.tokens_by_digest()) == 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[31m", "\udcff"])
def test_a_name_can_be_printed(database: Database, name: str) -> None:
    store = database.make()
    with pytest.raises(InvalidInput):
        store.create_token(name, "admin", None)
    assert store.tokens_by_digest() == {}


def test_a_token_of_a_user_names_the_user(database: Database) -> None:
    with pytest.raises(InvalidInput):
        database.make().create_token("ci", "user", None)


def test_tokens_are_listed_by_name(database: Database) -> None:
    store = database.make()
    assert store.list_tokens() == []
    made = [store.create_token(name, "admin", None)[0] for name in ("b", "C", "a")]
    assert database.open().list_tokens() == [made[2], made[0], made[1]]


def test_a_revoked_token_is_valid_no_longer(database: Database) -> None:
    store, other = database.make(), database.open()
    by_id, _ = store.create_token("by id", "admin", None)
    by_name, _ = store.create_token("by name", "user", USER)
    assert store.revoke_token(by_id.id) == by_id
    assert list(other.tokens_by_digest().values()) == other.list_tokens() == [by_name]
    assert store.revoke_token("by name") == by_name
    assert other.tokens_by_digest() == {}
    for reference in (by_id.id, "by name", "", by_name.id[:8]):
        with pytest.raises(NotFound):
            store.revoke_token(reference)
    store.create_token("by name", "admin", None)


def test_the_last_use_of_a_token_is_remembered(database: Database) -> None:
    store, other = database.make(), database.open()
    used, value = store.create_token("used", "admin", None)
    unused, _ = store.create_token("unused", "admin", None)
    store.note_token_use({used.id: NOW})
    other.note_token_use({used.id: NOW + SECOND})
    store.note_token_use({used.id: NOW - SECOND})  # told late by another server
    listed = {token.name: token.last_used_at for token in other.list_tokens()}
    assert listed == {"used": to_rfc3339(NOW + SECOND), "unused": None}
    assert store.tokens_by_digest()[sha256(value.encode()).digest()] == used
    revoked = store.revoke_token("used")
    assert revoked.last_used_at == to_rfc3339(NOW + SECOND)
    store.note_token_use({used.id: NOW + HOUR, unused.id: NOW + HOUR})
    assert [token.last_used_at for token in store.list_tokens()] == [to_rfc3339(NOW + HOUR)]


def test_noting_a_use_makes_nobody_read_anything_again(database: Database) -> None:
    store, journal = database.make(), database.journal()
    store.create_webhook(webhook_draft(), USER)
    token, _ = store.create_token("ci", "admin", None)
    journal.refresh()
    before = store.version()
    store.note_token_use({token.id: NOW})
    assert store.version() == before
    assert journal.refresh() is None


def test_the_version_rises_with_every_token_and_webhook(database: Database) -> None:
    store, other = database.make(), database.open()
    seen = [other.version()]
    store.create_token("ci", "admin", None)
    seen.append(other.version())
    made = store.create_webhook(webhook_draft(), USER)
    seen.append(other.version())
    store.delete_webhook(made.id)
    seen.append(other.version())
    store.revoke_token("ci")
    seen.append(other.version())
    assert seen == sorted(set(seen))
    assert other.version() == seen[-1]
