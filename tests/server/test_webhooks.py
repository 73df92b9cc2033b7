"""The operations on webhooks: what they make, change and refuse, and whose they are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.receiver import Receiver
from tests.builders import SECRET, STANDARD_SECRET, USER, cloud_event_body
from tests.server.asking import CORE, OWN, UNKNOWN, V1, Asking, change, draft, right, unique, wrong
from tests.server.conftest import Serve

EVERY_FIELD: dict[str, Any] = {
    "name": "all of it",
    "url": "https://receiver.example.com/all",
    "description": "everything",
    "eventTypes": ["com.qlik.v1.app.created"],
    "filter": 'spaceId eq "s1"',
    "headers": {"X-Plain": "1"},
    "encryptedHeaders": {"X-Sealed": "2"},
    "secret": SECRET,
    "enabled": True,
    "level": "user",
    "ownerId": "ann",
    "checkCertificateRevocation": True,
    "enableCloudEventDelivery": True,
    "qwebhook": {"ordering": "strict"},
}


@pytest.fixture(params=[CORE, V1])
def webhooks(request: pytest.FixtureRequest) -> str:
    """The path of webhooks under each prefix."""
    return f"{request.param}/webhooks"


# Making


def test_a_webhook_with_the_least(admin: Asking, webhooks: str) -> None:
    made = right(admin.post(webhooks, draft()), 201)
    assert made["enabled"] is False
    assert (made["level"], made["origin"], made["ownerId"]) == ("tenant", "api", None)
    assert made["createdByUserId"] == made["updatedByUserId"] == "token:test-admin"
    assert made["secretKeyAdded"] is False
    assert right(admin.get(f"{webhooks}/{made['id']}")) == made


def test_a_webhook_without_event_types_gets_nothing(
    server: Server, admin: Asking, receiver: Receiver, webhooks: str
) -> None:
    path = f"/{unique()}"
    made = right(admin.post(webhooks, draft(eventTypes=None, url=receiver.url(path), enabled=True)), 201)
    assert made["eventTypes"] == []
    event_type = unique()
    other = admin.made(eventTypes=[event_type], url=receiver.url(f"{path}/other"), enabled=True)
    server.publish(cloud_event_body(id=unique(), type=event_type))
    receiver.wait_for(1, f"{path}/other")
    assert right(admin.get(f"{webhooks}/{made['id']}/deliveries"))["data"] == []
    # To be named by whoever wants one.
    fire = f"{OWN}/webhooks/{made['id']}/test-fire"
    wrong(admin.post(fire, {}), 400, "eventType")
    assert right(admin.post(fire, {"eventType": event_type}), 201)["status"] == "success"
    right(admin.patch(f"{webhooks}/{other['id']}", change("/eventTypes", [])), 204)
    assert admin.now(other["id"])["eventTypes"] == []


def test_a_webhook_with_every_field(admin: Asking, webhooks: str) -> None:
    made = right(admin.post(webhooks, EVERY_FIELD | {"origin": "automations"}), 201)
    expected = EVERY_FIELD | {"origin": "automations", "encryptedHeaders": ["X-Sealed"], "secretKeyAdded": True}
    del expected["secret"]
    assert expected.items() <= made.items()
    assert "secret" not in made


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"name": None}, "name"),
        ({"url": None}, "url"),
        ({"name": ""}, "name"),
        ({"url": "ftp://receiver.example.com/"}, "url"),
        ({"filter": "id like 1"}, "filter"),
        ({"secret": "short"}, "secret"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers"),
        ({"headers": {"X-A": 1}}, "headers"),
        ({"enabled": "yes"}, "enabled"),
        ({"colour": "red"}, "colour"),
        ({"qwebhook": {"colour": "red"}}, "qwebhook.colour"),
        ({"id": UNKNOWN}, "id"),
        ({"createdAt": "2026-11-24T16:00:00.000Z"}, "createdAt"),
        ({"level": "user"}, "ownerId"),
        ({"description": "x" * 5000}, "description"),
    ],
    ids=str,
)
def test_a_body_that_cannot_be_used(admin: Asking, fields: dict[str, Any], word: str) -> None:
    error = wrong(admin.post(f"{CORE}/webhooks", draft(**fields)), 400, word)
    assert error["code"] in ("QWH-INVALID-WEBHOOK", "QWH-INVALID-FILTER")


def test_no_answer_shows_a_secret(admin: Asking, server: Server) -> None:
    hidden = "value-that-nobody-should-see"
    body = draft(encryptedHeaders={"X-Sealed": hidden}, secret=SECRET)
    made = right(admin.post(f"{CORE}/webhooks", body), 201)
    path = f"{CORE}/webhooks/{made['id']}"
    answers = [
        admin.get(path).text,
        admin.get(f"{CORE}/webhooks?limit=100").text,
        admin.post(f"{CORE}/webhooks", body | {"encryptedHeaders": {"bad name": hidden}}).text,
        admin.post(f"{CORE}/webhooks", body | {"secret": SECRET + "\n"}).text,
        admin.patch(path, change("/encryptedHeaders/X-Sealed", hidden + "\n")).text,
    ]
    assert not any(hidden in answer or SECRET in answer for answer in answers)
    assert not any(hidden in line or SECRET in line for line in server.lines)


def test_a_user_makes_webhooks_of_its_own(user: Asking, other: Asking, webhooks: str) -> None:
    made = right(user.post(webhooks, draft()), 201)
    assert (made["level"], made["ownerId"], made["createdByUserId"]) == ("user", USER, USER)
    wrong(other.get(f"{webhooks}/{made['id']}"), 404)
    wrong(user.post(webhooks, draft(level="tenant")), 403, "level")
    wrong(user.post(webhooks, draft(level="user", ownerId="user-two")), 403, "ownerId")
    wrong(user.post(webhooks, draft(url="http://receiver.example.com/")), 400, "url")


def test_as_many_as_one_may_have(serve: Serve) -> None:
    server = serve("--webhook-limit", "2")
    admin = Asking(server, server.token("admin"))
    user = Asking(server, server.token("user"))
    first = user.made()
    user.made()
    assert wrong(user.post(f"{CORE}/webhooks", draft()), 403)["code"] == "QWH-QUOTA"
    admin.made()
    right(user.delete(f"{CORE}/webhooks/{first['id']}"), 204)
    user.made()


# Finding


def test_a_list_is_filtered(admin: Asking, webhooks: str) -> None:
    event_type = unique()
    mine = [
        admin.made(name=f"{event_type}-{number}", eventTypes=[event_type], enabled=number == 1) for number in range(3)
    ]

    def names(**filters: Any) -> list[str]:
        page = right(admin.get(webhooks, params={"eventTypes": event_type, **filters}))
        return [one["name"].rpartition("-")[2] for one in page["data"]]

    assert names() == ["2", "1", "0"]
    assert names(sort="+name") == names(sort="name") == ["0", "1", "2"]
    assert names(enabled="true") == ["1"]
    assert names(name=mine[2]["name"].upper()) == ["2"]
    assert names(level="user") == []
    assert names(origins="api,automations") == ["2", "1", "0"]
    assert names(createdByUserId="token:test-admin", updatedByUserId="token:test-admin") == ["2", "1", "0"]
    assert names(ownerId="nobody") == []


def test_a_list_of_a_user_is_confined(user: Asking, other: Asking, admin: Asking) -> None:
    mine, theirs = user.made(), other.made()
    admin.made(level="user", ownerId=USER, name="given")
    path = f"{CORE}/webhooks?limit=100"
    found = right(user.get(path))["data"]
    assert mine["id"] in [one["id"] for one in found]
    assert "given" in [one["name"] for one in found]
    assert {(one["level"], one["ownerId"]) for one in found} == {("user", USER)}
    for text in ("level=tenant", "ownerId=user-two", "ownerId=", "level=tenant&limit=1"):
        assert right(user.get(f"{CORE}/webhooks?{text}"))["data"] == []
    assert theirs["id"] in [one["id"] for one in right(admin.get(path + "&ownerId=user-two"))["data"]]


def test_a_reference_finds_a_webhook(admin: Asking, user: Asking, other: Asking) -> None:
    name = unique()
    made = user.made(name=name)

    def found(asking: Asking, reference: str) -> Any:
        return asking.get(f"{OWN}/webhooks/find", params={"reference": reference})

    for asking in (admin, user):
        assert right(found(asking, made["id"])) == made
        assert right(found(asking, name)) == made
        assert right(found(asking, made["id"][:-1])) == made
        wrong(found(asking, unique()), 404)
        wrong(found(asking, ""), 404)
        wrong(asking.get(f"{OWN}/webhooks/find"), 400, "reference")
    wrong(found(other, made["id"]), 404)
    wrong(found(other, name), 404)


def test_an_ambiguous_reference(admin: Asking, user: Asking, other: Asking) -> None:
    name = unique()
    first, _ = user.made(name=name), other.made(name=name)
    path = f"{OWN}/webhooks/find?reference={name}"
    wrong(admin.get(path), 409)
    assert right(user.get(path)) == first, "what others have makes nothing ambiguous"
    user.made(name=name)
    wrong(user.get(path), 409)


def test_event_types(admin: Asking, user: Asking, webhooks: str) -> None:
    listed = right(user.get(f"{webhooks}/event-types"))["data"]
    assert right(admin.get(f"{webhooks}/event-types"))["data"] == listed
    assert {tuple(one) for one in listed} == {("name", "title", "description", "category", "levels")}
    assert "com.qlik.v1.app.created" in [one["name"] for one in listed]


# Changing


def test_a_replacement_clears_what_it_leaves_out(admin: Asking, webhooks: str) -> None:
    made = right(admin.post(webhooks, EVERY_FIELD), 201)
    given = {"name": "less", "url": made["url"], "eventTypes": ["com.qlik.v1.app.deleted"]}
    replaced = right(admin.put(f"{webhooks}/{made['id']}", given))
    assert given.items() <= replaced.items()
    assert replaced["enabled"] is False
    assert replaced["secretKeyAdded"] is False
    assert (replaced["description"], replaced["filter"]) == ("", "")
    assert (replaced["headers"], replaced["encryptedHeaders"]) == ({}, [])
    assert (replaced["level"], replaced["ownerId"]) == ("user", "ann")
    assert replaced["createdAt"] == made["createdAt"]
    assert right(admin.get(f"{webhooks}/{made['id']}")) == replaced


@pytest.mark.parametrize(
    "field",
    [
        "id",
        "createdAt",
        "createdByUserId",
        "updatedAt",
        "updatedByUserId",
        "disabledReason",
        "disabledReasonCode",
        "secretKeyAdded",
        "origin",
    ],
)
def test_a_replacement_with_a_read_only_field(admin: Asking, webhooks: str, field: str) -> None:
    made = admin.made()
    wrong(admin.put(f"{webhooks}/{made['id']}", draft() | {field: made[field]}), 409, field)
    assert admin.now(made["id"]) == made


def test_what_was_read_cannot_be_put_back(admin: Asking, webhooks: str) -> None:
    made = admin.made(encryptedHeaders={"X-Sealed": "1"})
    wrong(admin.put(f"{webhooks}/{made['id']}", made), 409, "createdAt", "origin")


def test_a_replacement_of_a_user(user: Asking, other: Asking, webhooks: str) -> None:
    made = user.made()
    path = f"{webhooks}/{made['id']}"
    wrong(user.put(path, draft(level="tenant")), 403, "level")
    wrong(user.put(path, draft(ownerId="user-two")), 403, "ownerId")
    wrong(user.put(path, draft(url="http://receiver.example.com/")), 400, "url")
    wrong(other.put(path, draft()), 404)
    assert right(user.put(path, draft(name="mine")))["name"] == "mine"


def test_a_patch_is_taken_whole_or_not_at_all(admin: Asking, webhooks: str) -> None:
    made = admin.made()
    path = f"{webhooks}/{made['id']}"
    answer = admin.patch(path, change("/name", "changed"), change("/description", "new", "add"))
    assert (answer.status_code, answer.content) == (204, b"")
    changed = admin.now(made["id"])
    assert (changed["name"], changed["description"]) == ("changed", "new")
    wrong(admin.patch(path, change("/name", "again"), change("/url", "nowhere")), 400, "url")
    assert admin.now(made["id"]) == changed


@pytest.mark.parametrize(
    ("path", "value"),
    [("/filter", ""), ("/level", "tenant"), ("/ownerId", "ann"), ("/headers/X-A", "1"), ("/encryptedHeaders/X-A", "1")],
)
def test_what_only_the_newer_prefix_can_patch(admin: Asking, path: str, value: str) -> None:
    made = admin.made()
    wrong(admin.patch(f"{V1}/webhooks/{made['id']}", change(path, value, "add")), 400, path, "operation 1")
    right(admin.patch(f"{CORE}/webhooks/{made['id']}", change(path, value, "add")), 204)


@pytest.mark.parametrize("path", ["/id", "/createdAt", "/origin", "/nothing", "/name/x", "name", "", "/headers/a/b"])
def test_what_no_patch_can_change(admin: Asking, webhooks: str, path: str) -> None:
    made = admin.made()
    wrong(admin.patch(f"{webhooks}/{made['id']}", change(path, "x", "add")), 400)


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "replace", "path": "/name", "value": "x"},
        [{"op": "move", "path": "/name", "from": "/url"}],
        [{"op": "replace", "path": "/name"}],
        [{"op": "remove", "path": "/description", "value": "x"}],
        [{"path": "/name", "value": "x"}],
        ["x"],
        "x",
    ],
    ids=str,
)
def test_what_is_no_patch(admin: Asking, webhooks: str, operations: Any) -> None:
    made = admin.made()
    error = wrong(admin.ask("PATCH", f"{webhooks}/{made['id']}", operations), 400)
    assert error["code"] == "QWH-INVALID-PATCH"


def test_qwebhooks_own_settings_are_patched_under_both(admin: Asking, webhooks: str) -> None:
    made = admin.made()
    right(admin.patch(f"{webhooks}/{made['id']}", change("/qwebhook", {"ordering": "strict"})), 204)
    assert admin.now(made["id"])["qwebhook"] == {"ordering": "strict"}


def test_a_new_url_wants_the_encrypted_headers_again(admin: Asking, webhooks: str) -> None:
    made = admin.made(encryptedHeaders={"X-Sealed": "1"})
    path, url = f"{webhooks}/{made['id']}", "https://elsewhere.example.com/"
    wrong(admin.patch(path, change("/url", url)), 400, "encryptedHeaders")
    right(admin.patch(path, change("/url", url), change("/encryptedHeaders", {"X-Sealed": "2"})), 204)
    assert admin.now(made["id"])["url"] == url


def test_cloud_events_cannot_be_turned_off_again(admin: Asking, webhooks: str) -> None:
    made = admin.made(enableCloudEventDelivery=True)
    wrong(admin.patch(f"{webhooks}/{made['id']}", change("/enableCloudEventDelivery", False)), 403)


def test_a_patch_of_a_user(user: Asking, other: Asking, admin: Asking) -> None:
    made = user.made()
    path = f"{CORE}/webhooks/{made['id']}"
    wrong(user.patch(path, change("/level", "tenant")), 403, "level")
    wrong(user.patch(path, change("/ownerId", "user-two")), 403, "ownerId")
    wrong(user.patch(path, change("/url", "http://receiver.example.com/")), 400, "url")
    wrong(other.patch(path, change("/name", "theirs")), 404)
    right(user.patch(path, change("/name", "mine")), 204)
    right(admin.patch(path, change("/ownerId", "user-two")), 204)
    wrong(user.get(path), 404)
    assert right(other.get(path))["name"] == "mine"


def test_a_webhook_is_deleted_once(user: Asking, other: Asking, webhooks: str) -> None:
    made = user.made()
    path = f"{webhooks}/{made['id']}"
    wrong(other.delete(path), 404)
    answer = user.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    wrong(user.delete(path), 404)
    wrong(user.get(path), 404)


def test_a_secret_is_rotated(admin: Asking, user: Asking, other: Asking) -> None:
    made = user.made(secret=SECRET)
    path = f"{OWN}/webhooks/{made['id']}/rotate-secret"
    rotated = right(user.post(path))
    assert rotated["secret"].startswith("whsec_")
    assert rotated["webhook"]["secretKeyAdded"] is True
    assert right(admin.post(path, {"secret": STANDARD_SECRET, "graceSeconds": 0}))["secret"] == STANDARD_SECRET
    wrong(user.post(path, {"secret": "short"}), 400, "secret")
    wrong(user.post(path, {"secret": ""}), 400, "secret")
    wrong(user.post(path, {"graceSeconds": -1}), 400, "graceSeconds")
    wrong(user.post(path, {"grace": 1}), 400, "grace")
    wrong(other.post(path), 404)
