"""`resend`: which deliveries, what is sent, what is on record, and the exit codes."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from qwebhook.model.delivery import Exchange, Failure
from qwebhook.store.contract import Claim, DirectAttempt, Recording
from qwebhook.store.sqlite import SqliteStore
from tests.acceptance.processes import Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import SECRET, cloud_event_body
from tests.cli.past import pending, take_in
from tests.cli.world import Cli, Outcome
from tests.store.recordings import HOUR, NOW, SECOND, dead, delivered, retry

ALLOWED = ("--allow-network", "loopback")


@pytest.fixture
def made(cli: Cli, receiver: Receiver) -> Cli:
    """A command line with webhook `a` that points to the receiver."""
    cli.create("a", "--url", receiver.url(), "--secret", SECRET)
    return cli


def resend(cli: Cli, *arguments: str, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """The new records, and stderr."""
    outcome = cli.run("resend", "a", *arguments, *ALLOWED, "-o", "json")
    assert outcome.code == code, outcome
    return outcome.json, outcome.err


def retried(claim: Claim) -> Recording:
    return retry(claim, NOW + HOUR)


def test_one_is_sent_again_and_recorded_anew(made: Cli, receiver: Receiver) -> None:
    (old,) = take_in(made, "1", ending=dead)
    ((new,), err) = resend(made, old)
    (request,) = receiver.at()
    assert request.body == cloud_event_body(id="1")
    assert {"webhook-signature", "qlik-signature"} <= request.headers.keys()
    assert err == ""
    assert new["id"] != old
    assert (new["status"], new["statusMessage"], new["qwebhook"]["attempts"]) == ("success", "status 200", 1)
    listed = made.ok("deliveries", "a", "-o", "json").json
    assert [(one["id"], one["status"]) for one in listed] == [(new["id"], "success"), (old, "fail")]
    assert new == listed[0]
    assert pending(made) == 0


def test_it_goes_to_where_the_webhook_points_now(made: Cli, receiver: Receiver) -> None:
    (old,) = take_in(made, "1", ending=delivered)
    made.ok("update", "a", "--url", receiver.url("/new"), "--header", "X-Team=blue", "--no-secret")
    resend(made, old)
    assert receiver.at("/hook") == []
    (request,) = receiver.at("/new")
    assert request.headers["x-team"] == "blue"
    assert "webhook-signature" not in request.headers


def test_the_table_says_how_each_went(made: Cli, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(200), Answer(500))
    ids = take_in(made, "1", "2", ending=dead)
    outcome = made.run("resend", "a", *ids, *ALLOWED)
    head, *lines = outcome.out.splitlines()
    assert head.split() == ["ID", "EVENT", "STATUS", "TRIGGERED", "TOTAL", "MESSAGE"]
    assert sorted(line.split()[2] for line in lines) == ["fail", "success"]
    assert outcome.code == 7


def test_quiet_prints_the_new_ids(made: Cli) -> None:
    ids = take_in(made, "1", "2", ending=dead)
    new = made.ok("resend", "a", *ids, *ALLOWED, "-q").out.split()
    assert len(new) == 2
    assert not set(new) & set(ids)


def test_one_that_fails_is_7_and_is_not_retried(made: Cli, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(503))
    ((new,), _) = resend(made, *take_in(made, "1", ending=delivered), code=7)
    assert (new["status"], new["qwebhook"]["state"]) == ("fail", "dead")
    assert pending(made) == 0


def test_one_that_is_missing_is_5_and_the_others_go_on(made: Cli, receiver: Receiver) -> None:
    first, second = take_in(made, "1", "2", ending=dead)
    new, err = resend(made, first, "nothing", second, code=5)
    assert [one["status"] for one in new] == ["success", "success"]
    assert err.startswith("qwebhook: error: ")
    assert "nothing" in err
    receiver.answers("/hook", Answer(500))
    assert len(resend(made, first, "nothing", second, code=7)[0]) == 2


def test_a_delivery_of_another_webhook_is_missing(made: Cli, receiver: Receiver) -> None:
    made.create("b", "--url", receiver.url("/b"))
    ids = take_in(made, "1", ending=dead)
    assert len(ids) == 2
    assert len(resend(made, *ids, code=5)[0]) == 1
    assert receiver.at("/b") == []


def test_addresses_are_refused_unless_allowed(made: Cli, receiver: Receiver) -> None:
    (old,) = take_in(made, "1", ending=dead)
    outcome = made.run("resend", "a", old, "-o", "json")
    assert outcome.code == 7
    assert outcome.json[0]["statusMessage"].startswith("address refused: 127.0.0.1 is a loopback address")
    assert receiver.at() == []


def test_a_timeout_of_its_own(made: Cli, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(hang=True))
    ((new,), _) = resend(made, *take_in(made, "1", ending=dead), "--timeout", "200ms", code=7)
    assert new["statusMessage"] == "timeout: no answer within 0.2 s"


def test_the_same_one_named_twice_is_sent_once(made: Cli, receiver: Receiver) -> None:
    (old,) = take_in(made, "1", ending=dead)
    resend(made, old, old)
    assert len(receiver.at()) == 1


def test_a_strictly_ordered_webhook_gets_them_in_order(made: Cli, receiver: Receiver) -> None:
    made.ok("update", "a", "--ordering", "strict")
    ids = take_in(made, *map(str, range(12)), ending=dead)
    resend(made, *ids)
    assert [one.body for one in receiver.at()] == [cloud_event_body(id=str(number)) for number in range(12)]


def test_beside_a_running_server(cli: Cli, receiver: Receiver, server: Server) -> None:
    cli.create("a", "--url", receiver.url())

    def on_record(count: int) -> bool:
        return len(set(cli.ok("deliveries", "a", "-q").out.split())) == count

    (first,) = take_in(cli, "1", at=int(cli.now * SECOND))
    until(lambda: on_record(1), "the server has delivered")
    resend(cli, first)
    assert on_record(2)
    take_in(cli, "2", at=int(cli.now * SECOND))
    until(lambda: on_record(3), "the server has delivered the next, too")
    assert [one.body for one in receiver.at()] == [cloud_event_body(id=one) for one in ("1", "1", "2")]


class TestFailed:
    def test_the_latest_of_each_event_that_has_failed_in_order(self, made: Cli, receiver: Receiver) -> None:
        take_in(made, "1", "2", ending=dead)
        take_in(made, "3", ending=delivered)
        take_in(made, "4", ending=dead)
        made.ok("update", "a", "--ordering", "strict")
        assert len(resend(made, "--failed")[0]) == 3
        assert [one.body for one in receiver.at()] == [cloud_event_body(id=one) for one in ("1", "2", "4")]
        new, err = resend(made, "--failed")
        assert (new, err) == ([], "qwebhook: no delivery is to be sent again\n")

    def test_one_that_failed_again_is_sent_once_more(self, made: Cli, receiver: Receiver) -> None:
        receiver.answers("/hook", Answer(500), Answer(200))
        take_in(made, "1", ending=dead)
        resend(made, "--failed", code=7)
        resend(made, "--failed")
        assert len(receiver.at()) == 2
        assert resend(made, "--failed")[0] == []

    def test_those_that_are_retried_are_left_out(self, made: Cli, receiver: Receiver) -> None:
        take_in(made, "1", ending=retried)
        take_in(made, "2", ending=dead)
        new, err = resend(made, "--failed")
        assert len(new) == 1
        assert err == "qwebhook: 1 is being retried, and left out\n"
        assert [one.body for one in receiver.at()] == [cloud_event_body(id="2")]

    def test_since(self, made: Cli, receiver: Receiver) -> None:
        take_in(made, "1", ending=dead, at=NOW - 3 * HOUR)
        take_in(made, "2", ending=dead, at=NOW - HOUR)
        made.now = NOW / SECOND
        assert len(resend(made, "--failed", "--since", "2h")[0]) == 1
        assert [one.body for one in receiver.at()] == [cloud_event_body(id="2")]
        made.now = NOW / SECOND
        assert len(resend(made, "--failed", "--since", "2026-11-24T12:00:00Z")[0]) == 1

    def test_test_fires_are_none_of_them(self, made: Cli, receiver: Receiver) -> None:
        with closing(SqliteStore.open(made.store)) as store, closing(store.open_journal()) as journal:
            row = store.endpoint(store.find_webhook("a").id).row
            exchange = Exchange(receiver.url(), {}, b"{}", NOW, 1.0, Failure("dns", "no such host"))
            journal.record_direct(DirectAttempt(row, 0, "com.qlik.v1.app.created", exchange, test=True))
        assert [one["status"] for one in made.ok("deliveries", "-o", "json").json] == ["fail"]
        assert resend(made, "--failed")[0] == []
        assert receiver.at() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["a"], 2, "no delivery is named; give its id, or --failed"),
        (["a", "x", "--failed"], 2, "deliveries are named and --failed is given; give one of them"),
        (["a", "x", "--since", "2h"], 2, "--since goes with --failed"),
        (["a", "--failed", "--since", "soon"], 2, "--since 'soon' is neither a time nor a duration"),
        (["a", "x", "--timeout", "11m"], 2, "--timeout 11m is not between 0 and 10 minutes"),
        (["a", "x", "--allow-network", "everything"], 2, "'everything' is not a network"),
        (["nobody", "x"], 5, "there is no webhook with the id or name 'nobody'"),
        (["a", "x"], 5, "x"),
    ],
)
def test_what_is_refused(made: Cli, receiver: Receiver, arguments: list[str], code: int, words: str) -> None:
    outcome: Outcome = made.run("resend", *arguments)
    assert outcome.code == code
    assert words in outcome.error
    assert receiver.at() == []


def test_no_store_is_6(cli: Cli) -> None:
    assert cli.run("resend", "a", "x").code == 6
