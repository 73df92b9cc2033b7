"""The keys of the command line's JSON: those of the REST API, and nothing comes or goes unnoticed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwebhook.server.api.openapi import document
from tests.acceptance.processes import Server
from tests.acceptance.receiver import Receiver
from tests.api.client import Client, Json, unique
from tests.builders import APP_CREATED, SECRET

WEBHOOK = {
    "id", "name", "url", "description", "eventTypes", "filter", "headers", "encryptedHeaders", "enabled", "level",
    "ownerId", "checkCertificateRevocation", "enableCloudEventDelivery", "origin", "secretKeyAdded", "createdAt",
    "createdByUserId", "updatedAt", "updatedByUserId", "disabledReason", "disabledReasonCode", "qwebhook",
}  # fmt: skip
DELIVERY = {
    "id", "webhookId", "eventType", "status", "statusMessage", "triggeredAt", "request", "response", "qwebhook",
}  # fmt: skip
REQUEST = {"url", "headers", "body"}
RESPONSE = {"statusCode", "headers", "body"}
ATTEMPT = {"number", "startedAt", "duration", "outcome", "reason", "request", "firstByte", "response"}
EVENT_TYPE = {"name", "title", "description", "category", "levels"}
TOKEN = {"id", "name", "role", "createdAt"}
INBOUND = {"id", "name", "secrets", "createdAt", "createdByUserId"}
REPLAYED = {"webhookId", "matching", "delivered", "pending", "enqueued"}
PREVIEW = {"webhookId", "matches", "method", "url", "headers", "body"}
FIRED = {
    "webhookId", "name", "url", "eventType", "eventId", "ok", "reason", "firstByte", "duration", "response",
}  # fmt: skip
FIGURES = {"version", "webhooks", "events", "pending", "deliveries", "attempts", "tokens", "inbounds"}


class Cli:
    """Runs commands on the store of a running server, as JSON."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def __call__(self, *arguments: object, code: int = 0) -> Any:
        done = self.server.home.run(
            *arguments, "--store", self.server.path, "-o", "json", environ={"QWEBHOOK_ALLOW_NETWORK": "loopback"}
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def one(self, *arguments: object) -> Json:
        """The first of a list that is printed."""
        first: Json = self(*arguments)[0]
        return first


@pytest.fixture(scope="module")
def cli(server: Server) -> Cli:
    return Cli(server)


@pytest.fixture(scope="module")
def delivered(admin: Client, receiver: Receiver) -> tuple[Json, Json]:
    """A webhook with a secret, and a delivery that has succeeded."""
    made = admin.made(url=receiver.url("/keys"), enabled=True, secret=SECRET, eventTypes=[APP_CREATED])
    return made, admin.delivered(made)[0]


@pytest.mark.parametrize(
    ("schema", "keys"),
    [
        ("Webhook", WEBHOOK),
        ("Delivery", DELIVERY),
        ("DeliveryRequest", REQUEST),
        ("DeliveryResponse", RESPONSE),
        ("Attempt", ATTEMPT),
        ("Token", TOKEN | {"userId", "lastUsedAt"}),
        ("Inbound", INBOUND),
        ("EventType", EVENT_TYPE),
        ("Replayed", REPLAYED | {"ranges"}),
    ],
)
def test_the_rest_api_calls_them_the_same(schema: str, keys: set[str]) -> None:
    assert set(document()["components"]["schemas"][schema]["properties"]) == keys


def test_list(cli: Cli, delivered: tuple[Json, Json]) -> None:
    assert set(cli.one("list", "--name", delivered[0]["name"])) == WEBHOOK


def test_get_shows_what_the_rest_api_shows(cli: Cli, admin: Client, delivered: tuple[Json, Json]) -> None:
    assert cli("get", delivered[0]["id"]) == admin.now(delivered[0]["id"])


def test_deliveries_are_those_of_the_rest_api(cli: Cli, admin: Client, delivered: tuple[Json, Json]) -> None:
    webhook = delivered[0]["id"]
    assert cli("deliveries", webhook) == admin.deliveries(webhook).json()["data"]


def test_delivery(cli: Cli, delivered: tuple[Json, Json]) -> None:
    webhook, delivery = delivered
    shown = cli("delivery", webhook["id"], delivery["id"])
    assert set(shown) == DELIVERY | {"attempts"}
    assert {name: shown[name] for name in DELIVERY} == delivery
    (attempt,) = shown["attempts"]
    assert set(attempt) == ATTEMPT
    assert (set(attempt["request"]), set(attempt["response"])) == (REQUEST, RESPONSE)


def test_token_list(cli: Cli) -> None:
    plain, owned = unique("keys"), unique("keys")
    assert set(cli("token", "create", plain, "--role", "publisher")) == TOKEN | {"token"}
    cli("token", "create", owned, "--role", "user", "--user-id", "ann")
    listed = {one["name"]: set(one) for one in cli("token", "list")}
    assert (listed[plain], listed[owned]) == (TOKEN, TOKEN | {"userId"})
    assert set(cli.one("token", "revoke", plain, "--yes")) == TOKEN


def test_inbound_list(cli: Cli) -> None:
    name = unique("keys")
    assert set(cli("inbound", "add", name, "--secret", "generate")) == INBOUND | {"secret"}
    assert [set(one) for one in cli("inbound", "list") if one["name"] == name] == [INBOUND]
    assert set(cli.one("inbound", "remove", name, "--yes")) == INBOUND


def test_event_types(cli: Cli) -> None:
    assert set(cli.one("event-types")) == EVENT_TYPE | {"source"}
    assert set(cli.one("event-types", APP_CREATED)) == {"name", "type", "required", "description"}


def test_resend(cli: Cli, delivered: tuple[Json, Json]) -> None:
    again = cli.one("resend", delivered[0]["id"], delivered[1]["id"])
    assert set(again) == DELIVERY
    assert again["status"] == "success"


def test_replay(cli: Cli, delivered: tuple[Json, Json]) -> None:
    for option in ("--dry-run", "--all"):
        assert set(cli.one("replay", delivered[0]["id"], "--since", "1h", option)) == REPLAYED | {"name"}
    waited = cli.one("replay", delivered[0]["id"], "--since", "1h", "--all", "--wait", "10s")
    assert set(waited) == REPLAYED | {"name", "outcome"}
    assert set(waited["outcome"]) == {"pending", "succeeded", "failed"}


def test_preview(cli: Cli, delivered: tuple[Json, Json]) -> None:
    assert set(cli("preview", delivered[0]["id"])) == PREVIEW


def test_store_check(cli: Cli) -> None:
    checked = cli("store", "check")
    assert set(checked) == {"store", "figures", "problems"}
    assert set(checked["figures"]) == FIGURES


def test_rotate_secret(cli: Cli, admin: Client) -> None:
    made = admin.made(secret=SECRET)
    assert set(cli("rotate-secret", made["id"])) == WEBHOOK | {"secret", "bothSignUntil"}


def test_test_fire(cli: Cli, delivered: tuple[Json, Json]) -> None:
    fired = cli.one("test-fire", delivered[0]["id"])
    assert set(fired) == FIRED
    assert set(fired["response"]) == RESPONSE
    assert set(cli.one("test-fire", delivered[0]["id"], "--dry-run")) == PREVIEW
    by_server = cli.one("test-fire", delivered[0]["id"], "--via", "serve")
    assert set(by_server) == FIRED
