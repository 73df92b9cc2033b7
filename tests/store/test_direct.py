"""What every database does with attempts outside the queue, and how it gives back what was sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwebhook.model.delivery import DISABLE_AFTER, DISABLE_FAILURES, Exchange, Failure, Reply
from qwebhook.model.errors import NotFound, Unavailable
from qwebhook.model.patch import replacements
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.trace import Trace
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import Claim, DeliveryQuery, DirectAttempt, Journal
from tests.builders import APP_CREATED, APP_DELETED, SECRET, URL, USER, cloud_event_body, event, webhook_draft
from tests.store.conftest import Database, Store
from tests.store.recordings import DAY, HOUR, NOW, SECOND, dead, delivered, exchange, retry, unanswered

MISSING = "0193600b-0e9f-7000-8000-00000000ffff"


@pytest.fixture
def store(database: Database) -> Store:
    return database.make()


@pytest.fixture
def webhook(store: Store) -> Webhook:
    return store.create_webhook(webhook_draft(secret=SECRET, event_types=[APP_CREATED, APP_DELETED]), USER)


@pytest.fixture
def journal(webhook: Webhook, database: Database) -> Journal:
    return database.journal()


@pytest.fixture
def claim(journal: Journal) -> Claim:
    """A delivery that was made once, and failed for good."""
    (claim,) = journal.write([event()], [], NOW).accepted[0].claims
    journal.write([], [dead(claim)], NOW)
    return claim


def resent(journal: Journal, claim: Claim, result: Exchange) -> str:
    """The id of the delivery that a resend makes."""
    return journal.record_direct(DirectAttempt(claim.webhook, claim.event, claim.type, result))


def fired(store: Store, journal: Journal, webhook: Webhook, result: Exchange) -> str:
    """The id of the delivery that a test-fire makes."""
    attempt = DirectAttempt(store.endpoint(webhook.id).row, 0, APP_DELETED, result, test=True)
    return journal.record_direct(attempt)


# Records


@pytest.mark.parametrize(
    ("result", "status", "state", "says"),
    [
        (Reply(200, [("x-a", "1")], b"thanks"), "success", "delivered", "status 200"),
        (Reply(204, [], b""), "success", "delivered", "status 204"),
        (Reply(503, [("retry-after", "5")], b"busy"), "fail", "dead", "status 503"),
        (Reply(308, [], b""), "fail", "dead", "status 308: redirects are not followed"),
        (Reply(410, [], b""), "fail", "gone", "status 410"),
        (Failure("timeout", "no answer within 15 s"), "fail", "dead", "timeout: no answer within 15 s"),
    ],
)
def test_a_resend_is_a_delivery_of_its_own(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim, result: Any, status: str, state: str, says: str
) -> None:
    first = store.get_delivery(webhook.id, journal.delivery_id(claim))
    identifier = resent(journal, claim, exchange(claim.body, result=result, started_at=NOW + HOUR))
    record = store.get_delivery(webhook.id, identifier)
    assert (record.status, record.status_message, record.qwebhook.state) == (status, says, state)
    assert (record.qwebhook.attempts, record.qwebhook.next_attempt_at, record.qwebhook.test) == (1, None, False)
    assert (record.event_type, record.triggered_at) == (APP_CREATED, to_rfc3339(NOW + HOUR))
    assert record.qwebhook.event_id == first.qwebhook.event_id != ""
    assert record.request.body.encode() == claim.body
    assert record.request.url == URL
    assert (record.response is None) == isinstance(result, Failure)
    (attempt,) = store.list_attempts(webhook.id, identifier)
    assert (attempt.number, attempt.outcome, attempt.reason) == (1, state, says)
    assert attempt.request == record.request
    listed = store.list_deliveries(DeliveryQuery(webhook_id=webhook.id)).items
    assert listed == [record, first]
    assert journal.pending() == (0, None)


def test_a_test_fire_is_marked_and_keeps_its_body(store: Store, journal: Journal, webhook: Webhook) -> None:
    body = cloud_event_body(id="test-1", type=APP_DELETED, data={"text": "n\u00e4h"})
    identifier = fired(store, journal, webhook, exchange(body))
    record = store.get_delivery(webhook.id, identifier)
    assert record.qwebhook.test
    assert (record.event_type, record.qwebhook.event_id) == (APP_DELETED, "")
    assert record.request.body.encode() == body
    assert store.list_deliveries(DeliveryQuery(event_type=APP_DELETED, status="success")).items == [record]
    # It never was an event: the real one of the same id is no duplicate.
    assert not journal.write([event(id="test-1")], [], NOW).accepted[0].duplicate


def test_a_body_that_was_rendered_otherwise_is_kept_as_it_was_sent(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim
) -> None:
    identifier = resent(journal, claim, exchange(b'{"rendered": "otherwise"}'))
    assert store.get_delivery(webhook.id, identifier).request.body == '{"rendered": "otherwise"}'
    assert journal.original(webhook.id, identifier).body == claim.body


@pytest.mark.parametrize("message", [b'{"text": "App created"}', b"App created"])
def test_the_message_of_a_test_fire_is_no_event_to_send_again(
    store: Store, journal: Journal, webhook: Webhook, message: bytes
) -> None:
    identifier = fired(store, journal, webhook, exchange(message))
    with pytest.raises(NotFound, match=f"delivery {identifier} was a test-fire, of which the message is kept"):
        journal.original(webhook.id, identifier)


def test_deliveries_of_every_kind_are_listed_in_the_order_of_their_records(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim
) -> None:
    """Also when an attempt took so long that others were accepted and delivered meanwhile."""
    (during,) = journal.write([event(id="during")], [], NOW + 10 * SECOND).accepted[0].claims
    journal.write([], [delivered(during)], NOW + 10 * SECOND)
    slow = resent(journal, claim, exchange(claim.body, started_at=NOW + SECOND))
    quick = fired(store, journal, webhook, exchange(claim.body, started_at=NOW + 9 * SECOND))
    (after,) = journal.write([event(id="after")], [], NOW + 11 * SECOND).accepted[0].claims
    journal.write([], [delivered(after)], NOW + 11 * SECOND)
    listed = store.list_deliveries(DeliveryQuery(sort="triggeredAt")).items
    identifiers = [journal.delivery_id(claim), journal.delivery_id(during), slow, quick, journal.delivery_id(after)]
    assert [record.id for record in listed] == identifiers
    times = [record.triggered_at for record in listed]
    assert times == sorted(times)


def test_numbers_are_shared_with_the_queue_and_other_processes(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim, database: Database
) -> None:
    other = database.journal()
    made = {resent(one, claim, exchange(claim.body)) for one in (journal, other, other, journal)}
    (later,) = other.write([event(id="later")], [], NOW).accepted[0].claims
    other.write([], [delivered(later)], NOW)
    assert len(made) == 4
    assert len(store.list_deliveries(DeliveryQuery()).items) == 6


def test_a_resend_to_a_webhook_that_was_deleted_meanwhile_is_recorded(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim
) -> None:
    store.delete_webhook(webhook.id)
    identifier = resent(journal, claim, exchange(claim.body))
    assert store.list_deliveries(DeliveryQuery()).items[0].id == identifier


@pytest.mark.parametrize("what", ["deliveries", "attempts"])
def test_a_record_that_failed_leaves_nothing(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim, database: Database, what: Any
) -> None:
    with database.refusing(what), pytest.raises(Unavailable):
        resent(journal, claim, exchange(claim.body))
    assert len(store.list_deliveries(DeliveryQuery()).items) == 1
    resent(journal, claim, exchange(claim.body))
    assert len(store.list_deliveries(DeliveryQuery()).items) == 2


# Failing


def failing(journal: Journal, one: str) -> Claim:
    """A delivery whose webhook has been failing since NOW, and is disabled by the next failure after five days."""
    (claim,) = journal.write([event(id=one)], [], NOW).accepted[0].claims
    for number in range(DISABLE_FAILURES):
        journal.write([], [unanswered(claim, NOW)], NOW + number)
        (claim,) = journal.claim(claim.webhook, NOW, 1, set())
    return claim


def test_failures_outside_the_queue_never_disable(store: Store, journal: Journal, webhook: Webhook) -> None:
    claim = failing(journal, "a")
    for number in range(3 * DISABLE_FAILURES):
        for status in (503, 410):
            resent(journal, claim, exchange(claim.body, status, started_at=NOW + DISABLE_AFTER + number))
            fired(store, journal, webhook, exchange(claim.body, status, started_at=NOW + DISABLE_AFTER + number))
    assert store.get_webhook(webhook.id).enabled
    assert journal.write([event(id="b")], [], NOW).accepted[0].claims


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("restart", [True, False])
def test_a_success_outside_the_queue_ends_the_failing(
    store: Store, journal: Journal, webhook: Webhook, database: Database, test: bool, restart: bool
) -> None:
    claim = failing(journal, "a")
    other = database.journal() if restart else journal
    if test:
        fired(store, other, webhook, exchange(claim.body))
    else:
        resent(other, claim, exchange(claim.body))
    for number in range(DISABLE_FAILURES - 1):
        written = journal.write([], [unanswered(claim, NOW)], NOW + DISABLE_AFTER + number)
        assert written.disabled == []
        (claim,) = journal.claim(claim.webhook, NOW, 1, set())


# Originals


def test_the_original_of_a_delivery_is_its_event(store: Store, journal: Journal, webhook: Webhook) -> None:
    body = cloud_event_body(id="a", data={"text": "n\u00e4h", "n": 1.50})
    (claim,) = journal.write([event(id="a", data={"text": "n\u00e4h", "n": 1.50})], [], NOW).accepted[0].claims
    journal.write([], [retry(claim, NOW + HOUR)], NOW)
    original = journal.original(webhook.id, journal.delivery_id(claim))
    assert (original.event, original.type, original.key) == (claim.event, APP_CREATED, claim.key)
    assert (original.body, original.test) == (body, False)
    assert original.endpoint.row == claim.webhook


def test_the_original_has_the_trace_that_the_event_came_with(store: Store, journal: Journal, webhook: Webhook) -> None:
    trace = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=b")
    came = msgspec.structs.replace(event(id="a"), trace=trace)
    (claim,) = journal.write([came], [], NOW).accepted[0].claims
    journal.write([], [retry(claim, NOW + HOUR)], NOW)
    assert journal.original(webhook.id, journal.delivery_id(claim)).trace == trace


def test_the_original_comes_with_the_webhook_as_it_is_now(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim
) -> None:
    changes = {"url": "https://elsewhere.example.com/", "enabled": False, "encryptedHeaders": {"X-A": "1"}}
    changed = store.patch_webhook(webhook.id, replacements(changes), USER)
    endpoint = journal.original(webhook.id, journal.delivery_id(claim)).endpoint
    assert endpoint.webhook == changed
    assert endpoint.encrypted_headers == {"X-A": "1"}
    assert "webhook-signature" in endpoint.signer.headers("i", 1, b"")


def test_what_was_resent_and_what_was_test_fired_can_be_sent_again(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim
) -> None:
    first = resent(journal, claim, exchange(claim.body))
    original = journal.original(webhook.id, first)
    assert (original.event, original.key, original.body, original.test) == (claim.event, claim.key, claim.body, False)

    test = event(id="test-1", type=APP_DELETED)
    fire = fired(store, journal, webhook, exchange(test.body))
    original = journal.original(webhook.id, fire)
    assert (original.event, original.type, original.test) == (0, APP_DELETED, True)
    assert (original.key, original.body) == (test.key, test.body)


def test_an_original_that_is_not_there_is_not_found(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim
) -> None:
    other = store.create_webhook(webhook_draft(), USER)
    identifier = journal.delivery_id(claim)
    for webhook_id, delivery_id in [(webhook.id, MISSING), (MISSING, identifier), (other.id, identifier)]:
        with pytest.raises(NotFound):
            journal.original(webhook_id, delivery_id)
    (waiting,) = journal.write([event(id="b")], [], NOW).accepted[0].claims[:1]
    with pytest.raises(NotFound):  # not on record before its first attempt
        journal.original(webhook.id, journal.delivery_id(waiting))


# Care


def test_the_event_of_a_resend_is_kept_as_long_as_its_record(
    store: Store, journal: Journal, webhook: Webhook, claim: Claim
) -> None:
    identifier = resent(journal, claim, exchange(claim.body, started_at=NOW + 6 * DAY))
    for _ in range(5):
        journal.sweep(NOW + DAY, 100)
    with pytest.raises(NotFound):
        store.get_delivery(webhook.id, journal.delivery_id(claim))
    assert store.get_delivery(webhook.id, identifier).request.body.encode() == claim.body
    assert journal.original(webhook.id, identifier).body == claim.body
    while journal.sweep(NOW + 6 * DAY + 1, 100):
        pass
    assert store.list_deliveries(DeliveryQuery()).items == []
    assert journal.sweep(NOW + 1000 * DAY, 100) == 1  # its key alone was left


def test_a_body_that_was_swept_is_not_kept(store: Store, journal: Journal, webhook: Webhook) -> None:
    """As when a delivery was retried for longer than events are kept."""
    (claim,) = journal.write([event(id="a")], [], NOW).accepted[0].claims
    journal.sweep(NOW + DAY, 100)
    journal.write([], [delivered(claim)], NOW + DAY)
    identifier = fired(store, journal, webhook, exchange(b"{}", started_at=NOW + DAY))
    attempt = DirectAttempt(claim.webhook, claim.event + 1000, claim.type, exchange(claim.body, started_at=NOW + DAY))
    lost = journal.record_direct(attempt)
    assert store.get_delivery(webhook.id, lost).request.body.encode() == claim.body
    with pytest.raises(NotFound) as error:
        journal.original(webhook.id, lost)
    assert "not kept" in error.value.message
    assert identifier != lost
