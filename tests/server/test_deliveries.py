"""The history over HTTP, and what sends by hand: resends, test-fires, replays."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from qwebhook.server.api.by_hand import OF_A_USER, Slots
from qwebhook.server.responses import TooManyRequests
from qwebhook.store.contract import Token
from tests.acceptance.processes import Server, until
from tests.acceptance.receiver import Answer, Receiver, free_port
from tests.builders import SECRET, USER, cloud_event_body
from tests.server.asking import CORE, OWN, UNKNOWN, V1, Asking, change, right, unique, wrong
from tests.server.conftest import Serve


def publish(server: Server, webhook: dict[str, Any], **members: Any) -> str:
    """Hand the server an event that the webhook wants; its id."""
    identifier = unique()
    server.publish(cloud_event_body(id=identifier, type=webhook["eventTypes"][0], **members))
    return identifier


def recorded(asking: Asking, webhook: dict[str, Any], count: int = 1) -> list[dict[str, Any]]:
    """The webhook's deliveries, the latest first, once there are so many."""
    path = f"{CORE}/webhooks/{webhook['id']}/deliveries?limit=100"

    def found() -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = right(asking.get(path))["data"]
        return data if len(data) >= count else []

    return until(found, f"{count} deliveries on record")


@pytest.fixture
def webhook(admin: Asking, receiver: Receiver) -> dict[str, Any]:
    """An enabled webhook whose target is a path of its own, named like its event type."""
    event_type = unique()
    return admin.made(url=receiver.url(f"/{event_type}"), eventTypes=[event_type], enabled=True)


def path_of(webhook: dict[str, Any]) -> str:
    return f"/{webhook['eventTypes'][0]}"


# History


@pytest.mark.parametrize("prefix", [CORE, V1])
def test_deliveries_are_listed(server: Server, admin: Asking, webhook: dict[str, Any], prefix: str) -> None:
    publish(server, webhook)
    recorded(admin, webhook)
    publish(server, webhook)
    both = recorded(admin, webhook, 2)
    path = f"{prefix}/webhooks/{webhook['id']}/deliveries"
    assert right(admin.get(path))["data"] == both
    assert right(admin.get(f"{path}?sort=triggeredAt"))["data"] == both[::-1]
    assert right(admin.get(f"{path}?status=success&eventType={webhook['eventTypes'][0]}"))["data"] == both
    assert right(admin.get(f"{path}?status=fail"))["data"] == []
    assert right(admin.get(f"{path}/{both[0]['id']}")) == both[0]
    wrong(admin.get(f"{path}?sort=id"), 400, "sort")
    wrong(admin.get(f"{path}/{UNKNOWN}"), 404)
    wrong(admin.get(f"{prefix}/webhooks/{UNKNOWN}/deliveries"), 404)


def test_deliveries_of_all_webhooks(server: Server, admin: Asking, webhook: dict[str, Any]) -> None:
    publish(server, webhook)
    (delivery,) = recorded(admin, webhook)
    assert delivery in right(admin.get(f"{OWN}/deliveries?eventType={webhook['eventTypes'][0]}"))["data"]


def test_attempts_are_listed(server: Server, admin: Asking, webhook: dict[str, Any]) -> None:
    publish(server, webhook)
    (delivery,) = recorded(admin, webhook)
    path = f"{OWN}/webhooks/{webhook['id']}/deliveries/{delivery['id']}/attempts"
    (attempt,) = right(admin.get(path))["data"]
    assert (attempt["number"], attempt["outcome"]) == (1, "delivered")
    assert attempt["response"]["statusCode"] == 200
    wrong(admin.get(path.replace(delivery["id"], UNKNOWN)), 404)


