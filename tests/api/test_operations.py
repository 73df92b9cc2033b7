"""The ten operations under both prefixes: where they are, how they succeed, and how they fail."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.acceptance.processes import Server
from tests.acceptance.receiver import Receiver
from tests.api.client import CORE, PREFIXES, V1, Client, Json, body, empty, error, names, read, unique

UNKNOWN = "01a20eae-3f12-7188-8000-000000000001"
# Method and path of each; `{id}` and `{deliveryId}` stand for a webhook and one of its deliveries.
OPERATIONS = {
    "list": ("GET", "/webhooks"),
    "create": ("POST", "/webhooks"),
    "event types": ("GET", "/webhooks/event-types"),
    "get": ("GET", "/webhooks/{id}"),
    "update": ("PUT", "/webhooks/{id}"),
    "patch": ("PATCH", "/webhooks/{id}"),
    "delete": ("DELETE", "/webhooks/{id}"),
    "list deliveries": ("GET", "/webhooks/{id}/deliveries"),
    "get delivery": ("GET", "/webhooks/{id}/deliveries/{deliveryId}"),
    "resend": ("POST", "/webhooks/{id}/deliveries/{deliveryId}/actions/resend"),
}
OF_ONE = [name for name, (_, path) in OPERATIONS.items() if "{id}" in path]
OF_A_DELIVERY = [name for name, (_, path) in OPERATIONS.items() if "{deliveryId}" in path]
BODIES: dict[str, Any] = {
    "create": body(),
    "update": body(),
    "patch": [{"op": "replace", "path": "/description", "value": "changed"}],
}


def ask(client: Client, name: str, webhook: str = UNKNOWN, delivery: str = UNKNOWN) -> httpx.Response:
    """One of the operations, with a body that is right."""
    method, path = OPERATIONS[name]
    return client.request(method, path.replace("{id}", webhook).replace("{deliveryId}", delivery), BODIES.get(name))


@pytest.fixture(scope="module")
def delivered(admin: Client, receiver: Receiver) -> tuple[Json, Json]:
    """A webhook with a delivery on record."""
    webhook = admin.made(url=receiver.url("/operations"), enabled=True)
    return webhook, admin.delivered(webhook)[0]


# Success


def test_list(either: Client) -> None:
    made = either.made()
    page = read(either.webhooks(name=made["name"]))
    assert set(page) == {"data", "links"}
    assert page["data"] == [made]


def test_create_answers_with_the_webhook(either: Client) -> None:
    made = read(either.create(body()), 201)
    assert either.now(made["id"]) == made


def test_event_types(either: Client) -> None:
    answer = read(either.event_types())
    assert set(answer) == {"data"}
    for one in answer["data"]:
        assert set(one) == {"name", "title", "description", "category", "levels"}
        assert all(isinstance(one[field], str) and one[field] for field in ("name", "title", "category"))
        assert set(one["levels"]) <= {"tenant", "user"}
        assert one["levels"]


def test_get(either: Client) -> None:
    made = either.made()
    assert read(either.get(made["id"])) == made


def test_update_answers_with_the_webhook(either: Client) -> None:
    made = either.made()
    replaced = read(either.put(made["id"], body(name="replaced", eventTypes=made["eventTypes"])))
    assert (replaced["id"], replaced["name"]) == (made["id"], "replaced")
    assert either.now(made["id"]) == replaced


def test_patch_answers_without_a_body(either: Client) -> None:
    made = either.made()
    empty(either.patch(made["id"], ("replace", "/name", "patched")))
    assert either.now(made["id"])["name"] == "patched"


def test_a_patch_may_have_its_own_content_type(either: Client) -> None:
    made = either.made()
    headers = {"Content-Type": "application/json-patch+json"}
    operations = b'[{"op":"replace","path":"/name","value":"patched"}]'
    empty(either.request("PATCH", f"/webhooks/{made['id']}", operations, headers=headers))
    assert either.now(made["id"])["name"] == "patched"


def test_delete(either: Client) -> None:
    made = either.made()
    empty(either.delete(made["id"]))
    error(either.get(made["id"]), 404)
    assert read(either.webhooks(name=made["name"]))["data"] == []
    error(either.delete(made["id"]), 404)


def test_list_deliveries(either: Client, delivered: tuple[Json, Json]) -> None:
    webhook, delivery = delivered
    page = read(either.deliveries(webhook["id"]))
    assert set(page) == {"data", "links"}
    assert delivery in page["data"]


def test_get_delivery(either: Client, delivered: tuple[Json, Json]) -> None:
    webhook, delivery = delivered
    assert read(either.delivery(webhook["id"], delivery["id"])) == delivery


def test_resend_makes_a_delivery(either: Client, delivered: tuple[Json, Json]) -> None:
    webhook, delivery = delivered
    again = read(either.resend(webhook["id"], delivery["id"]), 201)
    assert again["id"] != delivery["id"]
    assert again["webhookId"] == webhook["id"]
    assert read(either.delivery(webhook["id"], again["id"])) == again


@pytest.mark.parametrize(("maker", "reader"), [(V1, CORE), (CORE, V1)])
def test_both_prefixes_are_the_same_service(server: Server, maker: str, reader: str) -> None:
    token = server.token("admin")
    made = Client(server, token, maker).made()
    assert Client(server, token, reader).now(made["id"]) == made


# Failure


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_without_a_token(server: Server, prefix: str, name: str) -> None:
    response = ask(Client(server, None, prefix), name)
    error(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("authorization", ["Bearer", "Bearer wrong", "Basic YTpi", "wrong"])
def test_with_something_that_is_no_token(server: Server, authorization: str, name: str) -> None:
    client = Client(server, None)
    client.headers = {"Authorization": authorization}
    error(ask(client, name), 401)


@pytest.mark.parametrize("name", OF_ONE)
@pytest.mark.parametrize("identifier", [UNKNOWN, "unknown", "%00", "é", "'; --", "a" * 300])
def test_a_webhook_that_is_not_there(either: Client, name: str, identifier: str) -> None:
    error(ask(either, name, identifier), 404)


@pytest.mark.parametrize("name", OF_A_DELIVERY)
def test_an_unknown_delivery_is_404(either: Client, name: str, delivered: tuple[Json, Json]) -> None:
    error(ask(either, name, delivered[0]["id"]), 404)
    error(ask(either, name, delivered[0]["id"], "unknown"), 404)


@pytest.mark.parametrize("name", OF_A_DELIVERY)
def test_the_delivery_of_another_webhook_is_404(either: Client, name: str, delivered: tuple[Json, Json]) -> None:
    error(ask(either, name, either.made()["id"], delivered[1]["id"]), 404)


def test_a_webhook_is_found_by_its_id_alone(either: Client) -> None:
    made = either.made()
    error(either.get(made["name"]), 404)
    error(either.get(made["id"][:-1]), 404)


@pytest.mark.parametrize("name", ["create", "update", "patch"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"null", b'"text"', b"1", b"[1]", b"[[]]", b"{} {}"])
def test_a_body_that_cannot_be_read(either: Client, name: str, content: bytes) -> None:
    method, path = OPERATIONS[name]
    identifier = either.made()["id"]
    headers = {"Content-Type": "application/json"}
    error(either.request(method, path.replace("{id}", identifier), content, headers=headers), 400)


def test_deep_nesting_is_refused(either: Client) -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    error(either.request("POST", "/webhooks", nested, headers={"Content-Type": "application/json"}), 400)


def test_a_body_over_the_limit_is_refused(either: Client) -> None:
    error(either.create(body(description="x" * (1 << 20))), 413)


@pytest.mark.parametrize("name", ["list", "list deliveries"])
@pytest.mark.parametrize(
    "text",
    ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1.5", "sort=id", "sort=-", "next=x", "prev=%00"],
)
def test_a_parameter_that_cannot_be_used(either: Client, name: str, text: str, delivered: tuple[Json, Json]) -> None:
    _, path = OPERATIONS[name]
    found = error(either.request("GET", f"{path.replace('{id}', delivered[0]['id'])}?{text}"), 400)
    assert names(found, text.partition("=")[0]) or "cursor" in found["title"]


@pytest.mark.parametrize("text", ["enabled=maybe", "level=space", "origins=cli", "origins=api,cli"])
def test_a_filter_of_the_list_that_cannot_be_used(either: Client, text: str) -> None:
    error(either.request("GET", f"/webhooks?{text}"), 400)


def test_a_status_that_there_is_not(either: Client, delivered: tuple[Json, Json]) -> None:
    error(either.deliveries(delivered[0]["id"], status="pending"), 400)


# Elsewhere


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/users/me",
        "/api/v1/tenants/me",
        "/api/v1/webhooks/",
        "/api/v1/webhook",
        "/api/v2/webhooks",
        "/api/core/webhooks/a/b",
        "/api/v1/webhooks/a/deliveries/b/actions/delete",
        "/api/qwebhook/v2/info",
        "/api/qwebhook/v1/nothing",
        "/v1/webhooks",
        "/favicon.ico",
        "/oauth/token",
    ],
)
def test_anything_unknown_is_a_404_without_a_token(server: Server, path: str) -> None:
    error(server.client.get(path), 404)
    error(server.client.post(path, content=b"{}"), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/webhooks", {"GET", "POST"}),
        ("DELETE", "/webhooks", {"GET", "POST"}),
        ("POST", "/webhooks/{id}", {"GET", "PUT", "PATCH", "DELETE"}),
        ("POST", "/webhooks/{id}/deliveries", {"GET"}),
        ("DELETE", "/webhooks/{id}/deliveries/{deliveryId}", {"GET"}),
        ("GET", "/webhooks/{id}/deliveries/{deliveryId}/actions/resend", {"POST"}),
    ],
)
def test_a_method_that_a_path_does_not_take(either: Client, method: str, path: str, allowed: set[str]) -> None:
    response = either.request(method, path.replace("{id}", UNKNOWN).replace("{deliveryId}", UNKNOWN), {})
    error(response, 405)
    assert {one.strip() for one in response.headers["allow"].split(",")} - {"HEAD", "OPTIONS"} == allowed


def test_trace_ids_differ(either: Client) -> None:
    first, second = (either.get(UNKNOWN).json()["traceId"] for _ in range(2))
    assert first != second


def test_the_code_of_an_error_is_stable(either: Client) -> None:
    """The same mistake, the same code; another one, another."""
    unknown = error(either.get(UNKNOWN), 404)["code"]
    assert error(either.get("unknown"), 404)["code"] == unknown
    assert error(either.create({"name": unique()}), 400)["code"] != unknown
