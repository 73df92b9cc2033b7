"""docs/targets.md and the recipes are true: their examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qwebhook.deliver.targets.command import RUN_VARIABLE, prepare
from qwebhook.model.webhook import SCHEMES
from tests.builders import APP_CREATED, cloud_event_body, endpoint, webhook
from tests.docs.walkthrough import ROOT, Reader, needs_a_shell

PAGE = ROOT / "docs" / "targets.md"
RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.md"))


@needs_a_shell
@pytest.mark.parametrize("page", [PAGE, *RECIPES], ids=lambda page: page.stem)
def test_its_examples_can_be_followed(page: Path, tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.follow(page)


def test_it_lists_every_scheme() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| URL |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z]+):", table)) == set(SCHEMES)


def test_it_lists_every_variable_of_a_command() -> None:
    made = prepare(endpoint(webhook(url="exec:true")), bytes(16), APP_CREATED, cloud_event_body(), True)
    listed = set(re.findall(r"`(QWEBHOOK_\w+)`", PAGE.read_text(encoding="utf-8")))
    assert listed == {*made.headers, RUN_VARIABLE}
