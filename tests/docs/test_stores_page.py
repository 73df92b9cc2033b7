"""docs/stores.md is true: its examples work, and its tables are those of the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from qwebhook.cli.application import COMMANDS
from qwebhook.cli.contexts import Context, read_context, written
from tests.docs.walkthrough import STORES, Reader, needs_a_shell

TEXT = STORES.read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that has the heading, without it."""
    table = TEXT.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:]]


@needs_a_shell
def test_its_examples_can_be_followed(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.follow(STORES)


def test_the_fields_that_it_shows_can_be_written_by_hand() -> None:
    shown: set[str] = set()
    for *_, fields in rows("option of `context add`"):
        content = tomllib.loads("\n".join(re.findall(r"`([^`]+)`", fields)))
        read_context("x", {"store": "https://t.example", **content}, STORES)
        shown |= content.keys()
    every = Context("x", "s", STORES, "t", "i", "s", ("c",), "k", "f", "w")
    assert shown | {"store", "ca-file", "webhook-secret"} == written(every).keys()


def test_the_commands_that_differ_are_commands() -> None:
    named = {word.split()[0] for command, *_ in rows("command") for word in re.findall(r"`([a-z][^`]*)`", command)}
    assert named - {"createdByUserId"} <= COMMANDS.keys()
