"""docs/cli.md says what `--help` says."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from typing import Any

from tests.docs.walkthrough import ROOT

GENERATOR = ROOT / "docs" / "generate_cli.py"


def test_the_page_is_fresh() -> None:
    generator: dict[str, Any] = runpy.run_path(str(GENERATOR))
    page: Callable[[], str] = generator["page"]
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == page(), "run `python docs/generate_cli.py`"


def test_the_options_left_out_are_those_shown_once() -> None:
    generator: dict[str, Any] = runpy.run_path(str(GENERATOR))
    heading: str = generator["GLOBAL_OPTIONS"]

    def options(command: str) -> list[str]:
        lines = generator["printed_help"](command).partition(heading)[2].partition("\n\n")[0].splitlines()
        return [" ".join(line.split()) for line in lines if "--version" not in line]

    assert options("list") == options("token create") == options("")
    assert options("")
