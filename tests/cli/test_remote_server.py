"""The verbs against another `qwebhook serve`: what the server's own machine can do, its clients can do."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import SECRET, cloud_event_body
from tests.cli.world import Cli

TYPE = "com.qlik.v1.app.created"


@pytest.fixture
def away(tmp_path: Path, server: Server) -> Cli:
    """A command line on another machine, whose current context is the server."""
    home = tmp_path / "away"
    home.mkdir()
    made = Cli(home)
    made.now = time.time()
    del made.environ["QWEBHOOK_STORE"]
    made.ok("context", "add", "hooks", server.url, "--use", stdin=server.token("admin").encode())
    return made


@pytest.fixture
def webhook(away: Cli, receiver: Receiver) -> dict[str, Any]:
    made: dict[str, Any] = away.ok(
        "create",
        "a",
        "--url",
        receiver.url(),
        "--event",
        TYPE,
        "--secret",
        SECRET,
        "--ordering",
        "strict",
        "-o",
        "json",
    ).json
    return made


def published(away: Cli, receiver: Receiver, *ids: str) -> None:
    before = len(receiver.at())
    away.ok("publish", stdin=b"\n".join(cloud_event_body(id=one, type=TYPE) for one in ids))
    receiver.wait_for(before + len(ids))


def test_the_output_is_that_of_the_servers_machine(
    away: Cli, cli: Cli, webhook: dict[str, Any], server: Server
) -> None:
    assert webhook["qwebhook"] == {"ordering": "strict"}
    for arguments in (["list"], ["get", "a"], ["token", "list"], ["inbound", "list"]):
        for output in ("json", "csv", "table", "id"):
            assert away.ok(*arguments, "-o", output).out == cli.ok(*arguments, "-o", output).out, arguments


def test_an_event_is_published_delivered_and_on_record(
    away: Cli, cli: Cli, webhook: dict[str, Any], receiver: Receiver
) -> None:
    published(away, receiver, "1", "2")
    again = away.ok("publish", "-o", "json", stdin=cloud_event_body(id="1", type=TYPE)).json
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    for _ in range(100):
        listed = away.ok("deliveries", "-o", "json").json
        if len(listed) == 2:
            break
        time.sleep(0.05)
    assert listed == cli.ok("deliveries", "-o", "json").json
    shown = away.ok("delivery", "a", listed[0]["id"], "-o", "json").json
    assert len(shown["attempts"]) == 1
    assert away.ok("deliveries").out.splitlines()[1].split()[1] == "a"


def test_a_test_fire_goes_through_the_server(away: Cli, webhook: dict[str, Any], receiver: Receiver) -> None:
    (shot,) = away.ok("test-fire", "a", "--set", "data.name=Sales", "-o", "json").json
    assert (shot["ok"], shot["reason"]) == (True, "status 200")
    (request,) = receiver.at()
    assert {"qlik-signature", "webhook-signature", "qwebhook-test"} <= request.headers.keys()
    assert b'"name":"Sales"' in request.body
    (record,) = away.ok("deliveries", "a", "-o", "json").json
    assert record["qwebhook"]["test"] is True
    receiver.answers("/hook", Answer(500))
    assert away.run("test-fire", "a", "--count", "3").code == 7
    refused = away.run("test-fire", "a", "--secret", SECRET)
    assert refused.code == 2
    assert "or fire with --via direct" in refused.error
    direct = away.run("test-fire", "a", "--via", "direct", "--secret", SECRET, "--allow-network", "loopback")
    assert direct.code == 7
    assert "recorded nowhere" in direct.err


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 7)])
def test_a_resend(away: Cli, webhook: dict[str, Any], receiver: Receiver, status: int, code: int) -> None:
    (shot,) = away.ok("test-fire", "a", "-o", "json").json
    (record,) = away.ok("deliveries", "a", "-o", "json").json
    receiver.answers("/hook", Answer(status))
    outcome = away.run("resend", "a", record["id"], "-o", "json")
    assert outcome.code == code
    assert outcome.json[0]["request"]["body"] == record["request"]["body"]
    assert shot["eventId"] in outcome.json[0]["request"]["body"]


def test_a_replay_is_counted_made_and_waited_for(away: Cli, webhook: dict[str, Any], receiver: Receiver) -> None:
    published(away, receiver, "1", "2", "3")
    # Whose clock is wrong: what counts is the server's.
    away.now = time.time() - 3600
    (counted,) = away.ok("replay", "a", "--since", "10m", "--all", "--dry-run", "-o", "json").json
    assert (counted["matching"], counted["enqueued"]) == (3, 3)
    (replayed,) = away.ok("replay", "a", "--since", "10m", "--all", "--wait", "20s", "-o", "json").json
    assert replayed["outcome"] == {"pending": 0, "succeeded": 3, "failed": 0}
    assert len(receiver.at()) == 6
    assert away.ok("replay", "--since", "1h").out.splitlines()[1].split()[0] == "a"


def test_secrets_tokens_and_inbounds(away: Cli, webhook: dict[str, Any], server: Server) -> None:
    rotated = away.ok("rotate-secret", "a", "--grace", "1h", "-o", "json").json
    assert rotated["secret"].startswith("whsec_")
    assert "bothSignUntil" in rotated
    made = away.ok("token", "create", "ci", "--role", "publisher", "-o", "json").json
    assert away.ok("publish", "--token", made["token"], stdin=cloud_event_body(id="9", type=TYPE)).code == 0
    away.ok("token", "revoke", "ci", "--yes")
    away.ok("inbound", "add", "shop", "--secret", "generate")
    away.ok("inbound", "remove", "shop", "--yes")
    away.ok("disable", "a")
    away.ok("enable", "a", "--discard")


def test_a_publishers_context(away: Cli, webhook: dict[str, Any], server: Server) -> None:
    outcome = away.ok("context", "add", "pub", server.url, stdin=server.token("publisher").encode())
    assert "does not let them see webhooks" in outcome.err
    away.ok("publish", "--context", "pub", stdin=cloud_event_body(id="1", type=TYPE))
    listed = away.run("list", "--context", "pub")
    assert listed.code == 4
    assert away.run("publish", "--context", "hooks", stdin=b"{}").code == 2


def test_a_user_sees_their_own(away: Cli, server: Server, receiver: Receiver, webhook: dict[str, Any]) -> None:
    away.ok("context", "add", "ann", server.url, stdin=server.token("user").encode())
    assert json.loads(away.ok("list", "--context", "ann", "-o", "json").out) == []
    assert away.run("get", "a", "--context", "ann").code == 5
    assert away.run("token", "list", "--context", "ann").code == 4


def test_a_revoked_token_says_how_to_renew_it(away: Cli, cli: Cli) -> None:
    cli.ok("token", "revoke", "test-admin", "--yes")
    for _ in range(60):
        outcome = away.run("list")
        if outcome.code == 4:
            break
        time.sleep(0.05)
    assert outcome.code == 4
    assert "`qwebhook context add hooks --replace`" in outcome.error


def test_a_server_that_is_gone_is_exit_6(away: Cli, server: Server) -> None:
    server.close()
    outcome = away.run("list")
    assert outcome.code == 6
    assert "cannot be reached" in outcome.error
