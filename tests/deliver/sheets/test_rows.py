"""Which row an event becomes, and what a table is after changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.deliver.targets.sheets.rows import CELL_LIMIT, Change, Table, change_of
from qwebhook.model.errors import InvalidWebhook, RenderFailed
from qwebhook.model.sheet import SheetSettings
from qwebhook.model.webhook import Settings, check_fields
from qwebhook.render.body import check_rendering
from qwebhook.render.message import message_of
from tests.builders import webhook
from tests.deliver.sheets.writing import COLUMNS, CREATED, DELETED, NOW, at, user


def change(sheet: SheetSettings, event: tuple[str, bytes]) -> Change:
    kind, body = event
    return change_of(sheet, kind, message_of(body, kind, webhook()).variables(), NOW)


def test_without_columns_a_row_says_what_happened() -> None:
    made = change(SheetSettings(), user(1))
    assert list(made.row) == ["time", "type", "what", "text", "event_id"]
    assert (made.mode, made.key, made.row["type"], made.row["what"]) == ("append", "event_id", CREATED, "User 1")
    assert made.row["event_id"] == f"e1-{CREATED}"


def test_a_value_keeps_its_kind_and_a_template_makes_text() -> None:
    sheet = SheetSettings(
        columns={"n": "data.n", "b": "data.b", "l": "data.l", "no": "data.no", "t": "{{ data.name | upper }}!"}
    )
    row = change(sheet, user(1, n=1.5, b=True, l=[1, 2])).row
    assert row == {"n": 1.5, "b": True, "l": "[1,2]", "no": None, "t": "USER 1!", "event_id": f"e1-{CREATED}"}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("x" * 40_000, "x" * CELL_LIMIT),
        ("😀" * 40_000, "😀" * (CELL_LIMIT // 2)),  # two of what programs count
        (["😀" * 40_000], '["' + "😀" * (CELL_LIMIT // 2 - 1)),
    ],
    ids=["letters", "emojis", "list"],
)
def test_a_value_is_no_longer_than_a_cell(name: Any, kept: str) -> None:
    assert change(SheetSettings(columns={"Name": "data.name"}), user(1, name=name)).row["Name"] == kept


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for one in range(150) %}{% for two in range(100) %}{% endfor %}{% endfor %}", "too much work"),
        ("{{ data.name }}{{ data.name }}", "puts out more than 256 KiB"),
        ("{% for one in range(80) %}" + "x" * 1000 + "{% endfor %}", "puts out more than 256 KiB"),
    ],
)
def test_the_columns_of_a_row_share_one_budget(template: str, words: str) -> None:
    event = user(1, name="x" * 40_000)
    change(SheetSettings(columns={"1": template}), event)
    change(SheetSettings(columns={"1": template, **{str(one): "{{ data.id }}" for one in range(2, 101)}}), event)
    with pytest.raises(RenderFailed, match=words):
        change(SheetSettings(columns={str(one): template + "{# #}" * one for one in range(4)}), event)


def test_the_mode_may_depend_on_the_type() -> None:
    sheet = SheetSettings(columns=COLUMNS, key="Id", mode="upsert", modes={DELETED: "mark"})
    assert change(sheet, user(1)).row == {"Id": "u1", "Name": "User 1", "Mail": "u1@example.com"}
    marked = change(sheet, user(1, DELETED))
    assert (marked.mode, marked.row["Id"], list(marked.row)) == ("mark", "u1", ["Id", "deleted"])


def test_the_mode_is_that_of_the_type_under_any_of_its_names() -> None:
    old = "com.qlik.core.user.deleted"
    sheet = SheetSettings(columns=COLUMNS, key="Id", mode="upsert", modes={DELETED: "mark"})
    assert change(sheet, user(1, old)).mode == "mark"
    sheet = SheetSettings(columns=COLUMNS, key="Id", mode="upsert", modes={old: "mark"})
    check_fields(at("csv:/a/b.csv", columns=COLUMNS, key="Id", mode="upsert", modes={old: "mark"}).webhook)
    assert change(sheet, user(1, DELETED)).mode == "mark"


@pytest.mark.parametrize("value", [None, ""])
def test_an_event_without_its_key_is_dead(value: Any) -> None:
    with pytest.raises(RenderFailed, match="key column 'Id'"):
        change(SheetSettings(columns=COLUMNS, key="Id", mode="upsert"), user(1, id=value))


@pytest.mark.parametrize(
    ("url", "sheet", "words"),
    [
        ("csv:users.csv", {}, "whole path"),
        ("csv:/etc/passwd", {}, "does not end in .csv"),
        ("xlsx:/a/b.csv", {}, "does not end in .xlsx"),
        ("xlsx:/a/b.xlsx#a/b", {}, "no name of a sheet"),
        ("gsheet:abc", {}, "no Google sheet"),
        ("csv:/a/b.csv", {"mode": "upsert"}, "is missing: upsert finds a row by it"),
        ("csv:/a/b.csv", {"columns": COLUMNS, "key": "Nope"}, "not the header of a column"),
        ("csv:/a/b.csv", {"columns": {"a": "data..b"}}, "no place in an event"),
        ("csv:/a/b.csv", {"columns": {" ": "data"}}, "no header"),
        ("csv:/a/b.csv", {"columns": {"event_id": "data.id"}}, "column of the event's id"),
        ("csv:/a/b.csv", {"modes": {"com.example.other": "append"}}, "not among the event types"),
        ("csv:/a/b.csv", {"columns": {"a": "{{ data.b | nope }}"}}, "line 1, column 13"),
        ("https://example.com/", {"columns": COLUMNS}, "is for spreadsheets"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(url: str, sheet: dict[str, Any], words: str) -> None:
    made = webhook(url=url, qwebhook=Settings(sheet=SheetSettings(**sheet)))
    with pytest.raises(InvalidWebhook) as raised:
        check_fields(made)
        check_rendering(made.url, made.qwebhook)
    assert words in raised.value.message


@pytest.mark.parametrize("message", [{"preset": "slack"}, {"template": "{{ what }}"}])
def test_a_message_is_not_for_rows(message: dict[str, str]) -> None:
    """It would be there, and nobody would ever see it."""
    with pytest.raises(InvalidWebhook, match="is not for spreadsheets"):
        check_fields(webhook(url="csv:/a/b.csv", qwebhook=Settings(**message)))


def test_sheets_are_strict() -> None:
    assert at("csv:/a/b.csv").strict
    assert not at("https://example.com/").strict


CHANGES = st.builds(
    lambda mode, key, value: Change(
        mode, "id", {"id": key, "deleted": "now"} if mode == "mark" else {"id": key, "value": value}
    ),
    st.sampled_from(["append", "upsert", "delete", "mark"]),
    st.sampled_from(["a", "b", "c", "1"]),
    st.sampled_from(["x", "y", 1, 1.0, None]),
)


def kept(table: Table) -> list[dict[str, Any]]:
    rows = (row for row in table.rows if row is not None)
    return [{name: cell for name, cell in zip(table.header, row, strict=False) if cell is not None} for row in rows]


@given(st.lists(CHANGES, max_size=12))
def test_a_change_made_twice_changes_nothing_and_in_between_nothing_depends_on_batches(changes: list[Change]) -> None:
    at_once = Table(["id", "value"], [["a", "old"], ["z", "old"]])
    for one in changes:
        at_once.apply(one)
    one_by_one: list[list[Any]] = [["id", "value"], ["a", "old"], ["z", "old"]]
    for one in changes:
        for _ in range(2):
            table = Table(one_by_one[0], one_by_one[1:])
            table.apply(one)
            one_by_one = [table.header, *(row for row in table.rows if row is not None)]
    assert kept(at_once) == kept(Table(one_by_one[0], one_by_one[1:]))
    assert ["z", "old"] in [row[:2] for row in at_once.rows if row is not None]


@pytest.mark.parametrize("value", ["\x01", "\x00\x1f"])
def test_a_key_of_control_characters_alone_is_none(value: str) -> None:
    # It would be that of every row which has none.
    with pytest.raises(RenderFailed, match="key column 'Id'"):
        change(SheetSettings(columns=COLUMNS, key="Id", mode="delete"), user(1, id=value))