def test_a_user_sees_the_deliveries_of_its_own_webhooks(server: Server, user: Asking, other: Asking) -> None:
    webhook = user.made(enabled=True, url="https://receiver.invalid/hook")
    publish(server, webhook, userid=USER)
    (delivery,) = recorded(user, webhook)
    path = f"{CORE}/webhooks/{webhook['id']}/deliveries"
    for below in ("", f"/{delivery['id']}"):
        right(user.get(path + below))
        wrong(other.get(path + below), 404)
    wrong(other.get(f"{OWN}/webhooks/{webhook['id']}/deliveries/{delivery['id']}/attempts"), 404)
    resend = f"{path}/{delivery['id']}/actions/resend"
    wrong(other.post(resend), 404)
    assert right(user.post(resend), 201)["status"] == "fail"


def test_what_came_before_a_webhook_was_given_to_a_user_is_not_for_them(
    server: Server, admin: Asking, user: Asking, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    receiver.answers(path_of(webhook), Answer(), Answer(503), Answer())
    publish(server, webhook, userid="stranger", ownerid="stranger")
    (before,) = recorded(admin, webhook)
    publish(server, webhook, userid="stranger", ownerid="stranger")
    until(lambda: recorded(admin, webhook, 2)[0]["qwebhook"]["state"] == "retrying", "one waits for its retry")
    path, own = f"{CORE}/webhooks/{webhook['id']}", f"{OWN}/webhooks/{webhook['id']}"
    right(admin.patch(path, change("/level", "user"), change("/ownerId", USER)), 204)

    assert right(user.get(f"{path}/deliveries"))["data"] == []
    wrong(user.get(f"{path}/deliveries/{before['id']}"), 404)
    wrong(user.get(f"{own}/deliveries/{before['id']}/attempts"), 404)
    wrong(user.post(f"{path}/deliveries/{before['id']}/actions/resend"), 404)
    question = {"replays": [{"webhookId": webhook["id"], "ranges": [[0, 2**63 - 1]]}]}
    assert right(user.post(f"{OWN}/replays/outcome", question)) == {"pending": 0, "succeeded": 0, "failed": 0}
    (replay,) = right(user.post(f"{OWN}/replays", {"webhookId": webhook["id"], "since": "2020-01-01T00:00:00Z"}))[
        "data"
    ]
    assert replay["matching"] == 0
    assert right(user.post(f"{own}/discard")) == {"discarded": 0}  # the retry was not theirs, either

    publish(server, webhook, userid=USER)
    (after,) = recorded(user, webhook)
    right(user.get(f"{path}/deliveries/{after['id']}"))
    assert recorded(admin, webhook, 3)[0] == after
    assert recorded(admin, webhook, 3)[1]["qwebhook"]["state"] == "cancelled"
    assert len(receiver.at(path_of(webhook))) == 3


# Sending again


@pytest.mark.parametrize("prefix", [CORE, V1])
def test_a_delivery_is_sent_again_as_the_webhook_is_now(
    server: Server, admin: Asking, receiver: Receiver, webhook: dict[str, Any], prefix: str
) -> None:
    publish(server, webhook)
    (delivery,) = recorded(admin, webhook)
    elsewhere = f"{path_of(webhook)}/elsewhere"
    changes = [change("/url", receiver.url(elsewhere)), change("/secret", SECRET), change("/headers", {"X-New": "1"})]
    right(admin.patch(f"{CORE}/webhooks/{webhook['id']}", *changes), 204)
    again = right(admin.post(f"{prefix}/webhooks/{webhook['id']}/deliveries/{delivery['id']}/actions/resend"), 201)
    (first,), (second,) = receiver.wait_for(1, path_of(webhook)), receiver.wait_for(1, elsewhere)
    assert second.body == first.body
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert second.headers["x-new"] == "1"
    assert "qlik-signature" in second.headers
    assert (again["status"], again["request"]["url"]) == ("success", receiver.url(elsewhere))
    assert again["id"] != delivery["id"]
    assert again in recorded(admin, webhook, 2)


def test_a_resend_that_fails_is_answered_like_one_that_succeeds(
    server: Server, admin: Asking, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    publish(server, webhook)
    (delivery,) = recorded(admin, webhook)
    path = f"{CORE}/webhooks/{webhook['id']}/deliveries/{delivery['id']}/actions/resend"
    receiver.answers(path_of(webhook), Answer(500))
    again = right(admin.post(path), 201)
    assert (again["status"], again["response"]["statusCode"]) == ("fail", 500)
    right(admin.patch(f"{CORE}/webhooks/{webhook['id']}", change("/url", f"http://127.0.0.1:{free_port()}/")), 204)
    again = right(admin.post(path), 201)
    assert (again["status"], again["response"]) == ("fail", None)
    wrong(admin.post(path.replace(delivery["id"], UNKNOWN)), 404)


# Test-fires


def test_a_sample_is_fired(admin: Asking, receiver: Receiver, webhook: dict[str, Any]) -> None:
    fired = right(admin.post(f"{OWN}/webhooks/{webhook['id']}/test-fire"), 201)
    (request,) = receiver.wait_for(1, path_of(webhook))
    assert request.headers["qwebhook-test"] == "true"
    assert (fired["status"], fired["qwebhook"]["test"]) == ("success", True)
    assert fired["eventType"] == webhook["eventTypes"][0]
    assert right(admin.get(f"{CORE}/webhooks/{webhook['id']}/deliveries/{fired['id']}")) == fired


def test_what_is_fired_can_be_chosen(admin: Asking, receiver: Receiver, webhook: dict[str, Any]) -> None:
    path = f"{OWN}/webhooks/{webhook['id']}/test-fire"
    chosen = {"eventType": "com.qlik.v1.app.deleted", "data": {"id": "a"}, "set": ["data.name=Sales"]}
    right(admin.post(path, chosen), 201)
    whole = {"specversion": "1.0", "id": "test-7", "source": "here", "type": "any.type", "data": [1]}
    right(admin.post(path, {"event": whole}), 201)
    right(admin.post(path, {"event": whole | {"id": "7"}}), 201)
    sent = [msg.body for msg in receiver.wait_for(3, path_of(webhook))]
    assert b'"data":{"id":"a","name":"Sales"}' in sent[0]
    assert b'"type":"com.qlik.v1.app.deleted"' in sent[0]
    assert b'"id":"test-7"' in sent[1]
    assert b'"id":"test-' in sent[2]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"eventType": "two words"}, "eventType"),
        ({"event": {"id": "1"}}, "event"),
        ({"event": {"specversion": "1.0"}, "data": 1}, "event"),
        ({"event": {"specversion": "1.0", "id": "1"}}, "type"),
        ({"set": ["nothing"]}, "PATH=VALUE"),
        ({"type": "x"}, "type"),
        ([], "body"),
    ],
    ids=str,
)
def test_what_cannot_be_fired(admin: Asking, webhook: dict[str, Any], body: Any, word: str) -> None:
    wrong(admin.post(f"{OWN}/webhooks/{webhook['id']}/test-fire", body), 400, word)


