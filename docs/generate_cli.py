"""Writes docs/cli.md from what `--help` of every command prints.

    python docs/generate_cli.py

A test compares the file with `page()`, so that the two cannot drift apart.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qwebhook.cli.application import COMMANDS, load_command

TARGET = Path(__file__).with_name("cli.md")
COLUMNS = 100
GLOBAL_OPTIONS = "Global options:\n"
HEAD = """\
# The commands

Made by `python docs/generate_cli.py` from what `--help` prints; change the commands, not this page.

Every command takes the global options as well. They are listed here once, and left out below.
"""


def commands() -> Iterator[str]:
    """Every command line that has a help of its own: `""` for qwebhook itself, `create`, `token create`, …"""
    yield ""
    for name in COMMANDS:
        yield name
        yield from (f"{name} {inner}" for inner in getattr(load_command(name), "commands", {}))


def printed_help(command: str) -> str:
    """What the real program prints, at a fixed width and in no locale's or terminal's way."""
    environment = {name: value for name, value in os.environ.items() if name not in ("TERM", "NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "qwebhook", *command.split(), "--help"],
        env=environment | {"COLUMNS": str(COLUMNS), "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    lines = done.stdout.decode().splitlines()
    return "\n".join(line.rstrip() for line in lines).strip() + "\n"


def without_global_options(text: str) -> str:
    """The help without the section that is the same for all commands."""
    before, heading, rest = text.partition(GLOBAL_OPTIONS)
    if not heading:
        return text
    after = rest.partition("\n\n")[2]
    return f"{before}{after}".strip() + "\n"


def page() -> str:
    """The whole of docs/cli.md."""
    names = list(commands())
    with ThreadPoolExecutor(4) as pool:
        helps = dict(zip(names, pool.map(printed_help, names), strict=True))
    parts = [HEAD, f"## qwebhook\n\n```text\n{helps['']}```\n"]
    for name in names[1:]:
        level = "###" if " " in name else "##"
        parts.append(f"{level} qwebhook {name}\n\n```text\n{without_global_options(helps[name])}```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
