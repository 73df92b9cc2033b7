"""What every database does to deliver past events again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwebhook.model.errors import NotFound, Unavailable
from qwebhook.model.event import read_event
from qwebhook.model.patch import replacements
from qwebhook.model.trace import Trace
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import (
    BEGINNING,
    Claim,
    DeliveryQuery,
    DirectAttempt,
    Journal,
    ReplayOutcome,
    ReplayQuery,
    ReplayStep,
)
from tests.builders import APP_CREATED, APP_DELETED, OWNER, SPACE, USER, event, legacy_event_body, webhook_draft
from tests.store.conftest import Database, Store
from tests.store.recordings import DAY, HOUR, NOW, SECOND, dead, delivered, exchange, gone, retry

LATER = NOW + DAY
EVER = 10**15
MISSING = "0193600b-0e9f-7000-8000-00000000ffff"


@pytest.fixture
def store(database: Database) -> Store:
    return database.make()


@pytest.fixture
def journal(store: Store, database: Database) -> Journal:
    return database.journal()


def make(store: Store, **fields: Any) -> Webhook:
    return store.create_webhook(webhook_draft(**fields), USER)


def accept(journal: Journal, *ids: str, now: int = NOW, **members: Any) -> list[Claim]:
    """The claims that events of these ids make, accepted one after the other."""
    return [
        claim
        for one in ids
        for accepted in journal.write([event(id=one, **members)], [], now).accepted
        for claim in accepted.claims
    ]


def steps(journal: Journal, query: ReplayQuery, limit: int = 100, dry_run: bool = False) -> list[ReplayStep]:
    """All steps of a replay."""
    found = [journal.replay(query, BEGINNING, limit, LATER, dry_run)]
    while found[-1].last is not None:
        found.append(journal.replay(query, found[-1].last, limit, LATER, dry_run))
    return found


def replayed(
    journal: Journal, webhook: Webhook, since: int = 0, until: int = EVER, everything: bool = False
) -> list[str]:
    """The ids of the events that a replay puts into the queue, in order."""
    found = steps(journal, ReplayQuery(webhook.id, since, until, everything))
    return [read_event(claim.body).id for step in found for claim in step.claims]


def counts(step: ReplayStep) -> tuple[int, int, int, int]:
    return step.matching, step.delivered, step.pending, step.enqueued


# What is delivered again


def test_past_events_come_again_in_their_order_as_deliveries_of_their_own(store: Store, journal: Journal) -> None:
    ids = list("hagbfced")
    accept(journal, *ids)
    made = make(store)
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER))
    assert counts(step) == (8, 0, 0, 8)
    assert [read_event(claim.body).id for claim in step.claims] == ids
    row = store.endpoint(made.id).row
    for claim in step.claims:
        assert (claim.webhook, claim.due, claim.attempt, claim.triggered_at) == (row, LATER, 1, LATER)
        assert claim.type == APP_CREATED
        assert claim.key == read_event(claim.body).key
    sequences = [claim.sequence for claim in step.claims]
    assert sequences == sorted(set(sequences))
    assert journal.claim(row, LATER, 100, set()) == step.claims
    assert journal.pending() == (8, LATER)
    journal.write([], [delivered(claim) for claim in step.claims], LATER)
    records = store.list_deliveries(DeliveryQuery(sort="triggeredAt")).items
    assert [read_event(record.request.body.encode()).id for record in records] == ids


def test_they_have_the_traces_that_they_came_with(store: Store, journal: Journal) -> None:
    trace = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    journal.write([event(id="a"), msgspec.structs.replace(event(id="b"), trace=trace)], [], NOW)
    made = make(store)
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER))
    assert [claim.trace for claim in step.claims] == [None, trace]
    assert journal.claim(store.endpoint(made.id).row, LATER, 100, set()) == step.claims


def test_the_time_is_that_of_acceptance_from_since_to_before_until(store: Store, journal: Journal) -> None:
    for number in range(5):
        accept(journal, f"e{number}", now=NOW + number)
    made = make(store)
    assert replayed(journal, made, NOW + 1, NOW + 3) == ["e1", "e2"]
    assert replayed(journal, made, NOW + 3, NOW + 3) == []
    assert replayed(journal, made, NOW + 4, NOW + 4 + 1) == ["e4"]
    assert replayed(journal, made, NOW + 5, EVER) == []
    assert replayed(journal, made, NOW + 9, NOW) == []


def test_only_what_the_webhook_subscribes_to_is_replayed_under_any_of_its_names(store: Store, journal: Journal) -> None:
    accept(journal, "new", type="com.qlik.app.created")
    accept(journal, "other", type=APP_DELETED)
    accept(journal, "old", type=APP_CREATED)
    journal.write([read_event(legacy_event_body(eventId="legacy"))], [], NOW)
    assert replayed(journal, make(store, event_types=[APP_CREATED])) == ["new", "old", "legacy"]
    assert replayed(journal, make(store, event_types=["com.qlik.app.created"])) == ["new", "old", "legacy"]
    assert replayed(journal, make(store, event_types=["com.example.unknown", APP_DELETED])) == ["other"]


def test_the_filter_and_the_level_decide_as_they_do_for_new_events(store: Store, journal: Journal) -> None:
    accept(journal, "a", data={"id": "app-a"})
    accept(journal, "b", data={"id": "app-b"}, ownerid="stranger", userid="stranger")
    accept(journal, "c", data={"id": "app-a"}, spaceid=None)
    assert replayed(journal, make(store, filter='id eq "app-a"')) == ["a", "c"]
    assert replayed(journal, make(store, filter=f'id eq "app-a" and spaceId eq "{SPACE}"')) == ["a"]
    assert replayed(journal, make(store, level="user", owner_id=OWNER)) == ["a", "c"]
    assert replayed(journal, make(store, level="user", owner_id="stranger", filter='id ne "app-a"')) == ["b"]
    made = make(store, filter='id eq "nothing"')
    assert [counts(step) for step in steps(journal, ReplayQuery(made.id, 0, EVER))] == [(0, 0, 0, 0)]


def test_the_webhook_is_taken_as_it_is_now(store: Store, journal: Journal) -> None:
    made = make(store, event_types=[APP_CREATED])
    accept(journal, "a", type=APP_DELETED)
    store.patch_webhook(made.id, replacements({"eventTypes": [APP_DELETED]}), USER)
    assert replayed(journal, made) == ["a"]


# What is left out


def test_what_has_a_success_on_record_is_left_out(store: Store, journal: Journal) -> None:
    made = make(store)
    good, bad, refused = accept(journal, "good", "bad", "refused")
    journal.write([], [delivered(good), dead(bad), gone(refused)], NOW)
    store.patch_webhook(made.id, replacements({"enabled": True}), USER)
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER), dry_run=True)
    assert counts(step) == (3, 1, 0, 2)
    assert replayed(journal, made) == ["bad", "refused"]


def test_everything_means_that_too(store: Store, journal: Journal) -> None:
    made = make(store)
    good, bad, _ = accept(journal, "good", "bad", "waiting")
    journal.write([], [delivered(good), dead(bad)], NOW)
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER, everything=True), dry_run=True)
    assert counts(step) == (3, 0, 1, 2)
    assert replayed(journal, made, everything=True) == ["good", "bad"]


def test_a_success_that_came_late_or_by_a_resend_counts(store: Store, journal: Journal) -> None:
    made = make(store)
    late, again = accept(journal, "late", "again")
    journal.write([], [retry(late, NOW + SECOND), dead(again)], NOW)
    (late,) = journal.claim(late.webhook, NOW + SECOND, 10, set())
    journal.write([], [delivered(late)], NOW + SECOND)
    journal.record_direct(DirectAttempt(again.webhook, again.event, again.type, exchange(again.body)))
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER))
    assert counts(step) == (2, 2, 0, 0)


def test_a_test_fire_is_no_success_of_any_event(store: Store, journal: Journal) -> None:
    accept(journal, "a")
    made = make(store)
    row = store.endpoint(made.id).row
    journal.record_direct(DirectAttempt(row, 0, APP_CREATED, exchange(b"{}"), test=True))
    assert replayed(journal, made) == ["a"]


def test_a_success_at_another_webhook_does_not_count(store: Store, journal: Journal) -> None:
    make(store, name="other")
    (claim,) = accept(journal, "a")
    journal.write([], [delivered(claim)], NOW)
    assert replayed(journal, make(store)) == ["a"]


def test_what_waits_is_left_out_also_while_it_is_in_flight_or_held(store: Store, journal: Journal) -> None:
    made = make(store)
    waiting, retried = accept(journal, "waiting", "retried")
    journal.write([], [retry(retried, NOW + HOUR)], NOW)
    store.patch_webhook(made.id, replacements({"enabled": False}), USER)
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER))
    assert counts(step) == (2, 0, 2, 0)
    assert journal.pending()[0] == 2
    assert waiting.webhook == retried.webhook


def test_a_second_replay_finds_the_first_one_s_waiting(store: Store, journal: Journal) -> None:
    accept(journal, "a", "b")
    made = make(store)
    assert replayed(journal, made) == ["a", "b"]
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER, everything=True))
    assert counts(step) == (2, 0, 2, 0)
    store.discard_pending(made.id)
    assert replayed(journal, made) == ["a", "b"]


def test_a_disabled_webhook_s_replay_is_held_until_it_is_enabled(store: Store, journal: Journal) -> None:
    made = make(store, enabled=False)
    accept(journal, "a")
    assert replayed(journal, made) == ["a"]
    assert journal.pending()[0] == 1


# Steps


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("together", [True, False])
def test_steps_look_at_so_many_events_and_miss_none(store: Store, journal: Journal, limit: int, together: bool) -> None:
    """Events of one transaction have the same time."""
    kinds = [APP_CREATED if number % 3 else APP_DELETED for number in range(12)]
    events = [event(id=f"e{number}", type=kind) for number, kind in enumerate(kinds)]
    for batch in [events] if together else [[one] for one in events]:
        journal.write(batch, [], NOW)
    made = make(store)
    query = ReplayQuery(made.id, NOW, NOW + 1)
    dry = steps(journal, query, limit, dry_run=True)
    wet = steps(journal, query, limit)
    for found in (dry, wet):
        assert all(step.matching <= limit for step in found)
        assert len(found) == 8 // limit + 1  # events of other types are not looked at
        assert sum(step.enqueued for step in found) == 8
    ids = [read_event(claim.body).id for step in wet for claim in step.claims]
    assert ids == [f"e{number}" for number in range(12) if number % 3]


def test_events_of_several_types_and_their_other_names_come_in_one_order(store: Store, journal: Journal) -> None:
    types = [APP_CREATED, "com.qlik.app.created", "com.example.a", "com.example.b"]
    for number in range(20):
        accept(journal, f"e{number}", now=NOW + number // 3, type=types[number % 4])
    made = make(store, event_types=[APP_CREATED, "com.example.b"])
    found = steps(journal, ReplayQuery(made.id, 0, EVER), 3)
    ids = [read_event(claim.body).id for step in found for claim in step.claims]
    assert ids == [f"e{number}" for number in range(20) if number % 4 != 2]


def test_a_step_ends_early_where_events_are_large(store: Store, journal: Journal) -> None:
    text = "x" * 900_000
    for number in range(20):
        accept(journal, f"e{number}", data={"text": text})
    made = make(store)
    found = steps(journal, ReplayQuery(made.id, 0, EVER), dry_run=True)
    assert [counts(step) for step in found] == [(20, 0, 0, 20)]  # nothing has to be read for that
    found = steps(journal, ReplayQuery(made.id, 0, EVER))
    assert max(len(step.claims) for step in found) < 15
    assert [read_event(claim.body).id for step in found for claim in step.claims] == [f"e{n}" for n in range(20)]


def test_the_place_is_found_when_a_sweep_has_taken_the_last_event_meanwhile(store: Store, journal: Journal) -> None:
    accept(journal, "a", "b")
    accept(journal, "c", "d", now=NOW + DAY)
    made = make(store)
    step = journal.replay(ReplayQuery(made.id, 0, EVER), BEGINNING, 2, LATER, dry_run=True)
    assert step.last is not None
    while journal.sweep(NOW + 1, 100):
        pass
    step = journal.replay(ReplayQuery(made.id, 0, EVER), step.last, 100, LATER)
    assert [read_event(claim.body).id for claim in step.claims] == ["c", "d"]


def test_events_that_outlive_their_keys_are_passed_once(store: Store, journal: Journal) -> None:
    """As those do that were sent again and again."""
    accept(journal, "a", "b", "c")
    made = make(store)
    much_later = NOW + 102 * DAY
    again = journal.replay(ReplayQuery(made.id, 0, EVER), BEGINNING, 100, much_later)
    journal.write([], [delivered(claim) for claim in again.claims], much_later)
    while journal.sweep(NOW + 101 * DAY, 100):
        pass
    query = ReplayQuery(made.id, 0, EVER, everything=True)
    found = [journal.replay(query, BEGINNING, 1, much_later, dry_run=True)]
    while found[-1].last is not None and len(found) < 10:
        found.append(journal.replay(query, found[-1].last, 1, much_later, dry_run=True))
    assert [counts(step) for step in found] == [(1, 0, 0, 1)] * 3 + [(0, 0, 0, 0)]


def test_events_that_come_during_a_replay_are_not_missed_before_until(store: Store, journal: Journal) -> None:
    accept(journal, "a", "b")
    made = make(store, enabled=False)
    step = journal.replay(ReplayQuery(made.id, 0, NOW + DAY), BEGINNING, 2, LATER)
    accept(journal, "c", now=NOW + DAY - 1)
    accept(journal, "d", now=NOW + DAY)
    assert step.last is not None
    step = journal.replay(ReplayQuery(made.id, 0, NOW + DAY), step.last, 2, LATER)
    assert [read_event(claim.body).id for claim in step.claims] == ["c"]
    assert step.last is None


def test_a_dry_run_changes_nothing(store: Store, journal: Journal, database: Database) -> None:
    accept(journal, "a", "b")
    made = make(store, filter='spaceId eq "space-one"')
    watcher = database.journal()
    before, version = watcher.foreign_commits(), store.version()
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER), dry_run=True)
    assert (counts(step), step.claims) == ((2, 0, 0, 2), [])
    assert journal.pending() == (0, None)
    assert watcher.foreign_commits() == before
    assert store.version() == version
    assert replayed(journal, made) == ["a", "b"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_webhook_that_is_not_there_is_not_found(store: Store, journal: Journal, dry_run: bool) -> None:
    with pytest.raises(NotFound):
        journal.replay(ReplayQuery(MISSING, 0, EVER), BEGINNING, 10, LATER, dry_run)
    made = make(store)
    store.delete_webhook(made.id)
    with pytest.raises(NotFound):
        journal.replay(ReplayQuery(made.id, 0, EVER), BEGINNING, 10, LATER, dry_run)


def test_a_step_that_fails_did_not_happen(store: Store, journal: Journal, database: Database) -> None:
    accept(journal, "a", "b")
    made = make(store)
    with database.refusing("pending"), pytest.raises(Unavailable):
        journal.replay(ReplayQuery(made.id, 0, EVER), BEGINNING, 10, LATER)
    assert journal.pending() == (0, None)
    assert replayed(journal, made) == ["a", "b"]


def test_a_replay_does_not_hide_a_change_from_the_worker(store: Store, journal: Journal) -> None:
    journal.refresh()
    accept(journal, "a")
    made = make(store)
    assert replayed(journal, made) == ["a"]
    index = journal.refresh()
    assert index is not None
    assert [endpoint.webhook for endpoint in index.by_row.values()] == [made]
    assert journal.refresh() is None


# How it has fared


def test_the_outcome_counts_what_is_decided_and_what_is_not(store: Store, journal: Journal) -> None:
    accept(journal, *"abcdefg")
    made = make(store)
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER))
    claims = step.claims
    row, first, last = claims[0].webhook, claims[0].sequence, claims[-1].sequence
    assert journal.replay_outcome(made.id, first, last) == ReplayOutcome(pending=7, succeeded=0, failed=0)
    recordings = [delivered(claims[0]), retry(claims[1], LATER + HOUR), dead(claims[2]), delivered(claims[3])]
    journal.write([], recordings, LATER)
    assert journal.replay_outcome(made.id, first, last) == ReplayOutcome(pending=4, succeeded=2, failed=1)
    assert journal.replay_outcome(made.id, claims[1].sequence, claims[2].sequence) == ReplayOutcome(1, 0, 1)
    (again,) = journal.claim(row, LATER + HOUR, 1, {claim.sequence for claim in claims if claim is not claims[1]})
    journal.write([], [gone(again)], LATER + HOUR)
    assert journal.replay_outcome(made.id, first, last) == ReplayOutcome(pending=3, succeeded=2, failed=2)


def test_what_was_discarded_is_not_waited_for(store: Store, journal: Journal) -> None:
    accept(journal, "a", "b")
    made = make(store)
    (step,) = steps(journal, ReplayQuery(made.id, 0, EVER))
    journal.write([], [retry(step.claims[0], LATER + HOUR)], LATER)
    store.discard_pending(made.id)
    outcome = journal.replay_outcome(made.id, step.claims[0].sequence, step.claims[-1].sequence)
    assert outcome == ReplayOutcome(pending=0, succeeded=0, failed=1)


def test_the_outcome_is_that_of_the_webhook_alone(store: Store, journal: Journal) -> None:
    other = make(store, name="other")
    made = make(store, name="made")
    mine, theirs, *_ = reversed(accept(journal, "a"))
    journal.write([], [delivered(theirs)], NOW)
    first, last = theirs.sequence, mine.sequence
    assert mine.webhook == store.endpoint(made.id).row
    assert journal.replay_outcome(made.id, first, last) == ReplayOutcome(1, 0, 0)
    assert journal.replay_outcome(other.id, first, last) == ReplayOutcome(0, 1, 0)


# Care


def test_a_replayed_event_is_kept_as_long_as_its_record(store: Store, journal: Journal) -> None:
    accept(journal, "a", "unwanted")
    made = make(store, filter='id ne "nothing"')
    (step,) = steps(journal, ReplayQuery(made.id, NOW, NOW + 1))
    for _ in range(3):
        journal.sweep(NOW + 1, 100)
    journal.write([], [delivered(claim) for claim in step.claims], LATER)
    for _ in range(3):
        journal.sweep(LATER, 100)
    records = store.list_deliveries(DeliveryQuery()).items
    assert [record.request.body.encode() for record in records] == [claim.body for claim in reversed(step.claims)]
    while journal.sweep(LATER + 1, 100):
        pass
    assert store.list_deliveries(DeliveryQuery()).items == []