def test_a_user_fires_at_its_own(user: Asking, other: Asking) -> None:
    webhook = user.made(url="https://receiver.invalid/hook")
    path = f"{OWN}/webhooks/{webhook['id']}/test-fire"
    wrong(other.post(path), 404)
    fired = right(user.post(path), 201)
    assert fired["status"] == "fail"
    assert f'"userid":"{USER}"' in fired["request"]["body"]


@pytest.mark.parametrize(
    "body",
    [
        {"data": {}},
        {"data": None},
        {"eventType": "$(reboot)"},
        {"set": ["data.name=rm -rf ."]},
        {"event": {"specversion": "1.0", "id": "1"}},
    ],
    ids=str,
)
def test_what_a_user_fires_at_another_target_is_a_sample(admin: Asking, user: Asking, body: dict[str, Any]) -> None:
    """As with a template: what a command reads is for the administrator to say who has made the webhook."""
    webhook = admin.made(url="exec:/bin/sh -s", level="user", ownerId=USER, eventTypes=["com.qlik.v1.app.created"])
    path = f"{OWN}/webhooks/{webhook['id']}/test-fire"
    wrong(user.post(path, body), 403, "https:")
    right(user.post(path), 201)
    right(admin.post(path, {"data": {"id": "a"}}), 201)


