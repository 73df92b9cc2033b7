"""A tenant's lists, page by page, and answers that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from qwebhook.model.errors import (
    InvalidInput,
    Unavailable,
)
from qwebhook.model.patch import replacements
from qwebhook.store.contract import DeliveryQuery, WebhookQuery
from qwebhook.store.rest import RestStore
from tests.builders import APP_CREATED, USER, webhook_draft
from tests.rest.conftest import NAME
from tests.rest.observing import asked, names
from tests.tenant import Tenant
from tests.tenant.access import ADMIN
from tests.tenant.faults import Fault, altered, answer, cursor_loop, foreign_next, html, truncated


def test_a_list_is_read_page_by_page_as_it_is_wanted(tenant: Tenant, store: RestStore) -> None:
    for number in range(7):
        tenant.webhooks.add(name=f"w{number}")
    query = WebhookQuery(limit=3, sort="name")
    first = store.list_webhooks(query)
    assert len(asked(tenant)) == 1
    second = store.list_webhooks(msgspec.structs.replace(query, cursor=first.next))
    third = store.list_webhooks(msgspec.structs.replace(query, cursor=second.next))
    assert [webhook.name for page in (first, second, third) for webhook in page.items] == [f"w{n}" for n in range(7)]
    assert first.previous is third.next is None
    back = store.list_webhooks(msgspec.structs.replace(query, cursor=third.previous))
    assert back.items == second.items
    # A page may be read again.
    assert store.list_webhooks(msgspec.structs.replace(query, cursor=first.next)).items == second.items
    assert len(asked(tenant)) == 5


def test_restrictions_reach_the_tenant(tenant: Tenant, store: RestStore) -> None:
    tenant.webhooks.add(name="Alpha", enabled=True, event_types=[], origin="automations", level="user", ownerId="anna")
    restrictions: dict[str, Any] = {
        "name": "a",
        "url": "receiver",
        "enabled": True,
        "event_types": [APP_CREATED, "com.qlik.v1.app.deleted"],
        "level": "user",
        "origins": ["api", "automations"],
        "owner_id": "anna",
        "created_by_user_id": ADMIN,
        "updated_by_user_id": ADMIN,
        "sort": "+name",
        "limit": 7,
    }
    store.list_webhooks(WebhookQuery(**restrictions))
    assert dict(tenant.log.requests()[0].query) == {
        "name": "a",
        "url": "receiver",
        "enabled": "true",
        "eventTypes": f"{APP_CREATED},com.qlik.v1.app.deleted",
        "level": "user",
        "origins": "api,automations",
        "ownerId": "anna",
        "createdByUserId": ADMIN,
        "updatedByUserId": ADMIN,
        "sort": "+name",
        "limit": "7",
    }


@pytest.mark.parametrize("after", [0, 1])
def test_a_list_that_leads_in_a_circle_is_noticed(tenant: Tenant, store: RestStore, after: int) -> None:
    for _ in range(9):
        tenant.webhooks.add()
    tenant.faults.inject(cursor_loop(), after=after, times=None)
    with pytest.raises(Unavailable):
        names(store, limit=3)
    assert len(asked(tenant)) == after + 1


def test_a_larger_circle_is_noticed_too(tenant: Tenant, store: RestStore) -> None:
    for _ in range(9):
        tenant.webhooks.add()
    hrefs: list[str] = []

    def back_to_the_second(page: dict[str, Any]) -> dict[str, Any]:
        hrefs.append(page["links"]["next"]["href"])
        return page | {"links": {"next": {"href": hrefs[0 if len(hrefs) > 2 else -1]}}}

    tenant.faults.inject(altered(back_to_the_second), times=None)
    with pytest.raises(Unavailable, match="circle"):
        names(store, limit=2)
    assert len(asked(tenant)) == 3


def test_a_list_may_be_read_again_and_again(tenant: Tenant, store: RestStore) -> None:
    for _ in range(9):
        tenant.webhooks.add()
    for _ in range(3):
        assert len(names(store, limit=2)) == 9


def test_a_link_to_another_host_is_not_followed(tenant: Tenant, store: RestStore) -> None:
    """Its cursor is taken, and the tenant asked for the next page."""
    for _ in range(5):
        tenant.webhooks.add()
    with Tenant() as elsewhere:
        tenant.faults.inject(foreign_next(elsewhere.url), times=2)
        assert len(names(store, limit=2)) == 5
        assert elsewhere.log.requests() == []


@pytest.mark.parametrize("cursor", ["abc", "next:", "sideways:abc", "next:abc"])
def test_a_cursor_of_no_page_is_refused(tenant: Tenant, store: RestStore, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        store.list_webhooks(WebhookQuery(cursor=cursor))


@pytest.mark.parametrize("fault", [html(), truncated()], ids=["page", "cut"])
def test_a_list_that_cannot_be_read(tenant: Tenant, store: RestStore, fault: Fault) -> None:
    tenant.webhooks.add()
    tenant.faults.inject(fault)
    with pytest.raises(Unavailable, match=NAME):
        names(store)


NOT_WHAT_IT_SHOULD_BE = (
    b"", b"null", b"[]", b'"a"', b"\xff", b"[" * 100_000, b'{"data": null}', b'{"data": [1]}', b'{"data": [{"id": 1}]}',
)  # fmt: skip


@pytest.mark.parametrize("links", [[], {"next": "a"}, {"next": {"href": 1}}], ids=str)
def test_links_that_are_none(tenant: Tenant, store: RestStore, links: Any) -> None:
    tenant.faults.inject(altered(lambda page: page | {"links": links}))
    with pytest.raises(Unavailable, match="cannot be read"):
        names(store)


@pytest.mark.parametrize("body", NOT_WHAT_IT_SHOULD_BE, ids=range(len(NOT_WHAT_IT_SHOULD_BE)))
def test_whatever_is_answered_it_is_said_that_it_cannot_be_read(tenant: Tenant, store: RestStore, body: bytes) -> None:
    tenant.faults.inject(answer(200, body, content_type="application/json"), times=None)
    calls: list[Callable[[], object]] = [
        lambda: store.list_webhooks(WebhookQuery()),
        lambda: store.get_webhook("a"),
        lambda: store.find_webhook("a"),
        lambda: store.create_webhook(webhook_draft(), USER),
        lambda: store.patch_webhook("a", replacements({"name": "b"}), USER),
        lambda: store.list_deliveries(DeliveryQuery()),
        lambda: store.list_deliveries(DeliveryQuery(webhook_id="a")),
        lambda: store.get_delivery("a", "b"),
        lambda: store.resend("a", "b"),
        lambda: store.event_types(),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="cannot be read"):
            call()
