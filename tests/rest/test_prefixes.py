"""Which API a server has, under which prefix, and what is remembered of that."""

from __future__ import annotations

import pytest

from qwebhook.model.errors import (
    InvalidPatch,
    NotFound,
    Unavailable,
)
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.store.contract import WebhookQuery
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.service import CORE, V1, Known
from tests.builders import USER, webhook_draft
from tests.rest.conftest import OpenStore
from tests.rest.observing import CORE_WEBHOOKS, INFO, MISSING, V1_WEBHOOKS, Kept, asked, names
from tests.tenant import Tenant
from tests.tenant.faults import Fault, altered, answer, html, status, truncated


def test_the_newer_prefix_is_preferred_and_the_older_is_taken_where_there_is_no_other(
    tenant: Tenant, store: RestStore
) -> None:
    tenant.webhooks.add(name="a")
    assert names(store) == ["a"]
    assert asked(tenant) == [CORE_WEBHOOKS]
    tenant.prefixes.discard("core")
    tenant.log.clear()
    with pytest.raises(NotFound):  # it has been there a moment ago
        names(store)


@pytest.mark.parametrize("code", [404, 410])
def test_what_is_not_found_is_not_found_under_any_prefix(tenant: Tenant, store: RestStore, code: int) -> None:
    tenant.faults.inject(status(code), path="/api/v1/*", times=None)
    for _ in range(2):
        with pytest.raises(NotFound):
            store.get_webhook(MISSING)


@pytest.mark.parametrize("href", ["", "https://[x?next=", "#", "/a?prev=1"])
def test_a_link_without_a_cursor(tenant: Tenant, store: RestStore, href: str) -> None:
    tenant.faults.inject(altered(lambda page: page | {"links": {"next": {"href": href}}}))
    if href:
        with pytest.raises(Unavailable, match="without a cursor"):
            store.list_webhooks(WebhookQuery())
    else:
        assert store.list_webhooks(WebhookQuery()).next is None


@pytest.mark.parametrize("fault", [None, html(404), answer(404, b"404 page not found", content_type="text/plain")])
def test_a_tenant_without_the_newer_prefix(tenant: Tenant, open_store: OpenStore, fault: Fault | None) -> None:
    tenant.prefixes.discard("core")
    if fault is not None:
        tenant.faults.inject(fault, path="/api/core/*", times=None)
    memory = Kept()
    store = open_store(memory)
    made = store.create_webhook(webhook_draft(), USER)
    assert store.get_webhook(made.id) == made
    assert len(tenant.webhooks.all) == 1
    assert asked(tenant) == [INFO, CORE_WEBHOOKS, V1_WEBHOOKS, f"{V1_WEBHOOKS}/{made.id}"]
    assert memory.known == Known(V1, "tenant")

    tenant.log.clear()
    assert names(open_store(memory)) == ["reports"]
    assert asked(tenant) == [V1_WEBHOOKS]


def test_what_is_remembered_is_looked_at_again_when_it_is_not_so_any_more(
    tenant: Tenant, open_store: OpenStore
) -> None:
    tenant.webhooks.add(name="a")
    tenant.prefixes.discard("v1")
    memory = Kept(Known(V1, "tenant"))
    assert names(open_store(memory)) == ["a"]
    assert memory.known.prefix == CORE


def test_a_list_needs_one_request(tenant: Tenant, open_store: OpenStore) -> None:
    names(open_store(Kept()))
    names(open_store())
    assert asked(tenant) == [CORE_WEBHOOKS] * 2


def test_the_older_api_says_what_it_cannot_change(tenant: Tenant, open_store: OpenStore) -> None:
    tenant.prefixes.discard("core")
    given = tenant.webhooks.add()
    store = open_store(Kept(Known(V1, "tenant")))
    for operation in (*replacements({"filter": 'id eq "a"'}), PatchOperation("add", "/headers/X-A", "1")):
        with pytest.raises(InvalidPatch, match="older API"):
            store.patch_webhook(given["id"], [operation], USER)
    assert asked(tenant) == []
    assert store.patch_webhook(given["id"], replacements({"headers": {"X-A": "1"}}), USER).headers == {"X-A": "1"}


@pytest.mark.parametrize(
    "fault",
    [
        html(), html(404), status(404), status(403), status(405), answer(302, location="/login"),
        answer(200, b'{"product": "another"}', content_type="application/json"), truncated(),
    ],
    ids=["page", "page 404", "404", "403", "405", "redirect", "another", "cut"],
)  # fmt: skip
def test_whatever_a_tenant_answers_to_an_unknown_path_it_is_a_tenant(
    tenant: Tenant, store: RestStore, fault: Fault
) -> None:
    tenant.faults.inject(fault, path=INFO, times=None)
    assert not store.is_qwebhook
    assert not store.is_qwebhook
    assert asked(tenant) == [INFO]
    assert store.information() is None


def test_a_login_page_is_not_remembered_as_a_tenant(tenant: Tenant, open_store: OpenStore) -> None:
    memory = Kept()
    store = open_store(memory)
    page = tenant.faults.inject(html(), times=None)
    with pytest.raises(Unavailable):
        store.create_webhook(webhook_draft(), USER)
    assert page.used
    assert memory.known == Known()
    tenant.faults.mend()
    store.create_webhook(webhook_draft(), USER)
    assert memory.known == Known(CORE, "tenant")


def test_a_server_in_trouble_is_not_taken_for_a_tenant(tenant: Tenant, open_store: OpenStore) -> None:
    tenant.faults.inject(status(500), path=INFO)
    memory = Kept()
    with pytest.raises(Unavailable):
        _ = open_store(memory).is_qwebhook
    assert memory.known == Known()


@pytest.mark.parametrize("code", [404, 200])
def test_a_server_that_is_neither(tenant: Tenant, store: RestStore, code: int) -> None:
    tenant.faults.inject(html(code), times=None)
    with pytest.raises(Unavailable, match="neither a tenant nor a qwebhook"):
        names(store)
