"""The row that an event becomes, and a table of rows to which such changes are made: both without a file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from qwebhook.deliver.request import PreparedRequest
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import RenderFailed
from qwebhook.model.sheet import ID_COLUMN, ID_PLACE, MARK_COLUMN, Mode, SheetSettings, columns_of, is_template
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.render.budget import Budget
from qwebhook.render.message import NO_NAMES, Names, found, message_of
from qwebhook.render.template import cached_template

Cell = str | int | float | bool | None
# What a cell of Excel can hold, of which an emoji is two; other programs have about the same.
CELL_LIMIT = 32_767
# What a workbook cannot hold, since nobody could read it afterwards; and line ends as it gives them back: a text that
# changed on the way would not be found.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINE_END = re.compile(r"\r\n?")
# Spreadsheets keep 15 digits of a number; an id of more is text, or it would come back as another.
LARGEST_NUMBER = 10**15


class Change(msgspec.Struct, omit_defaults=True):
    """What is to become of one row. key: the header by which the row is found; that of the event's id for `append`."""

    mode: Mode
    key: str
    row: dict[str, Cell]


def prepare(endpoint: Endpoint, event_type: str, body: bytes, now: int, names: Names = NO_NAMES) -> PreparedRequest:
    """The change as `body`. event_type, body: the event's. now: ms since the epoch. Raises RenderFailed."""
    webhook = endpoint.webhook
    given = message_of(body, event_type, webhook, names).variables()
    change = change_of(webhook.qwebhook.sheet or SheetSettings(), event_type, given, now)
    return PreparedRequest(webhook.url, {}, {}, msgspec.json.encode(change), method=change.mode.upper())


def change_of(sheet: SheetSettings, event_type: str, given: dict[str, Any], now: int) -> Change:
    """The change that an event makes. given: the variables of a template. now: ms. Raises RenderFailed."""
    columns, mode = columns_of(sheet), sheet.mode_of(event_type)
    budget = Budget()  # of all columns: there may be a hundred
    if mode == "append":
        row = {header: _value(place, given, budget) for header, place in columns.items()}
        key = next((header for header, place in columns.items() if place == ID_PLACE), ID_COLUMN)
        row[key] = _value(ID_PLACE, given, budget)
        return Change(mode, key, row)
    key = sheet.key or ""
    if mode == "upsert":
        row = {header: _value(place, given, budget) for header, place in columns.items()}
    else:
        row = {key: _value(columns[key], given, budget)}
    if row[key] in (None, ""):
        raise RenderFailed(f"the event has nothing for the key column {key!r}")
    if mode == "mark":
        row[MARK_COLUMN] = _text(given["when"]) or to_rfc3339(now)
    return Change(mode, key, row)


def _value(place: str, given: dict[str, Any], budget: Budget) -> Cell:
    value: Any = cached_template(place, "none").render(given, budget) if is_template(place) else found(given, place)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(msgspec.json.encode(value).decode())


def _text(text: str) -> str:
    """What a cell holds of a text."""
    text = _CONTROL.sub("", _LINE_END.sub("\n", text))
    if len(text) <= CELL_LIMIT // 2:
        return text
    return text.encode("utf-16-le")[: 2 * CELL_LIMIT].decode("utf-16-le", "ignore")


def text_of(cell: Any) -> str:
    """A cell as what it is compared by: a number is the same as its text."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < LARGEST_NUMBER:
        cell = int(cell)
    return "" if cell is None else str(cell)


class Table:
    """A header and rows below it, with what changes have made of them.

    rows: those that were there, None for one that was deleted; then those that were added. changed: the numbers of
    those that were there and are not as they were.
    """

    def __init__(self, header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> None:
        self.header = [text_of(cell) for cell in header]
        self.rows: list[list[Any] | None] = [list(row) for row in rows]
        self.count = len(self.rows)
        self.columns = len(self.header)
        self.changed: dict[int, set[int]] = {}
        self._found: dict[str, dict[str, list[int]]] = {}

    @property
    def added(self) -> list[list[Any]]:
        """The rows that were added, and not deleted again."""
        return [row for row in self.rows[self.count :] if row is not None]

    @property
    def deleted(self) -> list[int]:
        """The numbers of the rows that were there and are to go, from the last."""
        return [number for number in reversed(range(self.count)) if self.rows[number] is None]

    @property
    def header_grew(self) -> bool:
        return len(self.header) > self.columns

    @property
    def only_added(self) -> bool:
        """Whether nothing that was there has changed."""
        return not self.changed and not self.deleted and not self.header_grew

    def apply(self, change: Change) -> str:
        """Make a change; what came of it, in words. The same change made twice changes nothing."""
        key = text_of(change.row[change.key])
        numbers = self._numbers(change.key).get(key, [])
        if change.mode == "append" and numbers:
            return "the row of this event is there already"
        if change.mode in ("append", "upsert") and not numbers:
            self.rows.append([None] * len(self.header))
            self._set(len(self.rows) - 1, change.row)
            return "a row was added"
        if not numbers:
            return f"there is no row with {change.key} {key[:80]!r}"
        if change.mode == "delete":
            for number in numbers:
                self.rows[number] = None
                self.changed.pop(number, None)
            self._found = {change.key: self._found[change.key]}
            del self._found[change.key][key]
            return "the row was deleted" if len(numbers) == 1 else f"{len(numbers)} rows were deleted"
        return "the row was changed" if self._set(numbers[0], change.row) else "the row is so already"

    def _set(self, number: int, values: dict[str, Cell]) -> bool:
        """Set what the event has; what it lacks stays as it is."""
        row = self.rows[number]
        assert row is not None
        differs = False
        for header, value in values.items():
            column = self._column(header)
            if value is None:
                continue
            row.extend([None] * (column + 1 - len(row)))
            if text_of(row[column]) == text_of(value):
                continue
            row[column] = value
            differs = True
            if number < self.count:
                self.changed.setdefault(number, set()).add(column)
            known = self._found.get(header)
            if known is not None:
                known.setdefault(text_of(value), []).append(number)
        return differs

    def _column(self, header: str) -> int:
        if header not in self.header:
            self.header.append(header)
        return self.header.index(header)

    def _numbers(self, header: str) -> dict[str, list[int]]:
        """Of each text in a column, the rows that have it."""
        known = self._found.get(header)
        if header not in self.header:
            return {}
        if known is None:
            column = self._column(header)
            known = {}
            for number, row in enumerate(self.rows):
                if row is not None and column < len(row):
                    known.setdefault(text_of(row[column]), []).append(number)
            self._found[header] = known
        return known
