"""`list` and `get`: filters, order, pages, and finding one webhook."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwebhook.model.webhook import WebhookDraft
from qwebhook.store.sqlite import SqliteStore
from tests.cli.world import Cli

DELETED = "com.qlik.v1.app.deleted"


def names(cli: Cli, *options: str) -> list[str]:
    return [webhook["name"] for webhook in cli.ok("list", "-o", "json", *options).json]


def many(store: Path, count: int) -> None:
    opened = SqliteStore.open(store, create=True)
    for number in range(count):
        opened.create_webhook(
            WebhookDraft(name=f"n{number:03}", url="https://e.example/", event_types=["a.b"]), "local:x"
        )
    opened.close()


@pytest.fixture
def three(cli: Cli) -> Cli:
    cli.create("first", "--description", "1")
    cli.create("second", "--disabled", "--event", f"com.qlik.v1.app.created,{DELETED}")
    cli.create("third", "--level", "user", "--owner", "u1", "--url", "https://other.example/")
    return cli


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["third", "second", "first"]),
        (["--sort", "name"], ["first", "second", "third"]),
        (["--sort", "-name"], ["third", "second", "first"]),
        (["--sort", "+name"], ["first", "second", "third"]),
        (["--name", "IR"], ["third", "first"]),
        (["--url", "other"], ["third"]),
        (["--enabled"], ["third", "first"]),
        (["--disabled"], ["second"]),
        (["--event", DELETED], ["second"]),
        (["--event", f"{DELETED},com.qlik.v1.app.created"], ["second"]),
        (["--event", DELETED, "--event", "x.y"], []),
        (["--level", "user"], ["third"]),
        (["--owner", "u1"], ["third"]),
        (["--origin", "api"], ["third", "second", "first"]),
        (["--origin", "automations,management-console"], []),
        (["--created-by", "local:tester"], ["third", "second", "first"]),
        (["--updated-by", "somebody"], []),
        (["--enabled", "--level", "tenant"], ["first"]),
    ],
)
def test_filters_and_order(three: Cli, options: list[str], expected: list[str]) -> None:
    assert names(three, *options) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sort", "size"], "--sort 'size' is not one of name, url, createdAt, updatedAt (with - in front"),
        (["--level", "space"], "--level 'space' is not one of tenant, user"),
        (["--origin", "api,cli"], "--origin 'cli' is not one of api, automations, management-console"),
    ],
)
def test_a_value_that_is_no_choice_names_the_choices(cli: Cli, options: list[str], words: str) -> None:
    outcome = cli.run("list", *options)
    assert outcome.code == 2
    assert words in outcome.error


def test_an_empty_list_hints_on_stderr_and_is_json_all_the_same(cli: Cli) -> None:
    cli.create("x")
    empty = ["list", "--name", "nothing"]
    assert cli.ok(*empty) == (0, "", "qwebhook: no webhook fits the filters\n")
    assert cli.ok(*empty, "-o", "json") == (0, "[]\n", "")
    assert cli.ok(*empty, "-o", "yaml") == (0, "[]\n", "")
    assert cli.ok(*empty, "-q") == (0, "", "")
    assert cli.ok(*empty, "-o", "csv").out.startswith("id,name,url")


def test_a_long_list_is_cut_with_a_note_and_all_follows_the_pages(cli: Cli) -> None:
    many(cli.store, 205)
    outcome = cli.ok("list", "--sort", "name", "-o", "json")
    assert [webhook["name"] for webhook in outcome.json] == [f"n{number:03}" for number in range(100)]
    assert outcome.err == "qwebhook: these are the first 100; --all shows the rest\n"
    assert cli.ok("list", "--limit", "1", "-q").err == ""
    assert cli.ok("list", "--limit", "1").err == "qwebhook: this is the first; --all shows the rest\n"
    outcome = cli.ok("list", "--limit", "150", "-o", "json")
    assert len(outcome.json) == 150
    assert "first 150" in outcome.err
    outcome = cli.ok("list", "--limit", "205", "-o", "id")
    assert (len(outcome.out.splitlines()), outcome.err) == (205, "")
    outcome = cli.ok("list", "--all", "--sort", "name", "-o", "json")
    assert [webhook["name"] for webhook in outcome.json] == [f"n{number:03}" for number in range(205)]
    assert outcome.err == ""


def test_a_webhook_is_found_by_id_name_and_beginning_of_an_id(cli: Cli) -> None:
    made = cli.create("reports")
    for reference in (made["id"], "reports", made["id"][:20]):
        assert cli.ok("get", reference, "-o", "json").json == made


def test_a_reference_that_fits_several_is_exit_2(cli: Cli) -> None:
    cli.create("same")
    cli.create("same")
    outcome = cli.run("get", "same")
    assert outcome.code == 2
    assert "'same' fits several webhooks" in outcome.error


def test_a_reference_that_fits_none_is_exit_5(cli: Cli) -> None:
    cli.create("x")
    assert cli.run("get", "y").code == 5


def test_get_never_shows_what_is_secret(cli: Cli) -> None:
    secret = "a-secret-that-is-thirty-nine-characters"
    cli.create("x", "--secret", secret, "--encrypted-header", "Authorization=hunter2")
    for output in ("table", "json", "yaml", "csv", "id"):
        outcome = cli.ok("get", "x", "-o", output, "--verbose")
        assert secret not in outcome.out + outcome.err
        assert "hunter2" not in outcome.out + outcome.err


def test_a_store_locked_by_another_process_is_exit_6(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    monkeypatch.setattr("qwebhook.store.sqlite.connection.BUSY_SECONDS", 0.05)
    cli.create("x")
    other = sqlite3.connect(cli.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        outcome = cli.run("disable", "x")
    finally:
        other.close()
    assert outcome.code == 6
    assert "is locked by another process" in outcome.error


def test_a_store_without_its_key_is_exit_6(cli: Cli) -> None:
    cli.create("x")
    (cli.home / "store.db.key").unlink()
    outcome = cli.run("list")
    assert outcome.code == 6
    assert "restore that file from a backup" in outcome.error


def test_a_store_of_a_later_version_is_exit_6(cli: Cli) -> None:
    import sqlite3

    cli.create("x")
    database = sqlite3.connect(cli.store)
    database.execute("PRAGMA user_version = 99")
    database.close()
    outcome = cli.run("list")
    assert outcome.code == 6
    assert "update qwebhook" in outcome.error
