"""`store check`: the figures, and what is wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.cli.past import take_in
from tests.cli.world import Cli
from tests.store.recordings import delivered


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """A store with two webhooks, a delivery of each done and another of each pending."""
    cli.create("a", "--secret", "generate")
    cli.create("b")
    take_in(cli, "1", ending=delivered)
    take_in(cli, "2")
    return cli


def break_the_queue(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.store)) as database, database:
        database.execute("UPDATE pending SET event = event + 1000")


def test_a_sound_store(filled: Cli) -> None:
    outcome = filled.ok("store", "check", "-o", "json")
    checked = outcome.json
    assert list(checked) == ["store", "figures", "problems"]
    assert checked["store"] == str(filled.store)
    assert checked["problems"] == []
    assert {"version", "webhooks", "events", "pending"} <= checked["figures"].keys()
    assert (checked["figures"]["webhooks"], checked["figures"]["pending"]) == (2, 2)
    assert outcome.err == ""


def test_for_a_person(filled: Cli) -> None:
    out = filled.ok("store", "check").out
    assert out.startswith("store")
    assert "webhooks: 2\n" in out
    assert out.endswith("\n\nProblems\n  none\n")
    assert filled.ok("store", "check", "-q") == (0, "", "")


def test_problems_are_told_and_1(filled: Cli) -> None:
    break_the_queue(filled)
    outcome = filled.run("store", "check", "-o", "json")
    assert outcome.code == 1
    assert any("pending deliveries without their event" in problem for problem in outcome.json["problems"])
    assert outcome.error.startswith(f"the store {filled.store} has ")
    outcome = filled.run("store", "check")
    assert "Problems\n  pending deliveries without their event, which cannot be sent: 2; " in outcome.out
    quiet = filled.run("store", "check", "-q")
    assert (quiet.code, quiet.out) == (1, "")
    assert "problem" in quiet.error


def test_no_store_is_6(cli: Cli) -> None:
    assert cli.run("store", "check").code == 6
    cli.store.write_bytes(b"no database at all, but a text that is longer than the header of one is" * 20)
    assert cli.run("store", "check").code == 6
