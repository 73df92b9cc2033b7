"""The help: every command has one, with an example that parses, and the table of commands agrees with it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import qwebhook.cli.commands
from qwebhook.cli.application import COMMANDS, build, load_command
from tests.cli.world import Cli, process

MODULES = {path.stem for path in Path(qwebhook.cli.commands.__file__).parent.glob("[a-z]*.py")}
PRESENT = [name for name in COMMANDS if name.replace("-", "_") in MODULES]


def test_every_command_has_its_module_and_every_module_its_command() -> None:
    assert {name.replace("-", "_") for name in COMMANDS} == MODULES


@pytest.mark.parametrize("name", PRESENT)
def test_the_summary_in_the_table_is_the_first_line_of_the_help(name: str) -> None:
    command = load_command(name)
    assert (command.help or "").splitlines()[0] == COMMANDS[name].summary


@pytest.mark.parametrize("name", PRESENT)
def test_every_option_is_explained(name: str) -> None:
    command = load_command(name)
    for one in [command, *getattr(command, "commands", {}).values()]:
        for parameter in one.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.opts}"


@pytest.mark.parametrize("name", PRESENT)
def test_every_command_has_examples_and_their_options_exist(name: str) -> None:
    command = load_command(name)
    for one in getattr(command, "commands", {}).values() or [command]:
        assert one.epilog, name
        known = {option for parameter in one.params for option in [*parameter.opts, *parameter.secondary_opts]}
        text = re.sub(r"\$\(.*?\)", "", one.epilog.replace("\\\n", " "))
        assert "qwebhook " in text
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["qwebhook"] and words[1] == name:
                assert {word for word in words if word.startswith("--")} <= known, line


def test_the_help_of_the_program_lists_every_command(cli: Cli) -> None:
    out = process("--help", environ=cli.environ).out
    for name, entry in COMMANDS.items():
        assert f"  {name} " in out
        assert entry.summary.split()[0] in out


def test_global_options_are_in_every_help(cli: Cli) -> None:
    for command in (["list"], ["token"], ["token", "create"], []):
        out = process(*command, "--help", environ=cli.environ).out
        own, _, shared = out.partition("Global options:")
        assert "--store URL" in shared
        assert "--store" not in own


def test_the_application_starts_empty() -> None:
    assert build().commands == {}


def test_help_texts_fit_a_terminal(cli: Cli) -> None:
    for name in PRESENT:
        out = process(name, "--help", environ={**cli.environ, "COLUMNS": "80"}).out
        body = out.partition("Examples:")[0]
        assert max(len(line) for line in body.splitlines()) <= 80, name
