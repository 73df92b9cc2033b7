"""docs/api.md is true: its examples work, and its tables are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from qwebhook.deliver import writer
from qwebhook.model import errors
from qwebhook.server import guard, protocol, responses
from qwebhook.server.api.openapi import document
from qwebhook.store.contract import WebhookQuery
from tests.docs.walkthrough import API, Reader, block, needs_a_shell

TEXT = API.read_text(encoding="utf-8")
CORE, OWN = "/api/core", "/api/qwebhook/v1"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that has the heading, without it."""
    table = TEXT.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:]]


def operations(prefix: str) -> Iterator[tuple[str, str, str]]:
    """Method, path below the prefix, and the status of success of each operation that is there."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if path.startswith(f"{prefix}/"):
                yield method.upper(), path.removeprefix(prefix), min(operation["responses"])


@needs_a_shell
def test_its_examples_can_be_followed(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.follow(API)


def test_it_lists_the_ten_operations() -> None:
    listed = [(*place.strip("`").split(" "), status) for _, place, status in rows("operation")]
    assert sorted(listed) == sorted(operations(CORE))
    assert len(listed) == 10


def test_it_lists_what_there_is_beyond_the_service() -> None:
    listed = [tuple(one.split(" ")) for places, _ in rows(r"method and path, below `/api/qwebhook/v1`")
              for one in re.findall(r"`([^`]+)`", places)]  # fmt: skip
    assert sorted(listed) == sorted((method, path) for method, path, _ in operations(OWN))


def test_it_lists_every_parameter_of_the_list() -> None:
    listed = {name for names, _ in rows("parameter") for name in re.findall(r"`(\w+)`", names)}
    described = document()["paths"][f"{CORE}/webhooks"]["get"]["parameters"]
    assert listed | {"next", "prev"} == {parameter["name"] for parameter in described}
    assert f"{WebhookQuery().limit} unless given" in TEXT


def test_it_lists_every_code() -> None:
    kinds = [
        kind
        for module in (errors, writer, responses, protocol, guard)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.QwebhookError)
    ]
    assert {(status, code.strip("`")) for status, code, _ in rows("status")} == {
        (str(kind.status), kind.code) for kind in kinds
    }


def test_it_lists_every_role() -> None:
    listed = {name for names, _ in rows("token of role") for name in re.findall(r"`(\w+)`", names)}
    assert listed == set(document()["components"]["schemas"]["Token"]["properties"]["role"]["enum"])


def test_its_context_has_the_form_of_the_vendors_file() -> None:
    (context,) = yaml.safe_load(block(API, "yaml").text)["contexts"].values()
    assert context.keys() == {"server", "headers"}
    assert context["headers"]["Authorization"].startswith("Bearer ")
