"""`enable`, `disable` and `delete`: several at once, selections, failures in between, questions."""

from __future__ import annotations

import sqlite3

import pytest

from qwebhook.model.event import read_event
from qwebhook.store.sqlite import SqliteStore
from tests.builders import cloud_event_body
from tests.cli.world import Cli


@pytest.fixture
def three(cli: Cli) -> Cli:
    for name in ("a", "b", "c"):
        cli.create(name, "--url", f"https://{name}.example/")
    return cli


def states(cli: Cli) -> dict[str, bool]:
    return {webhook["name"]: webhook["enabled"] for webhook in cli.ok("list", "-o", "json").json}


def test_several_are_switched_and_printed(three: Cli) -> None:
    outcome = three.ok("disable", "a", "c", "-o", "json")
    assert [(webhook["name"], webhook["enabled"]) for webhook in outcome.json] == [("a", False), ("c", False)]
    assert states(three) == {"a": False, "b": True, "c": False}
    three.ok("enable", "--all")
    assert states(three) == {"a": True, "b": True, "c": True}


def test_twice_is_fine_and_changes_nothing(three: Cli) -> None:
    before = three.ok("list", "-o", "json").json
    assert len(three.ok("enable", "--all", "-o", "json").json) == 3
    assert three.ok("list", "-o", "json").json == before


def test_the_same_one_named_twice_is_one(three: Cli) -> None:
    identifier = three.ok("get", "a", "-q").out.strip()
    assert len(three.ok("disable", "a", identifier, "a", "-o", "json").json) == 1


def test_selectors_select_and_an_empty_selection_is_fine(three: Cli) -> None:
    three.ok("disable", "--url", "b.example")
    assert states(three) == {"a": True, "b": False, "c": True}
    outcome = three.ok("disable", "--name", "zzz")
    assert (outcome.out, outcome.err) == ("", "qwebhook: no webhook fits the filters\n")


def test_it_goes_on_after_a_failure_and_exits_with_the_worst(three: Cli) -> None:
    three.create("a")  # now `a` is ambiguous
    outcome = three.run("disable", "a", "missing", "b", "-o", "json")
    assert outcome.code == 5
    assert [webhook["name"] for webhook in outcome.json] == ["b"]
    assert "'a' fits several webhooks" in outcome.err
    assert "there is no webhook with the id or name 'missing'" in outcome.err


def test_a_failure_names_the_webhook_whatever_letters_its_message_has(three: Cli) -> None:
    database = sqlite3.connect(three.store)
    database.execute("UPDATE webhook SET event_types = '[]' WHERE name = 'b'")
    database.commit()
    database.close()
    outcome = three.run("test-fire", "b", "--dry-run")
    assert outcome.error == "b: it subscribes to no event type; give one with --event"


@pytest.mark.parametrize("command", ["enable", "disable", "delete"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no webhook is named; name one, or give --all or a filter"),
        (["a", "--all"], "webhooks are named and selected at once"),
        (["a", "--name", "a"], "webhooks are named and selected at once"),
    ],
)
def test_names_or_a_selection_but_not_both(three: Cli, command: str, arguments: list[str], words: str) -> None:
    outcome = three.run(command, *arguments, *(["--yes"] if command == "delete" else []))
    assert outcome.code == 2
    assert words in outcome.error
    assert states(three) == {"a": True, "b": True, "c": True}


@pytest.mark.parametrize("command", ["list", "enable", "disable", "delete"])
@pytest.mark.parametrize(
    ("filters", "option"),
    [
        (["--name", ""], "--name"),
        (["--disabled", "--url", ""], "--url"),
        (["--event", "com.qlik.v1.app.created", "--event", ""], "--event"),
        (["--origin", " , "], "--origin"),
        (["--created-by", ""], "--created-by"),
    ],
)
def test_an_empty_filter_is_refused_and_does_not_select_all(
    three: Cli, command: str, filters: list[str], option: str
) -> None:
    outcome = three.run(command, *filters, *(["--yes"] if command == "delete" else []))
    assert outcome.code == 2
    assert outcome.error == f"{option} is empty; leave it out, or say what to look for"
    assert states(three) == {"a": True, "b": True, "c": True}


