"""Tokens, inbounds, figures and the log: what is for administrators."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from qwebhook.model.signature import qlik_signature
from tests.acceptance.processes import Server
from tests.builders import SECRET, STANDARD_SECRET, cloud_event_body
from tests.server.asking import CORE, OWN, UNKNOWN, Asking, change, draft, right, unique, wrong
from tests.server.conftest import Serve


def test_a_token_is_made_used_and_revoked(server: Server, admin: Asking) -> None:
    name = unique()
    made = right(admin.post(f"{OWN}/tokens", {"name": name, "role": "user", "userId": "ann"}), 201)
    ann = Asking(server, made.pop("token"))
    assert made in right(admin.get(f"{OWN}/tokens"))["data"]
    assert right(ann.get(f"{OWN}/info"))["userId"] == "ann"
    wrong(admin.post(f"{OWN}/tokens", {"name": name, "role": "admin"}), 409)
    right(admin.delete(f"{OWN}/tokens/{made['id']}"), 204)
    wrong(admin.delete(f"{OWN}/tokens/{made['id']}"), 404)
    assert made not in right(admin.get(f"{OWN}/tokens"))["data"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"role": "admin"}, "name"),
        ({"name": "x"}, "role"),
        ({"name": "x", "role": "root"}, "role"),
        ({"name": "", "role": "admin"}, "name"),
        ({"name": "x", "role": "user"}, "user"),
        ({"name": "x", "role": "admin", "token": "mine"}, "token"),
    ],
    ids=str,
)
def test_a_token_that_cannot_be_made(admin: Asking, body: Any, word: str) -> None:
    wrong(admin.post(f"{OWN}/tokens", body), 400, word)


def test_the_last_use_of_tokens_is_written_at_the_stop(serve: Serve) -> None:
    server = serve()
    server.publish(cloud_event_body())
    right(Asking(server, server.token("admin")).get(f"{OWN}/tokens"))
    server.token("metrics")
    before = server.store.version()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    used = {token.name: token.last_used_at for token in server.store.list_tokens()}
    assert used["test-publisher"] is not None
    assert used["test-admin"] is not None
    assert used["test-metrics"] is None
    assert server.store.version() == before


def test_an_inbound_lets_events_in(server: Server, admin: Asking) -> None:
    secret = SECRET + unique()[-20:]
    made = right(admin.post(f"{OWN}/inbounds", {"name": unique(), "secrets": [secret, STANDARD_SECRET]}), 201)
    assert made["secrets"] == 2
    assert made in right(admin.get(f"{OWN}/inbounds"))["data"]
    body = cloud_event_body(id=unique())
    headers = {"Content-Type": "application/json", "Qlik-Signature": qlik_signature(secret, body)}
    assert server.client.post("/events", content=body, headers=headers).status_code == 202
    wrong(admin.post(f"{OWN}/inbounds", {"name": made["name"], "secrets": [secret]}), 409)
    right(admin.delete(f"{OWN}/inbounds/{made['id']}"), 204)
    wrong(admin.delete(f"{OWN}/inbounds/{made['id']}"), 404)
    assert made not in right(admin.get(f"{OWN}/inbounds"))["data"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"name": "x"}, "secrets"),
        ({"name": "x", "secrets": []}, "secrets"),
        ({"name": "x", "secrets": ["short"]}, "secret"),
        ({"name": "x", "secret": SECRET}, "secret"),
        ({"secrets": [SECRET]}, "name"),
    ],
    ids=str,
)
def test_an_inbound_that_cannot_be_made(admin: Asking, body: Any, word: str) -> None:
    error = wrong(admin.post(f"{OWN}/inbounds", body), 400, word)
    assert SECRET not in str(error)


def test_statistics(server: Server, admin: Asking) -> None:
    made = admin.made(enabled=True)
    another = admin.made()
    figures = right(admin.get(f"{OWN}/statistics?limit=1"))
    totals = {name: value for name, value in figures.items() if name not in ("data", "links")}
    assert figures["webhooks"] >= figures["enabled"] >= 1
    found = figures["data"]
    assert len(found) == 1
    while "next" in figures["links"]:
        following = figures["links"]["next"]["href"]
        assert following.startswith(f"{server.url}{OWN}/statistics?limit=1&next=")
        figures = right(admin.get(following))
        found += figures["data"]
        assert figures.items() >= totals.items()
    assert len(found) == totals["webhooks"]
    assert [one["webhookId"] for one in found[-2:]] == [made["id"], another["id"]]
    assert (found[-1]["pending"], found[-1]["succeeded"], found[-1]["failed"]) == (0, 0, 0)
    assert found[-2] in right(admin.get(figures["links"]["prev"]["href"]))["data"]
    wrong(admin.get(f"{OWN}/statistics?limit=101"), 400, "limit")
    wrong(admin.get(f"{OWN}/statistics?next=x"), 400, "cursor")


def test_information_names_what_there_is(server: Server) -> None:
    found = right(Asking(server, None).get(f"{OWN}/info"))
    assert found["product"] == "qwebhook"
    assert found["apiPrefixes"] == ["/api/core", "/api/v1", "/api/qwebhook/v1"]
    assert {"replayEvents", "testFire", "rotateSecret"} <= set(found["capabilities"])


def test_the_log_tells_of_every_change(server: Server, admin: Asking, user: Asking) -> None:
    made = user.made(secret=SECRET)
    identifier = made["id"]
    path = f"{CORE}/webhooks/{identifier}"
    right(admin.patch(path, change("/name", "x")), 204)
    right(admin.put(path, draft()))
    right(admin.post(f"{OWN}/webhooks/{identifier}/rotate-secret"))
    right(admin.post(f"{OWN}/webhooks/{identifier}/discard"))
    wrong(admin.patch(path, change("/name", "")), 400)
    right(admin.delete(path), 204)
    assert server.wait_log("changed", id=identifier, operation="createWebhook")["by"] == "user-one"
    for operation in ("patchWebhook", "replaceWebhook", "rotateSecret", "discardPending", "deleteWebhook"):
        told = server.wait_log("changed", id=identifier, operation=operation)
        assert (told["by"], told["token"], told["level"]) == ("token:test-admin", "test-admin", "info")
    assert len([line for line in server.log if line.get("id") == identifier]) == 6
    assert not any(SECRET in line or "whsec_" in line for line in server.lines)


def test_reading_is_not_logged(server: Server, admin: Asking) -> None:
    made = admin.made()
    server.wait_log("changed", id=made["id"])
    admin.now(made["id"])
    wrong(admin.get(f"{CORE}/webhooks/{UNKNOWN}"), 404)
    other = admin.made()
    server.wait_log("changed", id=other["id"])
    assert len([line for line in server.log if line.get("id") == made["id"]]) == 1
