"""The output contract: the keys of the JSON, each format, terminals and pipes."""

from __future__ import annotations

import csv
import io
import re
import time

import pytest
import yaml

from qwebhook.cli.printable import printable
from qwebhook.cli.tables import relative_time
from tests.cli.world import NOW, Cli

WEBHOOK_KEYS = [
    "id",
    "name",
    "url",
    "description",
    "eventTypes",
    "filter",
    "headers",
    "encryptedHeaders",
    "enabled",
    "level",
    "ownerId",
    "checkCertificateRevocation",
    "enableCloudEventDelivery",
    "origin",
    "secretKeyAdded",
    "createdAt",
    "createdByUserId",
    "updatedAt",
    "updatedByUserId",
    "disabledReason",
    "disabledReasonCode",
    "qwebhook",
]
EVENT = b'{"specversion":"1.0","id":"1","type":"com.qlik.v1.app.created","source":"s"}'
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class TestKeys:
    """Scripts read these: a key may come, and none may go or change its name."""

    def test_a_webhook_wherever_one_is_printed(self, cli: Cli) -> None:
        assert list(cli.create("x")) == WEBHOOK_KEYS
        assert list(cli.ok("get", "x", "-o", "json").json) == WEBHOOK_KEYS
        assert list(cli.ok("update", "x", "--description", "d", "-o", "json").json) == WEBHOOK_KEYS
        for command in (["list"], ["disable", "x"], ["enable", "x"], ["delete", "x", "--yes"]):
            (one,) = cli.ok(*command, "-o", "json").json
            assert list(one) == WEBHOOK_KEYS

    def test_a_generated_secret_is_one_more(self, cli: Cli) -> None:
        assert list(cli.create("x", "--secret", "generate")) == [*WEBHOOK_KEYS, "secret"]

    def test_a_rotated_secret_is_one_more_and_until_when_both_sign(self, cli: Cli) -> None:
        cli.create("x", "--secret", "generate")
        rotated = cli.ok("rotate-secret", "x", "-o", "json").json
        assert list(rotated) == [*WEBHOOK_KEYS, "secret", "bothSignUntil"]

    def test_event_types(self, cli: Cli) -> None:
        first = cli.ok("event-types", "-o", "json").json[0]
        assert list(first) == ["name", "title", "description", "category", "levels", "source"]

    def test_publish(self, cli: Cli) -> None:
        cli.create("x")
        assert list(cli.ok("publish", "-o", "json", stdin=EVENT).json) == ["accepted", "duplicates", "ids"]


class TestFormats:
    def test_yaml_holds_the_same(self, cli: Cli) -> None:
        made = cli.create("x", "--description", "wörter: yes", "--header", "A=b")
        assert yaml.safe_load(cli.ok("get", "x", "-o", "yaml").out) == made
        assert yaml.safe_load(cli.ok("list", "-o", "yaml").out) == [made]

    def test_csv_has_a_header_of_rest_names_and_json_for_what_is_nested(self, cli: Cli) -> None:
        cli.create("x", "--description", 'a "quoted", text', "--header", "A=b")
        for command in (["get", "x"], ["list"]):
            (row,) = csv.DictReader(io.StringIO(cli.ok(*command, "-o", "csv").out))
            assert list(row) == WEBHOOK_KEYS
            assert row["description"] == 'a "quoted", text'
            assert row["eventTypes"] == '["com.qlik.v1.app.created"]'
            assert row["headers"] == '{"A":"b"}'
            assert (row["enabled"], row["ownerId"]) == ("true", "")

    def test_ids_are_one_a_line(self, cli: Cli) -> None:
        identifiers = [cli.create(name)["id"] for name in ("a", "b")]
        for options in (["-q"], ["-o", "id"], ["--quiet"]):
            assert cli.ok("list", "--sort", "name", *options).out.splitlines() == identifiers
        assert cli.ok("get", "a", "-q").out == identifiers[0] + "\n"

    def test_an_explicit_format_goes_before_quiet(self, cli: Cli) -> None:
        cli.create("x")
        assert cli.ok("list", "-q", "-o", "json").json[0]["name"] == "x"

    def test_json_is_utf_8_and_indented(self, cli: Cli) -> None:
        cli.create("ü", "--url", "https://e.example/")
        out = cli.ok("list", "-o", "json").out
        assert out.startswith('[\n  {\n    "id": ')
        assert out.endswith("\n  }\n]\n")
        assert '"name": "ü"' in out

    def test_documents_are_json_in_every_text_format(self, cli: Cli) -> None:
        for options in ([], ["-q"], ["-o", "csv"], ["-o", "json"]):
            assert cli.ok("event-types", "a.b", "--sample", *options).json["type"] == "a.b"


