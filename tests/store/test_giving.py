"""What becomes of a webhook's deliveries when it is given to a user: what came before is not for that user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import pytest

from qwebhook.model.delivery import Delivery
from qwebhook.model.errors import InvalidInput, NotFound
from qwebhook.model.event import read_event
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Webhook, WebhookReplacement
from qwebhook.store.contract import Claim, DeliveryQuery, DeliverySort, Journal, ReplayOutcome
from tests.builders import APP_CREATED, APP_DELETED, OWNER, URL, USER, event, webhook_draft
from tests.store.conftest import ONE, Database, Store
from tests.store.recordings import DAY, NOW, dead, delivered, retry


@pytest.fixture
def store(database: Database) -> Store:
    return database.make()


@pytest.fixture
def journal(store: Store, database: Database) -> Journal:
    return database.journal()


@pytest.fixture
def made(store: Store) -> Webhook:
    """Everybody's, for two types."""
    return store.create_webhook(webhook_draft(event_types=[APP_CREATED, APP_DELETED]), ONE)


def accept(journal: Journal, *ids: str, **members: Any) -> list[Claim]:
    written = journal.write([event(id=one, **members) for one in ids], [], NOW)
    return [claim for accepted in written.accepted for claim in accepted.claims]


def give(store: Store, webhook: Webhook, **fields: Any) -> None:
    store.patch_webhook(webhook.id, replacements(fields or {"level": "user", "ownerId": USER}), ONE)


def listed(store: Store, webhook: Webhook, own: bool = True, **restrictions: Any) -> list[str]:
    """The ids of the events, in the order of the list."""
    query = DeliveryQuery(webhook_id=webhook.id, own=own, **{"sort": "triggeredAt", **restrictions})
    return event_ids(store.list_deliveries(query).items)


def event_ids(deliveries: Sequence[Delivery]) -> list[str]:
    return [read_event(delivery.request.body.encode()).id for delivery in deliveries]


def test_what_came_before_is_not_among_its_own(store: Store, journal: Journal, made: Webhook) -> None:
    journal.write([], [delivered(claim) for claim in accept(journal, "a", "b")], NOW)
    assert listed(store, made) == ["a", "b"]
    give(store, made)
    assert listed(store, made) == []
    journal.write([], [delivered(claim) for claim in accept(journal, "c")], NOW)
    assert listed(store, made) == ["c"]
    assert listed(store, made, own=False) == ["a", "b", "c"]


def test_one_that_came_before_is_not_there(store: Store, journal: Journal, made: Webhook) -> None:
    for one in "ab":
        journal.write([], [delivered(claim) for claim in accept(journal, one)], NOW)
        if one == "a":
            give(store, made)
    before, after = store.list_deliveries(DeliveryQuery(webhook_id=made.id, sort="triggeredAt")).items
    assert store.get_delivery(made.id, after.id, own=True) == store.get_delivery(made.id, after.id) == after
    assert store.list_attempts(made.id, after.id, own=True) == store.list_attempts(made.id, after.id)
    assert store.get_delivery(made.id, before.id) == before
    told = []
    for identifier in (before.id, before.id[:-1] + "f"):
        for read in (store.get_delivery, store.list_attempts):
            with pytest.raises(NotFound) as refused:
                read(made.id, identifier, own=True)
            told.append(str(refused.value).replace(identifier, "ID"))
    assert len(set(told)) == 1


def test_what_waits_is_cancelled(store: Store, journal: Journal, made: Webhook) -> None:
    flying, retried, _ = accept(journal, "flying", "retried", "waiting")
    journal.write([], [retry(retried, NOW + DAY)], NOW)
    give(store, made)
    assert journal.pending() == (0, None)
    (record,) = store.list_deliveries(DeliveryQuery(webhook_id=made.id)).items
    assert record.qwebhook.state == "cancelled"
    journal.write([], [retry(flying, NOW + DAY)], NOW)  # was in flight
    assert journal.pending() == (0, None)
    assert listed(store, made) == []


def test_a_running_server_lets_go_of_what_it_holds(store: Store, journal: Journal, made: Webhook) -> None:
    journal.refresh()
    give(store, made)
    index = journal.refresh()
    assert index is not None
    (endpoint,) = index.by_row.values()
    assert (endpoint.webhook.level, endpoint.webhook.owner_id) == ("user", USER)
    assert journal.refresh() is None


