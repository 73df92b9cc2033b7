"""What every database does for the delivery engine: accept, claim, record, sweep."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwebhook.model.delivery import DISABLE_AFTER, DISABLE_FAILURES, DISABLED_EVENT, Delivery, Status
from qwebhook.model.errors import InvalidInput, NotFound, Unavailable
from qwebhook.model.identifiers import is_id
from qwebhook.model.patch import replacements
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.webhook import OMITTED, Settings, Webhook
from qwebhook.store.contract import Claim, DeliveryQuery, DeliverySort, Journal, Written
from tests.builders import (
    APP_CREATED,
    APP_DELETED,
    OWNER,
    RELOAD_FINISHED,
    URL,
    USER,
    cloud_event_body,
    event,
    legacy_event_body,
    read_event,
    webhook_draft,
)
from tests.store.conftest import Database, Store
from tests.store.recordings import (
    DAY,
    HOUR,
    NOW,
    SECOND,
    dead,
    delivered,
    gone,
    retry,
    unanswered,
)

RETENTION = 7 * DAY
KEYS_KEPT = 100 * DAY


@pytest.fixture
def store(database: Database) -> Store:
    return database.make()


@pytest.fixture
def journal(store: Store, database: Database) -> Journal:
    return database.journal()


def make(store: Store, **fields: Any) -> Webhook:
    return store.create_webhook(webhook_draft(**fields), USER)


def row_of(store: Store, webhook: Webhook) -> int:
    return store.endpoint(webhook.id).row


def accept(journal: Journal, *ids: str, now: int = NOW, **members: Any) -> list[Claim]:
    """The claims that events of these ids make, in one transaction."""
    written = journal.write([event(id=one, **members) for one in ids], [], now)
    return [claim for accepted in written.accepted for claim in accepted.claims]


def records(store: Store, **query: Any) -> list[Delivery]:
    return store.list_deliveries(DeliveryQuery(**query)).items


# Accepting


def test_an_accepted_event_makes_a_claim_for_each_webhook_that_wants_it(store: Store, journal: Journal) -> None:
    made = [make(store, name=name) for name in ("one", "two")]
    make(store, event_types=[APP_DELETED])
    make(store, enabled=False)
    body = cloud_event_body(id="e1", data={"text": "näh", "n": 1.50})
    written = journal.write([read_event(body)], [], NOW)
    (accepted,) = written.accepted
    assert not accepted.duplicate
    assert is_id(accepted.id)
    assert [claim.webhook for claim in accepted.claims] == [row_of(store, webhook) for webhook in made]
    for claim in accepted.claims:
        assert (claim.due, claim.attempt, claim.triggered_at, claim.type) == (NOW, 1, NOW, APP_CREATED)
        assert claim.body == body
        assert claim.key == read_event(body).key
        assert journal.claim(claim.webhook, NOW, 10, set()) == [claim]
    assert journal.pending() == (2, NOW)
    assert written.disabled == written.raised == []


def test_an_event_that_nobody_wants_is_accepted_and_known(journal: Journal) -> None:
    first = journal.write([event()], [], NOW).accepted[0]
    second = journal.write([event()], [], NOW + SECOND).accepted[0]
    assert (first.duplicate, first.claims, second.duplicate, second.id) == (False, [], True, first.id)
    assert journal.pending() == (0, None)


def test_a_duplicate_makes_no_delivery_and_has_the_first_id(store: Store, journal: Journal, database: Database) -> None:
    make(store)
    written = journal.write([event(id="a"), event(id="b"), event(id="a", data={"other": 1})], [], NOW)
    first, second, again = written.accepted
    assert [one.duplicate for one in written.accepted] == [False, False, True]
    assert (again.id, again.claims) == (first.id, [])
    assert first.id != second.id
    for elsewhere in (journal, database.journal()):
        later = elsewhere.write([event(id="b"), event(id="a")], [], NOW + DAY).accepted
        assert [(one.id, one.duplicate, one.claims) for one in later] == [(second.id, True, []), (first.id, True, [])]
    assert journal.pending()[0] == 2


@pytest.mark.parametrize(
    ("members", "duplicate"),
    [
        ({"source": "com.qlik/another", "type": APP_DELETED}, True),  # Qlik's: tenant and id decide
        ({"tenantid": "tenant-two"}, False),
        ({"id": "b"}, False),
    ],
)
def test_what_makes_two_events_one(journal: Journal, members: dict[str, Any], duplicate: bool) -> None:
    journal.write([event(id="a")], [], NOW)
    assert journal.write([event(**({"id": "a"} | members))], [], NOW).accepted[0].duplicate is duplicate


def test_the_same_event_in_another_envelope_is_a_duplicate(journal: Journal) -> None:
    journal.write([event(id="a")], [], NOW)
    assert journal.write([read_event(legacy_event_body(eventId="a"))], [], NOW).accepted[0].duplicate


def test_a_webhook_gets_no_event_of_before_it_was_made(store: Store, journal: Journal) -> None:
    accept(journal, "a")
    made = make(store)
    assert len(accept(journal, "a", "b")) == 1
    assert len(journal.claim(row_of(store, made), NOW, 10, set())) == 1


@pytest.mark.parametrize(
    ("fields", "members", "wanted"),
    [
        ({"event_types": ["com.qlik.app.created"]}, {}, True),
        ({"event_types": [APP_CREATED]}, {"type": "com.qlik.app.created"}, True),
        ({"event_types": ["com.qlik.v1.app"]}, {}, False),
        ({"event_types": [APP_DELETED, APP_CREATED]}, {}, True),
        ({"level": "user", "owner_id": "u1"}, {"userid": "u1"}, True),
        ({"level": "user", "owner_id": "u1"}, {"ownerid": "u1"}, True),
        ({"level": "user", "owner_id": "u1"}, {}, False),
        ({"level": "user", "owner_id": "u1"}, {"userid": None, "ownerid": None}, False),
        ({"level": "tenant", "owner_id": "u1"}, {}, True),
        ({"filter": 'spaceId eq "s1"'}, {"spaceid": "s1"}, True),
        ({"filter": 'spaceId eq "s1"'}, {"spaceid": None}, False),
        ({"filter": 'spaceId ne "s1"'}, {"spaceid": None}, True),
        ({"filter": 'id eq "d" and spaceId eq "s1"'}, {"data": {"id": "d"}, "spaceid": "s2"}, False),
        (
            {"filter": 'data.status eq "error"', "event_types": [RELOAD_FINISHED]},
            {"type": RELOAD_FINISHED, "data": {"status": "error"}},
            True,
        ),
        ({"level": "user", "owner_id": "u1", "filter": 'spaceId eq "s1"'}, {"userid": "u1", "spaceid": "s2"}, False),
    ],
    ids=str,
)
def test_type_level_and_filter_decide(
    store: Store, journal: Journal, fields: dict[str, Any], members: dict[str, Any], wanted: bool
) -> None:
    make(store, **fields)
    assert len(accept(journal, "a", **members)) == wanted


# Claiming


def test_claims_come_in_order_of_arrival(store: Store, journal: Journal, database: Database) -> None:
    row = row_of(store, make(store))
    made = accept(journal, "a", "b") + accept(journal, "c", now=NOW + 1)
    for one in (journal, database.journal()):
        assert one.claim(row, NOW + 1, 10, set()) == made
        assert one.claim(row, NOW + 1, 2, set()) == made[:2]
        assert one.claim(row, NOW, 10, set()) == made[:2]
        assert one.claim(row, NOW - 1, 10, set()) == []


def test_what_is_held_is_not_claimed(store: Store, journal: Journal) -> None:
    row, other = (row_of(store, make(store, name=name)) for name in ("one", "other"))
    made = accept(journal, *"abcdef")
    mine = [claim for claim in made if claim.webhook == row]
    held = {claim.sequence for claim in (mine[0], mine[1], mine[3])}
    elsewhere = {claim.sequence for claim in made if claim.webhook == other}
    assert journal.claim(row, NOW, 10, held | elsewhere) == [mine[2], mine[4], mine[5]]
    assert journal.claim(row, NOW, 1, held) == [mine[2]]
    assert journal.claim(row, NOW, 2, held) == [mine[2], mine[4]]
    assert journal.claim(row, NOW, 10, {claim.sequence for claim in mine}) == []
    assert len(journal.claim(other, NOW, 10, held)) == 6


def test_a_retry_does_not_hold_back_later_events(store: Store, journal: Journal) -> None:
    row = row_of(store, make(store))
    first, second = accept(journal, "a", "b")
    journal.write([], [retry(first, NOW + 5 * SECOND)], NOW)
    assert journal.claim(row, NOW, 10, set()) == [second]
    later = accept(journal, "c", now=NOW + 9 * SECOND)
    due = journal.claim(row, NOW + 9 * SECOND, 10, set())
    assert [claim.sequence for claim in due] == [second.sequence, first.sequence, later[0].sequence]


def test_next_due_is_the_earliest_that_is_not_held(store: Store, journal: Journal) -> None:
    row = row_of(store, make(store))
    assert journal.next_due(row, set()) is None
    first, second = accept(journal, "a", "b")
    journal.write([], [retry(first, NOW + HOUR)], NOW)
    assert journal.next_due(row, set()) == NOW
    assert journal.next_due(row, {second.sequence}) == NOW + HOUR
    assert journal.next_due(row, {first.sequence, second.sequence}) is None
    assert journal.next_due(row, {first.sequence, 10**9}) == NOW


def test_the_queue_outlives_the_process(store: Store, journal: Journal, database: Database) -> None:
    row = row_of(store, make(store))
    made = accept(journal, "a", "b", "c")
    journal.write([], [delivered(made[0]), retry(made[1], NOW + HOUR)], NOW)
    journal.close()
    again = database.journal()
    assert again.pending() == (2, NOW)
    assert again.claim(row, NOW, 10, set()) == [made[2]]
    (retried,) = again.claim(row, NOW + HOUR, 1, {made[2].sequence})
    assert (retried.sequence, retried.attempt, retried.due) == (made[1].sequence, 2, NOW + HOUR)
    # Numbers go on: nothing new takes the place of what is there.
    (new,) = accept(again, "d")
    assert new.sequence > made[2].sequence
    assert new.event > made[2].event


def test_pending_tells_the_oldest(store: Store, journal: Journal) -> None:
    make(store)
    (first,) = accept(journal, "a")
    accept(journal, "b", now=NOW + HOUR)
    journal.write([], [retry(first, NOW + DAY)], NOW)
    assert journal.pending() == (2, NOW)
    (again,) = journal.claim(first.webhook, NOW + DAY, 1, {first.sequence + 1})
    journal.write([], [delivered(again)], NOW)
    assert journal.pending() == (1, NOW + HOUR)


# Recording


def test_a_delivery_has_no_record_before_its_first_attempt(store: Store, journal: Journal) -> None:
    made = make(store)
    (claim,) = accept(journal, "a")
    assert records(store) == []
    with pytest.raises(NotFound):
        store.get_delivery(made.id, journal.delivery_id(claim))


def test_a_success_is_recorded_and_leaves_the_queue(store: Store, journal: Journal) -> None:
    made = make(store)
    accepted = journal.write([event(id="a")], [], NOW).accepted[0]
    (claim,) = accepted.claims
    headers = {"content-type": "application/json", "X-Token": OMITTED}
    journal.write([], [delivered(claim, headers=headers, url=URL + "?x=1")], NOW + SECOND)
    assert journal.pending() == (0, None)
    assert journal.claim(claim.webhook, NOW + DAY, 10, set()) == []
    (record,) = records(store)
    assert store.get_delivery(made.id, record.id) == record
    assert record.id == journal.delivery_id(claim)
    assert is_id(record.id)
    assert record.id != accepted.id
    assert (record.webhook_id, record.event_type, record.status) == (made.id, APP_CREATED, "success")
    assert record.status_message == "status 200"
    assert record.triggered_at == to_rfc3339(NOW)
    assert (record.request.url, record.request.headers) == (URL + "?x=1", headers)
    assert record.request.body.encode() == claim.body
    assert record.response is not None
    assert record.response.status_code == 200
    assert record.response.headers == {"content-type": "text/plain"}
    assert record.response.body == "thanks"
    progress = record.qwebhook
    assert (progress.state, progress.attempts, progress.event_id) == ("delivered", 1, accepted.id)
    assert progress.next_attempt_at is None


def test_several_response_headers_of_one_name_are_one(store: Store, journal: Journal) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    recording = delivered(claim)
    pairs = [("set-cookie", "a"), ("via", "x"), ("set-cookie", "b")]
    result = msgspec.structs.replace(recording.exchange.result, headers=pairs, body=b"\xffok")
    recording.exchange = msgspec.structs.replace(recording.exchange, result=result)
    journal.write([], [recording], NOW)
    response = records(store)[0].response
    assert response is not None
    assert response.headers == {"set-cookie": "a, b", "via": "x"}
    assert response.body == "\ufffdok"


def test_a_retry_waits_until_it_is_due(store: Store, journal: Journal) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    due = NOW + 5 * SECOND
    journal.write([], [retry(claim, due)], NOW + SECOND)
    assert journal.pending() == (1, NOW)
    assert journal.next_due(claim.webhook, set()) == due
    assert journal.claim(claim.webhook, due - 1, 10, set()) == []
    (second,) = journal.claim(claim.webhook, due, 10, set())
    assert (second.sequence, second.event, second.attempt, second.due) == (claim.sequence, claim.event, 2, due)
    assert (second.triggered_at, second.body, second.key, second.type) == (NOW, claim.body, claim.key, claim.type)
    (record,) = records(store)
    assert (record.status, record.qwebhook.state, record.qwebhook.attempts) == ("fail", "retrying", 1)
    assert record.status_message == "status 503"
    assert record.qwebhook.next_attempt_at == to_rfc3339(due)


def test_a_strictly_ordered_webhook_keeps_a_retry_at_the_head(store: Store, journal: Journal) -> None:
    row = row_of(store, make(store, qwebhook=Settings(ordering="strict")))
    first, second = accept(journal, "a", "b")
    journal.write([], [retry(first, NOW + HOUR)], NOW)
    assert [(one.sequence, one.attempt) for one in journal.claim(row, NOW, 10, set())] == [
        (first.sequence, 2),
        (second.sequence, 1),
    ]
    assert records(store)[0].qwebhook.next_attempt_at == to_rfc3339(NOW + HOUR)


def test_a_record_tells_of_the_latest_attempt_and_keeps_the_earlier_ones(store: Store, journal: Journal) -> None:
    made = make(store)
    (claim,) = accept(journal, "a")
    journal.write([], [retry(claim, NOW + 1, started_at=NOW, url="https://old.example.com/")], NOW)
    (claim,) = journal.claim(claim.webhook, NOW + 1, 1, set())
    journal.write([], [unanswered(claim, NOW + 2, duration=15000.0)], NOW + 1)
    (claim,) = journal.claim(claim.webhook, NOW + 2, 1, set())
    assert claim.attempt == 3
    journal.write([], [delivered(claim)], NOW + 2)
    (record,) = records(store)
    assert (record.status, record.qwebhook.state, record.qwebhook.attempts) == ("success", "delivered", 3)
    assert record.qwebhook.next_attempt_at is None
    assert record.request.url == URL
    attempts = store.list_attempts(made.id, record.id)
    assert [attempt.number for attempt in attempts] == [1, 2, 3]
    assert [attempt.outcome for attempt in attempts] == ["retrying", "retrying", "delivered"]
    assert [attempt.reason for attempt in attempts] == [
        "status 503",
        "timeout: no answer within 15 s",
        "status 200",
    ]
    assert [attempt.response.status_code if attempt.response else None for attempt in attempts] == [503, None, 200]
    assert [attempt.first_byte for attempt in attempts] == [11.0, None, 11.0]
    assert [attempt.duration for attempt in attempts] == [12.5, 15000.0, 12.5]
    assert [attempt.started_at for attempt in attempts] == [to_rfc3339(NOW + number) for number in range(3)]
    assert attempts[0].request.url == "https://old.example.com/"
    assert {attempt.request.body.encode() for attempt in attempts} == {claim.body}


@pytest.mark.parametrize(("end", "state"), [(dead, "dead"), (gone, "gone")])
def test_a_delivery_that_has_ended_is_not_tried_again(store: Store, journal: Journal, end: Any, state: str) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    journal.write([], [end(claim)], NOW)
    assert journal.pending()[0] == 0
    assert journal.claim(claim.webhook, NOW + DAY, 10, set()) == []
    (record,) = records(store)
    assert (record.status, record.qwebhook.state, record.qwebhook.next_attempt_at) == ("fail", state, None)


def test_ten_attempts_have_their_places(store: Store, journal: Journal) -> None:
    made = make(store)
    claim, other = accept(journal, "a", "b")
    for number in range(1, 10):
        journal.write([], [retry(claim, NOW + number)], NOW)
        (claim,) = journal.claim(claim.webhook, NOW + number, 10, {other.sequence})
    assert claim.attempt == 10
    journal.write([], [dead(claim), delivered(other)], NOW + 10)
    attempts = [len(store.list_attempts(made.id, record.id)) for record in records(store, sort="+triggeredAt")]
    assert attempts == [10, 1]


def test_recording_and_accepting_go_together(store: Store, journal: Journal) -> None:
    make(store)
    first, second = accept(journal, "a", "b")
    written = journal.write([event(id="c"), event(id="a")], [delivered(first), retry(second, NOW + HOUR)], NOW + SECOND)
    assert [accepted.duplicate for accepted in written.accepted] == [False, True]
    assert journal.claim(first.webhook, NOW + DAY, 10, set())[0] == written.accepted[0].claims[0]
    assert {record.qwebhook.state for record in records(store)} == {"delivered", "retrying"}


def test_a_retry_of_a_deleted_webhook_does_not_come_back(store: Store, journal: Journal) -> None:
    made = make(store)
    claim, second, third = accept(journal, "a", "b", "c")
    journal.write([], [retry(second, NOW + 1)], NOW)
    (second,) = journal.claim(claim.webhook, NOW + 1, 1, {claim.sequence, third.sequence})
    store.delete_webhook(made.id)
    written = journal.write([], [retry(claim, NOW + HOUR), retry(second, NOW + HOUR), delivered(third)], NOW + SECOND)
    assert written.disabled == []
    assert journal.pending() == (0, None)
    assert journal.claim(claim.webhook, NOW + DAY, 10, set()) == []


def test_what_was_discarded_in_flight_is_recorded_and_not_tried_again(store: Store, journal: Journal) -> None:
    made = make(store)
    first, second = accept(journal, "a", "b")
    assert store.discard_pending(made.id) == 2
    journal.write([], [retry(first, NOW + HOUR), delivered(second)], NOW + SECOND)
    assert journal.pending() == (0, None)
    states = {record.qwebhook.state: record for record in records(store)}
    assert set(states) == {"cancelled", "delivered"}
    assert (states["cancelled"].status, states["cancelled"].qwebhook.next_attempt_at) == ("fail", None)


def test_disabling_holds_what_is_pending_and_enabling_resumes_it(store: Store, journal: Journal) -> None:
    made = make(store)
    claim, other = accept(journal, "a", "b")
    store.patch_webhook(made.id, replacements({"enabled": False}), USER)
    journal.write([event(id="c")], [retry(claim, NOW + SECOND)], NOW)
    assert journal.pending() == (2, NOW)
    store.patch_webhook(made.id, replacements({"enabled": True}), USER)
    resumed = journal.claim(claim.webhook, NOW + SECOND, 10, set())
    assert [one.sequence for one in resumed] == [other.sequence, claim.sequence]


# History


def history(store: Store, journal: Journal) -> tuple[Webhook, Webhook]:
    """Two webhooks; of the first seven records, of the second two, accepted a second apart."""
    one = make(store, name="one", event_types=[APP_CREATED, APP_DELETED])
    two = make(store, name="two", event_types=[APP_DELETED])
    row = row_of(store, one)
    for number in range(7):
        kind = APP_DELETED if number in (2, 5) else APP_CREATED
        now = NOW + number * SECOND
        for claim in accept(journal, f"e{number}", now=now, type=kind):
            failed = claim.webhook == row and number in (1, 2, 6)
            journal.write([], [retry(claim, NOW + DAY) if failed else delivered(claim)], now)
    return one, two


def numbers(deliveries: list[Delivery]) -> list[int]:
    """Which of `history`'s events the records are of."""
    order = [to_rfc3339(NOW + number * SECOND) for number in range(7)]
    return [order.index(delivery.triggered_at) for delivery in deliveries]


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ({}, [6, 5, 4, 3, 2, 1, 0]),
        ({"sort": "triggeredAt"}, [0, 1, 2, 3, 4, 5, 6]),
        ({"sort": "+triggeredAt"}, [0, 1, 2, 3, 4, 5, 6]),
        ({"event_type": APP_DELETED}, [5, 2]),
        ({"status": "fail"}, [6, 2, 1]),
        ({"status": "success", "sort": "triggeredAt"}, [0, 3, 4, 5]),
        ({"status": "fail", "event_type": APP_DELETED}, [2]),
        ({"event_type": "com.example.none"}, []),
        ({"sort": "status"}, [1, 2, 6, 0, 3, 4, 5]),
        ({"sort": "+status"}, [1, 2, 6, 0, 3, 4, 5]),
        ({"sort": "-status"}, [5, 4, 3, 0, 6, 2, 1]),
        ({"sort": "status", "event_type": APP_CREATED}, [1, 6, 0, 3, 4]),
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [2, 100])
def test_the_history_is_restricted_sorted_and_paged(
    store: Store, journal: Journal, restriction: dict[str, Any], expected: list[int], limit: int
) -> None:
    one, _ = history(store, journal)
    query = DeliveryQuery(webhook_id=one.id, limit=limit, **restriction)
    page = store.list_deliveries(query)
    assert page.previous is None
    shown = numbers(page.items)
    sizes = [len(page.items)]
    while page.next is not None:
        page = store.list_deliveries(msgspec.structs.replace(query, cursor=page.next))
        shown += numbers(page.items)
        sizes.append(len(page.items))
    assert shown == expected
    assert sizes[:-1] == [limit] * (len(sizes) - 1)
    for start in range(len(expected) - sizes[-1] - limit, -1, -limit):
        assert page.previous is not None
        page = store.list_deliveries(msgspec.structs.replace(query, cursor=page.previous))
        assert numbers(page.items) == expected[start : start + limit]
    assert page.previous is None