class TestPipe:
    def test_a_table_is_plain_aligned_and_exact(self, cli: Cli) -> None:
        made = cli.create("short", "--event", "com.qlik.v1.app.created,com.qlik.v1.app.deleted")
        cli.create("a-longer-name", "--disabled")
        header, second, first = cli.ok("list").out.splitlines()
        assert header.split() == ["ID", "NAME", "STATE", "LEVEL", "URL", "EVENTS", "CREATED"]
        assert header.index("NAME") == first.index("short") == second.index("a-longer-name")
        assert made["createdAt"] in first
        assert "com.qlik.v1.app.created +1" in first
        assert "disabled" in second
        assert "\x1b" not in header + first + second

    def test_wide_characters_keep_the_columns(self, cli: Cli) -> None:
        cli.create("日本", "--url", "https://e.example/")
        cli.create("ab", "--url", "https://e.example/")
        lines = cli.ok("list").out.splitlines()
        assert lines[1].index("enabled") == lines[2].index("enabled") + 2

    def test_one_object_is_a_field_to_a_line_without_the_empty_ones(self, cli: Cli) -> None:
        made = cli.create("x", "--header", "A=1", "--header", "B=2")
        lines = cli.ok("get", "x").out.splitlines()
        assert lines[0].split() == ["id", made["id"]]
        headers = next(number for number, line in enumerate(lines) if line.startswith("headers "))
        assert lines[headers].endswith("  A: 1")
        assert lines[headers + 1] == lines[headers].replace("headers", "       ").replace("A: 1", "B: 2")
        assert not any(line.startswith(("description", "filter", "ownerId")) for line in lines)


class TestTerminal:
    def test_a_table_is_coloured_and_its_times_are_relative(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        cli.create("x")
        cli.create("y", "--disabled")
        cli.now = time.time() + 7300
        monkeypatch.setenv("COLUMNS", "200")
        out = cli.ok("list", terminal=True).out
        assert out.count("2h ago") == 2
        assert "\x1b[32menabled" in out
        assert "\x1b[33mdisabled" in out
        assert "\x1b" not in ESCAPE.sub("", out)

    @pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_colour_can_be_refused(self, cli: Cli, variable: dict[str, str]) -> None:
        cli.create("x")
        for command in (["list"], ["get", "x"]):
            assert "\x1b[3" not in cli.ok(*command, terminal=True, environ=variable).out

    def test_fields_have_both_times(self, cli: Cli) -> None:
        made = cli.create("x")
        out = ESCAPE.sub("", cli.ok("get", "x", terminal=True).out)
        assert f"{made['createdAt']} (" in out

    def test_json_is_the_same_everywhere(self, cli: Cli) -> None:
        cli.create("x")
        assert cli.ok("list", "-o", "json", terminal=True).out == cli.ok("list", "-o", "json").out

    def test_ids_stay_whole_on_a_narrow_one(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "70")
        made = cli.create("a-rather-long-name-for-a-webhook")
        out = ESCAPE.sub("", cli.ok("list", terminal=True).out)
        assert made["id"] in out
        assert "CREATED" not in out


def test_control_characters_are_shown_and_not_sent() -> None:
    assert printable("a\x1b[31mb\tc\x00") == "a\\x1b[31mb\\tc\\x00"
    assert printable("wörter 日本") == "wörter 日本"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (0.9, "just now"),
        (5, "5s ago"),
        (90, "1m ago"),
        (7300, "2h ago"),
        (200_000, "2d ago"),
        (-5, "in 5s"),
        (-7300, "in 2h"),
    ],
)
def test_relative_times(seconds: float, text: str) -> None:
    assert relative_time("2026-11-24T16:00:00.000Z", int((NOW + seconds) * 1000)) == text
