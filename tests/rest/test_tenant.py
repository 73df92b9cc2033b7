"""A tenant as a store: webhooks by its rules, and how one is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qwebhook.model.errors import (
    Ambiguous,
    Forbidden,
    InvalidInput,
    NotFound,
)
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.model.webhook import Settings, WebhookReplacement
from qwebhook.store.contract import DeliveryQuery, WebhookQuery
from qwebhook.store.rest import RestStore
from tests.builders import APP_CREATED, SECRET, STANDARD_SECRET, USER, webhook_draft
from tests.rest.observing import MISSING, asked
from tests.tenant import Tenant
from tests.tenant.access import ADMIN
from tests.tenant.faults import altered, status

# Webhooks


def test_a_webhook_reads_back_as_it_was_written(tenant: Tenant, store: RestStore) -> None:
    draft = webhook_draft(
        name="Süden",
        description="with 100 % of the fields",
        filter='spaceId eq "s1"',
        headers={"X-Plain": "seen"},
        encrypted_headers={"X-Token": "hidden-1", "Authorization": "hidden-2"},
        secret=SECRET,
        level="user",
        owner_id="anna",
        check_certificate_revocation=True,
        enable_cloud_event_delivery=True,
        origin="automations",
    )
    made = store.create_webhook(draft, USER)
    for name in draft.__struct_fields__:
        if name not in ("secret", "encrypted_headers"):
            assert getattr(made, name) == getattr(draft, name), name
    assert made.encrypted_headers == ["Authorization", "X-Token"]
    assert made.secret_key_added
    assert made.created_by_user_id == made.updated_by_user_id == ADMIN
    assert store.get_webhook(made.id) == made
    assert store.find_webhook("Süden") == made
    assert store.list_webhooks(WebhookQuery()).items == [made]
    assert tenant.webhooks.secret_of(made.id) == SECRET


def test_what_a_tenant_leaves_out_has_its_default(store: RestStore) -> None:
    made = store.create_webhook(webhook_draft(enabled=False), USER)
    assert (made.description, made.filter, made.headers, made.encrypted_headers) == ("", "", {}, [])
    assert (made.enabled, made.level, made.owner_id, made.secret_key_added) == (False, "tenant", None, False)
    assert made.disabled_reason is made.disabled_reason_code is None
    assert made.qwebhook == Settings()


def test_what_is_not_known_yet_does_no_harm(tenant: Tenant, store: RestStore) -> None:
    given = tenant.webhooks.add()
    tenant.faults.inject(
        altered(lambda shown: shown | {"origin": "hub", "level": "space", "colour": 1, "filter": None})
    )
    webhook = store.get_webhook(given["id"])
    assert (webhook.origin, webhook.level, webhook.filter) == ("hub", "space", "")


def test_toggling_patches_and_keeps_the_secret(tenant: Tenant, store: RestStore) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET, encrypted_headers={"X-A": "one"}), USER)
    for wanted in (False, True):
        assert store.patch_webhook(made.id, replacements({"enabled": wanted}), USER).enabled is wanted
    renamed = store.patch_webhook(made.id, replacements({"name": "other", "description": "changed"}), USER)
    assert (renamed.name, renamed.description) == ("other", "changed")
    assert tenant.webhooks.secret_of(made.id) == SECRET
    assert asked(tenant, "PUT") == []


def test_enabling_forgets_why_it_was_disabled(tenant: Tenant, store: RestStore) -> None:
    given = tenant.webhooks.add(enabled=True)
    tenant.webhooks.disable(given["id"], "too many failures", "FAILURES")
    webhook = store.get_webhook(given["id"])
    assert (webhook.enabled, webhook.disabled_reason, webhook.disabled_reason_code) == (
        False,
        "too many failures",
        "FAILURES",
    )
    assert store.patch_webhook(webhook.id, replacements({"enabled": True}), USER).disabled_reason is None


def test_members_of_headers_change_one_by_one(tenant: Tenant, store: RestStore) -> None:
    made = store.create_webhook(webhook_draft(encrypted_headers={"X-A": "one", "X-B": "two"}), USER)
    operations = [PatchOperation("remove", "/encryptedHeaders/X-A"), PatchOperation("add", "/headers/X-C", "three")]
    after = store.patch_webhook(made.id, operations, USER)
    assert (after.encrypted_headers, after.headers) == (["X-B"], {"X-C": "three"})


def test_a_replacement_clears_what_it_leaves_out(tenant: Tenant, store: RestStore) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET, filter='id eq "a"'), USER)
    after = store.replace_webhook(made.id, WebhookReplacement(name="b", url=made.url, event_types=[APP_CREATED]), USER)
    assert (after.name, after.filter, after.enabled, after.secret_key_added) == ("b", "", False, False)


def test_a_secret_is_rotated_without_grace_alone(tenant: Tenant, store: RestStore) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), USER)
    with pytest.raises(InvalidInput, match="one secret at a time"):
        store.rotate_secret(made.id, STANDARD_SECRET, 1000, USER)
    assert tenant.webhooks.secret_of(made.id) == SECRET
    assert store.rotate_secret(made.id, STANDARD_SECRET, 0, USER).secret_key_added
    assert tenant.webhooks.secret_of(made.id) == STANDARD_SECRET


def test_the_tenant_has_the_last_word(tenant: Tenant, store: RestStore) -> None:
    with pytest.raises(InvalidInput, match="event type"):
        store.create_webhook(webhook_draft(event_types=["nonsense"]), USER)
    made = store.create_webhook(webhook_draft(enable_cloud_event_delivery=True), USER)
    with pytest.raises(Forbidden, match="cannot be turned off"):
        store.patch_webhook(made.id, replacements({"enableCloudEventDelivery": False}), USER)
    tenant.webhooks.quota = 1
    with pytest.raises(Forbidden, match="1 webhooks"):
        store.create_webhook(webhook_draft(), USER)


def test_what_does_not_exist_is_not_found(tenant: Tenant, store: RestStore) -> None:
    tenant.webhooks.add()
    calls: list[Callable[[], object]] = [
        lambda: store.get_webhook(MISSING),
        lambda: store.find_webhook(MISSING),
        lambda: store.find_webhook("event-types"),
        lambda: store.get_webhook(""),
        lambda: store.get_webhook(".."),
        lambda: store.get_webhook("../webhooks"),
        lambda: store.get_webhook("\udcff"),
        lambda: store.patch_webhook(MISSING, replacements({"name": "x"}), USER),
        lambda: store.delete_webhook(MISSING),
        lambda: store.list_deliveries(DeliveryQuery(webhook_id=MISSING)),
        lambda: store.get_delivery(MISSING, MISSING),
        lambda: store.resend(MISSING, MISSING),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_event_types_are_the_tenant_s(tenant: Tenant, store: RestStore) -> None:
    tenant.webhooks.event_types.append({"name": "com.example.new"})
    listed = {one.name: one for one in store.event_types()}
    assert set(listed) == {one["name"] for one in tenant.webhooks.event_types}
    assert listed["com.example.new"].title == "com.example.new"


# Finding


def test_a_webhook_is_found_by_id_by_name_and_by_prefix(tenant: Tenant, store: RestStore) -> None:
    for number in range(120):
        tenant.webhooks.add(name=f"w{number}")
    for given in (tenant.webhooks.add(name="one"), tenant.webhooks.add(name="one more")):
        for reference in (given["id"], given["name"], given["id"][:-1]):
            assert store.find_webhook(reference).id == given["id"]
    for reference in ("on", "ONE", "", "%", "one "):
        with pytest.raises(NotFound):
            store.find_webhook(reference)


def test_a_name_that_several_have_is_ambiguous(tenant: Tenant, store: RestStore) -> None:
    given = [tenant.webhooks.add(name="twin") for _ in range(2)]
    with pytest.raises(Ambiguous) as raised:
        store.find_webhook("twin")
    assert all(one["id"] in str(raised.value) for one in given)


def test_a_name_may_look_like_an_id(tenant: Tenant, store: RestStore) -> None:
    given = tenant.webhooks.add(name=MISSING)
    assert store.find_webhook(MISSING).id == given["id"]
    tenant.faults.inject(status(400), path=f"*/{MISSING}")
    assert store.find_webhook(MISSING).id == given["id"]
