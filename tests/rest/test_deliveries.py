"""A tenant's deliveries, and changes whose answer is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from qwebhook.model.errors import (
    InvalidInput,
    NotAuthorised,
    NotFound,
    Unavailable,
)
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.store.contract import DeliveryQuery
from qwebhook.store.rest import RestStore
from tests.builders import APP_CREATED, USER, webhook_draft
from tests.rest.conftest import NAME
from tests.rest.observing import MISSING, asked, names
from tests.tenant import Tenant
from tests.tenant.faults import reset, status

# Deliveries


def test_deliveries_are_read_as_far_as_a_tenant_tells(tenant: Tenant, store: RestStore) -> None:
    given = tenant.webhooks.add(enabled=True)
    event = tenant.audits.add(APP_CREATED)
    good, bad, lost = (tenant.deliveries.add(given["id"], event, code) for code in (200, 503, None))
    found = store.list_deliveries(DeliveryQuery(webhook_id=given["id"], sort="triggeredAt")).items
    assert [one.id for one in found] == [good["id"], bad["id"], lost["id"]]
    assert [one.status for one in found] == ["success", "fail", "fail"]
    assert [one.qwebhook.state for one in found] == ["delivered", "dead", "dead"]
    assert {one.qwebhook.event_id for one in found} == {event.event_id}
    assert found[2].response is None
    assert store.get_delivery(given["id"], bad["id"]) == found[1]
    failed = DeliveryQuery(webhook_id=given["id"], status="fail", event_type=APP_CREATED, limit=1)
    page = store.list_deliveries(failed)
    following = store.list_deliveries(msgspec.structs.replace(failed, cursor=page.next))
    assert [one.id for one in (*page.items, *following.items)] == [lost["id"], bad["id"]]


@pytest.mark.parametrize(("code", "wanted"), [(200, "success"), (500, "fail")])
def test_a_resend_is_a_record_of_its_own_whatever_came_of_it(
    tenant: Tenant, store: RestStore, code: int, wanted: str
) -> None:
    given = tenant.webhooks.add(enabled=True)
    first = tenant.deliveries.add(given["id"], tenant.audits.add(APP_CREATED), 503)
    tenant.deliveries.receivers_answer(code)
    again = store.resend(given["id"], first["id"])
    assert again.status == wanted
    assert again.id != first["id"]


def test_a_resend_whose_answer_is_lost_is_not_sent_again(tenant: Tenant, store: RestStore) -> None:
    given = tenant.webhooks.add(enabled=True)
    first = tenant.deliveries.add(given["id"], tenant.audits.add(APP_CREATED), 503)
    tenant.faults.inject(reset(), method="POST", takes_effect=True)
    with pytest.raises(Unavailable, match="may have been carried out"):
        store.resend(given["id"], first["id"])
    assert len(tenant.deliveries.records) == 2


def test_the_deliveries_of_all_webhooks_are_their_lists_merged(tenant: Tenant, store: RestStore) -> None:
    event = tenant.audits.add(APP_CREATED)
    webhooks = [tenant.webhooks.add(name=name, enabled=True)["id"] for name in ("a", "b", "quiet")]
    ages = {webhooks[0]: [50, 40, 5, 4, 3], webhooks[1]: [45, 10, 8, 2, 1]}
    made = [
        (-age, tenant.deliveries.add(webhook, event, 200 if age % 2 else 503, age)["id"])
        for webhook, all_ages in ages.items()
        for age in all_ages
    ]
    newest_first = [identifier for _, identifier in sorted(made, reverse=True)]
    for limit in (1, 2, 3, 7, 10, 100):
        assert delivery_ids(store, limit=limit) == newest_first
        assert delivery_ids(store, limit=limit, sort="triggeredAt") == newest_first[::-1]
    by_status = delivery_ids(store, sort="status", limit=3)
    assert sorted(by_status) == sorted(newest_first)
    failed = delivery_ids(store, status="fail", limit=2)
    assert by_status[: len(failed)] != failed[:0]
    assert set(by_status[: len(failed)]) == set(failed)
    with pytest.raises(InvalidInput):
        store.list_deliveries(DeliveryQuery(cursor="merged:abc"))


def delivery_ids(store: RestStore, **query: Any) -> list[str]:
    """The ids on all pages of the list over all webhooks."""
    found: list[str] = []
    wanted: DeliveryQuery | None = DeliveryQuery(**query)
    while wanted is not None:
        page = store.list_deliveries(wanted)
        assert len(page.items) <= wanted.limit
        found += [one.id for one in page.items]
        wanted = msgspec.structs.replace(wanted, cursor=page.next) if page.next else None
    return found


def test_merging_reads_each_page_once_and_no_more_than_is_wanted(tenant: Tenant, store: RestStore) -> None:
    event = tenant.audits.add(APP_CREATED)
    webhooks = [tenant.webhooks.add(enabled=True)["id"] for _ in range(3)]
    for number in range(12):
        tenant.deliveries.add(webhooks[number % 3], event)
    store.list_deliveries(DeliveryQuery(limit=2))
    assert len([path for path in asked(tenant) if path.endswith("/deliveries")]) < 6
    tenant.log.clear()
    assert len(delivery_ids(store, limit=2)) == 12
    assert len([path for path in asked(tenant) if path.endswith("/deliveries")]) == 6


def test_merged_pages_may_be_of_different_sizes_and_of_several_lists_at_once(tenant: Tenant, store: RestStore) -> None:
    event = tenant.audits.add(APP_CREATED)
    webhooks = [tenant.webhooks.add(enabled=True)["id"] for _ in range(3)]
    for number in range(20):
        tenant.deliveries.add(webhooks[number % 3], event, 200 if number % 2 else 503, number)
    expected = delivery_ids(store, limit=100)
    found: list[str] = []
    query = DeliveryQuery(limit=7)
    for limit in (2, 1, 5, 100):
        page = store.list_deliveries(query)
        store.list_deliveries(DeliveryQuery(limit=7, status="fail"))
        found += [one.id for one in page.items]
        query = DeliveryQuery(limit=limit, cursor=page.next)
    assert found == expected[: 7 + 2 + 1 + 5]


def test_a_webhook_that_is_deleted_while_lists_are_merged(tenant: Tenant, store: RestStore) -> None:
    event = tenant.audits.add(APP_CREATED)
    kept, going = (tenant.webhooks.add(enabled=True)["id"] for _ in range(2))
    for webhook in (kept, going):
        tenant.deliveries.add(webhook, event)
    tenant.faults.inject(status(404), path=f"*/{going}/*", times=None)
    assert len(delivery_ids(store)) == 1


# Answers that are lost


def test_a_create_whose_answer_is_lost_is_not_sent_again(tenant: Tenant, store: RestStore) -> None:
    tenant.faults.inject(reset(), method="POST", takes_effect=True)
    with pytest.raises(Unavailable, match="may have been carried out"):
        store.create_webhook(webhook_draft(), USER)
    assert len(tenant.webhooks.all) == 1


def test_a_delete_whose_answer_is_lost_has_deleted(tenant: Tenant, store: RestStore) -> None:
    given = tenant.webhooks.add()
    tenant.faults.inject(reset(), method="DELETE", takes_effect=True)
    store.delete_webhook(given["id"])
    assert len(asked(tenant, "DELETE")) == 2
    with pytest.raises(NotFound):
        store.delete_webhook(given["id"])


@pytest.mark.parametrize(
    ("operations", "requests"),
    [(replacements({"enabled": False, "name": "b"}), 2), ([PatchOperation("remove", "/headers/X-A")], 1)],
)
def test_a_patch_is_sent_again_where_that_changes_nothing_more(
    tenant: Tenant, store: RestStore, operations: Sequence[PatchOperation], requests: int
) -> None:
    given = tenant.webhooks.add(headers={"X-A": "1"})
    tenant.faults.inject(reset(), method="PATCH", takes_effect=True)
    if requests == 2:
        store.patch_webhook(given["id"], operations, USER)
    else:
        with pytest.raises(Unavailable, match="may have been carried out"):
            store.patch_webhook(given["id"], operations, USER)
    assert len(asked(tenant, "PATCH")) == requests


def test_an_expired_key(tenant: Tenant, store: RestStore) -> None:
    tenant.access.expire(tenant.key)
    calls: list[Callable[[], object]] = [
        lambda: names(store),
        lambda: store.get_webhook(MISSING),
        lambda: store.find_webhook("x"),
        lambda: store.create_webhook(webhook_draft(), USER),
        lambda: store.delete_webhook(MISSING),
    ]
    for call in calls:
        with pytest.raises(NotAuthorised, match=NAME):
            call()
