"""`SqliteStore.check`: what is wrong in a store file is found and told of."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwebhook.model.errors import StoreKeyProblem
from qwebhook.store.contract import DirectAttempt
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.connection import MIGRATIONS
from qwebhook.store.vault import key_path
from tests.builders import APP_CREATED, SECRET, STANDARD_SECRET, USER, event, webhook_draft
from tests.store.recordings import HOUR, NOW, dead, delivered, exchange, retry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that has something of everything, closed."""
    path = tmp_path / "store.db"
    store = SqliteStore.open(path, create=True)
    store.create_webhook(webhook_draft(name="one", secret=SECRET, encrypted_headers={"X-A": "1"}), USER)
    store.create_webhook(webhook_draft(name="two", origin="automations"), USER)
    going = store.create_webhook(webhook_draft(name="going"), USER)
    store.create_inbound("tenant", [SECRET, STANDARD_SECRET], USER)
    store.create_token("ci", "admin", None)
    journal = store.open_journal()
    first, second, third = journal.write([event(id="a")], [], NOW).accepted[0].claims
    journal.write([event(id="b")], [delivered(first), retry(second, NOW + HOUR), dead(third)], NOW)
    journal.record_direct(DirectAttempt(first.webhook, 0, APP_CREATED, exchange(b"{}"), test=True))
    store.delete_webhook(going.id)
    journal.close()
    store.close()
    return path


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path)
    yield store
    store.close()


def meddle(path: Path, *statements: str) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        database.execute(statement)
    database.close()


def test_a_sound_store_has_figures_and_no_problems(store: SqliteStore) -> None:
    found = store.check()
    assert found.problems == []
    assert found.figures == {
        "version": len(list(MIGRATIONS.glob("*.sql"))),
        "webhooks": 2,
        "events": 2,
        "pending": 3,
        "deliveries": 4,
        "attempts": 4,
        "tokens": 1,
        "inbounds": 1,
    }


def test_a_new_store_is_sound(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "new.db", create=True)
    assert store.check().problems == []
    store.close()


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (["DELETE FROM event WHERE row = 2"], "pending deliveries without their event, which cannot be sent: 2"),
        (["UPDATE pending SET webhook = 99 WHERE attempt > 1"], "pending deliveries of no webhook"),
        (["DELETE FROM attempt WHERE id = 1 * 64 + 1"], "deliveries without their attempt, which no list shows: 1"),
        (["UPDATE delivery SET attempts = 7 WHERE sequence = 1"], "deliveries without their attempt"),
        (["DELETE FROM pending WHERE attempt > 1"], "deliveries to be retried that are not in the queue: 1"),
        (["UPDATE store SET next_delivery = 1"], "rows whose numbers would be given to others: 7"),
        (["UPDATE store SET next_event = 2"], "rows whose numbers would be given to others: 2"),
        (["DELETE FROM webhook_facet WHERE facet = 'all'"], "entries by which webhooks are listed wrongly: 2"),
        (["UPDATE webhook_facet SET name = 'x' WHERE webhook = 1 AND facet = 'all'"], "listed wrongly: 2"),
        (["UPDATE delivery_count SET failed = failed + 1"], "webhooks whose deliveries are counted wrongly: 3"),
        (["DELETE FROM delivery_count WHERE webhook = 1"], "webhooks whose deliveries are counted wrongly: 1"),
        (["INSERT INTO delivery_count VALUES (77, 1, 1)"], "webhooks whose deliveries are counted wrongly: 1"),
        (["UPDATE webhook SET secrets = x'00' WHERE name = 'one'"], "the secret of webhook one cannot be opened"),
        (
            ["UPDATE webhook SET encrypted_headers = secrets WHERE name = 'one'"],
            "the encrypted headers of webhook one cannot be opened",
        ),
        (["UPDATE inbound SET secrets = x'00'"], "the secrets of inbound tenant cannot be opened"),
    ],
    ids=lambda value: value[0][:40] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_in_a_line(path: Path, store: SqliteStore, statements: list[str], says: str) -> None:
    meddle(path, *statements)
    (problem,) = store.check().problems
    assert says in problem
    assert "\n" not in problem
    assert ";" in problem  # and what to do


def test_a_damaged_index_is_found(path: Path, store: SqliteStore) -> None:
    meddle(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'status, sequence', 'state, sequence') "
        "WHERE name = 'delivery_of_status'",
    )
    again = SqliteStore.open(path)
    problems = again.check().problems
    again.close()
    assert any("delivery_of_status" in problem for problem in problems)
    assert all(problem.startswith("the database is damaged: ") for problem in problems)


def test_a_damaged_page_is_a_problem_and_no_crash(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    try:
        store = SqliteStore.open(path)
    except Exception:
        return  # it may not even open, of which other tests tell
    assert store.check().problems
    store.close()


def test_a_check_changes_nothing_and_others_work_meanwhile(path: Path, store: SqliteStore) -> None:
    other = SqliteStore.open(path)
    before = path.read_bytes()
    version = other.version()
    store.check()
    assert other.version() == version
    assert path.read_bytes() == before
    other.create_webhook(webhook_draft(), USER)
    assert store.check().figures["webhooks"] == 3
    other.close()


def test_another_key_is_found_before_anything_is_looked_at(path: Path) -> None:
    key_path(path).unlink()
    with pytest.raises(StoreKeyProblem):
        SqliteStore.open(path)