@pytest.mark.parametrize("sort", ["-triggeredAt", "triggeredAt", "status", "-status"])
def test_the_history_of_all_webhooks(store: Store, journal: Journal, sort: DeliverySort) -> None:
    one, two = history(store, journal)
    query = DeliveryQuery(sort=sort, limit=4)
    page = store.list_deliveries(query)
    found = page.items
    while page.next is not None:
        page = store.list_deliveries(msgspec.structs.replace(query, cursor=page.next))
        found += page.items
    assert len(found) == len({delivery.id for delivery in found}) == 9
    assert [delivery.webhook_id for delivery in found].count(two.id) == 2
    key = "status" if "status" in sort else "triggered_at"
    values = [getattr(delivery, key) for delivery in found]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert {delivery.webhook_id for delivery in found} == {one.id, two.id}
    status: Status = "fail"
    assert len(records(store, status=status)) == 3
    assert len(records(store, event_type=APP_DELETED)) == 4
    assert records(store, event_type="com.qlik.app.deleted") == records(store, event_type=APP_DELETED)


def test_new_records_do_not_disturb_paging(store: Store, journal: Journal) -> None:
    history(store, journal)
    query = DeliveryQuery(limit=5)
    page = store.list_deliveries(query)
    seen = [delivery.id for delivery in page.items]
    for number in range(3):
        for claim in accept(journal, f"late{number}", now=NOW + DAY, type=APP_DELETED):
            journal.write([], [delivered(claim)], NOW + DAY)
    page = store.list_deliveries(msgspec.structs.replace(query, cursor=page.next))
    seen += [delivery.id for delivery in page.items]
    assert len(seen) == len(set(seen)) == 9
    assert page.next is None


