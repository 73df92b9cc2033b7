"""What is delivered, what is recorded of it, and what a resend sends."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from qwebhook import __version__
from qwebhook.model import catalogue
from tests.acceptance.processes import Server, until
from tests.acceptance.receiver import Answer, Received, Receiver
from tests.api.client import Client, Json, error, read, unique
from tests.builders import (
    RELOAD_FINISHED,
    SECRET,
    cloud_event_body,
    compact,
    hybrid_event_body,
    legacy_event,
    legacy_event_body,
)

OMITTED = "**OMITTED**"
SEALED = "kept-apart-from-everything"
APP_FIELDS = {
    "id", "name", "description", "owner", "ownerId", "spaceId", "published", "publishTime", "createdDate",
    "modifiedDate", "lastReloadTime", "originAppId", "hasSectionAccess", "isDirectQueryMode", "resourceType",
    "thumbnail", "dynamicColor", "size", "custom", "usage", "createdByAction",
}  # fmt: skip
USER_FIELDS = {
    "id", "name", "email", "subject", "status", "groups", "assignedRoles", "assignedGroups", "locale", "zoneinfo",
    "picture", "tenantId", "createdAt", "lastUpdatedAt", "inviteExpiry", "preferredLocale", "preferredZoneinfo",
}  # fmt: skip
FIELDS = {
    **dict.fromkeys(
        (f"com.qlik.v1.app.{name}" for name in ("created", "deleted", "published", "exported", "data.updated")),
        APP_FIELDS,
    ),
    RELOAD_FINISHED: {
        "name", "reloadId", "status", "duration", "endTime", "errors", "warnings", "statements", "rowLimit", "size",
        "peakMemoryBytes", "isSkipStore", "isSessionApp", "isPartialReload", "isDirectQueryMode",
        "endedWithMemoryConstraint",
    },
    "com.qlik.v1.reload.finished": {
        "id", "appId", "userId", "succeeded", "type", "status", "taskId", "errorCode", "errorMessage", "startTime",
        "creationTime", "lastReloadTime", "durationSeconds", "partial", "weight", "enginePoolName", "requeueCounters",
    },
    "com.qlik.v1.user.created": USER_FIELDS,
    "com.qlik.v1.user.deleted": USER_FIELDS,
}  # fmt: skip
UT, T = {"user", "tenant"}, {"tenant"}
LEVELS = {
    "com.qlik.v1.app.created": UT,
    "com.qlik.v1.app.exported": UT,
    "com.qlik.v1.app.published": UT,
    "com.qlik.v1.app.deleted": T,
    "com.qlik.v1.app.data.updated": UT,
    "com.qlik.v1.app.reload.finished": UT,
    "com.qlik.v1.reload.finished": UT,
    "com.qlik.v1.api-key.validation.failed": T,
}
Target = Callable[..., tuple[Json, str]]


@pytest.fixture
def target(either: Client, receiver: Receiver) -> Target:
    """Makes an enabled webhook of the test's own path at the receiver: `target(secret=…)` gives it and the path."""

    def make(*answers: Answer, **fields: Any) -> tuple[Json, str]:
        path = f"/{unique('delivered')}"
        receiver.answers(path, *answers)
        return either.made(**({"url": receiver.url(path), "enabled": True} | fields)), path

    return make


def came(receiver: Receiver, path: str, count: int = 1) -> Received:
    """The last of so many requests."""
    return receiver.wait_for(count, path)[count - 1]


# The catalogue


@pytest.mark.parametrize("name", LEVELS)
def test_documented_types_and_their_levels(either: Client, name: str) -> None:
    (listed,) = (one for one in read(either.event_types())["data"] if one["name"] == name)
    assert set(listed["levels"]) == LEVELS[name]


@pytest.mark.parametrize("name", ["com.qlik.v1.user.created", "com.qlik.v1.user.deleted"])
def test_types_whose_level_is_not_documented(either: Client, name: str) -> None:
    assert name in {one["name"] for one in read(either.event_types())["data"]}


@pytest.mark.parametrize("name", FIELDS)
def test_the_fields_of_data(name: str) -> None:
    assert set(catalogue.schema(name)["properties"]["data"]["properties"]) >= FIELDS[name]


