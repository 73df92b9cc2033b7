"""Rows taken out of a sheet as a spreadsheet program does it: those below move up, and what refers to them goes along.

openpyxl moves cells, and leaves formulas, merged cells, links, filters, rules and heights where they were.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

# A cell, a range, or whole rows; whole columns stay as they are.
_REFERENCE = re.compile(r"(\$?[A-Z]{0,3}\$?)([1-9]\d*)(?::(\$?[A-Z]{0,3}\$?)([1-9]\d*))?")
_GONE = "#REF!"


def remove_rows(sheet: Any, numbers: Iterable[int], end: int) -> None:
    """Take out the rows of these numbers, from 1.

    end: the last row that holds anything. A range that goes on below it, for the rows to come, does so afterwards.
    """
    gone = _Gone(numbers, end)
    merged = [str(area) for area in sheet.merged_cells.ranges if area.max_row >= gone.first]
    for area in merged:
        sheet.unmerge_cells(area)
    _move_cells(sheet, gone)
    for area in filter(None, map(gone.moved, merged)):
        if ":" in area:
            sheet.merge_cells(area)
    _move_heights(sheet, gone)
    _move_areas(sheet, gone)
    _follow(sheet, gone)


class _Gone:
    """Rows that are taken out. first: the first of them. end: below it, all stays where it is."""

    def __init__(self, numbers: Iterable[int], end: int) -> None:
        self._numbers = sorted(numbers)
        self._end = end
        self._set = frozenset(self._numbers)
        self.first = self._numbers[0]

    def __contains__(self, number: int) -> bool:
        return number in self._set

    def place(self, number: int) -> int:
        """Where a row is then that is not taken out."""
        return number if number > self._end else number - bisect_left(self._numbers, number)

    def moved(self, reference: str) -> str | None:
        """A reference to the same cells, those that are left of them; None if there are none."""
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            return reference
        start, first, end, last = found.groups()
        row = self.place(int(first))
        if last is None:
            return None if int(first) in self else f"{start}{row}"
        last_row = int(last) if int(last) > self._end else int(last) - bisect_right(self._numbers, int(last))
        return f"{start}{row}:{end}{last_row}" if row <= last_row else None

    def moved_all(self, references: str) -> str:
        """The same for several with spaces between."""
        return " ".join(filter(None, map(self.moved, references.split())))


def _move_cells(sheet: Any, gone: _Gone) -> None:
    cells = sheet._cells
    for row, column in sorted(place for place in cells if place[0] >= gone.first):
        cell = cells.pop((row, column))
        if row in gone:
            continue
        cell.row = gone.place(row)
        cells[cell.row, column] = cell
        if cell.hyperlink is not None:
            cell.hyperlink.ref = cell.coordinate


def _move_heights(sheet: Any, gone: _Gone) -> None:
    heights = sheet.row_dimensions
    for number in sorted(number for number in heights if number >= gone.first):
        height = heights.pop(number)
        if number not in gone:
            height.index = gone.place(number)
            heights[height.index] = height


def _move_areas(sheet: Any, gone: _Gone) -> None:
    """Filters, tables, and the areas of rules and validations."""
    from openpyxl.formatting.formatting import ConditionalFormattingList
    from openpyxl.worksheet.cell_range import MultiCellRange

    if sheet.auto_filter.ref:
        sheet.auto_filter.ref = gone.moved(sheet.auto_filter.ref)
    for table in sheet.tables.values():
        start, _, end = (gone.moved(table.ref) or table.ref).partition(":")
        # A table has a row below its header, if only an empty one.
        least = int(re.sub(r"\D", "", start)) + 1
        column, row = re.fullmatch(r"([A-Z]+)(\d+)", end or start).groups()  # type: ignore[union-attr]
        table.ref = f"{start}:{column}{max(int(row), least)}"
        if table.autoFilter is not None:
            table.autoFilter.ref = table.ref
    for validation in list(sheet.data_validations.dataValidation):
        validation.sqref = MultiCellRange(gone.moved_all(str(validation.sqref)))
        if not validation.sqref.ranges:
            sheet.data_validations.dataValidation.remove(validation)
    rules = ConditionalFormattingList()
    for formatting in sheet.conditional_formatting:
        area = gone.moved_all(str(formatting.sqref))
        for rule in formatting.rules if area else ():
            rules.add(area, rule)
    sheet.conditional_formatting = rules


def _follow(sheet: Any, gone: _Gone) -> None:
    """Let formulas and names, on whatever sheet, refer to the same cells as before."""
    for other in sheet.parent.worksheets:
        for cell in other._cells.values():
            if cell.data_type != "f":
                continue
            if isinstance(cell.value, str):
                cell.value = _followed(cell.value, sheet.title, gone, here=other is sheet)
            elif getattr(cell.value, "text", None):  # a formula for several cells
                cell.value.text = _followed(cell.value.text, sheet.title, gone, here=other is sheet)
                if other is sheet:
                    cell.value.ref = gone.moved(cell.value.ref) or cell.coordinate
    for names in (sheet.parent.defined_names, *(other.defined_names for other in sheet.parent.worksheets)):
        for name in names.values():
            if name.attr_text:
                name.attr_text = _followed(f"={name.attr_text}", sheet.title, gone, here=False)[1:]


def _followed(formula: str, title: str, gone: _Gone, *, here: bool) -> str:
    """here: whether a reference without the name of a sheet is one to this sheet."""
    from openpyxl.formula.tokenizer import Token, Tokenizer, TokenizerError

    try:
        tokens = Tokenizer(formula)
    except TokenizerError:
        return formula
    for token in tokens.items:
        if token.type != Token.OPERAND or token.subtype != Token.RANGE:
            continue
        name, mark, reference = token.value.rpartition("!")
        if here if not mark else _unquoted(name).casefold() == title.casefold():
            token.value = f"{name}{mark}{gone.moved(reference) or _GONE}"
    return "=" + "".join(token.value for token in tokens.items)


def _unquoted(name: str) -> str:
    return name[1:-1].replace("''", "'") if name.startswith("'") else name