def test_a_record_belongs_to_its_webhook(store: Store, journal: Journal) -> None:
    one, two = history(store, journal)
    record = records(store, webhook_id=one.id)[0]
    with pytest.raises(NotFound):
        store.get_delivery(two.id, record.id)
    with pytest.raises(NotFound):
        store.list_attempts(two.id, record.id)
    # An id carries its time and its store: with another, it is another id.
    for identifier in ("", "x", record.id[:-1], record.qwebhook.event_id, "1" + record.id[1:], record.id.upper()):
        with pytest.raises(NotFound):
            store.get_delivery(one.id, identifier)


def test_a_cursor_of_another_webhook_is_refused(store: Store, journal: Journal) -> None:
    one, two = history(store, journal)
    cursor = store.list_deliveries(DeliveryQuery(webhook_id=one.id, limit=1)).next
    for other in (DeliveryQuery(webhook_id=two.id, cursor=cursor), DeliveryQuery(cursor=cursor)):
        with pytest.raises(InvalidInput):
            store.list_deliveries(other)


def test_a_body_that_was_rendered_differently_is_kept(store: Store, journal: Journal) -> None:
    made = make(store)
    (claim,) = accept(journal, "a")
    journal.write([], [retry(claim, NOW + 1, body=b'{"rendered":1}')], NOW)
    (claim,) = journal.claim(claim.webhook, NOW + 1, 1, set())
    journal.write([], [delivered(claim)], NOW + 1)
    (record,) = records(store)
    assert record.request.body.encode() == claim.body
    bodies = [attempt.request.body for attempt in store.list_attempts(made.id, record.id)]
    assert bodies == ['{"rendered":1}', claim.body.decode()]


