"""A world for commands: streams, environment, clock and user of the test's own making.

cli.run("list", "-o", "json")                  in this process, in a Session made for the run
cli.run("delete", "a", terminal=True, stdin=b"y\\n")
process("list", environ=cli.environ)           a process of its own, as a user starts it
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from qwebhook.cli.entry import run
from qwebhook.cli.session import Session

NOW = 1_795_536_000.0  # 2026-11-24T16:00:00Z
ROOT = Path(__file__).parents[2]


class Outcome(NamedTuple):
    """How a run ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line on stderr that says what went wrong."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("qwebhook: error: "), self.err
        return lines[0].removeprefix("qwebhook: error: ")


class Stream(io.TextIOWrapper):
    """A text stream over bytes in memory that may claim to be a terminal."""

    def __init__(self, content: bytes = b"", terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", newline="\n")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


class Cli:
    """Runs commands in this process, in a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store = home / "store.db"
        self.environ = {"HOME": str(home), "QWEBHOOK_STORE": str(self.store)}
        self.now = NOW
        self.system_config: Path | None = None

    def run(
        self,
        *arguments: str | Path,
        stdin: bytes = b"",
        terminal: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> Outcome:
        """terminal: whether all three streams are one. environ: in addition; an empty value unsets."""
        merged = {**self.environ, **(environ or {})}
        out, err = Stream(terminal=terminal), Stream(terminal=terminal)
        session = Session(
            stdin=Stream(stdin, terminal),
            stdout=out,
            stderr=err,
            environ={name: value for name, value in merged.items() if value},
            clock=lambda: self.now,
            user="tester",
            system_config=self.system_config,
        )
        code = run([str(argument) for argument in arguments], session)
        return Outcome(int(code), out.text(), err.text())

    def ok(self, *arguments: str | Path, **settings: Any) -> Outcome:
        """A run that must succeed."""
        outcome = self.run(*arguments, **settings)
        assert outcome.code == 0, outcome
        return outcome

    def create(self, name: str, *options: str | Path, **settings: Any) -> dict[str, Any]:
        """Make a webhook; the object that is printed."""
        given = [] if "--url" in options else ["--url", f"https://example.com/{name}"]
        given += [] if "--event" in options else ["--event", "com.qlik.v1.app.created"]
        made: dict[str, Any] = self.ok("create", name, *given, *options, "-o", "json", **settings).json
        return made


def process(*arguments: str | Path, environ: Mapping[str, str], stdin: bytes = b"") -> Outcome:
    """Run the program as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "qwebhook", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=60,
        cwd=ROOT,
        env=process_environ(environ),
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def process_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables a process needs, without any that could reach a real store or configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QWEBHOOK", "XDG_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **environ}


def asking(shell: str, words: str) -> dict[str, str]:
    """The variables by which a shell's script asks how the words go on."""
    incomplete = "" if words.endswith(" ") else words.split()[-1]
    return {
        "_QWEBHOOK_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - bool(incomplete)),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": incomplete,
    }
