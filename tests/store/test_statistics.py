"""What every store tells of how much there is and how it fares."""

from __future__ import annotations

import pytest

from qwebhook.model.errors import InvalidInput
from qwebhook.model.patch import replacements
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store.contract import DirectAttempt, Page, Statistics, StatisticsQuery, WebhookQuery, WebhookStatistics
from tests.builders import APP_DELETED, event, webhook_draft
from tests.store.conftest import ONE, Database, Driver, Store
from tests.store.recordings import DAY, NOW, SECOND, dead, delivered, exchange, retry


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert store.statistics() == Statistics(
        webhooks=0, enabled=0, pending=0, oldest_pending_at=None, succeeded=0, failed=0
    )
    assert store.list_statistics(StatisticsQuery()) == Page([])


def test_webhooks_are_told_of_in_the_order_they_were_made(driver: Driver) -> None:
    store = driver.make()
    made = [store.create_webhook(webhook_draft(name=name, enabled=name != "b"), ONE) for name in "cab"]
    statistics = store.statistics()
    assert (statistics.webhooks, statistics.enabled) == (3, 2)
    assert store.list_statistics(StatisticsQuery()).items == [
        WebhookStatistics(
            webhook_id=webhook.id,
            name=webhook.name,
            enabled=webhook.enabled,
            pending=0,
            oldest_pending_at=None,
            succeeded=0,
            failed=0,
        )
        for webhook in made
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_the_webhooks_figures_come_in_pages_both_ways(driver: Driver, limit: int) -> None:
    store = driver.make()
    made = [store.create_webhook(webhook_draft(name=f"w{number}"), ONE).id for number in range(5)]
    query = StatisticsQuery(limit=limit)
    pages = [store.list_statistics(query)]
    while (cursor := pages[-1].next) is not None:
        pages.append(store.list_statistics(StatisticsQuery(limit=limit, cursor=cursor)))
    assert [one.webhook_id for page in pages for one in page.items] == made
    assert [len(page.items) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    while (cursor := pages.pop().previous) is not None:
        assert store.list_statistics(StatisticsQuery(limit=limit, cursor=cursor)).items == pages[-1].items
    assert pages == []


def test_pages_of_figures_while_webhooks_come_and_go(driver: Driver) -> None:
    store = driver.make()
    made = [store.create_webhook(webhook_draft(name=f"w{number}"), ONE).id for number in range(4)]
    cursor = store.list_statistics(StatisticsQuery(limit=2)).next
    for identifier in (made[0], made[1], made[2]):
        store.delete_webhook(identifier)
    late = store.create_webhook(webhook_draft(name="late"), ONE).id
    rest = store.list_statistics(StatisticsQuery(limit=2, cursor=cursor))
    assert ([one.webhook_id for one in rest.items], rest.next) == ([made[3], late], None)


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_of_figures_is_bounded(store: Store, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        store.list_statistics(StatisticsQuery(limit=limit))


def test_a_cursor_of_another_list_is_refused(store: Store) -> None:
    for name in "ab":
        store.create_webhook(webhook_draft(name=name), ONE)
    cursor = store.list_webhooks(WebhookQuery(limit=1)).next
    with pytest.raises(InvalidInput, match="cursor"):
        store.list_statistics(StatisticsQuery(limit=1, cursor=cursor))


def figures(store: Store) -> list[tuple[int, str | None, int, int]]:
    """pending, oldest, succeeded, failed: of the store, then of each webhook."""
    found = store.statistics(), *store.list_statistics(StatisticsQuery()).items
    return [(one.pending, one.oldest_pending_at, one.succeeded, one.failed) for one in found]


def test_deliveries_are_counted_by_how_they_stand(database: Database) -> None:
    store, journal = database.make(), database.journal()
    one = store.create_webhook(webhook_draft(name="one"), ONE)
    store.create_webhook(webhook_draft(name="two"), ONE)
    store.create_webhook(webhook_draft(name="quiet", event_types=[APP_DELETED]), ONE)
    first, second = journal.write([event(id="a")], [], NOW).accepted[0].claims
    third, _ = journal.write([event(id="b")], [], NOW + SECOND).accepted[0].claims
    old, young = to_rfc3339(NOW), to_rfc3339(NOW + SECOND)
    assert figures(store) == [(4, old, 0, 0), (2, old, 0, 0), (2, old, 0, 0), (0, None, 0, 0)]
    journal.write([], [retry(first, NOW + DAY), delivered(second), dead(third)], NOW)
    assert figures(store) == [(2, old, 1, 2), (1, old, 0, 2), (1, young, 1, 0), (0, None, 0, 0)]
    (again,) = journal.claim(first.webhook, NOW + DAY, 10, set())
    journal.write([], [delivered(again)], NOW + DAY)
    journal.record_direct(DirectAttempt(first.webhook, 0, APP_DELETED, exchange(b"{}", 503), test=True))
    assert figures(store) == [(1, young, 2, 2), (0, None, 1, 2), (1, young, 1, 0), (0, None, 0, 0)]
    store.discard_pending(store.find_webhook("two").id)
    store.patch_webhook(one.id, replacements({"name": "renamed"}), ONE)
    assert figures(store) == [(0, None, 2, 2), (0, None, 1, 2), (0, None, 1, 0), (0, None, 0, 0)]
    assert database.open().statistics() == store.statistics()


def test_what_is_swept_is_counted_no_longer(database: Database) -> None:
    store, journal = database.make(), database.journal()
    store.create_webhook(webhook_draft(), ONE)
    for number in range(4):
        (claim,) = journal.write([event(id=str(number))], [], NOW + number).accepted[0].claims
        journal.write([], [delivered(claim) if number % 2 else dead(claim)], NOW)
    assert figures(store)[0] == (0, None, 2, 2)
    journal.sweep(NOW + 3, 100)
    assert figures(store) == [(0, None, 1, 0)] * 2
    journal.sweep(NOW + 4, 100)
    assert figures(store) == [(0, None, 0, 0)] * 2


def test_the_history_of_a_deleted_webhook_counts_for_the_store(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    first, waiting = (journal.write([event(id=one)], [], NOW).accepted[0].claims[0] for one in "ab")
    journal.write([], [delivered(first)], NOW)
    store.delete_webhook(made.id)
    assert figures(store) == [(0, None, 1, 0)]
    journal.write([], [dead(waiting)], NOW)  # was in flight
    assert figures(store) == [(0, None, 1, 1)]
    journal.sweep(NOW + DAY, 100)
    assert figures(store) == [(0, None, 0, 0)]