# Automatic disabling


def test_a_410_disables(store: Store, journal: Journal) -> None:
    made = make(store)
    other = make(store, name="other")
    claim, _ = accept(journal, "a")
    written = journal.write([], [gone(claim)], NOW)
    (disabled,) = written.disabled
    assert disabled == store.get_webhook(made.id)
    assert (disabled.enabled, disabled.disabled_reason_code) == (False, "gone")
    assert "410" in (disabled.disabled_reason or "")
    assert disabled.updated_at == to_rfc3339(NOW)
    assert written.endpoints is not None
    assert not written.endpoints.by_row[claim.webhook].webhook.enabled
    assert [one.webhook for one in accept(journal, "b")] == [row_of(store, other)]


def test_a_410_holds_the_rest_until_the_webhook_is_enabled(store: Store, journal: Journal) -> None:
    made = make(store)
    first, second, third = accept(journal, "a", "b", "c")
    written = journal.write([], [gone(first), gone(second)], NOW)
    assert len(written.disabled) == 1
    assert journal.pending() == (1, NOW)
    store.patch_webhook(made.id, replacements({"enabled": True}), USER)
    assert journal.claim(first.webhook, NOW, 10, set()) == [third]
    again = journal.write([], [gone(third)], NOW + 1)
    assert [webhook.id for webhook in again.disabled] == [made.id]


