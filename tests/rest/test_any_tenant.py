"""What holds at every tenant: the stand-in, and a real one where the environment names it.

    QWEBHOOK_TEST_TENANT   https://TENANT
    QWEBHOOK_TEST_KEY      an API key of one who may make webhooks there; as QWEBHOOK_TEST_CLIENT_ID and
                           QWEBHOOK_TEST_CLIENT_SECRET, an OAuth client's

Only webhooks of the tests' own are made, changed and deleted. Their names begin with `qwebhook-test-`, and they point
at a host that is reserved for examples and answers nobody.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from qwebhook.model.errors import InvalidInput, NotAuthorised, NotFound
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import DeliveryQuery, WebhookQuery
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.credentials import BearerKey, Credentials, OAuthClient
from qwebhook.store.rest.remote import Remote
from tests.builders import APP_CREATED, RELOAD_FINISHED, SECRET, STANDARD_SECRET, USER, webhook_draft
from tests.rest.conftest import ADVICE
from tests.tenant import Tenant

URL = os.environ.get("QWEBHOOK_TEST_TENANT", "")
PREFIX = "qwebhook-test-"
RECEIVER = "https://receiver.example.com/qwebhook-test"
UNKNOWN = "0193600b-0e9f-7000-8000-00000000ffff"


@pytest.fixture(
    params=[
        "stand-in",
        pytest.param("real", marks=pytest.mark.skipif(not URL, reason="QWEBHOOK_TEST_TENANT names no tenant")),
    ]
)
def access(request: pytest.FixtureRequest) -> Iterator[tuple[str, Credentials]]:
    """A tenant's URL, and what lets one in."""
    if request.param == "real":
        yield URL, real_credentials()
        return
    with Tenant() as tenant:
        yield tenant.url, BearerKey(tenant.key, ADVICE)


def real_credentials() -> Credentials:
    """Those of the environment."""
    client_id = os.environ.get("QWEBHOOK_TEST_CLIENT_ID")
    if client_id:
        return OAuthClient(URL, client_id, os.environ["QWEBHOOK_TEST_CLIENT_SECRET"], None)
    return BearerKey(os.environ["QWEBHOOK_TEST_KEY"], ADVICE)


@pytest.fixture
def store(access: tuple[str, Credentials]) -> Iterator[RestStore]:
    """The tenant; the webhooks that a test has made are deleted at its end."""
    store = RestStore(Remote(*access))
    yield store
    for webhook in all_named(store, PREFIX):
        store.delete_webhook(webhook.id)
    store.close()


def all_named(store: RestStore, name: str, limit: int = 100) -> list[Webhook]:
    """The webhooks whose name has this in it, on all pages, by name."""
    found: list[Webhook] = []
    query: WebhookQuery | None = WebhookQuery(name=name, sort="name", limit=limit)
    while query is not None:
        page = store.list_webhooks(query)
        found += page.items
        query = msgspec.structs.replace(query, cursor=page.next) if page.next else None
    return found


def make(store: RestStore, **fields: Any) -> Webhook:
    given = {"name": f"{PREFIX}{uuid.uuid4().hex}", "url": RECEIVER, "enabled": False, "event_types": [APP_CREATED]}
    return store.create_webhook(webhook_draft(**(given | fields)), USER)


def test_it_is_a_tenant(store: RestStore) -> None:
    assert not store.is_qwebhook
    assert store.event_types()


def test_a_webhook_lives_from_its_creation_to_its_end(store: RestStore) -> None:
    made = make(store, description="made by a test", secret=SECRET, headers={"X-Plain": "seen"})
    assert (made.url, made.enabled, made.description, made.secret_key_added) == (
        RECEIVER,
        False,
        "made by a test",
        True,
    )
    assert (made.event_types, made.headers) == ([APP_CREATED], {"X-Plain": "seen"})
    assert store.get_webhook(made.id) == made
    assert store.find_webhook(made.name) == made
    assert [webhook.id for webhook in all_named(store, made.name)] == [made.id]
    store.delete_webhook(made.id)
    for call in (store.get_webhook, store.delete_webhook, store.find_webhook):
        with pytest.raises(NotFound):
            call(made.id)


def test_toggling_keeps_the_secret(store: RestStore) -> None:
    made = make(store, secret=SECRET)
    for enabled in (True, False):
        after = store.patch_webhook(made.id, replacements({"enabled": enabled}), USER)
        assert (after.enabled, after.secret_key_added) == (enabled, True)


def test_fields_are_changed_one_by_one(store: RestStore) -> None:
    made = make(store, secret=SECRET)
    after = store.patch_webhook(
        made.id, replacements({"description": "changed", "eventTypes": [RELOAD_FINISHED]}), USER
    )
    assert (after.description, after.event_types, after.name) == ("changed", [RELOAD_FINISHED], made.name)
    assert store.rotate_secret(made.id, STANDARD_SECRET, 0, USER).secret_key_added
    removed = store.patch_webhook(made.id, [PatchOperation("remove", "/secret")], USER)
    assert not removed.secret_key_added


def test_of_encrypted_headers_only_the_names_are_read(store: RestStore) -> None:
    made = make(store, encrypted_headers={"X-Token": "hidden-value"})
    assert made.encrypted_headers == ["X-Token"]
    assert b"hidden-value" not in msgspec.json.encode(store.get_webhook(made.id))


def test_lists_are_read_page_by_page(store: RestStore) -> None:
    names = sorted(make(store).name for _ in range(3))
    assert [webhook.name for webhook in all_named(store, PREFIX, limit=1) if webhook.name in names] == names


def test_a_webhook_that_nothing_has_been_sent_to_has_no_deliveries(store: RestStore) -> None:
    made = make(store)
    assert store.list_deliveries(DeliveryQuery(webhook_id=made.id)).items == []
    with pytest.raises(NotFound):
        store.get_delivery(made.id, UNKNOWN)


def test_what_the_tenant_refuses(store: RestStore) -> None:
    with pytest.raises(InvalidInput):
        make(store, filter="nonsense")
    with pytest.raises(InvalidInput):
        make(store, headers={"X-A": "x" * 2049})


def test_a_key_that_is_not_known(access: tuple[str, Credentials]) -> None:
    store = RestStore(Remote(access[0], BearerKey("not-a-key", ADVICE)))
    with pytest.raises(NotAuthorised):
        store.list_webhooks(WebhookQuery())
    store.close()
