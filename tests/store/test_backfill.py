"""What every database does with events that were read elsewhere, and with the place in what they are read from."""

from __future__ import annotations

from typing import Any

import pytest

from qwebhook.model.errors import NotFound
from qwebhook.model.event import Event, read_event
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import BackfillStep, Journal, SourcePlace
from tests.builders import USER, event, legacy_event_body, webhook_draft
from tests.store.conftest import Database, Store
from tests.store.recordings import DAY, NOW, dead, delivered, gone

SOURCE = "audits:https://acme.example.com"
LATER = NOW + 10 * DAY


@pytest.fixture
def store(database: Database) -> Store:
    return database.make()


@pytest.fixture
def journal(store: Store, database: Database) -> Journal:
    return database.journal()


def make(store: Store, **fields: Any) -> Webhook:
    return store.create_webhook(webhook_draft(**fields), USER)


def events(ids: str) -> list[Event]:
    return [event(id=one) for one in ids]


def ids(step: BackfillStep) -> str:
    return "".join(read_event(claim.body).id for claim in step.claims)


def counts(step: BackfillStep) -> tuple[int, int, int, int]:
    return step.delivered, step.pending, step.unknown, step.enqueued


def test_what_never_came_goes_to_the_one_webhook_in_order(store: Store, journal: Journal) -> None:
    wanted, other = make(store), make(store, name="other")
    step = journal.backfill(wanted.id, events("cab"), NOW, accept=True)
    assert counts(step) == (0, 0, 0, 3)
    assert ids(step) == "cab"
    row = store.endpoint(wanted.id).row
    assert [(claim.webhook, claim.due, claim.attempt) for claim in step.claims] == [(row, NOW, 1)] * 3
    assert [read_event(claim.body).id for claim in journal.claim(row, NOW, 10, set())] == ["c", "a", "b"]
    assert journal.claim(store.endpoint(other.id).row, NOW, 10, set()) == []


def test_it_counts_as_accepted_from_then_on(store: Store, journal: Journal) -> None:
    made = make(store)
    journal.backfill(made.id, events("a"), NOW, accept=True)
    (accepted,) = journal.write(events("a"), [], LATER).accepted
    assert accepted.duplicate
    assert accepted.claims == []


def test_unless_it_will_come_by_itself(store: Store, journal: Journal) -> None:
    made = make(store)
    (known,) = journal.write(events("a"), [], NOW).accepted
    journal.write([], [dead(known.claims[0])], NOW)
    step = journal.backfill(made.id, events("ab"), LATER, accept=False)
    assert counts(step) == (0, 0, 1, 1)
    assert ids(step) == "a"
    assert not journal.write(events("b"), [], LATER).accepted[0].duplicate


def test_what_has_a_success_or_waits_is_left_out(store: Store, journal: Journal) -> None:
    made = make(store)
    taken = [one.claims[0] for one in journal.write(events("abc"), [], NOW).accepted]
    journal.write([], [delivered(taken[0]), dead(taken[1])], NOW)
    step = journal.backfill(made.id, events("abcd"), LATER, accept=True)
    assert counts(step) == (1, 1, 0, 2)
    assert ids(step) == "bd"
    again = journal.backfill(made.id, events("abcd"), LATER, accept=True)
    assert counts(again) == (1, 3, 0, 0)


def test_a_success_at_another_webhook_is_none_at_this(store: Store, journal: Journal) -> None:
    first = make(store)
    (claim,) = journal.write(events("a"), [], NOW).accepted[0].claims
    journal.write([], [delivered(claim)], NOW)
    second = make(store, name="second")
    assert counts(journal.backfill(second.id, events("a"), LATER, accept=True)) == (0, 0, 0, 1)
    assert counts(journal.backfill(first.id, events("a"), LATER, accept=True)) == (1, 0, 0, 0)


def test_an_event_that_is_given_twice_goes_once(store: Store, journal: Journal) -> None:
    made = make(store)
    step = journal.backfill(made.id, events("aba"), NOW, accept=True)
    assert counts(step) == (0, 1, 0, 2)
    assert ids(step) == "ab"


