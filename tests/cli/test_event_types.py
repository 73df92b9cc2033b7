"""`event-types`: the catalogue, one type's fields, samples and schemas."""

from __future__ import annotations

import pytest

from qwebhook.model import catalogue
from qwebhook.model.event import read_event
from tests.cli.world import Cli

CREATED = "com.qlik.v1.app.created"


def test_the_catalogue(cli: Cli) -> None:
    listed = cli.ok("event-types", "-o", "json").json
    assert [one["name"] for one in listed] == [one.name for one in catalogue.event_types()]
    assert cli.ok("event-types", "-q").out.splitlines() == [one["name"] for one in listed]


def test_it_needs_no_store(cli: Cli) -> None:
    cli.ok("event-types", "--store", "/nowhere/at/all.db")


def test_one_type_lists_its_fields_and_tells_about_itself(cli: Cli) -> None:
    outcome = cli.ok("event-types", CREATED)
    assert outcome.out.splitlines()[0].split()[:3] == ["FIELD", "OF", "DATA"]
    assert f"qwebhook: {CREATED}: " in outcome.err
    assert "Also known as com.qlik.app.created." in outcome.err
    fields = cli.ok("event-types", CREATED, "-o", "json").json
    assert {"name", "type", "required", "description"} == set(fields[0])
    assert "ownerId" in [field["name"] for field in fields]


def test_another_name_of_a_type_is_as_good(cli: Cli) -> None:
    assert cli.ok("event-types", "com.qlik.app.created").out == cli.ok("event-types", CREATED).out


@pytest.mark.parametrize("name", [CREATED, "com.qlik.app.created", "org.example.unknown"])
def test_a_sample_is_an_event_that_is_accepted(cli: Cli, name: str) -> None:
    event = read_event(cli.ok("event-types", name, "--sample").out.encode())
    assert event.type == name
    assert event.time == "2026-11-24T16:00:00.000Z"


def test_samples_differ_in_their_ids(cli: Cli) -> None:
    first, second = (cli.ok("event-types", CREATED, "--sample").json["id"] for _ in range(2))
    assert first != second


def test_a_schema(cli: Cli) -> None:
    schema = cli.ok("event-types", CREATED, "--schema").json
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert cli.ok("event-types", CREATED, "--schema", "-o", "yaml").out.startswith("$schema: https")


def test_an_unknown_type(cli: Cli) -> None:
    outcome = cli.run("event-types", "com.qlik.v1.app.creatd")
    assert outcome.code == 5
    assert "did you mean com.qlik.v1.app.created?" in outcome.error
    assert "is not in the catalogue" in cli.ok("event-types", "org.example.x", "--schema").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sample"], "--sample and --schema need a TYPE"),
        ([CREATED, "--sample", "--schema"], "were both given"),
        (["a b", "--sample"], "not a well-formed event type"),
    ],
)
def test_what_is_refused(cli: Cli, arguments: list[str], words: str) -> None:
    outcome = cli.run("event-types", *arguments)
    assert outcome.code == 2
    assert words in outcome.error
