"""Queries cost what they show or change, however much there is: SQLite's plans say so.

Plans and not times, which depend on the machine; `benchmarks/lists.py` takes those.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from qwebhook.model.patch import replacements
from qwebhook.store.contract import (
    BEGINNING,
    Claim,
    DeliveryQuery,
    DeliverySort,
    Place,
    ReplayQuery,
    StatisticsQuery,
    WebhookQuery,
    WebhookSort,
)
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.journal import SqliteJournal
from tests.builders import APP_CREATED, APP_DELETED, OWNER, SECRET, USER, event, webhook_draft
from tests.store.recordings import DAY, NOW, SECOND, delivered, gone, retry


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db", create=True)
    yield store
    store.close()


@pytest.fixture
def journal(store: SqliteStore) -> Iterator[SqliteJournal]:
    journal = store.open_journal()
    yield journal
    journal.close()


class Plans:
    """What SQLite means to do for the statements that a connection runs."""

    def __init__(self, of: SqliteStore | SqliteJournal) -> None:
        self.database: sqlite3.Connection = of._connection.database
        self._statements: list[str] = []

    def of(self, call: Callable[[], object], about: str = "") -> list[str]:
        """The steps of all that the call runs, with the values it runs them with; of those statements alone that have
        the text in them.
        """
        self._statements.clear()
        self.database.set_trace_callback(self._statements.append)
        try:
            call()
        finally:
            self.database.set_trace_callback(None)
        planned = [
            one
            for one in self._statements
            if one.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "INSERT")) and about in one
        ]
        assert planned
        steps = []
        for statement in planned:
            steps += [row[3] for row in self.database.execute(f"EXPLAIN QUERY PLAN {statement}")]
        return steps


def sorts_apart(steps: list[str]) -> list[str]:
    """The steps that first gather everything and then sort it."""
    return [step for step in steps if "TEMP B-TREE" in step and "LAST TERM" not in step]


def scans(steps: list[str]) -> list[str]:
    """The steps that read a table or index from one end. What is given as JSON and what was selected is no table."""
    return [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step and "(" not in step]


def test_the_plans_of_bad_queries_are_noticed(store: SqliteStore) -> None:
    plans = Plans(store)
    for statement in (
        "SELECT row FROM webhook ORDER BY description",
        "SELECT sequence FROM delivery WHERE triggered_at > 1 ORDER BY triggered_at",
    ):
        bad = plans.of(lambda statement=statement: plans.database.execute(statement).fetchall())
        assert sorts_apart(bad)
        assert scans(bad)


# Webhooks

WEBHOOK_INDEXES = {
    "name": "webhook_facet_name (facet=?",
    "url": "webhook_facet_url (facet=?",
    "createdAt": "webhook_facet_created (facet=?",
    "updatedAt": "webhook_facet_updated (facet=?",
}
WEBHOOK_RESTRICTIONS: list[dict[str, Any]] = [
    {},
    {"name": "a"},
    {"url": "a"},
    {"enabled": True},
    {"enabled": False},
    {"event_types": [APP_CREATED]},
    {"level": "tenant"},
    {"origins": ["api"]},
    {"origins": ["api", "automations"]},
    {"origins": ["api", "automations", "management-console"]},
    {"owner_id": OWNER},
    {"created_by_user_id": USER},
    {"updated_by_user_id": USER},
    {"owner_id": OWNER, "enabled": True},
    {"enabled": True, "level": "tenant", "event_types": [APP_CREATED, APP_DELETED], "origins": ["api"], "name": "a"},
]


@pytest.mark.parametrize("sort", get_args(WebhookSort))
@pytest.mark.parametrize("restriction", WEBHOOK_RESTRICTIONS, ids=lambda restriction: "-".join(restriction) or "none")
def test_a_list_of_webhooks_is_a_range_of_an_index(
    store: SqliteStore, sort: WebhookSort, restriction: dict[str, Any]
) -> None:
    for number in range(3):
        draft = webhook_draft(name=f"a{number}", owner_id=OWNER, event_types=[APP_CREATED, APP_DELETED])
        store.create_webhook(draft, USER)
    plans = Plans(store)
    cursor = None
    for _ in range(3):
        query = WebhookQuery(sort=sort, limit=1, cursor=cursor, **restriction)
        steps = plans.of(lambda query=query: store.list_webhooks(query), about="CROSS JOIN")
        assert sorts_apart(steps) == scans(steps) == []
        index = WEBHOOK_INDEXES[sort.lstrip("+-")]
        assert index in steps[0]
        assert (f"{index} AND (" in steps[0]) == (cursor is not None)
        page = store.list_webhooks(query)
        cursor = page.next if cursor is None else page.previous


def test_choosing_among_restrictions_looks_at_a_thousand_of_each_at_most(store: SqliteStore) -> None:
    query = WebhookQuery(enabled=True, level="user")
    steps = Plans(store).of(lambda: store.list_webhooks(query), about="json_each")
    assert scans(steps) == []
    assert any("SEARCH f USING COVERING INDEX" in step for step in steps)


def test_an_index_finds_a_webhook(store: SqliteStore) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), USER)
    plans = Plans(store)
    for call in (
        lambda: store.find_webhook(made.id),
        lambda: store.find_webhook("reports"),
        lambda: store.find_webhook(made.id[:8]),
        lambda: store.endpoint(made.id),
    ):
        steps = plans.of(call)
        assert sorts_apart(steps) == scans(steps) == []


def test_a_change_costs_the_same_whatever_else_there_is(store: SqliteStore) -> None:
    made = store.create_webhook(webhook_draft(), USER)
    plans = Plans(store)
    for call in (
        lambda: store.create_webhook(webhook_draft(), USER, 150),
        lambda: store.patch_webhook(made.id, replacements({"name": "other"}), USER),
        lambda: store.delete_webhook(made.id),
    ):
        assert [step for step in scans(plans.of(call)) if step != "SCAN store"] == []


# Deliveries


def record(store: SqliteStore, journal: SqliteJournal) -> str:
    """The id of a webhook that has deliveries of two types and of both statuses, since it was given to its user."""
    made = store.create_webhook(webhook_draft(event_types=[APP_CREATED, APP_DELETED]), USER)
    store.patch_webhook(made.id, replacements({"level": "user", "ownerId": OWNER}), USER)
    for number, kind in enumerate([APP_CREATED, APP_DELETED] * 3):
        (claim,) = journal.write([event(id=str(number), type=kind)], [], NOW).accepted[0].claims
        journal.write([], [delivered(claim) if number < 3 else gone(claim)], NOW)
        store.patch_webhook(made.id, replacements({"enabled": True}), USER)
    return made.id


@pytest.mark.parametrize("sort", get_args(DeliverySort))
@pytest.mark.parametrize("status", [None, "fail", "success"])
@pytest.mark.parametrize("event_type", [None, APP_CREATED])
@pytest.mark.parametrize("of", ["all", "one webhook", "its owner"])
def test_a_list_of_deliveries_is_read_in_its_order(
    store: SqliteStore, journal: SqliteJournal, sort: DeliverySort, status: Any, event_type: Any, of: str
) -> None:
    webhook_id = record(store, journal)
    plans = Plans(store)
    everywhere = of == "all"
    query = DeliveryQuery(
        webhook_id=None if everywhere else webhook_id,
        event_type=event_type,
        status=status,
        own=of == "its owner",
        sort=sort,
        limit=1,
    )
    unrestricted = everywhere and status is None and event_type is None and sort.endswith("triggeredAt")
    cursor = None
    for _ in range(3):
        query.cursor = cursor
        steps = plans.of(lambda: store.list_deliveries(query), about="FROM delivery AS d")
        assert sorts_apart(steps) == []
        if query.own:
            reads = [step for step in steps if "SEARCH d " in step]
            assert reads
            assert all("sequence>?" in step for step in reads)
        # Without a restriction the table has the order, and the first page is its end.
        assert scans(steps) == (["SCAN d"] if unrestricted and cursor is None else [])
        page = store.list_deliveries(query)
        cursor = page.next if cursor is None else page.previous


def test_every_page_of_a_list_by_status_begins_at_its_place(store: SqliteStore, journal: SqliteJournal) -> None:
    """And not at the first of the status, to pass over all the pages before."""
    record(store, journal)
    plans = Plans(store)
    cursor = store.list_deliveries(DeliveryQuery(sort="status", limit=2)).next
    steps = plans.of(lambda: store.list_deliveries(DeliveryQuery(sort="status", limit=2, cursor=cursor)))
    assert "SEARCH d USING INDEX delivery_of_status (status=? AND sequence>?)" in steps


def test_an_index_finds_a_delivery_and_its_attempts(store: SqliteStore, journal: SqliteJournal) -> None:
    webhook_id = record(store, journal)
    identifier = store.list_deliveries(DeliveryQuery()).items[0].id
    plans = Plans(store)
    for call in (
        lambda: store.get_delivery(webhook_id, identifier),
        lambda: store.list_attempts(webhook_id, identifier),
    ):
        steps = plans.of(call)
        assert sorts_apart(steps) == scans(steps) == []
        assert not any("delivery_of" in step for step in steps)


def test_statistics_do_not_read_the_history(store: SqliteStore, journal: SqliteJournal) -> None:
    record(store, journal)
    store.create_webhook(webhook_draft(), USER)
    cursor = store.list_statistics(StatisticsQuery(limit=1)).next
    assert cursor is not None
    for call in (
        store.statistics,
        lambda: store.list_statistics(StatisticsQuery()),
        lambda: store.list_statistics(StatisticsQuery(cursor=cursor)),
    ):
        steps = Plans(store).of(call)
        assert not any("delivery " in step or "attempt" in step for step in steps)


def test_a_page_of_statistics_counts_for_its_webhooks_alone(store: SqliteStore) -> None:
    store.create_webhook(webhook_draft(), USER)
    store.create_webhook(webhook_draft(), USER)
    plans = Plans(store)
    cursor = None
    for _ in range(2):
        query = StatisticsQuery(limit=1, cursor=cursor)
        steps = plans.of(lambda query=query: store.list_statistics(query))
        assert sorts_apart(steps) == []
        # In the order of the table; the first page is its beginning.
        assert scans(steps) == ([] if cursor else ["SCAN w"])
        assert any("SEARCH p USING PRIMARY KEY (webhook=?)" in step for step in steps)
        cursor = store.list_statistics(query).next or cursor


# The queue


@pytest.fixture
def claim(store: SqliteStore, journal: SqliteJournal) -> Claim:
    """One that waits, in a store where another waits for its retry."""
    store.create_webhook(webhook_draft(), USER)
    first, second = (journal.write([event(id=one)], [], NOW).accepted[0].claims[0] for one in "ab")
    journal.write([], [retry(first, NOW + SECOND)], NOW)
    return second


def test_the_engine_s_work_costs_the_same_however_much_there_is(
    store: SqliteStore, journal: SqliteJournal, claim: Claim
) -> None:
    (made,) = store.list_webhooks(WebhookQuery()).items
    plans = Plans(journal)
    for call in (
        lambda: journal.claim(claim.webhook, NOW, 10, {1, 2}),
        lambda: journal.next_due(claim.webhook, {1}),
        lambda: journal.sweep(NOW + DAY, 10),
        lambda: journal.replay_outcome(made.id, 1, 2),
    ):
        steps = plans.of(call)
        assert sorts_apart(steps) == scans(steps) == []


def test_the_outcome_of_a_replay_is_found_by_its_numbers(
    store: SqliteStore, journal: SqliteJournal, claim: Claim
) -> None:
    """And not among all that the webhook has in its queue and its history."""
    (made,) = store.list_webhooks(WebhookQuery()).items
    steps = Plans(journal).of(lambda: journal.replay_outcome(made.id, 1, 2), about="sequence BETWEEN")
    assert steps == [
        "SEARCH pending USING COVERING INDEX pending_sequence (sequence>? AND sequence<?)",
        "SEARCH delivery USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    ]


@pytest.mark.parametrize("after", [BEGINNING, (NOW, 1)])
def test_a_replay_looks_at_the_events_of_its_time_alone(
    store: SqliteStore, journal: SqliteJournal, claim: Claim, after: Place
) -> None:
    (webhook,) = store.list_webhooks(WebhookQuery()).items
    query = ReplayQuery(webhook.id, NOW - DAY, NOW + DAY, everything=True)
    plans = Plans(journal)
    journal.write([], [delivered(claim)], NOW)
    steps = plans.of(lambda: journal.replay(query, after, 10, NOW + SECOND))
    assert sorts_apart(steps) == []
    assert [step for step in scans(steps) if step not in ("SCAN store", "SCAN webhook_failing")] == []
    for expected in (
        "INDEX event_of_type (type=? AND accepted_at>? AND accepted_at<?)",
        "INDEX delivery_success (event=? AND webhook=?)",
        "INDEX pending_event (event=? AND webhook=?)",
    ):
        assert any(expected in step for step in steps)
