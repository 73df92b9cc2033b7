"""docs/templates.md is true: its examples work, and it lists what there is."""

from __future__ import annotations

import re
from pathlib import Path

from qwebhook.render.message import Message
from qwebhook.render.presets import PRESETS
from tests.docs.walkthrough import ROOT, Reader, needs_a_shell

PAGE = ROOT / "docs" / "templates.md"
TEXT = PAGE.read_text(encoding="utf-8")


@needs_a_shell
def test_its_examples_can_be_followed(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.follow(PAGE)


def test_it_lists_every_preset() -> None:
    listed = dict(re.findall(r"(?m)^\| `([a-z-]+)` \| (.*) \|$", TEXT.partition("| preset |")[2].partition("\n\n")[0]))
    assert listed == {preset.name: preset.title for preset in PRESETS.values()}


def test_it_lists_every_variable() -> None:
    table = TEXT.partition("| variable |")[2].partition("\n\n")[0]
    listed = {name for first in re.findall(r"(?m)^\| (`.*?`) \|", table) for name in re.findall(r"`(\w+)`", first)}
    assert listed == set(Message.__struct_fields__)
