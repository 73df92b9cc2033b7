"""CSV files: rows are appended, or the file is written anew."""

from __future__ import annotations

import csv
import io
import os
import re
import stat
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from qwebhook.deliver.targets.sheets.files import reading, replace
from qwebhook.deliver.targets.sheets.place import Place
from qwebhook.deliver.targets.sheets.rows import Cell, Change, Table, text_of
from qwebhook.deliver.targets.sheets.trouble import NotWritten

_MARK = "\ufeff"
_QUOTE = '"'
# What a spreadsheet would take for a formula, some also what is written in full width; a number with a sign is none.
_FORMULA = re.compile(r"[=+\-@\t\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_QUOTED = re.compile(r'"[^"]*("|$)')
# Characters that hold any header.
_HEAD = 100_000


class _Style(NamedTuple):
    """How a file is written. mark: whether it begins with a byte order mark."""

    delimiter: str
    line_end: str
    mark: bool


def write_csv(place: Place, changes: Sequence[Change]) -> list[str]:
    """Make the changes; what came of each, in words. Raises NotWritten, OSError."""
    before, names = _read(place)
    style = _style_of(before)
    changes = [msgspec.structs.replace(one, row=_guarded(one.row)) for one in changes]
    text = _without_torn_row(before.removeprefix(_MARK), changes, style)
    torn = len(text) < len(before.removeprefix(_MARK))
    rows = _rows(text, style.delimiter)
    table = Table(rows[0] if rows else (), rows[1:])
    words = [table.apply(change) for change in changes]
    # Under another name of the file (a hard link), somebody else has it, who knows of no webhook.
    if rows and table.only_added and not torn and names == 1:
        if table.added:
            start = "" if text.endswith(("\n", "\r")) else style.line_end
            _append(place, start + _written(table.added, style))
    elif not rows or table.changed or table.deleted or table.added or table.header_grew or torn:
        rest = _written((row for row in table.rows if row is not None), style)
        content = (_MARK if style.mark else "") + _written_header(table.header, style) + rest
        replace(place, lambda new: new.write(content.encode()))
    return words


def _read(place: Place) -> tuple[str, int]:
    """What the file holds, and how many names it has."""
    with reading(place) as file:
        if file is None:
            return "", 1
        try:
            return file.read().decode("utf-8"), os.fstat(file.fileno()).st_nlink
        except UnicodeDecodeError:
            raise NotWritten(f"{place.path} is no text in UTF-8") from None


def _rows(text: str, delimiter: str) -> list[list[str]]:
    try:
        # A blank line is no row, and goes when the file is written anew.
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        raise NotWritten(f"the file is no CSV: {error}") from None


def _without_torn_row(text: str, changes: Sequence[Change], style: _Style) -> str:
    """Without what a crash has left of one of the rows that are to be written: a beginning of it, at the end."""
    # A line end within quotes is none of a row.
    if not text or (text.endswith(("\n", "\r")) and text.count('"') % 2 == 0):
        return text
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=style.delimiter), [])
    except csv.Error:
        return text
    for change in changes:
        row = _written([[change.row.get(name) for name in header]], style).removesuffix(style.line_end)
        for length in range(len(row) - 1, 0, -1):
            if text.endswith(row[:length]) and text[:-length].endswith(("\n", "\r")):
                return text[:-length]
    return text


def _style_of(text: str) -> _Style:
    """That of the file, so that whoever else reads it goes on to be able to."""
    # What stands within quotes, line ends too, says nothing of it; nor do blank lines.
    head = _QUOTED.sub("", text.removeprefix(_MARK).lstrip("\r\n")[:_HEAD]).split("\n", 1)
    delimiter = max(",;\t", key=head[0].count)
    line_end = "\r\n" if len(head) > 1 and head[0].endswith("\r") else "\n"
    return _Style(delimiter, line_end, text.startswith(_MARK))


def _guarded(row: dict[str, Cell]) -> dict[str, Cell]:
    return {header: _guard(value) for header, value in row.items()}


def _guard(value: Cell) -> Cell:
    """A text that a spreadsheet would run as a formula has an apostrophe before it."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return text_of(value) if isinstance(value, float) else value


def _written(rows: Iterable[Iterable[Any]], style: _Style) -> str:
    # Before 3.13, csv's own writer leaves a carriage return unquoted, which then ends a row.
    special = re.compile(f'[{style.delimiter}"\r\n]')
    return "".join(_line(["" if cell is None else str(cell) for cell in row], special, style) for row in rows)


def _written_header(header: Sequence[str], style: _Style) -> str:
    """So that the delimiter is found again, whatever characters the headers have."""
    plain = _written([header], style)
    found = _style_of(plain).delimiter == style.delimiter
    return plain if found else _line(header, re.compile(""), style)


def _line(cells: Sequence[str], special: re.Pattern[str], style: _Style) -> str:
    """special: what a cell may not have without quotes; they keep one that is alone and empty from being no row."""
    written = [f'"{cell.replace(_QUOTE, _QUOTE * 2)}"' if special.search(cell) else cell for cell in cells]
    return (style.delimiter.join(written) if written != [""] else _QUOTE * 2) + style.line_end


def _append(place: Place, text: str) -> None:
    descriptor = place.open(os.O_WRONLY | os.O_APPEND)
    with os.fdopen(descriptor, "wb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise NotWritten(f"{place.path} is not the file that it was")
        try:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        except OSError:
            # A disk that is full takes a part: what was there before is what is to be there.
            os.ftruncate(descriptor, status.st_size)
            raise