def fail(journal: Journal, claim: Claim, now: int) -> tuple[Written, Claim]:
    """A failed attempt at a time; what was written, and the claim of the next."""
    written = journal.write([], [unanswered(claim, now)], now)
    (again,) = journal.claim(claim.webhook, now, 1, set())
    return written, again


def test_five_days_of_nothing_but_failures_disable(store: Store, journal: Journal) -> None:
    made = make(store)
    (claim,) = accept(journal, "a")
    for now in (NOW, NOW + 1, NOW + DISABLE_AFTER // 2, NOW + DISABLE_AFTER - 1):
        written, claim = fail(journal, claim, now)
        assert written.disabled == []
    written, _ = fail(journal, claim, NOW + DISABLE_AFTER)
    (disabled,) = written.disabled
    assert disabled == store.get_webhook(made.id)
    assert (disabled.enabled, disabled.disabled_reason_code) == (False, "failing")
    reason = disabled.disabled_reason or ""
    assert "5 attempts" in reason
    assert "5d" in reason
    assert "no answer within 15 s" in reason
    assert journal.pending() == (1, NOW)


def test_what_disables_first_is_the_reason(store: Store, journal: Journal) -> None:
    make(store)
    claim, other = accept(journal, "a", "b")
    for number in range(DISABLE_FAILURES):
        journal.write([], [unanswered(claim, NOW)], NOW + number)
        (claim,) = journal.claim(claim.webhook, NOW, 1, {other.sequence})
    now = NOW + DISABLE_AFTER
    (disabled,) = journal.write([], [unanswered(claim, now), gone(other)], now).disabled
    assert disabled.disabled_reason_code == "failing"


def test_many_failures_in_less_than_five_days_do_not_disable(store: Store, journal: Journal) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    for number in range(4 * DISABLE_FAILURES):
        written, claim = fail(journal, claim, NOW + number)
        assert written.disabled == []
    assert fail(journal, claim, NOW + DISABLE_AFTER - 1)[0].disabled == []


def test_four_failures_in_many_days_do_not_disable(store: Store, journal: Journal) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    for number in range(DISABLE_FAILURES - 1):
        written, claim = fail(journal, claim, NOW + number * DISABLE_AFTER)
        assert written.disabled == []
    assert len(fail(journal, claim, NOW + 9 * DISABLE_AFTER)[0].disabled) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_a_success_in_between_starts_the_count_anew(
    store: Store, journal: Journal, database: Database, restart: bool
) -> None:
    make(store)
    claim, other = accept(journal, "a", "b")
    held = {other.sequence}
    for number in range(DISABLE_FAILURES):
        journal.write([], [unanswered(claim, NOW)], NOW + number)
        (claim,) = journal.claim(claim.webhook, NOW, 1, held)
    if restart:
        journal.close()
        journal = database.journal()
    journal.write([], [delivered(other)], NOW + DAY)
    for now in (NOW + DISABLE_AFTER, *(NOW + DISABLE_AFTER + DAY + number for number in range(DISABLE_FAILURES))):
        written, claim = fail(journal, claim, now)
        assert written.disabled == []
    assert len(fail(journal, claim, NOW + 2 * DISABLE_AFTER)[0].disabled) == 1


def test_the_count_outlives_the_process(store: Store, journal: Journal, database: Database) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    for number in range(DISABLE_FAILURES - 1):
        _, claim = fail(journal, claim, NOW + number)
    journal.close()
    assert len(fail(database.journal(), claim, NOW + DISABLE_AFTER)[0].disabled) == 1


def test_enabling_starts_the_count_anew(store: Store, journal: Journal) -> None:
    made = make(store)
    (claim,) = accept(journal, "a")
    for number in range(DISABLE_FAILURES):
        _, claim = fail(journal, claim, NOW + number)
    for wanted in (False, True):
        store.patch_webhook(made.id, replacements({"enabled": wanted}), USER)
    for number in range(DISABLE_FAILURES):
        written, claim = fail(journal, claim, NOW + DISABLE_AFTER + number)
        assert written.disabled == []


def test_a_disabled_webhook_is_not_disabled_again_by_what_was_in_flight(store: Store, journal: Journal) -> None:
    made = make(store)
    first, second = accept(journal, "a", "b")
    store.patch_webhook(made.id, replacements({"enabled": False}), USER)
    before = store.get_webhook(made.id)
    written = journal.write([], [gone(first), retry(second, NOW)], NOW)
    assert written.disabled == written.raised == []
    assert store.get_webhook(made.id) == before


def test_the_failures_of_one_webhook_are_not_those_of_another(store: Store, journal: Journal) -> None:
    make(store, name="one")
    make(store, name="two")
    first, second = accept(journal, "a")
    for number in range(DISABLE_FAILURES):
        _, first = fail(journal, first, NOW + number)
    _, second = fail(journal, second, NOW + 1)
    assert fail(journal, second, NOW + DISABLE_AFTER + 1)[0].disabled == []
    assert len(fail(journal, first, NOW + DISABLE_AFTER + 1)[0].disabled) == 1


def test_the_disabling_is_an_event_for_those_who_subscribe_to_it(store: Store, journal: Journal) -> None:
    made = make(store, name="failing", level="user", owner_id=OWNER, url="https://host.example.com/capability")
    watcher = make(store, name="watcher", event_types=[DISABLED_EVENT])
    owner = make(store, name="owner", event_types=[DISABLED_EVENT], level="user", owner_id=OWNER)
    make(store, name="stranger", event_types=[DISABLED_EVENT], level="user", owner_id="stranger")
    make(store, name="filtered", event_types=[DISABLED_EVENT], filter=f'id ne "{made.id}"')
    (claim,) = accept(journal, "a")
    written = journal.write([], [gone(claim)], NOW)
    assert [one.webhook for one in written.raised] == [row_of(store, watcher), row_of(store, owner)]
    raised = written.raised[0]
    assert journal.claim(raised.webhook, NOW, 10, set()) == [raised]
    assert (raised.type, raised.attempt, raised.due) == (DISABLED_EVENT, 1, NOW)
    body = msgspec.json.decode(raised.body)
    assert read_event(raised.body).type == body["type"] == DISABLED_EVENT
    assert body["toplevelresourceid"] == body["data"]["id"] == made.id
    assert body["data"]["name"] == "failing"
    assert body["data"]["disabledReasonCode"] == "gone"
    assert b"capability" not in raised.body


def test_the_event_of_a_disabling_never_raises_another(store: Store, journal: Journal) -> None:
    make(store, name="failing")
    watchers = [make(store, name=name, event_types=[DISABLED_EVENT]) for name in ("one", "two")]
    (claim,) = accept(journal, "a")
    raised = journal.write([], [gone(claim)], NOW).raised
    assert len(raised) == 2
    written = journal.write([], [gone(raised[0])], NOW + 1)
    assert [webhook.id for webhook in written.disabled] == [watchers[0].id]
    assert written.raised == []
    assert journal.pending()[0] == 1


def test_a_webhook_is_not_told_of_its_own_disabling(store: Store, journal: Journal) -> None:
    make(store, event_types=[APP_CREATED, DISABLED_EVENT])
    (claim,) = accept(journal, "a")
    written = journal.write([], [gone(claim)], NOW)
    assert len(written.disabled) == 1
    assert written.raised == []
    assert journal.pending()[0] == 0


def test_each_disabling_is_an_event_of_its_own(store: Store, journal: Journal) -> None:
    made = [make(store, name=name) for name in ("one", "two")]
    make(store, event_types=[DISABLED_EVENT], name="watcher")
    written = journal.write([], [gone(claim) for claim in accept(journal, "a")], NOW)
    assert len(written.raised) == 2
    store.patch_webhook(made[0].id, replacements({"enabled": True}), USER)
    (claim,) = accept(journal, "b")
    assert len(journal.write([], [gone(claim)], NOW + 1).raised) == 1


# Failed transactions


@pytest.mark.parametrize("what", ["events", "pending"])
def test_a_failed_acceptance_leaves_nothing_and_the_journal_works_on(
    store: Store, journal: Journal, database: Database, what: Any
) -> None:
    row = row_of(store, make(store))
    (first,) = accept(journal, "a")
    with database.refusing(what):
        for _ in range(2):
            with pytest.raises(Unavailable):
                journal.write([event(id="b"), event(id="c")], [delivered(first)], NOW)
        assert journal.pending() == (1, NOW)
        assert records(store) == []
    written = journal.write([event(id="b"), event(id="c")], [delivered(first)], NOW)
    assert [accepted.duplicate for accepted in written.accepted] == [False, False]
    claims = [accepted.claims[0] for accepted in written.accepted]
    assert journal.claim(row, NOW, 10, set()) == claims
    assert [record.qwebhook.state for record in records(store)] == ["delivered"]


@pytest.mark.parametrize("what", ["deliveries", "attempts"])
def test_a_failed_recording_leaves_nothing_and_is_repeated(
    store: Store, journal: Journal, database: Database, what: Any
) -> None:
    make(store)
    first, second = accept(journal, "a", "b")
    recordings = [retry(first, NOW + HOUR), delivered(second)]
    with database.refusing(what):
        with pytest.raises(Unavailable):
            journal.write([event(id="c")], recordings, NOW)
        assert journal.claim(first.webhook, NOW, 10, set()) == [first, second]
    written = journal.write([event(id="c")], recordings, NOW)
    assert not written.accepted[0].duplicate
    assert journal.pending()[0] == 2
    assert journal.next_due(first.webhook, {written.accepted[0].claims[0].sequence}) == NOW + HOUR
    assert len(records(store)) == 2


@pytest.mark.parametrize("what", ["attempts", "pending"])
def test_a_disabling_that_failed_did_not_happen(store: Store, journal: Journal, database: Database, what: Any) -> None:
    made = make(store)
    make(store, name="watcher", event_types=[DISABLED_EVENT])
    (claim,) = accept(journal, "a")
    with database.refusing(what), pytest.raises(Unavailable):
        journal.write([], [gone(claim)], NOW)
    assert store.get_webhook(made.id).enabled
    assert len(accept(journal, "b")) == 1
    written = journal.write([], [gone(claim)], NOW)
    assert [webhook.id for webhook in written.disabled] == [made.id]
    assert len(written.raised) == 1


@pytest.mark.parametrize("field", ["description", "name"])
def test_a_disabling_that_failed_is_forgotten_also_when_the_webhook_changes_next(
    store: Store, journal: Journal, database: Database, field: str
) -> None:
    made = make(store)
    make(store, name="watcher", event_types=[DISABLED_EVENT])
    (claim,) = accept(journal, "a")
    with database.refusing("pending"), pytest.raises(Unavailable):
        journal.write([], [gone(claim)], NOW)
    # The change takes the version that the disabling would have had.
    store.patch_webhook(made.id, replacements({field: "changed"}), USER)
    written = journal.write([event(id="b")], [], NOW)
    assert len(written.accepted[0].claims) == 1
    assert written.endpoints is not None
    assert written.endpoints.by_row[claim.webhook].webhook == store.get_webhook(made.id)


def test_failures_that_were_not_recorded_do_not_count(store: Store, journal: Journal, database: Database) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    with database.refusing("attempts"):
        for number in range(DISABLE_FAILURES):
            with pytest.raises(Unavailable):
                journal.write([], [unanswered(claim, NOW)], NOW + number)
    assert fail(journal, claim, NOW + DISABLE_AFTER)[0].disabled == []


def test_a_change_that_a_failed_transaction_saw_is_seen_again(
    store: Store, journal: Journal, database: Database
) -> None:
    make(store)
    accept(journal, "a")
    make(store, name="second")
    with database.refusing("events"), pytest.raises(Unavailable):
        journal.write([event(id="b")], [], NOW)
    written = journal.write([event(id="b")], [], NOW)
    assert len(written.accepted[0].claims) == 2
    assert written.endpoints is not None
    assert len(written.endpoints.by_row) == 2


# Care


def test_another_process_is_noticed(store: Store, journal: Journal, database: Database) -> None:
    before = journal.foreign_commits()
    accept(journal, "a")
    assert journal.foreign_commits() == before
    accept(database.journal(), "b")
    assert journal.foreign_commits() != before


def test_a_store_that_can_be_written_says_so(journal: Journal) -> None:
    journal.check_writable()
    assert not journal.write([event()], [], NOW).accepted[0].duplicate


def swept(journal: Journal, before: int, limit: int) -> list[int]:
    """How many rows each step took, until one takes none."""
    steps: list[int] = []
    while count := journal.sweep(before, limit):
        steps.append(count)
    return steps


def test_old_history_goes_in_small_steps(store: Store, journal: Journal) -> None:
    made = make(store)
    old = accept(journal, *(f"old{number}" for number in range(7)))
    journal.write([], [delivered(claim) for claim in old], NOW)
    young = accept(journal, "young", now=NOW + DAY)
    journal.write([], [delivered(young[0])], NOW + DAY)
    gone_record = records(store, sort="+triggeredAt")[0]
    steps = swept(journal, NOW + 1, 2)
    assert sum(steps) == 14  # seven deliveries, seven events
    assert max(steps) <= 6  # two of each kind
    (left,) = records(store)
    assert left.id == journal.delivery_id(young[0])
    assert left.request.body.encode() == young[0].body
    with pytest.raises(NotFound):
        store.get_delivery(made.id, gone_record.id)
    assert swept(journal, NOW + 1, 2) == []


def test_what_was_written_before_the_clock_was_set_back_does_not_keep_older_history(
    store: Store, journal: Journal
) -> None:
    make(store)
    ahead = accept(journal, *(f"ahead{number}" for number in range(5)), now=NOW + 365 * DAY)
    journal.write([], [delivered(claim) for claim in ahead], NOW + 365 * DAY)
    old = accept(journal, "old")
    journal.write([], [delivered(old[0])], NOW)
    assert journal.sweep(NOW + 1, 2, NOW + DAY) == 2
    assert journal.sweep(NOW + 1, 2, NOW + DAY) == 0
    assert len(records(store)) == 5


def test_what_is_as_young_as_the_time_given_stays(store: Store, journal: Journal) -> None:
    make(store)
    (claim,) = accept(journal, "a")
    journal.write([], [delivered(claim)], NOW)
    assert journal.sweep(NOW, 100) == 0
    assert len(records(store)) == 1
    assert journal.sweep(NOW + 1, 100) == 2


def test_events_that_nobody_wanted_go_too(journal: Journal) -> None:
    accept(journal, "a", "b", "c")
    assert sum(swept(journal, NOW + 1, 2)) == 3
    assert accept(journal, "a") == []


def test_pending_deliveries_and_their_bodies_are_never_swept(
    store: Store, journal: Journal, database: Database
) -> None:
    made = make(store)
    waiting, retried, done = accept(journal, "waiting", "retried", "done")
    journal.write([], [retry(retried, NOW + DAY), delivered(done)], NOW)
    for one in (journal, database.journal()):
        swept(one, NOW + 1000 * DAY, 100)
        claims = one.claim(waiting.webhook, NOW + DAY, 10, set())
        assert [(claim.sequence, claim.body) for claim in claims] == [
            (waiting.sequence, waiting.body),
            (retried.sequence, retried.body),
        ]
    (record,) = records(store)
    assert (record.id, record.qwebhook.state) == (journal.delivery_id(retried), "retrying")
    assert len(store.list_attempts(made.id, record.id)) == 1


@pytest.mark.parametrize("younger", [True, False])
def test_what_was_pending_at_one_sweep_goes_at_a_later_one(store: Store, journal: Journal, younger: bool) -> None:
    make(store)
    (waiting,) = accept(journal, "waiting")
    if younger:
        (young,) = accept(journal, "young", now=NOW + 9 * DAY)
        journal.write([], [delivered(young)], NOW + 9 * DAY)
    assert swept(journal, NOW + DAY, 100) == []
    journal.write([], [delivered(waiting)], NOW + 9 * DAY)
    assert sum(swept(journal, NOW + DAY, 100)) == 2  # the delivery and its event
    assert len(records(store)) == younger


def test_the_sweep_gets_past_what_has_to_stay(store: Store, journal: Journal) -> None:
    make(store)
    make(store, name="done", event_types=[APP_DELETED])
    accept(journal, *(f"held{number}" for number in range(7)))
    for claim in accept(journal, *(f"done{number}" for number in range(3)), type=APP_DELETED):
        journal.write([], [delivered(claim)], NOW)
    # A step that takes nothing is the last one, or a long queue would keep all that came after it.
    assert sum(swept(journal, NOW + 1, 2)) == 6
    assert records(store) == []
    assert journal.pending() == (7, NOW)
    assert len(journal.claim(1, NOW, 10, set())) == 7


def test_a_late_duplicate_is_known_for_a_hundred_days(store: Store, journal: Journal) -> None:
    first = journal.write([event(id="a")], [], NOW).accepted[0]
    make(store)
    swept(journal, NOW + RETENTION, 100)
    swept(journal, NOW + KEYS_KEPT, 100)
    again = journal.write([event(id="a")], [], NOW + KEYS_KEPT).accepted[0]
    assert (again.duplicate, again.id, again.claims) == (True, first.id, [])
    swept(journal, NOW + KEYS_KEPT + 1, 100)
    later = journal.write([event(id="a")], [], NOW + KEYS_KEPT + 2).accepted[0]
    assert (later.duplicate, len(later.claims)) == (False, 1)
    assert later.id != first.id
