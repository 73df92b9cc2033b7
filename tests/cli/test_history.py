"""`deliveries` and `delivery`."""

from __future__ import annotations

from typing import Any

import pytest

from qwebhook.model.event import read_event
from qwebhook.store.sqlite import SqliteStore
from tests.builders import cloud_event_body
from tests.cli.world import Cli
from tests.store.recordings import NOW, SECOND, delivered, retry, unanswered

DELETED = "com.qlik.v1.app.deleted"


@pytest.fixture
def history(cli: Cli) -> Cli:
    """Webhook `a` with a success and a failure that is retried, `b` with a success after a failure."""
    cli.create("a", "--event", f"com.qlik.v1.app.created,{DELETED}")
    cli.create("b")
    store = SqliteStore.open(cli.store)
    journal = store.open_journal()
    first, second = journal.write(
        [read_event(cloud_event_body(id="1")), read_event(cloud_event_body(id="2", type=DELETED))], [], NOW
    ).accepted
    to_a, to_b = first.claims
    (failing,) = second.claims
    later = NOW + 5 * SECOND
    journal.write([], [delivered(to_a), retry(to_b, later), unanswered(failing, later)], NOW)
    (again,) = journal.claim(to_b.webhook, later, 10, set())
    journal.write([], [delivered(again)], later)
    journal.close()
    store.close()
    return cli


def listed(cli: Cli, *options: str) -> list[Any]:
    found: list[Any] = cli.ok("deliveries", "-o", "json", *options).json
    return found


def test_all_of_them_or_those_of_a_webhook(history: Cli) -> None:
    assert len(listed(history)) == 3
    assert [one["eventType"] for one in listed(history, "a", "--sort", "triggeredAt")] == [
        "com.qlik.v1.app.created",
        DELETED,
    ]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--status", "fail"], 1),
        (["--status", "success"], 2),
        (["--event", DELETED], 1),
        (["a", "--status", "success", "--event", DELETED], 0),
        (["--limit", "2"], 2),
        (["--all"], 3),
    ],
)
def test_filters(history: Cli, options: list[str], count: int) -> None:
    assert len(listed(history, *options)) == count


def test_a_cut_list_says_so(history: Cli) -> None:
    outcome = history.ok("deliveries", "--limit", "2", "-o", "json")
    assert outcome.err == "qwebhook: these are the first 2; --all shows the rest\n"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--status", "ok"], 2, "--status 'ok' is not one of success, fail"),
        (["--sort", "name"], 2, "--sort 'name' is not one of status, triggeredAt"),
        (["nobody"], 5, "there is no webhook"),
    ],
)
def test_what_is_refused(history: Cli, options: list[str], code: int, words: str) -> None:
    outcome = history.run("deliveries", *options)
    assert outcome.code == code
    assert words in outcome.error


def test_no_deliveries_yet(cli: Cli) -> None:
    cli.create("x")
    assert cli.ok("deliveries", "x") == (0, "", "qwebhook: no deliveries yet\n")
    assert cli.ok("deliveries", "--status", "fail").err == "qwebhook: no delivery fits the filters\n"


def test_the_table_in_a_pipe(history: Cli) -> None:
    lines = history.ok("deliveries", "b").out.splitlines()
    assert lines[0].split() == ["ID", "EVENT", "STATUS", "STATE", "ATTEMPTS", "TRIGGERED", "MESSAGE"]
    assert lines[1].split()[1:6] == [
        "com.qlik.v1.app.created",
        "success",
        "delivered",
        "2",
        "2026-11-24T16:00:00.000Z",
    ]
    assert "WEBHOOK" in history.ok("deliveries").out


def test_one_delivery_has_its_attempts_in_json(history: Cli) -> None:
    (one,) = listed(history, "b")
    outcome = history.ok("delivery", "b", one["id"], "-o", "json")
    attempts = outcome.json.pop("attempts")
    assert list(one) == [name for name in outcome.json if name != "attempts"]
    assert [(attempt["number"], attempt["outcome"]) for attempt in attempts] == [(1, "retrying"), (2, "delivered")]
    assert attempts[0]["response"]["statusCode"] == 503
    assert one["qwebhook"]["attempts"] == 2


def test_one_delivery_for_a_person(history: Cli) -> None:
    (one,) = listed(history, "b")
    out = history.ok("delivery", "b", one["id"]).out
    for words in ("status         success", "\nAttempts\n  1  ", "\nRequest\n  POST https://", "\nResponse\n  200\n"):
        assert words in out
    assert "thanks" in out
    assert "\nrequest " not in out


def test_one_delivery_without_an_answer(history: Cli) -> None:
    (one,) = listed(history, "--status", "fail")
    out = history.ok("delivery", "a", one["id"]).out
    assert "timeout: no answer within 15 s" in out
    assert "Response" not in out
    assert history.ok("delivery", "a", one["id"], "-q").out == one["id"] + "\n"


def test_a_delivery_of_another_webhook_is_not_found(history: Cli) -> None:
    (one,) = listed(history, "b")
    assert history.run("delivery", "a", one["id"]).code == 5
    assert history.run("delivery", "a", "no-id").code == 5


def test_the_history_of_a_deleted_webhook_is_listed_with_the_rest(history: Cli) -> None:
    before = listed(history)
    identifier = history.ok("get", "b", "-q").out.strip()
    history.ok("delete", "b", "--yes")
    assert listed(history) == before
    assert f" {identifier} " in history.ok("deliveries").out
    for reference in ("b", identifier):
        assert history.run("deliveries", reference).code == 5