# The request


def test_it_is_a_post_of_json(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(headers={"X-Own": "own"})
    either.delivered(webhook)
    request = came(receiver, path)
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"qwebhook/{__version__}"
    assert request.headers["x-own"] == "own"
    assert {"webhook-id", "webhook-timestamp"} <= request.headers.keys()
    assert not {"qlik-signature", "webhook-signature", "x-qlik-signature"} & request.headers.keys()


def test_the_signature_is_over_the_raw_body(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(secret=SECRET)
    spaced = f' {{"b": 1, "a": "\\u00e9", "type": "{webhook["eventTypes"][0]}", "specversion": "1.0",'
    spaced += f'"id": "{unique()}", "source": "s"}}'
    either.server.publish(spaced.encode())
    request = came(receiver, path)
    assert request.body.strip() == spaced.encode().strip()
    assert request.headers["qlik-signature"] == hmac.digest(SECRET.encode(), request.body, "sha256").hex()


@pytest.mark.parametrize("form", [cloud_event_body, legacy_event_body, hybrid_event_body])
def test_each_envelope_is_forwarded_as_it_came(
    either: Client, target: Target, receiver: Receiver, form: Callable[..., bytes]
) -> None:
    webhook, path = target()
    (kind,) = webhook["eventTypes"]
    names = {
        cloud_event_body: {"id": unique(), "type": kind},
        legacy_event_body: {"eventId": unique(), "eventType": kind},
        hybrid_event_body: {"id": (one := unique()), "eventId": one, "type": kind, "eventType": kind},
    }
    event = form(**names[form])
    either.server.publish(event)
    assert came(receiver, path).body == event


def test_legacy_becomes_cloud_events_where_asked(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(enableCloudEventDelivery=True)
    (kind,) = webhook["eventTypes"]
    legacy = legacy_event(eventId=unique(), eventType=kind)
    legacy["extensions"]["actor"] = "someone"
    either.server.publish(compact(legacy))
    event = json.loads(came(receiver, path).body)
    assert event["specversion"] == "1.0"
    mapped = {"id": "eventId", "time": "eventTime", "type": "eventType", "source": "source", "data": "data"}
    assert {name: event[name] for name in mapped} == {name: legacy[old] for name, old in mapped.items()}
    assert event["datacontenttype"] == "application/json"
    extensions = {name.lower(): value for name, value in legacy["extensions"].items()}
    assert extensions.items() <= event.items()
    assert not {"eventId", "eventType", "cloudEventsVersion", "extensions", "contentType"} & event.keys()


@pytest.mark.parametrize(
    ("subscribed", "published"),
    [("com.qlik.v1.app.exported", "com.qlik.app.exported"), ("com.qlik.app.published", "com.qlik.v1.app.published")],
)
def test_old_and_new_name_are_the_same_event(
    either: Client, target: Target, receiver: Receiver, subscribed: str, published: str
) -> None:
    app = unique("app")
    _, path = target(eventTypes=[subscribed], filter=f'topLevelResourceId eq "{app}"')
    body = cloud_event_body(id=unique(), type=published, toplevelresourceid=app)
    either.server.publish(body)
    assert came(receiver, path).body == body


def test_only_what_the_filter_lets_through(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(filter='id eq "wanted" or spaceId eq "wanted"')
    (kind,) = webhook["eventTypes"]
    fitting = [
        cloud_event_body(id=unique(), type=kind, data={"id": "wanted"}),
        legacy_event_body(eventId=unique(), eventType=kind, data={"attributes": {"id": "wanted"}}),
        cloud_event_body(id=unique(), type=kind, spaceid="wanted"),
        cloud_event_body(id=unique(), type=kind, toplevelresourceid="wanted", data=None),
    ]
    other = cloud_event_body(id=unique(), type=kind)
    either.server.publish(b"[%s]" % b",".join([other, *fitting, other.replace(b"w.", b"v.")]))
    receiver.wait_for(len(fitting), path)
    until(lambda: len(either.all(f"/webhooks/{webhook['id']}/deliveries")) == len(fitting), "what fits")
    assert sorted(one.body for one in receiver.at(path)) == sorted(fitting)


def test_the_status_of_a_reload(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(eventTypes=[RELOAD_FINISHED], filter='data.status eq "error"')
    ok, failed = (cloud_event_body(id=unique(), type=RELOAD_FINISHED, data={"status": one}) for one in ("ok", "error"))
    either.server.publish(b"[%s,%s]" % (ok, failed))
    came(receiver, path)
    until(lambda: either.all(f"/webhooks/{webhook['id']}/deliveries"), "the delivery")
    assert [one.body for one in receiver.at(path)] == [failed]


@pytest.mark.parametrize("attribute", ["userid", "ownerid"])
def test_level_user_sees_the_events_of_its_owner(
    either: Client, target: Target, receiver: Receiver, attribute: str
) -> None:
    """Someone else's are the reason why such a webhook never fires."""
    webhook, path = target(level="user", ownerId="ann")
    (kind,) = webhook["eventTypes"]
    own = cloud_event_body(id=unique(), type=kind, **{attribute: "ann"})
    other = cloud_event_body(id=unique(), type=kind)
    either.server.publish(b"[%s,%s]" % (other, own))
    came(receiver, path)
    until(lambda: either.all(f"/webhooks/{webhook['id']}/deliveries"), "the delivery")
    assert [one.body for one in receiver.at(path)] == [own]


# The record


def test_a_success(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(Answer(201, b"made", {"X-Answer": "yes"}), secret=SECRET, headers={"X-Own": "own"})
    (record,) = either.delivered(webhook)
    request = came(receiver, path)
    assert record["eventType"] == webhook["eventTypes"][0]
    assert record["status"] == "success"
    assert record["request"]["url"] == webhook["url"]
    assert record["request"]["body"] == request.body.decode()
    sent = {name.lower(): value for name, value in record["request"]["headers"].items()}
    assert sent["x-own"] == "own"
    assert sent["qlik-signature"] == request.headers["qlik-signature"]
    assert record["response"]["statusCode"] == 201
    assert record["response"]["body"] == "made"
    received = {name.lower(): value for name, value in record["response"]["headers"].items()}
    assert received["x-answer"] == "yes"
    assert record["triggeredAt"].endswith("Z")


def test_values_of_encrypted_headers_are_left_out(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(encryptedHeaders={"X-Key": SEALED}, headers={"X-Own": "own"}, secret=SECRET)
    (record,) = either.delivered(webhook)
    assert came(receiver, path).headers["x-key"] == SEALED
    again = read(either.resend(webhook["id"], record["id"]), 201)
    assert came(receiver, path, 2).headers["x-key"] == SEALED
    for one in (record, again):
        assert (one["request"]["headers"]["X-Key"], one["request"]["headers"]["X-Own"]) == (OMITTED, "own")
        shown = either.delivery(webhook["id"], one["id"]).text + either.deliveries(webhook["id"]).text
        assert OMITTED in shown
        assert SEALED not in shown
        assert SECRET not in shown


def test_a_failure(either: Client, target: Target) -> None:
    webhook, _ = target(Answer(503, b"closed"))
    (record,) = either.delivered(webhook)
    assert record["status"] == "fail"
    assert "503" in record["statusMessage"]
    assert (record["response"]["statusCode"], record["response"]["body"]) == (503, "closed")


def test_a_redirect_fails_and_is_not_followed(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(Answer(308, headers={"Location": receiver.url("/followed")}))
    (record,) = either.delivered(webhook)
    assert record["status"] == "fail"
    assert "308" in record["statusMessage"]
    assert record["response"]["statusCode"] == 308
    again = read(either.resend(webhook["id"], record["id"]), 201)
    assert again["status"] == "fail"
    assert len(receiver.at(path)) == 2
    assert receiver.at("/followed") == []


def test_nobody_listens(either: Client, server: Server) -> None:
    webhook = either.made(url="http://127.0.0.1:1/", enabled=True)
    (record,) = either.delivered(webhook)
    assert record["status"] == "fail"
    assert record["statusMessage"]
    assert record["response"] is None


# Resend


def test_a_resend_takes_the_webhook_as_it_is_now(either: Client, target: Target, receiver: Receiver) -> None:
    webhook, path = target(headers={"X-Old": "1"}, secret=SECRET)
    (record,) = either.delivered(webhook)
    first = came(receiver, path)
    elsewhere, changed = f"/{unique('elsewhere')}", "another-secret-of-thirty-two-and-more"
    receiver.answers(elsewhere, Answer(202, b"again"))
    either.patched(
        webhook["id"],
        ("replace", "/url", receiver.url(elsewhere)),
        ("replace", "/headers", {"X-New": "2"}),
        ("replace", "/secret", changed),
    )
    again = read(either.resend(webhook["id"], record["id"]), 201)
    (second,) = receiver.at(elsewhere)  # it has come before the answer: a resend is synchronous
    assert second.body == first.body
    assert second.headers["x-new"] == "2"
    assert "x-old" not in second.headers
    assert second.headers["qlik-signature"] == hmac.digest(changed.encode(), second.body, "sha256").hex()
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert len(receiver.at(path)) == 1
    assert again["status"] == "success"
    assert again["request"]["url"] == receiver.url(elsewhere)
    assert again["request"]["body"] == record["request"]["body"]
    assert (again["response"]["statusCode"], again["response"]["body"]) == (202, "again")
    assert again["eventType"] == record["eventType"]
    assert {one["id"] for one in read(either.deliveries(webhook["id"]))["data"]} == {again["id"], record["id"]}
    assert read(either.delivery(webhook["id"], record["id"])) == record


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(410), Answer(raw=b"nonsense\r\n\r\n")], ids=["500", "410", "none"]
)
def test_a_resend_that_fails_is_answered_201(
    either: Client, target: Target, receiver: Receiver, answer: Answer
) -> None:
    webhook, path = target(Answer(), answer)
    (record,) = either.delivered(webhook)
    again = read(either.resend(webhook["id"], record["id"]), 201)
    assert again["status"] == "fail"
    assert again["id"] != record["id"]
    assert again["qwebhook"]["attempts"] == 1
    assert "nextAttemptAt" not in again["qwebhook"], "a resend is one attempt"
    assert len(receiver.at(path)) == 2


def test_a_failed_delivery_can_be_resent_and_so_can_the_resend(either: Client, target: Target) -> None:
    webhook, _ = target(Answer(500), Answer(500), Answer(200))
    (record,) = either.delivered(webhook)
    second = read(either.resend(webhook["id"], record["id"]), 201)
    third = read(either.resend(webhook["id"], second["id"]), 201)
    assert [one["status"] for one in (record, second, third)] == ["fail", "fail", "success"]
    assert len({one["id"] for one in (record, second, third)}) == 3
    assert len({one["request"]["body"] for one in (record, second, third)}) == 1


def test_a_webhook_that_is_disabled_can_still_be_resent(either: Client, target: Target, receiver: Receiver) -> None:
    """A resend is asked for by hand, and outside the queue."""
    webhook, path = target()
    (record,) = either.delivered(webhook)
    either.patched(webhook["id"], ("replace", "/enabled", False))
    assert read(either.resend(webhook["id"], record["id"]), 201)["status"] == "success"
    came(receiver, path, 2)


def test_deliveries_go_with_their_webhook(either: Client, target: Target) -> None:
    webhook, _ = target()
    (record,) = either.delivered(webhook)
    assert either.delete(webhook["id"]).status_code == 204
    error(either.deliveries(webhook["id"]), 404)
    error(either.delivery(webhook["id"], record["id"]), 404)
    error(either.resend(webhook["id"], record["id"]), 404)


def test_what_is_disabled_gets_nothing(either: Client, receiver: Receiver) -> None:
    """As made by the API, unless it says otherwise."""
    kind, path = unique("type"), f"/{unique('disabled')}"
    disabled = either.made(url=receiver.url(path), eventTypes=[kind])
    enabled = either.made(url=receiver.url(f"{path}/on"), eventTypes=[kind], enabled=True)
    either.delivered(enabled)
    assert read(either.deliveries(disabled["id"]))["data"] == []
    assert receiver.at(path) == []
