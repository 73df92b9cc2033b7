"""A replay through a server that ends before its end: the client goes, or the server is stopped."""

from __future__ import annotations

import json
import signal
import socket
from urllib.parse import urlsplit

from qwebhook.model.event import read_event
from qwebhook.model.webhook import Webhook
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Server, until
from tests.builders import cloud_event_body

EVENTS = 20_000


def with_a_past(server: Server) -> Webhook:
    """A disabled webhook for which many events have come."""
    webhook = server.create_webhook(enabled=False)
    journal = server.store.open_journal()
    events = [read_event(cloud_event_body(id=f"e{number}")) for number in range(EVENTS)]
    for start in range(0, EVENTS, 1000):
        journal.write(events[start : start + 1000], [], 1_795_536_000_000)
    journal.close()
    return webhook


def ask(server: Server, webhook: Webhook) -> socket.socket:
    """Ask for the replay of all of it, without waiting for the answer."""
    body = json.dumps({"webhookId": webhook.id, "since": "2020-01-01T00:00:00Z"})
    address = urlsplit(server.url)
    connection = socket.create_connection((str(address.hostname), int(address.port or 0)))
    head = (
        f"POST /api/qwebhook/v1/replays HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {server.token('admin')}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    connection.sendall(head.encode())
    return connection


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
