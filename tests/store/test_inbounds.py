"""What every database does with those whose signatures let events in."""

from __future__ import annotations

import pytest

from qwebhook.model.errors import Conflict, InvalidInput, NotFound
from qwebhook.model.identifiers import is_id
from tests.builders import SECRET, STANDARD_SECRET, USER
from tests.store.conftest import Database, Store


@pytest.fixture
def store(database: Database) -> Store:
    return database.make()


def test_an_inbound_is_listed_without_its_secrets(store: Store, database: Database) -> None:
    two = store.create_inbound("tenant", [SECRET, STANDARD_SECRET], USER)
    one = store.create_inbound("Shop", ["s" * 32], "user-two")
    assert is_id(two.id)
    assert (two.name, two.secrets, two.created_by_user_id) == ("tenant", 2, USER)
    for seen in (store, database.open()):
        assert seen.list_inbounds() == [one, two]
        assert sorted(seen.inbound_secrets()) == sorted([SECRET, STANDARD_SECRET, "s" * 32])


def test_without_inbounds_there_is_nothing(store: Store) -> None:
    assert store.list_inbounds() == store.inbound_secrets() == []


def test_a_removed_inbound_lets_nothing_in(store: Store) -> None:
    by_id = store.create_inbound("by id", [SECRET], USER)
    by_name = store.create_inbound("by name", [STANDARD_SECRET], USER)
    assert store.remove_inbound(by_id.id) == by_id
    assert store.inbound_secrets() == [STANDARD_SECRET]
    assert store.remove_inbound("by name") == by_name
    assert store.inbound_secrets() == []
    for reference in (by_id.id, "by name", "", by_name.id[:8]):
        with pytest.raises(NotFound):
            store.remove_inbound(reference)


def test_an_id_comes_before_a_name(store: Store) -> None:
    one = store.create_inbound("one", [SECRET], USER)
    named = store.create_inbound(one.id, [STANDARD_SECRET], USER)
    assert store.remove_inbound(one.id) == one
    assert store.remove_inbound(one.id) == named


def test_a_name_is_taken_once(store: Store, database: Database) -> None:
    store.create_inbound("tenant", [SECRET], USER)
    with pytest.raises(Conflict):
        database.open().create_inbound("tenant", [STANDARD_SECRET], USER)
    assert store.inbound_secrets() == [SECRET]
    store.remove_inbound("tenant")
    store.create_inbound("tenant", [STANDARD_SECRET], USER)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[31m", "\udcff"])
def test_a_name_can_be_printed(store: Store, name: str) -> None:
    with pytest.raises(InvalidInput):
        store.create_inbound(name, [SECRET], USER)
    assert store.list_inbounds() == []


@pytest.mark.parametrize("secrets", [[], ["short"], [SECRET, "short"], [""], [SECRET, SECRET]], ids=str)
def test_a_secret_can_be_used(store: Store, secrets: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        store.create_inbound("tenant", secrets, USER)
    assert SECRET not in str(error.value)
    assert store.list_inbounds() == []


def test_the_version_rises_with_every_change(store: Store, database: Database) -> None:
    other = database.open()
    seen = [other.version()]
    store.create_inbound("tenant", [SECRET], USER)
    seen.append(other.version())
    store.remove_inbound("tenant")
    seen.append(other.version())
    assert seen == sorted(set(seen))
