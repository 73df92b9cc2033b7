"""A transaction in one statement, and when it is not one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from qwebhook.store.contract import DeliveryQuery
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.journal import SqliteJournal
from tests.builders import event, webhook_draft
from tests.store.recordings import NOW, delivered, retry


class Traced:
    """A journal, and how it writes."""

    def __init__(self, path: Path) -> None:
        self._connection = Connection.open(path)
        self.journal = SqliteJournal(self._connection)
        self._told: list[str] = []
        self._connection.database.set_trace_callback(self._told.append)

    def writes(self) -> list[str]:
        """What has run since this was asked last: `batch` for rows written, `begin` before several statements."""
        told, self._told[:] = list(self._told), []
        words = {"INSERT INTO batch": "batch", "BEGIN IMMEDIATE": "begin"}
        # The statement is told again for each of the trigger's.
        return [word for text, _ in groupby(told) for start, word in words.items() if text.startswith(start)]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db", create=True)
    store.create_webhook(webhook_draft(), "me")
    yield store
    store.close()


@pytest.fixture
def traced(store: SqliteStore) -> Iterator[Traced]:
    traced = Traced(store.path)
    traced.journal.refresh()
    traced.writes()
    yield traced
    traced.close()


def test_new_events_and_successes_are_one_statement(store: SqliteStore, traced: Traced) -> None:
    accepted = traced.journal.write([event(id="1"), event(id="2")], [], NOW).accepted
    claims = [claim for one in accepted for claim in one.claims]
    traced.journal.write([event(id="3")], [delivered(claim) for claim in claims], NOW + 1)
    assert traced.writes() == ["batch", "batch"]
    assert traced.journal.pending() == (1, NOW + 1)
    assert [one.status for one in store.list_deliveries(DeliveryQuery()).items] == ["success", "success"]


def test_a_duplicate_takes_more_and_nothing_is_written_twice(store: SqliteStore, traced: Traced) -> None:
    first = traced.journal.write([event(id="1")], [], NOW).accepted[0]
    traced.writes()
    again = traced.journal.write([event(id="2"), event(id="1"), event(id="2")], [], NOW + 1).accepted
    assert "begin" in traced.writes()
    assert [one.duplicate for one in again] == [False, True, True]
    assert (again[1].id, again[2].id) == (first.id, again[0].id)
    assert traced.journal.pending() == (2, NOW)


def test_a_failure_takes_more_and_so_does_the_success_after_it(store: SqliteStore, traced: Traced) -> None:
    (claim,) = traced.journal.write([event(id="1")], [], NOW).accepted[0].claims
    traced.journal.write([], [retry(claim, NOW + 5000)], NOW + 1)
    (claim,) = traced.journal.claim(claim.webhook, NOW + 5000, 10, set())
    traced.writes()
    traced.journal.write([], [delivered(claim)], NOW + 5001)
    assert "begin" in traced.writes()
    (claim,) = traced.journal.write([event(id="2")], [], NOW + 5002).accepted[0].claims
    traced.journal.write([], [delivered(claim)], NOW + 5003)
    assert traced.writes() == ["batch", "batch"]


def test_what_another_process_changed_is_seen_first(store: SqliteStore, traced: Traced) -> None:
    traced.journal.write([event(id="1")], [], NOW)
    store.create_webhook(webhook_draft(name="second"), "me")
    other = store.open_journal()
    other.write([event(id="2")], [], NOW + 1)
    other.close()
    traced.writes()
    accepted = traced.journal.write([event(id="3")], [], NOW + 2).accepted
    assert "begin" in traced.writes()
    assert len(accepted[0].claims) == 2
    assert traced.journal.pending() == (5, NOW)
    assert store.check().problems == []
