"""The boundary: exit codes, one line on stderr, tracebacks only when asked for, quiet ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qwebhook.cli import application
from qwebhook.cli.exit_codes import ExitCode
from qwebhook.model import errors
from tests.cli.world import ROOT, Cli, process, process_environ


def test_every_error_of_the_tree_has_a_documented_exit_code() -> None:
    def tree(kind: type[errors.QwebhookError]) -> list[type[errors.QwebhookError]]:
        return [kind, *(one for below in kind.__subclasses__() for one in tree(below))]

    assert {kind.exit_code for kind in tree(errors.QwebhookError)} <= set(ExitCode)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["creat"], "there is no command 'creat', did you mean create?; `qwebhook --help` shows the usage"),
        (["list", "--limt"], "no such option: --limt, did you mean --limit?; `qwebhook list --help` shows the usage"),
        (["get"], "missing argument 'WEBHOOK'; `qwebhook get --help` shows the usage"),
        (["list", "-o", "xml"], "'xml' is not one of 'table', 'json', 'yaml', 'csv', 'id'"),
        (["list", "--limit", "0"], "invalid value for '--limit'"),
        (["list", "--limit", "many"], "'many' is not a valid int"),
        (["list", "extra"], "got unexpected extra argument(s) (extra)"),
        (["--store"], "option '--store' requires an argument"),
        (["token", "make"], "no such command 'make'"),
    ],
)
def test_a_mistake_in_the_command_line_is_exit_2_and_one_line(cli: Cli, arguments: list[str], words: str) -> None:
    outcome = cli.run(*arguments)
    assert outcome.code == ExitCode.USAGE
    assert words in outcome.error
    assert outcome.out == ""


def test_no_command_prints_the_help_on_stderr_and_is_a_usage_error(cli: Cli) -> None:
    outcome = cli.run()
    assert outcome.code == ExitCode.USAGE
    assert outcome.out == ""
    assert outcome.err.startswith("Usage: qwebhook")


def test_help_goes_to_stdout(cli: Cli) -> None:
    outcome = process("list", "-h", environ=cli.environ)
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out.startswith("Usage: qwebhook list")


def test_an_error_is_its_message_and_its_hint(cli: Cli) -> None:
    outcome = cli.run("get", "nothing", environ={"QWEBHOOK_STORE": ""})
    assert outcome.code == ExitCode.NOT_FOUND
    assert outcome.error == (
        "there is no webhook with the id or name 'nothing'; the list has those there are (`qwebhook list`)"
    )


@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_shows_the_traceback(cli: Cli, place: str) -> None:
    arguments = ["--verbose", "get", "x"] if place == "before" else ["get", "x", "--verbose"]
    outcome = cli.run(*arguments, environ={"QWEBHOOK_STORE": ""})
    assert outcome.code == ExitCode.NOT_FOUND
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("qwebhook: error: there is no webhook")


def test_an_unforeseen_error_says_its_kind_and_nothing_else(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("the secret is 12345")

    monkeypatch.setattr(application, "load_command", fail)
    outcome = cli.run("list")
    assert outcome.code == ExitCode.FAILED
    assert outcome.error == "unexpected RuntimeError; run again with --verbose to see the traceback"


def test_an_interrupt_is_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(application, "load_command", interrupt)
    outcome = cli.run("list")
    assert outcome.code == ExitCode.INTERRUPTED
    assert outcome.err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_in_a_process_that_reads_stdin(cli: Cli) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "qwebhook", "publish", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=process_environ(cli.environ),
    )
    time.sleep(1.0)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert running.returncode == ExitCode.INTERRUPTED
    assert out == b""
    assert b"Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
@pytest.mark.parametrize(
    "arguments",
    ["list -o table", "list -o json", "list -o csv", "list -o id", "--version", "--help", "list --help", "demo"],
)
def test_a_reader_that_has_enough_is_no_error(cli: Cli, arguments: str) -> None:
    cli.create("one")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "qwebhook", *arguments.split()],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=process_environ(cli.environ),
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert done.stderr == b""


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    "arguments",
    ["list", "list -o json", "list -q", "version", "--version", "list --help", "event-types -o json", "demo"],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_stdout_is_told(cli: Cli, arguments: str, unbuffered: str) -> None:
    cli.create("one")
    with FULL.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "qwebhook", *arguments.split()],
            stdout=out,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=process_environ({**cli.environ, "PYTHONUNBUFFERED": unbuffered}),
            timeout=60,
        )
    assert done.stderr == b"qwebhook: error: the output cannot be written: No space left on device\n"
    assert done.returncode == ExitCode.FAILED


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("arguments", "code"), [("list", ExitCode.FAILED), ("get nothing", ExitCode.NOT_FOUND)])
def test_where_nothing_can_be_told_the_exit_code_still_speaks(
    cli: Cli, arguments: str, code: ExitCode, unbuffered: str
) -> None:
    cli.create("one")
    with FULL.open("wb") as everything:
        done = subprocess.run(
            [sys.executable, "-m", "qwebhook", *arguments.split()],
            stdout=everything,
            stderr=everything,
            cwd=ROOT,
            env=process_environ({**cli.environ, "PYTHONUNBUFFERED": unbuffered}),
            timeout=60,
        )
    assert done.returncode == code


def test_a_locale_without_the_character_prints_its_escape(cli: Cli) -> None:
    cli.create("übung", "--url", "https://example.com/")
    outcome = process("list", environ={**cli.environ, "PYTHONIOENCODING": "ascii"})
    assert outcome.code == 0
    assert "\\xfcbung" in outcome.out
    assert "übung" in process("list", "-o", "json", environ={**cli.environ, "PYTHONIOENCODING": "ascii"}).out


def test_a_line_break_in_a_message_stays_one_line(cli: Cli) -> None:
    cli.create("one")
    outcome = cli.run("get", "a\nb")
    assert "\\n" in outcome.error


def test_no_secret_is_shown_by_a_failure_even_with_verbose(cli: Cli) -> None:
    secret = "tooshort-but-secret"
    outcome = cli.run("create", "x", "--url", "https://e.example/", "--event", "a.b", "--secret", secret, "--verbose")
    assert outcome.code == ExitCode.USAGE
    assert "secret: has 19 characters" in outcome.err
    assert secret not in outcome.err
    outcome = cli.run(
        "create", "x", "--url", "https://e.example/", "--event", "a.b", "--encrypted-header", "hunter2 hunter2"
    )
    assert outcome.error == "--encrypted-header number 1 is not NAME=VALUE"


def test_version_in_all_its_ways(cli: Cli) -> None:
    from qwebhook import __version__

    for arguments in (["version"], ["--version"], ["version", "-q"], ["-o", "table", "version"]):
        assert cli.ok(*arguments).out == f"qwebhook {__version__}\n"
    assert list(cli.ok("version", "-o", "json").json) == ["version", "python", "platform"]


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(cli: Cli, closed: str) -> None:
    cli.create("one")
    for arguments, code in (("list", 0), ("list -o json", 0), ("list --name none", 0), ("publish", 2)):
        done = subprocess.run(
            ["sh", "-c", f'"{sys.executable}" -m qwebhook {arguments} {closed}'],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=ROOT,
            env=process_environ(cli.environ),
            timeout=60,
        )
        assert (done.returncode, b"unexpected" in done.stderr) == (code, False), done


def test_what_a_message_quotes_cannot_steer_the_terminal(cli: Cli) -> None:
    cli.create("one")
    outcome = cli.run("publish", "/no\x1b[2J\nwhere")
    assert outcome.error == "FILE: /no\\x1b[2J\\nwhere cannot be read: No such file or directory"
