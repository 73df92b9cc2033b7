"""A replay through a server while something happens: the client goes, the server is stopped, a webhook is changed."""

from __future__ import annotations

import json
import signal
import socket
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from qwebhook.model.event import read_event
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Settings, Webhook
from qwebhook.store.contract import Role
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Server, until
from tests.builders import USER, cloud_event_body

EVENTS = 20_000
# Where a webhook is changed meanwhile, which must not come after the end, on however busy a machine.
MORE_EVENTS = 80_000


def with_a_past(server: Server, count: int = EVENTS, **fields: Any) -> Webhook:
    """A webhook, disabled unless the fields say otherwise, for which many events have come."""
    webhook = server.create_webhook(**{"enabled": False, **fields})
    journal = server.store.open_journal()
    events = [read_event(cloud_event_body(id=f"e{number}")) for number in range(count)]
    for start in range(0, count, 1000):
        journal.write(events[start : start + 1000], [], 1_795_536_000_000)
    journal.close()
    return webhook


def ask(server: Server, webhook: Webhook | None, role: Role = "admin") -> socket.socket:
    """Ask for the replay of all that it has, or to every enabled webhook, without waiting for the answer."""
    body = json.dumps({"webhookId": webhook.id if webhook else None, "since": "2020-01-01T00:00:00Z"})
    address = urlsplit(server.url)
    connection = socket.create_connection((str(address.hostname), int(address.port or 0)))
    head = (
        f"POST /api/qwebhook/v1/replays HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {server.token(role)}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    connection.sendall(head.encode())
    return connection


def answer_of(connection: socket.socket) -> tuple[int, Any]:
    """The status, and what the body holds."""
    with HTTPResponse(connection) as response:
        response.begin()
        return response.status, json.loads(response.read())


def test_whoever_goes_ends_the_replay_that_they_asked_for(serve: Serve) -> None:
    server = serve()
    webhook = with_a_past(server)
    with ask(server, webhook):
        until(lambda: server.pending() > 0, "the replay has begun")
    line = server.wait_log("replay ended early", reason="the client has gone", by="token:test-admin")
    assert 0 < line["enqueued"] < EVENTS
    assert server.pending() == line["enqueued"]


def test_a_server_that_stops_ends_a_replay_between_two_steps(serve: Serve) -> None:
    server = serve("--drain", "30s")
    webhook = with_a_past(server)
    with ask(server, webhook) as connection:
        until(lambda: server.pending() > 0, "the replay has begun")
        server.signal(signal.SIGTERM)
        answer = connection.recv(65536)
    assert server.wait() == 0
    assert answer.startswith(b"HTTP/1.1 503")
    line = server.wait_log("replay ended early", reason="the server is stopping")
    assert 0 < line["enqueued"] < EVENTS
    assert not [entry for entry in server.log if entry["level"] == "error"]
    assert server.wait_log("stopped")["pending"] == line["enqueued"]


def test_whoever_goes_before_their_turn_has_nothing_replayed(serve: Serve) -> None:
    server = serve()
    first, second = with_a_past(server), server.create_webhook(enabled=False)
    with ask(server, first) as connection:
        until(lambda: server.pending() > 0, "the replay has begun")
        ask(server, second).close()
        status, _ = answer_of(connection)
    assert status == 200
    assert server.wait_log("replay ended early", reason="the client has gone")["enqueued"] == 0
    assert server.pending() == EVENTS


def test_a_webhook_that_is_deleted_meanwhile_does_not_end_a_replay_to_all(serve: Serve) -> None:
    server = serve()
    webhook = with_a_past(server, qwebhook=Settings(rate_per_minute=1))
    server.store.patch_webhook(webhook.id, replacements({"enabled": True}), USER)
    deleted = server.create_webhook(event_types=["com.example.none"])
    with ask(server, None) as connection:
        until(lambda: server.pending() > 0, "the replay has begun")
        server.store.delete_webhook(deleted.id)
        status, found = answer_of(connection)
    assert status == 200
    assert (found["data"][0]["webhookId"], found["data"][0]["enqueued"]) == (webhook.id, EVENTS)


def test_a_webhook_that_is_deleted_while_it_is_replayed_leaves_nothing(serve: Serve) -> None:
    server = serve()
    webhook = with_a_past(server, MORE_EVENTS)
    with ask(server, webhook) as connection:
        until(lambda: server.pending() > 0, "the replay has begun")
        server.store.delete_webhook(webhook.id)
        status, _ = answer_of(connection)
    assert status == 404
    assert server.pending() == 0


def test_a_webhook_that_is_taken_from_a_user_is_replayed_no_further_for_them(serve: Serve) -> None:
    server = serve()
    webhook = with_a_past(server, MORE_EVENTS, level="user", owner_id=USER)
    with ask(server, webhook, "user") as connection:
        until(lambda: server.pending() > 0, "the replay has begun")
        server.store.patch_webhook(webhook.id, replacements({"level": "tenant"}), "admin")
        status, _ = answer_of(connection)
    assert status == 404
    assert 0 < server.pending() < MORE_EVENTS


def test_two_replays_of_one_webhook_put_each_event_into_the_queue_once(serve: Serve) -> None:
    server = serve()
    webhook = with_a_past(server)
    with ask(server, webhook) as one, ask(server, webhook) as another:
        answers = [answer_of(connection) for connection in (one, another)]
    assert [status for status, _ in answers] == [200, 200]
    found = sorted((done["enqueued"], done["pending"]) for _, answer in answers for done in answer["data"])
    assert found == [(0, EVENTS), (EVENTS, 0)]
    assert server.pending() == EVENTS