# Changes and events


def test_the_very_next_event_sees_a_change(server: Server, admin: Asking, receiver: Receiver) -> None:
    for _ in range(20):
        event_type = unique()
        webhook = admin.made(url=receiver.url(f"/{event_type}"), eventTypes=[event_type], enabled=True)
        first = publish(server, webhook)
        right(admin.patch(f"{CORE}/webhooks/{webhook['id']}", change("/enabled", False)), 204)
        publish(server, webhook)
        right(admin.patch(f"{CORE}/webhooks/{webhook['id']}", change("/enabled", True)), 204)
        last = publish(server, webhook)
        sent = [request.body.decode() for request in receiver.wait_for(2, f"/{event_type}")]
        assert [first in sent[0], last in sent[1], len(sent)] == [True, True, 2]


# Holding and dropping


def test_what_is_pending_is_held_resumed_and_dropped(
    server: Server, admin: Asking, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    path, own = f"{CORE}/webhooks/{webhook['id']}", f"{OWN}/webhooks/{webhook['id']}"
    receiver.answers(path_of(webhook), Answer(503), Answer())
    publish(server, webhook)
    assert recorded(admin, webhook)[0]["qwebhook"]["state"] == "retrying"
    right(admin.patch(path, change("/enabled", False)), 204)
    publish(server, webhook)
    assert right(admin.post(f"{own}/discard")) == {"discarded": 1}
    assert right(admin.post(f"{own}/discard")) == {"discarded": 0}
    (delivery,) = recorded(admin, webhook)
    assert delivery["qwebhook"]["state"] == "cancelled"
    right(admin.patch(path, change("/enabled", True)), 204)
    publish(server, webhook)
    assert len(recorded(admin, webhook, 2)) == 2


def test_a_user_and_all_together_have_so_many_slots_for_what_is_sent_by_hand() -> None:
    slots = Slots(in_all=5, of_a_user=2)
    mine = Token(id="t1", name="mine", role="user", user_id="u1", created_at="")
    again = Token(id="t2", name="mine too", role="user", user_id="u1", created_at="")
    admin = Token(id="t3", name="admin", role="admin", user_id=None, created_at="")
    with slots.one(mine), slots.one(again):
        with pytest.raises(TooManyRequests, match="2 of yours"), slots.one(mine):
            pass
        three = slots.one(admin), slots.one(admin), slots.one(admin)
        with three[0], three[1], three[2], pytest.raises(TooManyRequests, match="5 are being sent"), slots.one(admin):
            pass
        with slots.one(admin):
            pass
    with slots.one(mine):
        pass


def test_too_many_by_hand_are_told_to_come_back(serve: Serve, receiver: Receiver) -> None:
    server = serve()
    user = Asking(server, server.token("user"))
    released = threading.Event()
    path = f"/{unique()}"
    receiver.answers(path, Answer(after=released))
    # As an administrator may make it for a user.
    webhook = server.create_webhook(url=receiver.url(path), level="user", owner_id=USER)
    fire = f"{OWN}/webhooks/{webhook.id}/test-fire"
    with ThreadPoolExecutor(OF_A_USER) as pool:
        fired = [pool.submit(user.post, fire, {}) for _ in range(OF_A_USER)]
        try:
            until(lambda: len(receiver.at(path)) == OF_A_USER, "all are under way")
            answer = user.post(fire, {})
            wrong(answer, 429, "10 of yours")
            assert answer.headers["Retry-After"] == "1"
        finally:
            released.set()
        assert [right(one.result(), 201)["status"] for one in fired] == ["success"] * OF_A_USER
    right(user.post(fire, {}), 201)


# Replays


def test_past_events_are_delivered_again(
    server: Server, admin: Asking, receiver: Receiver, webhook: dict[str, Any]
) -> None:
    right(admin.patch(f"{CORE}/webhooks/{webhook['id']}", change("/enabled", False)), 204)
    missed = [publish(server, webhook) for _ in range(3)]
    right(admin.patch(f"{CORE}/webhooks/{webhook['id']}", change("/enabled", True)), 204)
    body = {"webhookId": webhook["id"], "since": webhook["createdAt"]}

    (dry,) = right(admin.post(f"{OWN}/replays", body | {"dryRun": True}))["data"]
    assert (dry["webhookId"], dry["matching"], dry["enqueued"], dry["ranges"]) == (webhook["id"], 3, 3, [])
    assert receiver.at(path_of(webhook)) == []

    (done,) = right(admin.post(f"{OWN}/replays", body))["data"]
    assert (done["matching"], done["delivered"], done["pending"], done["enqueued"]) == (3, 0, 0, 3)
    sent = receiver.wait_for(3, path_of(webhook))
    # They start in order; over several connections, they need not come in order.
    bodies = b"".join(request.body for request in sent)
    assert [bodies.count(b'"%s"' % identifier.encode()) for identifier in missed] == [1, 1, 1]

    question = {"replays": [{"webhookId": webhook["id"], "ranges": done["ranges"]}]}

    def settled() -> Any:
        found = right(admin.post(f"{OWN}/replays/outcome", question))
        return found if found["pending"] == 0 else None

    assert until(settled, "the replay's end") == {"pending": 0, "succeeded": 3, "failed": 0}
    (again,) = right(admin.post(f"{OWN}/replays", body))["data"]
    assert (again["delivered"], again["enqueued"]) == (3, 0)
    (again,) = right(admin.post(f"{OWN}/replays", body | {"all": True, "until": webhook["createdAt"]}))["data"]
    assert again["matching"] == 0


def test_a_replay_of_a_user_is_of_its_own_webhooks(server: Server, user: Asking, other: Asking) -> None:
    mine, theirs = user.made(enabled=True), other.made(enabled=True)
    body = {"since": mine["createdAt"], "dryRun": True}
    listed = [one["webhookId"] for one in right(user.post(f"{OWN}/replays", body))["data"]]
    assert mine["id"] in listed
    assert theirs["id"] not in listed
    wrong(user.post(f"{OWN}/replays", body | {"webhookId": theirs["id"]}), 404)
    question = {"replays": [{"webhookId": theirs["id"], "ranges": [[1, 2]]}]}
    wrong(user.post(f"{OWN}/replays/outcome", question), 404)


@pytest.mark.parametrize(
    ("below", "body", "word"),
    [
        ("replays", {}, "since"),
        ("replays", {"since": "yesterday"}, "yesterday"),
        ("replays", {"since": "2026-11-24T16:00:00Z", "until": "x"}, "'x'"),
        ("replays", {"since": "2026-11-24T16:00:00Z", "webhook": "x"}, "webhook"),
        ("replays/outcome", {}, "replays"),
        ("replays/outcome", {"replays": [{"webhookId": UNKNOWN, "ranges": [[-1, 2]]}]}, "ranges"),
        ("replays/outcome", {"replays": [{"webhookId": UNKNOWN, "ranges": [[1]]}]}, "ranges"),
        ("replays/outcome", {"replays": [{"webhookId": UNKNOWN, "ranges": [[0, 9], [0, 9]]}]}, "ranges"),
        ("replays/outcome", {"replays": [{"webhookId": UNKNOWN, "ranges": [[5, 9], [1, 5]]}]}, "ranges"),
        ("replays/outcome", {"replays": [{"webhookId": UNKNOWN, "ranges": [[1, 5], [5, 9]]}]}, "ranges"),
        ("replays/outcome", {"replays": [{"webhookId": UNKNOWN, "ranges": [[9, 5]]}]}, "ranges"),
    ],
    ids=str,
)
def test_what_is_no_replay(admin: Asking, below: str, body: Any, word: str) -> None:
    wrong(admin.post(f"{OWN}/{below}", body), 400, word)


def test_a_replay_to_a_webhook_that_is_not_there(admin: Asking) -> None:
    wrong(admin.post(f"{OWN}/replays", {"since": "2026-11-24T16:00:00Z", "webhookId": UNKNOWN}), 404)