@pytest.mark.parametrize(
    ("before", "change", "given"),
    [
        ({}, {"level": "user", "ownerId": USER}, True),
        ({"owner_id": USER}, {"level": "user"}, True),
        ({"level": "user", "owner_id": OWNER}, {"ownerId": USER}, True),
        ({"level": "user", "owner_id": USER}, {"ownerId": USER, "level": "user", "name": "other"}, False),
        ({"level": "user", "owner_id": USER}, {"level": "tenant"}, False),
        ({"owner_id": OWNER}, {"ownerId": USER}, False),
    ],
)
@pytest.mark.parametrize("by_replacement", [False, True])
def test_when_a_webhook_is_given(
    store: Store, journal: Journal, before: dict[str, Any], change: dict[str, Any], given: bool, by_replacement: bool
) -> None:
    made = store.create_webhook(webhook_draft(**before), ONE)
    first, _ = accept(journal, "a", "waiting", userid=USER, ownerid=OWNER)
    journal.write([], [delivered(first)], NOW)
    if by_replacement:
        level, owner = change.get("level"), change.get("ownerId")
        replacement = WebhookReplacement(
            name="x", url=URL, event_types=[APP_CREATED], enabled=True, level=level, owner_id=owner
        )
        store.replace_webhook(made.id, replacement, ONE)
    else:
        give(store, made, **change)
    assert (listed(store, made), journal.pending()[0]) == (([], 0) if given else (["a"], 1))


def test_what_was_had_before_it_was_taken_away_does_not_come_back(
    store: Store, journal: Journal, made: Webhook
) -> None:
    give(store, made)
    journal.write([], [delivered(claim) for claim in accept(journal, "mine")], NOW)
    give(store, made, level="tenant")
    journal.write([], [delivered(claim) for claim in accept(journal, "everybody's", userid="stranger")], NOW)
    give(store, made, level="user")
    assert listed(store, made) == []


@pytest.mark.parametrize("sort", get_args(DeliverySort))
@pytest.mark.parametrize("status", [None, "success", "fail"])
@pytest.mark.parametrize("event_type", [None, APP_CREATED])
def test_pages_of_its_own(
    store: Store, journal: Journal, made: Webhook, sort: DeliverySort, status: Any, event_type: Any
) -> None:
    for number in range(12):
        if number == 6:
            give(store, made)
        (claim,) = accept(journal, str(number), type=APP_DELETED if number % 3 else APP_CREATED)
        journal.write([], [delivered(claim) if number % 2 else dead(claim)], NOW)
    query = DeliveryQuery(webhook_id=made.id, event_type=event_type, status=status, sort=sort, limit=100)
    everything = store.list_deliveries(query).items
    expected = [one for one in everything if int(event_ids([one])[0]) >= 6]
    query.own, query.limit = True, 2
    pages = [store.list_deliveries(query)]
    while pages[-1].next is not None:
        query.cursor = pages[-1].next
        pages.append(store.list_deliveries(query))
    assert [one for page in pages for one in page.items] == expected
    while pages[-1].previous is not None:
        query.cursor = pages.pop().previous
        assert store.list_deliveries(query).items == pages[-1].items


def test_a_cursor_of_all_does_not_lead_into_what_came_before(store: Store, journal: Journal, made: Webhook) -> None:
    journal.write([], [delivered(claim) for claim in accept(journal, *"abcd")], NOW)
    give(store, made)
    cursor = store.list_deliveries(DeliveryQuery(webhook_id=made.id, limit=2)).next
    with pytest.raises(InvalidInput, match="cursor"):
        store.list_deliveries(DeliveryQuery(webhook_id=made.id, limit=2, own=True, cursor=cursor))


def test_its_own_part_of_a_replay_s_outcome(store: Store, journal: Journal, made: Webhook) -> None:
    (before,) = accept(journal, "a")
    journal.write([], [delivered(before)], NOW)
    give(store, made)
    (after,) = accept(journal, "b")
    first, last = before.sequence, after.sequence
    assert journal.replay_outcome(made.id, first, last) == ReplayOutcome(1, 1, 0)
    assert journal.replay_outcome(made.id, first, last, own=True) == ReplayOutcome(1, 0, 0)
