"""`replay`: what is counted and enqueued, with a server and without, waited for or not, and broken off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from qwebhook.cli import replaying
from qwebhook.cli.replaying import webhooks_to_replay
from qwebhook.cli.session import Session
from qwebhook.model.webhook import Webhook
from tests.acceptance.processes import Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import cloud_event_body
from tests.cli.past import pending, take_in
from tests.cli.world import ROOT, Cli, process_environ
from tests.store.recordings import HOUR, NOW, SECOND, dead, delivered

KEYS = ["webhookId", "name", "matching", "delivered", "pending", "enqueued"]
NO_SERVER = "qwebhook: warning: no server is running on this store; `qwebhook serve` delivers what is replayed\n"
DELETED = "com.qlik.v1.app.deleted"


@pytest.fixture
def made(cli: Cli) -> Cli:
    """A command line with webhook `a`, and events of which one failed, one succeeded and one is pending."""
    cli.create("a")
    take_in(cli, "1", ending=dead, at=NOW - 3 * HOUR)
    take_in(cli, "2", ending=delivered, at=NOW - 2 * HOUR)
    take_in(cli, "3", at=NOW - HOUR)
    return cli


def replayed(cli: Cli, *arguments: str) -> list[tuple[int, ...]]:
    """matching, delivered, pending and enqueued, for each webhook."""
    outcome = cli.ok("replay", *arguments, "-o", "json")
    return [(one["matching"], one["delivered"], one["pending"], one["enqueued"]) for one in outcome.json]


def started(cli: Cli, *options: str, **environ: str) -> subprocess.Popen[str]:
    """A process that replays to webhook `a`."""
    return subprocess.Popen(
        [sys.executable, "-m", "qwebhook", "replay", "a", "--since", "1d", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=process_environ(cli.environ) | environ,
        text=True,
    )


def waited_for(cli: Cli, duration: str) -> subprocess.Popen[str]:
    """A process that replays to webhook `a` and waits."""
    return started(cli, "--wait", duration)


def take_in_many(cli: Cli) -> int:
    """Make webhook `a`, which is disabled, and let many events come for it; how many."""
    cli.create("a", "--disabled")
    many = 20_000
    take_in(cli, *(f"e{number}" for number in range(many)), at=time.time_ns() // 1_000_000 - HOUR)
    return many


class TestCounts:
    def test_what_has_no_success_is_enqueued(self, made: Cli) -> None:
        outcome = made.ok("replay", "a", "--since", "1d", "-o", "json")
        (one,) = outcome.json
        assert list(one) == KEYS
        assert one["webhookId"] == made.ok("get", "a", "-q").out.strip()
        assert one["name"] == "a"
        assert outcome.err == NO_SERVER
        assert pending(made) == 2
        assert replayed(made, "a", "--since", "1d") == [(3, 1, 2, 0)]

    def test_all_takes_those_with_a_success_too(self, made: Cli) -> None:
        assert replayed(made, "a", "--since", "1d", "--all") == [(3, 0, 1, 2)]
        assert pending(made) == 3

    def test_a_dry_run_counts_and_changes_nothing(self, made: Cli) -> None:
        outcome = made.ok("replay", "a", "--since", "1d", "--dry-run")
        head, line = outcome.out.splitlines()
        assert head.split("  ")[-1].strip() == "WOULD BE ENQUEUED"
        assert line.split() == ["a", "3", "1", "1", "1"]
        assert outcome.err == ""
        assert pending(made) == 1

    @pytest.mark.parametrize(
        ("times", "matching"),
        [
            (["--since", "90m"], 1),
            (["--since", "150m"], 2),
            (["--since", "1d", "--until", "150m"], 1),
            (["--since", "2026-11-24T13:30:00Z", "--until", "2026-11-24T14:30:00Z"], 1),
            (["--since", "10m"], 0),
            (["--since", "1d", "--until", "2030-01-01"], 3),
        ],
    )
    def test_the_times(self, made: Cli, times: list[str], matching: int) -> None:
        assert replayed(made, "a", *times, "--dry-run")[0][0] == matching

    def test_without_a_webhook_every_enabled_one(self, made: Cli) -> None:
        made.create("b")
        made.create("off", "--disabled")
        outcome = made.ok("replay", "--since", "1d", "-o", "json")
        assert [(one["name"], one["enqueued"]) for one in outcome.json] == [("a", 1), ("b", 3)]
        assert made.ok("replay", "--since", "1d", "-q").out.split() == [one["webhookId"] for one in outcome.json]

    def test_no_enabled_webhook_is_no_failure(self, cli: Cli) -> None:
        cli.create("off", "--disabled")
        assert cli.ok("replay", "--since", "1d") == (0, "", "qwebhook: there is no enabled webhook\n")

    def test_a_disabled_one_that_is_named_is_told(self, made: Cli) -> None:
        made.ok("disable", "a")
        outcome = made.ok("replay", "a", "--since", "1d")
        assert outcome.err == (NO_SERVER + "qwebhook: a is disabled: what is replayed is held until it is enabled\n")
        assert pending(made) == 2

    def test_progress_on_a_terminal_and_not_with_quiet(self, made: Cli) -> None:
        assert "a: 3 matching, 1 to deliver" in made.ok("replay", "a", "--since", "1d", "--dry-run", terminal=True).err
        assert made.ok("replay", "a", "--since", "1d", "--dry-run", "-q", terminal=True).err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["a"], 2, "missing option '--since'"),
        (["a", "--since", "soon"], 2, "--since 'soon' is neither a time nor a duration before now"),
        (["a", "--since", "1h", "--until", "2h"], 2, "--since 1h is not before --until 2h"),
        (["a", "--since", "2030-01-01"], 2, "--since 2030-01-01 is not before now"),
        (["a", "--since", "1h", "--wait", "soon"], 2, "--wait 'soon' is not a duration"),
        (["a", "--since", "1h", "--wait", "1s", "--dry-run"], 2, "--dry-run and --wait were both given"),
        (["nobody", "--since", "1h"], 5, "there is no webhook with the id or name 'nobody'"),
        (
            ["a", "--since", "1d", "--wait", "1s"],
            6,
            "no server is running on this store, and --wait would wait in vain",
        ),
    ],
)
def test_what_is_refused(made: Cli, arguments: list[str], code: int, words: str) -> None:
    outcome = made.run("replay", *arguments)
    assert outcome.code == code
    assert words in outcome.error
    assert pending(made) == 1


class TestWithAServer:
    @pytest.fixture
    def served(self, cli: Cli, receiver: Receiver, server: Server) -> Cli:
        """Webhook `a` and a server that delivers to the receiver; three events failed before that."""
        cli.create("a", "--url", receiver.url(), "--ordering", "strict")
        take_in(cli, "1", "2", "3", ending=dead, at=int(cli.now * SECOND) - HOUR)
        return cli

    def test_they_are_delivered_in_order_at_once(self, served: Cli, receiver: Receiver) -> None:
        outcome = served.ok("replay", "a", "--since", "1d", "-o", "json")
        assert outcome.err == ""
        bodies = [one.body for one in receiver.wait_for(3)]
        assert bodies == [cloud_event_body(id=one) for one in ("1", "2", "3")]

    def test_wait_tells_what_came_of_them(self, served: Cli, receiver: Receiver) -> None:
        outcome = served.ok("replay", "a", "--since", "1d", "--wait", "30s", "-o", "json")
        (one,) = outcome.json
        assert list(one) == [*KEYS, "outcome"]
        assert one["outcome"] == {"pending": 0, "succeeded": 3, "failed": 0}
        assert outcome.err == ""
        assert len(receiver.at()) == 3
        (line,) = served.ok("replay", "a", "--since", "1d", "--all", "--wait", "30s").out.splitlines()[1:]
        assert line.split() == ["a", "3", "0", "0", "3", "3", "0", "0"]

    def test_a_failure_is_7(self, served: Cli, receiver: Receiver) -> None:
        receiver.answers("/hook", Answer(200), Answer(410))
        outcome = served.run("replay", "a", "--since", "1d", "--wait", "2s", "-o", "json")
        assert outcome.code == 7
        assert outcome.json[0]["outcome"] == {"pending": 1, "succeeded": 1, "failed": 1}
        assert outcome.err == (
            "qwebhook: error: a: 1 of 3 deliveries failed\n"
            "qwebhook: error: a: 1 of 3 deliveries not decided within 2s; they stay in the queue\n"
        )

    def test_the_time_is_over_is_7(self, served: Cli, receiver: Receiver) -> None:
        receiver.answers("/hook", Answer(503))
        outcome = served.run("replay", "a", "--since", "1d", "--wait", "500ms")
        assert outcome.code == 7
        assert outcome.error == "a: 3 of 3 deliveries not decided within 500ms; they stay in the queue"
        assert pending(served) == 3

    def test_nothing_to_wait_for_ends_at_once(self, served: Cli) -> None:
        (one,) = served.ok("replay", "a", "--since", "1m", "--wait", "1h", "-o", "json").json
        assert one["outcome"] == {"pending": 0, "succeeded": 0, "failed": 0}

    def test_progress_while_it_waits(self, served: Cli) -> None:
        outcome = served.ok("replay", "a", "--since", "1d", "--wait", "30s", terminal=True)
        assert "3 of 3 decided" in outcome.err

    def test_a_server_that_has_ended_meanwhile_is_told(self, served: Cli, receiver: Receiver, server: Server) -> None:
        receiver.answers("/hook", Answer(503))
        waiting = waited_for(served, "2s")
        receiver.wait_for(1)
        server.signal(signal.SIGTERM)
        server.wait()
        _, err = waiting.communicate(timeout=30)
        assert waiting.returncode == 7
        assert err.endswith(
            "deliveries not decided within 2s; they stay in the queue, and no server is running any more\n"
        )

    @pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
    def test_ctrl_c_leaves_what_was_enqueued(self, served: Cli, receiver: Receiver) -> None:
        receiver.answers("/hook", Answer(503))
        waiting = waited_for(served, "1h")
        receiver.wait_for(1)
        until(lambda: pending(served) == 3, "all are enqueued")
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
        assert waiting.returncode == 130
        assert (out, err) == ("", "qwebhook: deliveries enqueued before that, which stay in the queue: 3\n")
        assert pending(served) == 3

    def test_a_remote_one_tells_how_far_it_is_while_it_waits(self, served: Cli, server: Server) -> None:
        served.environ |= {"QWEBHOOK_STORE": server.url, "QWEBHOOK_TOKEN": server.token("admin")}
        outcome = served.ok("replay", "a", "--since", "1d", "--wait", "30s", terminal=True)
        assert "3 of 3 decided" in outcome.err


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
class TestBrokenOff:
    def test_ctrl_c_tells_how_many_were_enqueued(self, cli: Cli) -> None:
        many = take_in_many(cli)
        process = started(cli)
        until(lambda: pending(cli) > 0, "the replay has begun")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (130, "")
        enqueued = pending(cli)
        assert 0 < enqueued < many
        told = f"qwebhook: deliveries enqueued before that, which stay in the queue: {enqueued}\n"
        assert err == NO_SERVER + "qwebhook: a is disabled: what is replayed is held until it is enabled\n" + told

    def test_the_server_goes_no_further_and_where_it_tells_is_said(self, cli: Cli, server: Server) -> None:
        many = take_in_many(cli)
        process = started(cli, QWEBHOOK_STORE=server.url, QWEBHOOK_TOKEN=server.token("admin"))
        until(lambda: pending(cli) > 0, "the replay has begun")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (130, "")
        assert err == (
            "qwebhook: the server goes no further with a, and its log says how many deliveries it had enqueued;"
            " they stay in the queue\n"
        )
        line = server.wait_log("replay ended early", reason="the client has gone")
        assert 0 < line["enqueued"] == pending(cli) < many


class TestDeletedMeanwhile:
    """By another process, after it was chosen."""

    @pytest.fixture
    def deleting(self, made: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
        """A command line whose `a` is gone when it is to be replayed to."""

        def chosen(session: Session, reference: str | None) -> list[Webhook]:
            found = webhooks_to_replay(session, reference)
            made.ok("delete", "a", "--yes")
            return found

        monkeypatch.setattr(replaying, "webhooks_to_replay", chosen)
        return made

    @pytest.mark.parametrize("remote", [False, True])
    def test_the_others_are_replayed_to(self, deleting: Cli, server: Server, remote: bool) -> None:
        deleting.create("b")
        if remote:
            deleting.environ |= {"QWEBHOOK_STORE": server.url, "QWEBHOOK_TOKEN": server.token("admin")}
        outcome = deleting.ok("replay", "--since", "2026-11-24", "-o", "json")
        assert [(one["name"], one["enqueued"]) for one in outcome.json] == [("b", 3)]
        assert "qwebhook: a has been deleted meanwhile\n" in outcome.err

    def test_one_that_is_named_is_not_found(self, deleting: Cli) -> None:
        outcome = deleting.run("replay", "a", "--since", "2026-11-24")
        assert outcome.code == 5
        assert "there is no webhook" in outcome.err
