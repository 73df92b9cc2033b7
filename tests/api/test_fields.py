"""The fields of a webhook: what is written, what is read back, and what only the server writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.processes import Server
from tests.api.client import Client, body, error, names, read, unique
from tests.builders import SECRET, STANDARD_SECRET

READ_ONLY = {
    "id": "01a20eae-3f12-7188-8000-000000000001",
    "createdAt": "2026-11-24T16:00:00.000Z",
    "createdByUserId": "someone",
    "updatedAt": "2026-11-24T16:00:00.000Z",
    "updatedByUserId": "someone",
    "disabledReason": "because",
    "disabledReasonCode": "failing",
    "secretKeyAdded": True,
    "origin": "api",
}
WRITTEN = {
    "name", "url", "description", "eventTypes", "filter", "headers", "encryptedHeaders", "enabled", "level", "ownerId",
    "checkCertificateRevocation", "enableCloudEventDelivery",
}  # fmt: skip
OMITTED = "kept-apart-from-everything"


def test_a_webhook_has_the_services_fields_and_our_own(either: Client) -> None:
    made = either.made()
    assert set(made) == WRITTEN | set(READ_ONLY) | {"qwebhook"}
    assert set(read(either.get(made["id"]))) == set(made)


def test_defaults(either: Client) -> None:
    made = either.made()
    assert made["enabled"] is False, "unlike the command line, the API makes what is disabled"
    assert made["description"] == made["filter"] == ""
    assert (made["headers"], made["encryptedHeaders"]) == ({}, [])
    assert made["checkCertificateRevocation"] is made["enableCloudEventDelivery"] is made["secretKeyAdded"] is False
    assert made["origin"] == "api"
    assert made["disabledReason"] is made["disabledReasonCode"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Reports, nightly"),
        ("url", "https://hooks.example.com:8443/a?b=c"),
        ("description", "what it is for\nand why"),
        ("eventTypes", ["com.qlik.v1.app.created", "com.example.anything"]),
        ("filter", 'id eq "a1" or spaceId ne "s1"'),
        ("headers", {"X-One": "1", "X-Two": "2"}),
        ("enabled", True),
        ("level", "tenant"),
        ("checkCertificateRevocation", True),
        ("enableCloudEventDelivery", True),
        ("origin", "api"),
        ("origin", "automations"),
        ("origin", "management-console"),
    ],
)
def test_what_is_written_on_create_is_read_back(either: Client, field: str, value: Any) -> None:
    made = either.made(**{field: value})
    assert made[field] == value
    assert either.now(made["id"])[field] == value


def test_level_user_and_its_owner(either: Client) -> None:
    made = either.made(level="user", ownerId="ann")
    assert (made["level"], made["ownerId"]) == ("user", "ann")


def test_the_secret_is_written_and_never_read(either: Client) -> None:
    made = read(either.create(body(secret=SECRET)), 201)
    assert made["secretKeyAdded"] is True
    assert "secret" not in made
    for answer in (either.create(body(secret=SECRET)), either.get(made["id"]), either.webhooks(name=made["name"])):
        assert SECRET not in answer.text


def test_of_encrypted_headers_only_the_names_are_read(either: Client) -> None:
    response = either.create(body(encryptedHeaders={"X-B": OMITTED, "X-A": OMITTED}))
    made = read(response, 201)
    assert sorted(made["encryptedHeaders"]) == ["X-A", "X-B"]
    for answer in (response, either.get(made["id"]), either.webhooks(name=made["name"])):
        assert OMITTED not in answer.text


@pytest.mark.parametrize("field", sorted(READ_ONLY.keys() - {"origin"}))
def test_create_refuses_what_only_the_server_writes(either: Client, field: str) -> None:
    assert names(error(either.create(body(**{field: READ_ONLY[field]})), 400), field)


@pytest.mark.parametrize("field", sorted(READ_ONLY))
def test_update_answers_409_to_what_only_the_server_writes(either: Client, field: str) -> None:
    made = either.made()
    for value in (READ_ONLY[field], made[field]):
        assert names(error(either.put(made["id"], body(**{field: value}) | {field: value}), 409), field)
    assert either.now(made["id"]) == made


@pytest.mark.parametrize("field", sorted(READ_ONLY))
def test_patch_refuses_what_only_the_server_writes(either: Client, field: str) -> None:
    made = either.made()
    assert names(error(either.patch(made["id"], ("replace", f"/{field}", READ_ONLY[field])), 400), field)
    assert either.now(made["id"]) == made


@pytest.mark.parametrize("field", ["target", "Name", "event_types", "qwebhook.ordering", ""])
def test_unknown_fields_are_refused_by_name(either: Client, field: str) -> None:
    made = either.made()
    assert names(error(either.create(body() | {field: "x"}), 400), field)
    assert names(error(either.put(made["id"], body() | {field: "x"}), 400), field)
    assert names(error(either.patch(made["id"], ("replace", f"/{field}", "x")), 400), field)


@pytest.mark.parametrize("field", ["name", "url"])
def test_name_and_url_are_required(either: Client, field: str) -> None:
    made = either.made()
    for value in (None, ""):
        assert names(error(either.create(body(**{field: value})), 400), field)
        assert names(error(either.put(made["id"], body(**{field: value})), 400), field)
    assert names(error(either.create(body() | {field: None}), 400), field)
    assert names(error(either.patch(made["id"], ("remove", f"/{field}")), 400), field)
    assert names(error(either.patch(made["id"], ("replace", f"/{field}", "")), 400), field)
    assert either.now(made["id"]) == made


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 1),
        ("name", ["a"]),
        ("url", {}),
        ("description", 1),
        ("eventTypes", "com.qlik.v1.app.created"),
        ("eventTypes", [1]),
        ("eventTypes", ["not a type"]),
        ("eventTypes", ["com.example.a", "com.example.a"]),
        ("filter", 1),
        ("headers", ["X-A"]),
        ("headers", {"X-A": 1}),
        ("encryptedHeaders", ["X-A"]),
        ("encryptedHeaders", {"X-A": None}),
        ("secret", 1),
        ("enabled", "true"),
        ("enabled", 1),
        ("level", "space"),
        ("ownerId", 1),
        ("checkCertificateRevocation", "no"),
        ("enableCloudEventDelivery", 0),
        ("origin", "command-line"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_the_field(either: Client, field: str, value: Any) -> None:
    name = unique()
    assert names(error(either.create(body(name=name) | {field: value}), 400), field)
    assert read(either.webhooks(name=name))["data"] == []


def test_who_and_when(server: Server, admin: Client) -> None:
    ann = Client(server, server.store.create_token(unique(), "user", "who-ann")[1])
    before = datetime.now(UTC)
    made = ann.made(level="user")
    assert made["createdByUserId"] == made["updatedByUserId"] == "who-ann"
    assert made["ownerId"] == "who-ann"
    assert made["createdAt"] == made["updatedAt"]
    assert made["createdAt"].endswith("Z")
    assert timedelta(seconds=-1) < datetime.fromisoformat(made["createdAt"]) - before < timedelta(seconds=10)
    patched = admin.patched(made["id"], ("replace", "/description", "changed"))
    assert patched["createdByUserId"] == "who-ann"
    assert patched["updatedByUserId"] not in ("who-ann", "")
    assert patched["createdAt"] == made["createdAt"]
    assert patched["updatedAt"] > made["updatedAt"]


def test_what_is_written_by_patch_is_read_back(admin: Client) -> None:
    made = admin.made(eventTypes=["com.qlik.v1.app.created"])
    values = {
        "name": unique(),
        "description": "changed",
        "url": "https://elsewhere.example.com/",
        "eventTypes": ["com.qlik.v1.app.deleted"],
        "headers": {"X-A": "1"},
        "enabled": True,
        "enableCloudEventDelivery": True,
        "filter": 'id eq "a1"',
        "ownerId": "bob",
        "level": "user",
    }
    patched = admin.patched(made["id"], *(("replace", f"/{name}", value) for name, value in values.items()))
    assert {name: patched[name] for name in values} == values
    with_secret = admin.patched(
        made["id"], ("add", "/secret", STANDARD_SECRET), ("add", "/encryptedHeaders", {"X-B": OMITTED})
    )
    assert with_secret["secretKeyAdded"] is True
    assert with_secret["encryptedHeaders"] == ["X-B"]