def test_the_bytes_that_came_first_are_those_that_are_sent(store: Store, journal: Journal) -> None:
    made = make(store)
    pushed = event(id="a")
    (known,) = journal.write([pushed], [], NOW).accepted
    journal.write([], [dead(known.claims[0])], NOW)
    logged = read_event(legacy_event_body(eventId="a"))
    assert logged.key == pushed.key
    (claim,) = journal.backfill(made.id, [logged], LATER, accept=True).claims
    assert claim.body == pushed.body


def test_a_dry_run_counts_the_same_and_changes_nothing(store: Store, journal: Journal) -> None:
    made = make(store)
    (known,) = journal.write(events("a"), [], NOW).accepted
    journal.write([], [delivered(known.claims[0])], NOW)
    for accept in (True, False):
        dry = journal.backfill(made.id, events("abb"), LATER, accept=accept, dry_run=True)
        assert dry.claims == []
        assert counts(dry) == ((1, 1, 0, 1) if accept else (1, 0, 2, 0))
    assert journal.pending() == (0, None)
    assert not journal.write(events("b"), [], LATER).accepted[0].duplicate


def test_bodies_that_were_swept_are_kept_again_until_they_are_sent(store: Store, journal: Journal) -> None:
    made = make(store)
    taken = [one.claims[0] for one in journal.write(events("ab"), [], NOW).accepted]
    journal.write([], [dead(claim) for claim in taken], NOW)
    journal.write(events("c"), [], LATER)
    while journal.sweep(LATER - DAY, 100):
        pass
    (claim,) = journal.backfill(made.id, events("b"), LATER, accept=True).claims
    assert journal.claim(claim.webhook, LATER, 10, set())[-1].body == event(id="b").body
    while journal.sweep(LATER - DAY, 100):
        pass
    (claim,) = [one for one in journal.claim(claim.webhook, LATER, 10, set()) if read_event(one.body).id == "b"]
    journal.write([], [gone(claim)], LATER)
    # It stays as long as the record of it, and is then swept like any other.
    while journal.sweep(LATER - DAY, 100):
        pass
    assert counts(journal.backfill(made.id, events("b"), LATER + 1, accept=True, dry_run=True)) == (0, 0, 0, 1)
    assert journal.original(made.id, journal.delivery_id(claim)).body == event(id="b").body


def test_no_events_are_no_work(store: Store, journal: Journal) -> None:
    made = make(store)
    for dry_run in (True, False):
        assert counts(journal.backfill(made.id, [], NOW, accept=True, dry_run=dry_run)) == (0, 0, 0, 0)


def test_a_webhook_that_is_not_there(journal: Journal) -> None:
    for dry_run in (True, False):
        with pytest.raises(NotFound):
            journal.backfill("missing", events("a"), NOW, accept=True, dry_run=dry_run)
    assert not journal.write(events("a"), [], NOW).accepted[0].duplicate


# The place


def test_a_place_is_kept(journal: Journal, database: Database) -> None:
    assert journal.source_place(SOURCE) is None
    journal.keep_source_place(SOURCE, SourcePlace(NOW, NOW), NOW)
    journal.keep_source_place(SOURCE, SourcePlace(NOW, LATER), LATER)
    journal.keep_source_place("audits:https://other.example.com", SourcePlace(1, 2), NOW)
    assert database.journal().source_place(SOURCE) == SourcePlace(NOW, LATER)


def test_keeping_a_place_disturbs_nothing(store: Store, journal: Journal, database: Database) -> None:
    make(store)
    writer = database.journal()
    writer.write(events("a"), [], NOW)
    journal.keep_source_place(SOURCE, SourcePlace(NOW, NOW), NOW)
    (claim,) = writer.write(events("b"), [], NOW).accepted[0].claims
    journal.write(events("c"), [], NOW)
    assert claim.sequence == 2
    assert journal.pending()[0] == 3
