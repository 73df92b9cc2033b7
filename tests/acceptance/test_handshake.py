"""The CloudEvents handshake, both ways: who may deliver here, and whether we may deliver there."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Answer, Receiver, free_port
from tests.builders import APP_CREATED, cloud_event_body

US = "events.example.com"


def ask(server: Server, origin: str | None = US, **headers: str) -> httpx.Response:
    given = {} if origin is None else {"WebHook-Request-Origin": origin}
    return server.client.options("/events", headers=given | headers)


def consent(response: httpx.Response) -> tuple[str | None, str | None]:
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["allow"] == "OPTIONS, POST"
    return response.headers.get("webhook-allowed-origin"), response.headers.get("webhook-allowed-rate")


# Who may deliver here


def test_a_sender_that_is_named_has_our_consent_and_others_have_not(serve: Serve) -> None:
    server = serve("--allowed-origin", US, "--allowed-origin", "other.example.com", "--allowed-rate", "120")
    assert consent(ask(server)) == (US, "120")
    assert consent(ask(server, "Other.Example.com")) == ("Other.Example.com", "120")
    assert consent(ask(server, **{"WebHook-Request-Rate": "60"})) == (US, "60")
    assert consent(ask(server, **{"WebHook-Request-Rate": "600"})) == (US, "120")
    assert consent(ask(server, **{"WebHook-Request-Rate": "a lot"})) == (US, "120")
    for origin in ("stranger.example.com", "*", "", None):
        assert consent(ask(server, origin)) == (None, None)


def test_any_sender_may_have_it(serve: Serve) -> None:
    server = serve("--allowed-origin", "*")
    assert consent(ask(server)) == ("*", "*")
    assert consent(ask(server, "stranger.example.com", **{"WebHook-Request-Rate": "60"})) == ("*", "60")
    assert consent(ask(server, None)) == (None, None)


def test_unless_it_was_configured_nobody_has_it(server: Server) -> None:
    assert consent(ask(server)) == (None, None)


def test_an_address_that_a_stranger_gives_is_not_connected_to(serve: Serve, receiver: Receiver) -> None:
    server = serve("--allowed-origin", "other.example.com")
    for origin in (US, "other.example.com"):
        consent(ask(server, origin, **{"WebHook-Request-Callback": receiver.url()}))
    server.create_webhook(url=receiver.url("/fence"))
    server.publish(cloud_event_body(id="fence"))
    receiver.wait_for(1, "/fence")
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--allowed-origin", "https://example.com"], "names no sender"),
        (["--allowed-origin", "*", "--allowed-rate", "0"], "is no rate"),
        (["--allowed-origin", "*", "--allowed-rate", "fast"], "is no rate"),
        (["--allowed-rate", "10"], "--allowed-origin"),
    ],
)
def test_options_that_cannot_be_meant(home: Home, options: list[str], words: str) -> None:
    done = home.run("serve", "--store", home.folder / "store.db", "--port", "0", *options)
    assert done.returncode == 2
    assert words in done.stderr


# Whether we may deliver there


def create(home: Home, url: str, *options: str, loopback: bool = True) -> tuple[int, str, Any]:
    """Make a webhook with consent; the exit code, what was said, and the webhook."""
    allowed = ["--allow-network", "loopback"] if loopback else []
    done = home.run(
        *("create", "partner", "--url", url, "--event", APP_CREATED, "--handshake", "-o", "json"),
        *("--store", home.folder / "sender.db", *allowed, *options),
    )
    return done.returncode, done.stderr, json.loads(done.stdout) if done.stdout else None


def webhooks(home: Home) -> list[Any]:
    listed = home.run("list", "-o", "json", "--store", home.folder / "sender.db")
    found: list[Any] = json.loads(listed.stdout) if listed.returncode == 0 else []
    return found


def test_our_own_server_consents_to_our_own_webhook(home: Home, serve: Serve) -> None:
    target = serve("--allowed-origin", US, "--allowed-rate", "120")
    options = ("--handshake-origin", US, "--handshake-rate", "600")
    code, said, made = create(home, f"{target.url}/events", *options)
    assert code == 0, said
    assert made["qwebhook"] == {"ratePerMinute": 120, "requestOrigin": US}
    assert f"127.0.0.1 consents to deliveries from {US}, 120 a minute at most" in said
    assert [one["id"] for one in webhooks(home)] == [made["id"]]


def test_the_name_that_was_consented_to_goes_along_with_every_delivery(
    home: Home, serve: Serve, receiver: Receiver
) -> None:
    receiver.answers("/hook", Answer(headers={"WebHook-Allowed-Origin": "*"}), Answer())
    code, said, made = create(home, receiver.url(), "--handshake-origin", US)
    assert code == 0, said
    assert made["qwebhook"] == {"requestOrigin": US}
    server = serve(store=home.folder / "sender.db")
    server.publish(cloud_event_body(id="1"))
    asked, delivered = receiver.wait_for(2)
    assert (asked.method, asked.body) == ("OPTIONS", b"")
    assert delivered.method == "POST"
    for request in (asked, delivered):
        assert request.headers["webhook-request-origin"] == US
    assert "webhook-request-rate" not in asked.headers


def test_it_is_asked_under_the_machines_name_for_the_rate_that_is_set(home: Home, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(headers={"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"}))
    code, said, made = create(home, receiver.url(), "--rate-per-minute", "30")
    assert code == 0, said
    assert made["qwebhook"] == {"ratePerMinute": 30, "requestOrigin": socket.gethostname()}
    assert receiver.received[0].headers["webhook-request-origin"] == socket.gethostname()
    assert receiver.received[0].headers["webhook-request-rate"] == "30"


def test_without_consent_no_webhook_is_made(home: Home, serve: Serve, receiver: Receiver) -> None:
    target = serve("--allowed-origin", "other.example.com")
    receiver.answers("/no", Answer(405))
    for url, words in (
        (f"{target.url}/events", "without WebHook-Allowed-Origin"),
        (receiver.url("/hook"), "without WebHook-Allowed-Origin"),
        (receiver.url("/no"), "status 405"),
        (f"http://127.0.0.1:{free_port()}/?key=hidden", "connection refused"),
    ):
        code, said, made = create(home, url, "--handshake-origin", US)
        assert (code, made) == (7, None)
        assert words in said
        assert "hidden" not in said
        assert len(said.splitlines()) == 1
    assert webhooks(home) == []


def test_addresses_are_vetted_as_for_deliveries(home: Home, receiver: Receiver) -> None:
    code, said, _ = create(home, receiver.url(), loopback=False)
    assert code == 7
    assert "--allow-network loopback" in said
    assert receiver.received == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--handshake-origin", "not a name"], "qwebhook.requestOrigin"),
        (["--handshake-rate", "0"], "qwebhook.ratePerMinute"),
        (["--filter", "nonsense"], "filter"),
    ],
)
def test_what_cannot_be_made_is_not_asked_for(home: Home, receiver: Receiver, options: list[str], words: str) -> None:
    code, said, _ = create(home, receiver.url(), *options)
    assert code == 2
    assert words in said
    assert receiver.received == []


def test_its_options_are_for_the_handshake_only(home: Home) -> None:
    made = ("create", "x", "--url", "https://example.com/", "--event", APP_CREATED)
    for options in (["--handshake-origin", US], ["--handshake-rate", "5"], ["--allow-network", "loopback"]):
        done = home.run(*made, *options, "--store", home.folder / "sender.db")
        assert done.returncode == 2
        assert "--handshake" in done.stderr


def test_a_webhook_that_is_there_already_is_not_asked_for(home: Home, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(headers={"WebHook-Allowed-Origin": "*"}))
    first = create(home, receiver.url(), "--if-not-exists")
    again = create(home, receiver.url(), "--if-not-exists")
    assert (first[0], again[0]) == (0, 0)
    assert first[2]["id"] == again[2]["id"]
    assert len(receiver.received) == 1
