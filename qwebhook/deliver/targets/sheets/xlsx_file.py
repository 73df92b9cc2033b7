"""Excel workbooks, through openpyxl: loaded, changed, and replaced as a whole.

openpyxl keeps values, formulas, formats, other sheets and what belongs to them. What it would lose (charts, pictures,
macros and the like) is looked for before, and a workbook that has any of it is left alone.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from copy import copy
from functools import reduce
from pathlib import Path
from typing import IO, Any

from qwebhook.deliver.targets.sheets.files import reading, replace
from qwebhook.deliver.targets.sheets.place import Place
from qwebhook.deliver.targets.sheets.row_removal import remove_rows
from qwebhook.deliver.targets.sheets.rows import Change, Table
from qwebhook.deliver.targets.sheets.trouble import NeverWritten, NotWritten

INSTALL = "pip install 'qwebhook[sheets]'"
# Parts of a workbook that openpyxl does not write again as they were.
_LOST_WORDS = {
    "charts": "charts",
    "chartsheets": "charts",
    "drawings/drawing": "pictures, drawings or charts",
    "media": "pictures",
    "embeddings": "embedded files",
    "activeX": "buttons or other controls",
    "ctrlProps": "buttons or other controls",
    "pivotTables": "pivot tables",
    "slicers": "slicers",
    "timelines": "timelines",
    "vbaProject": "macros",
    "threadedComments": "comments with answers",
    "richData": "pictures in cells or linked data",
    "connections": "data connections or queries",
    "queryTables": "data connections or queries",
    "model": "a data model",
    "xmlMaps": "XML maps",
    "macrosheets": "macros",
    "dialogsheets": "dialogs",
    "webextensions": "add-ins",
}
_LOST = re.compile(f"xl/({'|'.join(_LOST_WORDS)})")
# The sheets, in which Excel keeps what came after 2007 as extensions.
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
# What a zip of a few megabytes could blow up to: its bytes, and the elements in them, each of which takes some hundred
# bytes of memory. A cell with a value is two.
LARGEST = 512 << 20
MOST_ELEMENTS = 4_000_000
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
_EXTENSION = b"<extLst"
_MERGED = re.compile(rb"""mergeCell\s[^<>]*?\bref\s*=\s*["']([A-Z]+)(\d+):([A-Z]+)(\d+)["']""")
# More than any of what is looked for, of which a part may lie in one piece and the rest in the next.
_OVERLAP = 500


def write_xlsx(place: Place, tab: str | None, changes: Sequence[Change]) -> list[str]:
    """Make the changes to a sheet, the first unless one is named; what came of each, in words.

    Raises NotWritten, NeverWritten, OSError.
    """
    try:
        import openpyxl
    except ImportError:
        raise NeverWritten(f"xlsx files need a library: {INSTALL}") from None
    with reading(place) as file:
        workbook = _loaded(place.path, file) if file is not None else None
    if workbook is not None:
        if tab is None:
            sheet = next(iter(workbook.worksheets), None) or workbook.create_sheet()
        else:
            # To spreadsheet programs, names that differ by case are the same.
            named = (one for one in workbook.worksheets if one.title.casefold() == tab.casefold())
            sheet = next(named, None) or workbook.create_sheet(tab)
    else:
        workbook = openpyxl.Workbook()
        sheet = workbook.worksheets[0]
        sheet.title = tab or "Events"
    rows = _rows(sheet)
    table = Table(rows[0] if rows else (), rows[1:])
    words = [table.apply(change) for change in changes]
    if not rows or not table.only_added or table.added:
        _take(sheet, table, new=not rows)
        replace(place, workbook.save)
    return words


def _loaded(path: Path, file: IO[bytes]) -> Any:
    try:
        with zipfile.ZipFile(file) as parts:
            size = sum(part.file_size for part in parts.infolist())
            if size > LARGEST:
                raise NeverWritten(f"{path} is too large: unpacked it has {size >> 20} MiB")
            lost, elements = _lost(parts), 0
            for name in parts.namelist() if lost is None else ():
                found, extended = _looked_into(parts, name)
                elements += found
                if elements > MOST_ELEMENTS:
                    raise NeverWritten(
                        f"{path} is too large: it has millions of cells, empty and merged ones among them"
                    )
                if extended and _SHEET.match(name):
                    lost = "sparklines, data bars or other newer formats"
        if lost is not None:
            raise NeverWritten(f"{path} holds {lost}, which would be lost: use a workbook without them")
        reader = _reader(file)
        reader.read()
        # It passes over sheets that it does not find, whose names, and whatever is left of them, would be gone.
        if len(reader.wb._sheets) != len(reader.parser.sheets):
            raise NotWritten(f"{path} is damaged: it names sheets that it does not hold")
        return reader.wb
    except OSError:
        raise
    except (NotWritten, NeverWritten, MemoryError):
        raise
    except Exception:  # whatever a damaged file makes openpyxl, zipfile or the XML parser raise
        raise NotWritten(f"{path} cannot be read: it is damaged, or no workbook") from None


def _reader(file: IO[bytes]) -> Any:
    from openpyxl.reader.excel import ExcelReader

    class Reader(ExcelReader):
        """openpyxl's, but that a number stays one where it is shown as a date: not all are one, and those that are come
        back as a little less.
        """

        def read_worksheets(self) -> None:
            workbook: Any = self.wb
            workbook._date_formats, workbook._timedelta_formats = set(), set()
            super().read_worksheets()

    return Reader(file, rich_text=True)


def _lost(parts: zipfile.ZipFile) -> str | None:
    """The first thing in a workbook that would be lost and is a part of its own, in words."""
    found = next(filter(None, map(_LOST.match, parts.namelist())), None)
    return None if found is None else _LOST_WORDS[found[1]]


def _looked_into(parts: zipfile.ZipFile, name: str) -> tuple[int, bool]:
    """How many elements a part has, each cell that is merged with others one more; and whether any is an extension."""
    elements, extended, before = 0, False, b""
    with parts.open(name) as part:
        while piece := part.read(1 << 20):
            text = before + piece
            elements += piece.count(b"<") - piece.count(b"</")
            elements += sum(_cells(found) for found in _MERGED.finditer(text) if found.end() > len(before))
            extended = extended or _EXTENSION in text
            before = text[-_OVERLAP:]
    return elements, extended


def _cells(merged: re.Match[bytes]) -> int:
    left, right = (reduce(lambda number, letter: number * 26 + letter - 64, merged[part], 0) for part in (1, 3))
    return max(right - left + 1, 0) * max(int(merged[4]) - int(merged[2]) + 1, 0)


def _rows(sheet: Any) -> list[list[Any]]:
    """Each to the last cell that holds anything, and no further down: others have a format, and maybe a million.

    Not by `iter_rows`, which makes every cell of the rectangle around them. Raises NotWritten.
    """
    rows: list[list[Any]] = []
    for (number, column), cell in sheet._cells.items():
        if not (0 < number <= MOST_ROWS and 0 < column <= MOST_COLUMNS):
            raise NotWritten(f"the sheet {sheet.title!r} has a cell where none can be: it is damaged")
        if cell.value is None:
            continue
        rows.extend([] for _ in range(number - len(rows)))
        row = rows[number - 1]
        row.extend([None] * (column - len(row)))
        row[column - 1] = cell.value
    return rows


def _take(sheet: Any, table: Table, *, new: bool) -> None:
    """Bring a sheet to where the table is. Raises NotWritten."""
    deleted = table.deleted
    end = table.count + 1 - len(deleted)
    if end + len(table.added) > MOST_ROWS:
        raise NotWritten(f"the sheet {sheet.title!r} is full: something stands in its row {end}")
    for column, name in enumerate(table.header[table.columns :], table.columns + 1):
        _set(sheet.cell(1, column), name)
        if new:
            _make_bold(sheet.cell(1, column))
        elif column > 1:
            sheet.cell(1, column)._style = copy(sheet.cell(1, column - 1)._style)
    if new:
        sheet.freeze_panes = "A2"
    for number, columns in table.changed.items():
        row = table.rows[number] or []
        for column in columns:
            _set(sheet.cell(number + 2, column + 1), row[column])
    if deleted:
        remove_rows(sheet, [number + 2 for number in deleted], table.count + 1)
    _add(sheet, end, table.added)
    _extend_tables(sheet, end, end + len(table.added))


def _add(sheet: Any, end: int, rows: list[list[Any]]) -> None:
    """Put rows below the row `end`, which look like it unless it is the header."""
    for number, row in enumerate(rows, end + 1):
        for column, value in enumerate(row, 1):
            if value is None:
                continue
            cell = sheet.cell(number, column)
            _set(cell, value)
            if end > 1:
                cell._style = copy(sheet.cell(end, column)._style)


def _extend_tables(sheet: Any, was: int, is_now: int) -> None:
    """A table that ended with the last row, or with the empty one below its header, goes on to."""
    for one in sheet.tables.values():
        area, _, end = one.ref.partition(":")
        column, row = re.fullmatch(r"([A-Z]+)(\d+)", end or area).groups()  # type: ignore[union-attr]
        if int(row) == max(was, 2) and is_now > int(row):
            one.ref = f"{area}:{column}{is_now}"
            if one.autoFilter is not None:
                one.autoFilter.ref = one.ref


def _set(cell: Any, value: Any) -> None:
    """Set a value and never a formula: what came with an event is text, whatever it begins with. Raises NotWritten."""
    from openpyxl.cell.cell import MergedCell

    if isinstance(cell, MergedCell):
        raise NotWritten(f"the cell {cell.coordinate} of {cell.parent.title!r} is merged with others")
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"


def _make_bold(cell: Any) -> None:
    from openpyxl.styles import Font

    cell.font = Font(bold=True)
