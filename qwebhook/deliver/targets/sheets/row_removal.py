"""Rows taken out of a sheet as a spreadsheet program does it: those below move up, and what refers to them goes along.

openpyxl moves cells, and leaves formulas, merged cells, links, filters, rules, heights and what is printed where they
were.
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
    _move_rules(sheet, gone)
    _move_print(sheet, gone)
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

    def left_of(self, number: int) -> int:
        """Where the last row is then that is left of those down to a row."""
        return number if number > self._end else number - bisect_right(self._numbers, number)

    def moved(self, reference: str) -> str | None:
        """A reference to the same cells, those that are left of them; None if there are none."""
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            return reference
        start, first, end, last = found.groups()
        row = self.place(int(first))
        if last is None:
            return None if int(first) in self else f"{start}{row}"
        last_row = self.left_of(int(last))
        return f"{start}{row}:{end}{last_row}" if row <= last_row else None

    def shifted(self, reference: str, shift: int, *, here: bool) -> str | None:
        """A reference in a formula that stands for many cells, and is written as for the first of them.

        A row without `$` is so far from the first cell, which has moved by `shift`, and stays so. here: whether the
        reference is one to this sheet.
        """
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            return reference
        parts = [(found[1], found[2])] + ([(found[3], found[4])] if found[4] else [])
        if all(column.endswith("$") for column, _ in parts):
            return self.moved(reference) if here else reference
        rows = []
        for column, row in parts:
            fixed = column.endswith("$")
            rows.append((self.place(int(row)) if here else int(row)) if fixed else int(row) + shift)
        if min(rows) < 1:
            return None
        return ":".join(f"{column}{row}" for (column, _), row in zip(parts, rows, strict=True))

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
    """Filters and tables."""
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


def _move_rules(sheet: Any, gone: _Gone) -> None:
    """Rules for formats, and for what may be entered, on all sheets: their areas on this one, and their formulas."""
    from openpyxl.formatting.formatting import ConditionalFormattingList
    from openpyxl.worksheet.cell_range import MultiCellRange

    for other in sheet.parent.worksheets:
        here = other is sheet
        for validation in list(other.data_validations.dataValidation):
            before = str(validation.sqref)
            area = gone.moved_all(before) if here else before
            if not area:
                other.data_validations.dataValidation.remove(validation)
                continue
            validation.sqref = MultiCellRange(area)
            for name in ("formula1", "formula2"):
                formula = getattr(validation, name)
                if formula:
                    shift = _first_row(area) - _first_row(before)
                    setattr(validation, name, _followed(f"={formula}", sheet.title, gone, here=here, shift=shift)[1:])
        rules = ConditionalFormattingList()
        for formatting in other.conditional_formatting:
            before = str(formatting.sqref)
            area = gone.moved_all(before) if here else before
            for rule in formatting.rules if area else ():
                shift = _first_row(area) - _first_row(before)
                rule.formula = [
                    _followed(f"={formula}", sheet.title, gone, here=here, shift=shift)[1:] for formula in rule.formula
                ]
                for scale in filter(None, (rule.colorScale, rule.dataBar, rule.iconSet)):
                    for limit in scale.cfvo:
                        if limit.type == "formula" and limit.val:
                            limit.val = _followed(f"={limit.val}", sheet.title, gone, here=here)[1:]
                rules.add(area, rule)
        other.conditional_formatting = rules


def _first_row(area: str) -> int:
    """Of the first of several with spaces between; 1 for whole columns."""
    found = re.search(r"\d+", area.split()[0])
    return int(found[0]) if found else 1


def _move_print(sheet: Any, gone: _Gone) -> None:
    """The printed area, the rows that every page begins with, and where pages end."""
    from openpyxl.worksheet.pagebreak import RowBreak

    if sheet.print_area:
        areas = [gone.moved(area.coord) for area in sheet._print_area.ranges]
        sheet.print_area = ",".join(filter(None, areas)) or None
    if sheet.print_title_rows:
        sheet.print_title_rows = gone.moved(sheet.print_title_rows)
    ends = {gone.left_of(one.id): one for one in sheet.row_breaks.brk}
    for row, one in ends.items():
        one.id = row
    sheet.row_breaks = RowBreak(brk=[ends[row] for row in sorted(ends) if row])


def _follow(sheet: Any, gone: _Gone) -> None:
    """Let formulas and names, on whatever sheet, refer to the same cells as before."""
    for other in sheet.parent.worksheets:
        for cell in other._cells.values():
            if cell.hyperlink is not None and cell.hyperlink.location:
                location = f"={cell.hyperlink.location}"
                cell.hyperlink.location = _followed(location, sheet.title, gone, here=other is sheet)[1:]
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


def _followed(formula: str, title: str, gone: _Gone, *, here: bool, shift: int | None = None) -> str:
    """here: whether a reference without the name of a sheet is one to this sheet. shift: of a formula that stands for
    many cells, by how many rows the first of them has moved.
    """
    from openpyxl.formula.tokenizer import Token, Tokenizer, TokenizerError

    try:
        tokens = Tokenizer(formula)
    except TokenizerError:
        return formula
    for token in tokens.items:
        if token.type != Token.OPERAND or token.subtype != Token.RANGE:
            continue
        name, mark, reference = token.value.rpartition("!")
        to_here = here if not mark else _unquoted(name).casefold() == title.casefold()
        if shift is not None:
            token.value = f"{name}{mark}{gone.shifted(reference, shift, here=to_here) or _GONE}"
        elif to_here:
            token.value = f"{name}{mark}{gone.moved(reference) or _GONE}"
    return "=" + "".join(token.value for token in tokens.items)


def _unquoted(name: str) -> str:
    return name[1:-1].replace("''", "'") if name.startswith("'") else name
