"""Completion: the scripts are fresh, bash completes with one, and the answers suit each shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qwebhook.cli.application import COMMANDS
from qwebhook.cli.commands.completion import SHELLS
from qwebhook.cli.shell_completion import script
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.connection import MIGRATIONS
from tests.cli.world import ROOT, Cli, asking, process, process_environ

COMPLETIONS = ROOT / "completions"
# The name of the file that each shell looks for.
FILE_NAMES = dict(zip(SHELLS, ("qwebhook.bash", "_qwebhook", "qwebhook.fish", "qwebhook.ps1"), strict=True))


@pytest.mark.parametrize("shell", FILE_NAMES)
def test_the_scripts_in_the_repository_are_fresh(cli: Cli, shell: str) -> None:
    """If not: `qwebhook completion SHELL > completions/FILE`."""
    assert (COMPLETIONS / FILE_NAMES[shell]).read_text(encoding="utf-8") == script(shell)
    assert cli.ok("completion", shell).out == script(shell)


def test_no_other_scripts_are_there() -> None:
    assert {path.name for path in COMPLETIONS.iterdir()} == set(FILE_NAMES.values())


def test_an_unknown_shell(cli: Cli) -> None:
    outcome = cli.run("completion", "tcsh")
    assert outcome.code == 2
    assert outcome.error == "SHELL 'tcsh' is not one of bash, zsh, fish, powershell"


def completed(cli: Cli, words: str, shell: str = "bash") -> list[str]:
    """What the program answers a shell."""
    outcome = process(environ={**cli.environ, **asking(shell, words)})
    assert outcome.err == ""
    return [line for line in outcome.out.splitlines() if line]


def test_commands_and_options(cli: Cli) -> None:
    assert completed(cli, "qwebhook ") == list(COMMANDS)
    assert completed(cli, "qwebhook del") == ["delete", "deliveries", "delivery"]
    assert completed(cli, "qwebhook list --disa") == ["--disabled"]
    assert completed(cli, "qwebhook list -o ") == ["table", "json", "yaml", "csv", "id"]
    assert completed(cli, "qwebhook completion ") == ["bash", "zsh", "fish", "powershell"]
    assert completed(cli, "qwebhook token ") == ["create", "list", "revoke"]
    assert completed(cli, "qwebhook test-fire --via ") == ["direct", "serve"]


@pytest.mark.parametrize(
    "command",
    [
        "get", "update", "enable", "disable", "delete", "deliveries", "sign --webhook", "rotate-secret", "preview",
        "test-fire", "resend", "replay",
    ],
)  # fmt: skip
def test_names_of_webhooks(cli: Cli, command: str) -> None:
    cli.create("reports")
    cli.create("alerts")
    assert completed(cli, f"qwebhook {command} ") == ["alerts", "reports"]
    assert completed(cli, f"qwebhook {command} rep") == ["reports"]


def test_names_come_from_the_store_that_is_named_on_the_line(cli: Cli) -> None:
    cli.create("here")
    cli.create("there", "--store", cli.home / "other.db")
    assert completed(cli, f"qwebhook --store {cli.home}/other.db get ") == ["there"]
    assert completed(cli, f"qwebhook get --store {cli.home}/other.db ") == ["there"]


def test_names_of_contexts(cli: Cli) -> None:
    cli.ok("context", "add", "prod", cli.home / "a.db")
    for words in ("qwebhook list --context ", "qwebhook context use ", "qwebhook context remove "):
        assert completed(cli, words) == ["prod"]


def test_a_name_that_a_shell_would_split_is_offered_as_its_id(cli: Cli) -> None:
    made = cli.create("two words", "--url", "https://e.example/")
    assert completed(cli, "qwebhook get ") == [made["id"]]


@pytest.mark.parametrize("command", ["token revoke", "inbound remove"])
def test_names_of_what_lets_in(cli: Cli, command: str) -> None:
    cli.ok("token", "create", "laptop", "--role", "admin")
    cli.ok("inbound", "add", "laptop", "--secret", "generate")
    assert completed(cli, f"qwebhook {command} ") == ["laptop"]
    assert completed(cli, f"qwebhook {command} x") == []


def test_types_of_events(cli: Cli) -> None:
    assert completed(cli, "qwebhook create x --event com.qlik.v1.app.c") == ["com.qlik.v1.app.created"]
    assert completed(cli, "qwebhook event-types com.qlik.v1.app.c") == ["com.qlik.v1.app.created"]
    assert completed(cli, "qwebhook preview x --event com.qlik.v1.app.c") == ["com.qlik.v1.app.created"]
    assert completed(cli, "qwebhook list --event a.b,com.qlik.v1.app.c") == ["a.b,com.qlik.v1.app.created"]


@pytest.mark.parametrize("broken", ["missing", "text", "url"])
def test_a_store_that_cannot_be_read_is_silence(cli: Cli, broken: str) -> None:
    if broken == "text":
        cli.store.write_text("no database " * 100)
    if broken == "url":
        cli.environ["QWEBHOOK_STORE"] = "https://h.example"
    assert completed(cli, "qwebhook get ") == []
    assert cli.store.exists() == (broken == "text")


def test_completing_never_makes_the_default_store(cli: Cli) -> None:
    cli.environ["QWEBHOOK_STORE"] = ""
    assert completed(cli, "qwebhook get ") == []
    assert list(cli.home.iterdir()) == []


def test_completing_leaves_an_older_store_as_it_is(cli: Cli, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for migration in sorted(MIGRATIONS.glob("*.sql"))[:-1]:
        shutil.copy(migration, earlier)
    SqliteStore.open(cli.store, create=True, migrations=earlier).close()
    before = cli.store.read_bytes()
    assert completed(cli, "qwebhook get ") == []
    assert cli.store.read_bytes() == before


def test_the_answers_of_the_other_shells(cli: Cli) -> None:
    cli.create("reports", "--url", "https://e.example/it's:$x")
    assert completed(cli, "qwebhook get ", "fish") == ["reports\thttps://e.example/it's:$x"]
    assert completed(cli, "qwebhook get ", "powershell") == ["reports:::https://e.example/it's:$x"]
    assert completed(cli, "qwebhook get ", "zsh") == [
        r"""_arguments '*: :(("reports":"https\\://e.example/it’s\\:\$x"))'"""
    ]


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="needs bash")
def test_bash_completes_with_the_script(cli: Cli, tmp_path: Path) -> None:
    cli.create("reports")
    program = tmp_path / "bin" / "qwebhook"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m qwebhook "$@"\n')
    program.chmod(0o755)
    lines = [
        f"source '{COMPLETIONS / FILE_NAMES['bash']}'",
        'answer() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); '
        '_qwebhook_completion qwebhook; printf "%s\\n" "${COMPREPLY[*]}"; }',
        "complete -p qwebhook",
        "answer qwebhook get r",
        "answer qwebhook ver",
        "answer qwebhook create x --event com.qlik.v1.app.d",
    ]
    environ = process_environ({**cli.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"})
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)], capture_output=True, text=True, env=environ, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o default -F _qwebhook_completion qwebhook",
        "reports",
        "verify version",
        "com.qlik.v1.app.data.updated com.qlik.v1.app.deleted",
    ]
