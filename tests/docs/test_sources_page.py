"""docs/sources.md is true: its examples work against a tenant, and what it names exists."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.docs.walkthrough import ROOT, Reader, needs_a_shell
from tests.tenant import Tenant

SOURCES = ROOT / "docs" / "sources.md"
TEXT = SOURCES.read_text(encoding="utf-8")


@needs_a_shell
def test_its_examples_can_be_followed(tmp_path: Path) -> None:
    with Tenant() as tenant, Reader(tmp_path) as reader:
        config = tmp_path / "config.toml"
        config.write_text(f'[contexts.prod]\nstore = "{tenant.url}"\ntoken = "{tenant.key}"\n', encoding="utf-8")
        config.chmod(0o600)
        reader.environ["QWEBHOOK_CONFIG"] = str(config)
        past = datetime.now(UTC) - timedelta(days=2)
        tenant.audits.add_many(3, until=past)
        tenant.audits.add("com.qlik.v1.app.deleted", at=past)
        reader.follow(SOURCES)


def test_its_options_are_those_of_the_command() -> None:
    listen = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").partition("## qwebhook listen")[2]
    table = TEXT.partition("| option | does |")[2].partition("\n\n")[0]
    named = re.findall(r"(?m)^\| `(--[\w-]+)", table)
    assert named
    assert all(option in listen.partition("\n## ")[0] for option in named)


def test_the_lines_that_it_shows_are_those_of_the_log() -> None:
    code = (ROOT / "qwebhook" / "server" / "sources.py").read_text(encoding="utf-8")
    table = TEXT.partition("| in the log | says |")[2].partition("\n\n")[0]
    assert set(re.findall(r"(?m)^\| `([^`]+)` \|", table)) == set(re.findall(r'"((?:source|tenant)[ a-z]*)"', code))
