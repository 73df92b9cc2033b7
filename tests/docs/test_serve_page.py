"""docs/serve.md is true: its examples work, and its tables are those of the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any, get_args

import pytest

from qwebhook.model.backoff import SCHEDULE
from qwebhook.model.timestamps import duration_seconds
from qwebhook.server.metrics import Metrics
from qwebhook.store.contract import Role
from tests.docs.listener import Received, listening
from tests.docs.walkthrough import ROOT, SERVE, Reader, block, needs_a_shell

TEXT = SERVE.read_text(encoding="utf-8")
PLAIN = "a-secret-of-more-than-32-characters"
Check = Callable[[str, dict[str, str], bytes], bool]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that has the heading, without it."""
    table = TEXT.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:]]


@needs_a_shell
def test_its_examples_can_be_followed(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.ports["9000"] = "1"  # nobody listens there
        reader.follow(SERVE)


def test_it_lists_every_metric() -> None:
    exposed = re.findall(r"(?m)^# TYPE (\w+) (\w+)$", Metrics().text().decode())
    shown = [(name.strip("`"), kind) for name, kind, _ in rows("metric")]
    assert sorted(shown) == sorted((name, kind) for name, kind in exposed if not name.endswith("_created"))


def test_it_lists_every_line_of_the_log() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "qwebhook" / "server").rglob("*.py"))
    written = set(re.findall(r"""\blog\.(?:info|warning|error)[(,]\s*"([^"]+)\"""", sources.replace("_log", "log")))
    shown = {name for row in rows("`what`") for name in re.findall(r"`([^`]+)`", row[0])}
    assert shown >= written - {"unforeseen"}  # a mistake of the program's
    assert {"attempt", "listening", "source", "not let in"} <= written


def test_it_shows_the_schedule_of_retries() -> None:
    waits = [duration_seconds(wait.replace(" ", "")) for _, wait, _ in rows("attempt")]
    totals = [duration_seconds(total.replace(" ", "")) for _, _, total in rows("attempt")]
    assert waits == list(SCHEDULE)
    assert totals == list(accumulate(SCHEDULE))


def test_it_lists_every_role() -> None:
    assert sorted(name.strip("`") for name, _ in rows("role")) == sorted(get_args(Role))


@pytest.fixture(scope="module", params=[PLAIN, "generate"])
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Received]:
    """A secret and a request that qwebhook signed with it."""
    with listening() as (url, received), Reader(tmp_path_factory.mktemp("home")) as reader:
        printed = reader.run(
            f"qwebhook create one --url {url} --event com.qlik.v1.app.created --secret {request.param} 2>&1\n"
            "qwebhook test-fire one --allow-network loopback"
        )
        made = re.search(r"whsec_\S+", printed)
        (request_,) = received
    return made[0] if made else PLAIN, request_


@pytest.mark.parametrize("name", ["holds", "qlik_holds"])
def test_its_example_verifies_what_is_sent(name: str, signed: tuple[str, Received]) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(block(SERVE, "python").text, str(SERVE), "exec"), namespace)  # the page is ours
    check: Check = namespace[name]
    secret, received = signed
    headers = {header.lower(): value for header, value in received.headers.items()}
    assert check(secret, headers, received.body)
    assert not check(secret, headers, received.body + b" ")
    assert not check("another-secret-of-32-characters-or-more", headers, received.body)
    assert not check(secret, {}, received.body)


def test_its_example_refuses_an_old_request(signed: tuple[str, Received]) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(block(SERVE, "python").text, str(SERVE), "exec"), namespace)  # the page is ours
    secret, received = signed
    headers = {header.lower(): value for header, value in received.headers.items()}
    assert not namespace["holds"](secret, headers, received.body, tolerance=-1)
    assert not namespace["holds"](secret, headers | {"webhook-timestamp": "1"}, received.body)
