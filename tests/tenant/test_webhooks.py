"""The seven operations on webhooks themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tenant import Tenant
from tests.tenant.answers import Json
from tests.tenant.caller import OLDER_WEBHOOKS, WEBHOOKS, Caller, operation, refused

APP_CREATED = "com.qlik.v1.app.created"
RELOAD_FINISHED = "com.qlik.v1.app.reload.finished"
SECRET = "s" * 32
READ_ONLY = ("id", "createdAt", "createdByUserId", "updatedAt", "updatedByUserId", "secretKeyAdded", "origin")


@pytest.mark.parametrize("path", [WEBHOOKS, OLDER_WEBHOOKS])
def test_a_webhook_is_read_as_it_was_written_but_for_what_is_secret(admin: Caller, path: str) -> None:
    written = {
        "name": "reports",
        "url": "https://receiver.example.com:8443/hook?x=1",
        "description": "all of them",
        "eventTypes": [APP_CREATED],
        "filter": 'id eq "a1" or spaceId ne "s1" and topLevelResourceId eq "t"',
        "headers": {"X-One": "1"},
        "encryptedHeaders": {"X-Two": "2"},
        "secret": SECRET,
        "enabled": True,
        "level": "user",
        "ownerId": "anna",
        "checkCertificateRevocation": True,
        "enableCloudEventDelivery": True,
        "origin": "management-console",
    }
    response = admin.ask("POST", path, written)
    assert response.status_code == 201, response.text
    webhook = admin.get(f"{path}/{response.json()['id']}")
    assert webhook == response.json()
    del written["secret"]
    assert {name: webhook[name] for name in written} == written | {"encryptedHeaders": ["X-Two"]}
    assert webhook["secretKeyAdded"] is True
    assert set(webhook) == {*written, *READ_ONLY}
    assert admin.tenant.webhooks.secret_of(webhook["id"]) == SECRET


def test_a_new_webhook_is_disabled_unless_it_says_otherwise(admin: Caller, anna: Caller) -> None:
    webhook = admin.made()
    assert webhook["enabled"] is False
    assert (webhook["level"], webhook["origin"], webhook["secretKeyAdded"]) == ("tenant", "api", False)
    assert anna.made()["level"] == "user"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": None},
        {"name": ""},
        {"url": None},
        {"qwebhook": {}},
        {"id": "mine"},
        {"disabledReason": ""},
        {"url": "http://receiver.example.com"},
        {"url": "https://203.0.113.7/"},
        {"url": "https://0x7f.1/"},
        {"url": "https://2130706433/"},
        {"url": "https://[2001:db8::1]/"},
        {"url": "https://localhost/"},
        {"url": "https://a..example.com/"},
        {"url": "mailto:anna@example.com"},
        {"secret": "s" * 31},
        {"secret": "s" * 65},
        {"enabled": "true"},
        {"eventTypes": APP_CREATED},
        {"eventTypes": [1]},
        {"eventTypes": ["not well-formed"]},
        {"eventTypes": [APP_CREATED, APP_CREATED]},
        {"level": "space"},
        {"origin": "cli"},
        {"headers": {"X-One": 1}},
        {"headers": {"X One": "1"}},
        {"headers": {"X-One": "1\n2"}},
        {"headers": {"X-One": "1", "x-one": "2"}},
        {"headers": {"X-One": "1"}, "encryptedHeaders": {"x-one": "2"}},
        {"headers": {"X-One": "x" * 2044}},
        {"encryptedHeaders": {"X-One": "x" * 2044}},
        {"filter": "id"},
        {"filter": "id eq a1"},
        {"filter": 'name eq "a1"'},
        {"filter": 'id co "a1"'},
        {"filter": '(id eq "a1")'},
        {"filter": 'id eq "a1" xor id eq "b"'},
        {"filter": 'id eq "a1" or'},
        {"filter": 'data.status eq "ok"', "eventTypes": [APP_CREATED, RELOAD_FINISHED]},
        {"filter": 'data.status eq "fine"', "eventTypes": [RELOAD_FINISHED]},
    ],
)
def test_what_breaks_a_rule_is_refused(admin: Caller, fields: Json) -> None:
    refused(admin.create(**fields), 400)
    assert admin.get(WEBHOOKS)["data"] == []


def test_the_limits_themselves_are_taken(admin: Caller) -> None:
    for length in (32, 64):
        admin.made(secret="s" * length)
    admin.made(headers={"X-One": "x" * 2043}, encryptedHeaders={"X-Two": "x" * 2043})
    admin.made(filter='data.status eq "error"', eventTypes=[RELOAD_FINISHED])
    admin.made(eventTypes=["com.example.unknown"])


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": "a", "name": "b"}', b'{"name": null}'])
def test_a_body_must_be_one_object(admin: Caller, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {admin.key}", "Content-Type": "application/json"}
    refused(admin.client.post(admin.tenant.url + WEBHOOKS, content=body, headers=headers), 400)
    refused(admin.client.post(admin.tenant.url + WEBHOOKS, content=body, headers={**headers, "Content-Type": ""}), 400)


def test_the_quota_is_one_users(tenant: Tenant, admin: Caller, anna: Caller) -> None:
    for number in range(150):
        tenant.webhooks.add(name=f"w{number}", enabled=True)
    assert "150" in refused(admin.create(), 403)
    webhook = anna.made()
    refused(admin.create(), 403)
    assert admin.ask("DELETE", f"{WEBHOOKS}/{admin.get(WEBHOOKS, sort='createdAt')['data'][0]['id']}").content == b""
    admin.made()
    assert admin.ask("DELETE", f"{WEBHOOKS}/{webhook['id']}").status_code == 204
    refused(admin.ask("GET", f"{WEBHOOKS}/{webhook['id']}"), 404)


def test_others_than_administrators_have_their_own_only(admin: Caller, anna: Caller) -> None:
    of_admin, of_anna, given = admin.made(), anna.made(), admin.made(level="user", ownerId="anna")
    assert len(admin.get(WEBHOOKS)["data"]) == 3
    assert {one["id"] for one in anna.get(WEBHOOKS)["data"]} == {of_anna["id"], given["id"]}
    for method in ("GET", "DELETE"):
        refused(anna.ask(method, f"{WEBHOOKS}/{of_admin['id']}"), 404)
    refused(anna.ask("GET", f"{WEBHOOKS}/{of_admin['id']}/deliveries"), 404)
    refused(anna.create(level="tenant"), 403)
    refused(anna.create(ownerId="user-admin"), 403)
    refused(anna.patch(of_anna, operation("replace", "/level", "tenant")), 403)
    refused(anna.ask("GET", "/api/v1/audits"), 403)


def test_put_replaces_everything(admin: Caller) -> None:
    kept = {"name": "reports", "url": "https://receiver.example.com/hook"}
    webhook = admin.made(
        secret=SECRET, filter='id eq "a"', headers={"A": "1"}, encryptedHeaders={"B": "2"}, enabled=True
    )
    path = f"{WEBHOOKS}/{webhook['id']}"
    refused(admin.ask("PUT", path, webhook), 409)
    for name in READ_ONLY:
        assert name in refused(admin.ask("PUT", path, kept | {name: webhook[name]}), 409)
    refused(admin.ask("PUT", path, kept | {"qwebhook": {}}), 400)
    assert admin.now(webhook) == webhook

    response = admin.ask("PUT", path, kept)
    assert response.status_code == 200
    assert response.json() == admin.now(webhook)
    assert not {"filter", "headers", "encryptedHeaders"} & set(response.json())
    assert (response.json()["enabled"], response.json()["secretKeyAdded"]) == (False, False)
    assert admin.tenant.webhooks.secret_of(webhook["id"]) is None


def test_patch_changes_what_it_names_and_keeps_the_secret(admin: Caller) -> None:
    webhook = admin.made(secret=SECRET, encryptedHeaders={"B": "2"}, filter='id eq "a"')
    response = admin.patch(webhook, operation("replace", "/enabled", True), operation("add", "/description", "d"))
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers
    changed = admin.now(webhook)
    assert changed == webhook | {"enabled": True, "description": "d", "updatedAt": changed["updatedAt"]}
    assert admin.tenant.webhooks.secret_of(webhook["id"]) == SECRET
    admin.patch(webhook, operation("remove", "/secret"))
    assert admin.now(webhook)["secretKeyAdded"] is False


@pytest.mark.parametrize("path", ["/filter", "/level", "/ownerId", "/headers/A", "/encryptedHeaders/B"])
def test_the_newer_prefix_patches_more(admin: Caller, path: str) -> None:
    value = {"/filter": 'id eq "b"', "/level": "user"}.get(path, "3")
    webhook = admin.made(headers={"A": "1"}, encryptedHeaders={"B": "2"})
    refused(admin.patch(webhook, operation("replace", path, value), path=OLDER_WEBHOOKS), 400)
    assert admin.patch(webhook, operation("replace", path, value)).status_code == 204


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "replace", "path": "/enabled", "value": True},
        [{"op": "test", "path": "/enabled", "value": True}],
        [{"op": "replace", "path": "/enabled"}],
        [{"op": "replace", "path": "enabled", "value": True}],
        [{"op": "replace", "path": "/enabled", "value": "true"}],
        [{"op": "replace", "path": "/enabled", "value": True, "from": "/name"}],
        [operation("replace", "/qwebhook", {})],
        [operation("replace", "/id", "x")],
        [operation("replace", "/checkCertificateRevocation", True)],
        [operation("replace", "/name/x", "x")],
        [operation("remove", "/name")],
        [operation("remove", "/headers/Missing")],
        [operation("replace", "/url", "http://receiver.example.com")],
        [operation("replace", "/enabled", True), operation("replace", "/secret", "short")],
    ],
)
def test_what_no_patch_may_do(admin: Caller, operations: Any) -> None:
    webhook = admin.made()
    refused(admin.ask("PATCH", f"{WEBHOOKS}/{webhook['id']}", operations), 400)
    assert admin.now(webhook) == webhook


def test_a_new_url_wants_the_encrypted_headers_anew(admin: Caller) -> None:
    webhook = admin.made(encryptedHeaders={"A": "1", "B": "2"})
    moved = operation("replace", "/url", "https://other.example.com/")
    assert "A, B" in refused(admin.patch(webhook, moved), 400)
    assert "B" in refused(admin.patch(webhook, moved, operation("replace", "/encryptedHeaders/A", "3")), 400)
    assert admin.patch(webhook, operation("replace", "/url", webhook["url"])).status_code == 204
    again, without = operation("replace", "/encryptedHeaders/A", "3"), operation("remove", "/encryptedHeaders/B")
    assert admin.patch(webhook, moved, again, without).status_code == 204
    back = operation("replace", "/url", webhook["url"])
    assert admin.patch(webhook, back, operation("add", "/encryptedHeaders", {"A": "4"})).status_code == 204
    assert admin.patch(webhook, moved, operation("remove", "/encryptedHeaders")).status_code == 204


def test_cloud_events_are_never_switched_off_again(admin: Caller) -> None:
    webhook = admin.made(enableCloudEventDelivery=True)
    refused(admin.patch(webhook, operation("replace", "/enableCloudEventDelivery", False)), 403)
    body = {"name": "n", "url": webhook["url"], "enableCloudEventDelivery": False}
    refused(admin.ask("PUT", f"{WEBHOOKS}/{webhook['id']}", body), 403)


def test_one_that_was_disabled_says_why_until_it_is_enabled(tenant: Tenant, admin: Caller) -> None:
    webhook = admin.made(enabled=True)
    tenant.webhooks.disable(webhook["id"], "too many failures", "WEBHOOK-1")
    disabled = admin.now(webhook)
    told = (disabled["enabled"], disabled["disabledReason"], disabled["disabledReasonCode"])
    assert told == (False, "too many failures", "WEBHOOK-1")
    admin.patch(webhook, operation("replace", "/enabled", True))
    assert not {"disabledReason", "disabledReasonCode"} & set(admin.now(webhook))


def test_lists_filter_and_sort(admin: Caller, anna: Caller) -> None:
    first = admin.made(name="Beta", url="https://b.example.com/", eventTypes=[APP_CREATED, RELOAD_FINISHED])
    second = admin.made(name="alpha", enabled=True, eventTypes=[APP_CREATED], origin="automations")
    third = anna.made(name="gamma")
    admin.patch(third, operation("replace", "/description", "d"))

    def found(**query: object) -> list[str]:
        return [one["id"] for one in admin.get(WEBHOOKS, **query)["data"]]

    one, two, three = first["id"], second["id"], third["id"]
    assert found() == [three, two, one]
    assert found(sort="name") == [one, two, three]
    assert found(sort="+createdAt") == [one, two, three]
    assert found(sort="-url") == [three, two, one]
    assert found(name="BET") == found(url="B.EXAMPLE") == [one]
    assert found(enabled="true") == found(origins="automations") == [two]
    assert found(origins="automations,api") == [three, two, one]
    assert found(eventTypes=APP_CREATED) == [two, one]
    assert found(eventTypes=f"{APP_CREATED},{RELOAD_FINISHED}") == [one]
    assert found(level="user") == found(ownerId="anna") == found(createdByUserId="anna") == [three]
    assert found(updatedByUserId="user-admin", level="user") == [three]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "limit=1&limit=2", "offset=1", "qwebhook=1", "sort=+name", "sort=level"),
        *("enabled=yes", "level=space", "origins=cli", "next=x", "next=x&prev=y"),
    ],
)
def test_a_list_takes_only_what_is_documented(admin: Caller, query: str) -> None:
    refused(admin.ask("GET", f"{WEBHOOKS}?{query}"), 400)


def test_pages_are_linked_both_ways(tenant: Tenant, admin: Caller) -> None:
    for number in range(45):
        tenant.webhooks.add(name=f"w{number:02}")
    pages = list(admin.pages(WEBHOOKS, name="W", sort="name"))
    assert [len(page["data"]) for page in pages] == [20, 20, 5]
    assert [one["name"] for page in pages for one in page["data"]] == [f"w{number:02}" for number in range(45)]
    assert [set(page["links"]) for page in pages] == [{"self", "next"}, {"self", "next", "prev"}, {"self", "prev"}]
    back = admin.get(pages[2]["links"]["prev"]["href"])
    assert back["data"] == pages[1]["data"]
    first = admin.get(back["links"]["prev"]["href"])
    assert first["data"] == pages[0]["data"]
    assert set(first["links"]) == {"self", "next"}
    assert admin.get(first["links"]["next"]["href"])["data"] == pages[1]["data"]
    cursor = pages[0]["links"]["next"]["href"].rpartition("=")[2]
    refused(admin.ask("GET", f"{WEBHOOKS}?next={cursor}"), 400)


def test_a_page_neither_repeats_nor_misses_what_others_change(tenant: Tenant, admin: Caller) -> None:
    for _ in range(4):
        tenant.webhooks.add()
    page = admin.get(WEBHOOKS, limit=2)
    tenant.webhooks.add()
    admin.ask("DELETE", f"{WEBHOOKS}/{page['data'][1]['id']}")
    names = [one["name"] for one in admin.get(page["links"]["next"]["href"])["data"]]
    assert names == ["webhook 2", "webhook 1"]


def test_event_types_are_the_tenants(tenant: Tenant, anna: Caller) -> None:
    types = anna.get(f"{WEBHOOKS}/event-types")
    assert set(types) == {"data"}
    assert all(set(one) == {"name", "title", "description", "category", "levels"} for one in types["data"])
    tenant.webhooks.event_types.pop()
    assert len(anna.get(f"{WEBHOOKS}/event-types")["data"]) == len(types["data"]) - 1
