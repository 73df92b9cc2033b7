"""`test-fire --via serve`: the store's server sends, and keeps a record."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

import pytest

from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.lock import ServerLock
from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Answer, Receiver, free_port
from tests.acceptance.test_failing import certificate
from tests.builders import SECRET
from tests.cli.world import Cli


@pytest.fixture
def served(cli: Cli, receiver: Receiver, server: Server) -> Cli:
    """A command line with webhook `a`, which points to the receiver, and a running server."""
    cli.create("a", "--url", receiver.url(), "--secret", SECRET)
    return cli


def fire(cli: Cli, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    outcome = cli.run("test-fire", *arguments, "--via", "serve", "-o", "json")
    assert outcome.code == code, outcome
    shots: list[dict[str, Any]] = outcome.json
    return shots


def tokens(cli: Cli) -> list[str]:
    with closing(SqliteStore.open(cli.store)) as store:
        return [token.name for token in store.list_tokens()]


def test_it_is_sent_shown_and_on_record(served: Cli, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(201, body=b"thank you"))
    (shot,) = fire(served, "a")
    (direct,) = served.ok("test-fire", "a", "--allow-network", "loopback", "-o", "json").json
    assert list(shot) == list(direct)
    assert {shot[name] for name in ("ok", "reason", "name")} == {True, "status 201", "a"}
    assert shot["eventId"].startswith("test-")
    assert shot["response"]["body"] == "thank you"
    assert 0 < shot["firstByte"] <= shot["duration"]
    request = receiver.at()[0]
    assert request.headers["qwebhook-test"] == "true"
    assert "qlik-signature" in request.headers
    (record,) = served.ok("deliveries", "a", "-o", "json").json
    assert record["qwebhook"]["test"] is True
    assert record["request"]["body"].encode() == request.body
    assert tokens(served) == []


def test_the_event_is_what_the_options_say(served: Cli, receiver: Receiver) -> None:
    fire(served, "a", "--event", "com.qlik.v1.user.created", "--data", '{"name":"Ada"}', "--set", "data.age=36")
    assert b'"data":{"name":"Ada","age":36}' in receiver.at()[0].body


def test_a_failure_is_7_and_its_token_is_gone(served: Cli, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(500))
    (shot,) = fire(served, "a", code=7)
    assert (shot["ok"], shot["reason"]) == (False, "status 500")
    assert tokens(served) == []


def test_an_expected_status_decides(served: Cli, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(404))
    assert fire(served, "a", "--expect", "404")[0]["ok"] is True
    assert fire(served, "a", "--expect", "204", code=7)[0]["reason"] == "status 404, 204 was expected"


def test_all_and_several(served: Cli, receiver: Receiver) -> None:
    served.create("b", "--url", receiver.url("/b"))
    served.create("off", "--url", receiver.url("/off"), "--disabled")
    assert {shot["name"] for shot in fire(served, "--all")} == {"a", "b"}
    (volley,) = fire(served, "b", "--count", "3")
    assert (volley["count"], volley["failed"]) == (3, 0)
    assert len(receiver.at("/b")) == 4
    assert fire(served, "a", "nobody", code=5)[0]["ok"] is True


def test_the_token_of_the_environment_is_used(served: Cli) -> None:
    served.environ["QWEBHOOK_TOKEN"] = served.ok("token", "create", "own", "--role", "admin").out.strip()
    fire(served, "a")
    served.environ["QWEBHOOK_TOKEN"] = served.ok("token", "create", "less", "--role", "publisher").out.strip()
    outcome = served.run("test-fire", "a", "--via", "serve")
    assert outcome.code == 4
    assert "role publisher" in outcome.error
    assert tokens(served) == ["less", "own"]


def test_over_tls_and_at_every_address(cli: Cli, receiver: Receiver) -> None:
    """Nobody vouches for the certificate, and the server says that it listens at 0.0.0.0."""
    cli.create("a", "--url", receiver.url())
    pem = certificate(cli.home)
    with closing(Server(Home(cli.home), "--host", "0.0.0.0", "--tls-cert", pem, "--tls-key", pem)) as server:
        assert server.url.startswith("https://0.0.0.0:")
        assert fire(cli, "a")[0]["ok"] is True


def test_silent_is_silent(served: Cli, receiver: Receiver) -> None:
    assert served.ok("test-fire", "a", "--via", "serve", "--silent") == (0, "", "")
    receiver.answers("/hook", Answer(503))
    outcome = served.run("test-fire", "a", "--via", "serve", "--silent")
    assert (outcome.code, outcome.out, outcome.error) == (7, "", "test-fire a: status 503")


def test_no_server_is_6(cli: Cli) -> None:
    cli.create("a")
    outcome = cli.run("test-fire", "a", "--via", "serve")
    assert outcome.code == 6
    assert outcome.error == (
        f"no server is listening for the store {cli.store}; start `qwebhook serve`, or fire with --via direct"
    )
    assert tokens(cli) == []


def test_a_server_that_cannot_be_reached_is_6_and_the_token_is_gone(cli: Cli) -> None:
    cli.create("a")
    lock = ServerLock(cli.store)
    url = f"http://127.0.0.1:{free_port()}"
    lock.describe(url)
    outcome = cli.run("test-fire", "a", "--via", "serve")
    lock.release()
    assert outcome.code == 6
    assert outcome.error.startswith(f"{url} cannot be reached: ")
    assert tokens(cli) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--secret", SECRET], "--secret"),
        (["--header", "A=1"], "--header"),
        (["--timeout", "1s"], "--timeout"),
        (["--allow-network", "loopback"], "--allow-network"),
        (["--rate", "2"], "--rate"),
        (["--rate", "2", "--timeout", "15s"], "--timeout and --rate"),
    ],
)
def test_what_the_server_decides_cannot_be_given(cli: Cli, options: list[str], named: str) -> None:
    cli.create("a")
    outcome = cli.run("test-fire", "a", "--via", "serve", *options)
    assert outcome.code == 2
    assert outcome.error == (
        f"{named} cannot be given with --via serve, where the server sends as it does; "
        "leave it out, or fire with --via direct"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process there at once")
def test_ended_by_sigterm_it_leaves_no_token(served: Cli, receiver: Receiver) -> None:
    released = threading.Event()
    receiver.answers("/hook", Answer(after=released))
    home = Home(served.home)
    argv = home.command("test-fire", "a", "--via", "serve", "--store", served.store)
    with subprocess.Popen(argv, env=home.environ, stderr=subprocess.DEVNULL) as firing:
        try:
            receiver.wait_for(1)
            assert len(tokens(served)) == 1
            firing.send_signal(signal.SIGTERM)
            assert firing.wait(15) == 130
        finally:
            released.set()
    assert tokens(served) == []