def test_discard_drops_what_was_held(three: Cli) -> None:
    store = SqliteStore.open(three.store)
    journal = store.open_journal()
    journal.write([read_event(cloud_event_body())], [], 1)
    three.ok("disable", "a")
    assert journal.pending()[0] == 3
    outcome = three.ok("enable", "a", "--discard")
    assert "qwebhook: a: dropped 1 pending delivery\n" in outcome.err
    assert journal.pending()[0] == 2
    journal.close()
    store.close()


def test_discard_leaves_alone_what_is_enabled(three: Cli) -> None:
    store = SqliteStore.open(three.store)
    journal = store.open_journal()
    journal.write([read_event(cloud_event_body())], [], 1)
    three.ok("disable", "a")
    outcome = three.ok("enable", "--all", "--discard", "--event", "com.qlik.v1.app.created")
    assert outcome.err == "qwebhook: a: dropped 1 pending delivery\n"
    assert journal.pending()[0] == 2
    journal.close()
    store.close()


class TestDelete:
    def test_without_a_terminal_it_needs_yes(self, three: Cli) -> None:
        outcome = three.run("delete", "a")
        assert outcome.code == 2
        assert outcome.error == "delete needs --yes where it cannot ask"
        assert len(states(three)) == 3

    @pytest.mark.parametrize("options", [[], ["--yes"]])
    @pytest.mark.parametrize("terminal", [False, True])
    def test_what_to_delete_must_be_said(self, three: Cli, options: list[str], terminal: bool) -> None:
        outcome = three.run("delete", *options, terminal=terminal)
        assert outcome.code == 2
        assert outcome.error == "no webhook is named; name one, or give --all or a filter"

    def test_no_input_needs_yes_on_a_terminal_too(self, three: Cli) -> None:
        assert three.run("delete", "a", "--no-input", terminal=True, stdin=b"y\n").code == 2

    def test_with_yes_it_is_done_and_printed(self, three: Cli) -> None:
        outcome = three.ok("delete", "a", "b", "--yes", "-o", "json")
        assert [webhook["name"] for webhook in outcome.json] == ["a", "b"]
        assert states(three) == {"c": True}

    @pytest.mark.parametrize("answer", [b"y\n", b"YES\n", b" yes \n"])
    def test_yes_on_a_terminal(self, three: Cli, answer: bytes) -> None:
        outcome = three.run("delete", "a", terminal=True, stdin=answer)
        assert outcome.code == 0
        assert outcome.err == "Delete the webhook a? [y/N] "
        assert len(states(three)) == 2

    @pytest.mark.parametrize("answer", [b"n\n", b"\n", b"", b"yep\n"])
    def test_anything_else_on_a_terminal(self, three: Cli, answer: bytes) -> None:
        outcome = three.run("delete", "a", "b", terminal=True, stdin=answer)
        assert outcome.code == 1
        assert outcome.err == "Delete 2 webhooks (a, b)? [y/N] qwebhook: nothing was deleted\n"
        assert len(states(three)) == 3

    def test_a_long_question_is_shortened(self, cli: Cli) -> None:
        for number in range(7):
            cli.create(f"n{number}")
        outcome = cli.run("delete", "--all", terminal=True, stdin=b"n\n")
        assert outcome.err.startswith("Delete 7 webhooks (n6, n5, n4, n3, n2, …)? [y/N]")

    def test_nothing_to_delete_asks_nothing(self, three: Cli) -> None:
        assert three.run("delete", "--disabled", terminal=True) == (
            0,
            "",
            "qwebhook: no webhook fits the filters\n",
        )

    def test_one_that_is_not_there(self, three: Cli) -> None:
        outcome = three.run("delete", "x", "a", "--yes")
        assert outcome.code == 5
        assert "a" not in states(three)
        assert three.ok("delete", "x", "b", "--yes", "--if-exists").err == ""
        assert states(three) == {"c": True}

    def test_all_with_a_filter_deletes_what_it_selects(self, three: Cli) -> None:
        three.ok("disable", "a")
        three.ok("delete", "--all", "--disabled", "--yes")
        assert states(three) == {"b": True, "c": True}
