"""Spreadsheets as a target: `csv:`, `xlsx:` and `gsheet:` URLs, and which row an event becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.errors import InvalidWebhook

FILE_SCHEMES = ("csv", "xlsx")
SHEET_SCHEMES = (*FILE_SCHEMES, "gsheet")
Mode = Literal["append", "upsert", "delete", "mark"]
MODES: tuple[Mode, ...] = ("append", "upsert", "delete", "mark")

# The column that tells the rows of events apart, and the one that `mark` writes into.
ID_COLUMN = "event_id"
MARK_COLUMN = "deleted"
ID_PLACE = "event.id"
DEFAULT_COLUMNS = {"time": "when", "type": "type", "what": "what", "text": "text", ID_COLUMN: ID_PLACE}
MAX_COLUMNS = 100
MAX_HEADER = 200
PLACE = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
_GOOGLE = re.compile(r"gsheet:([A-Za-z0-9_-]{1,200})/([^/\x00-\x1f]{1,100})", re.IGNORECASE)


class SheetSettings(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Which row an event becomes.

    columns: of each header, where its value comes from: a place such as `data.name`, or a template; empty for
    `DEFAULT_COLUMNS`. key: the header by which a row is found. mode: what happens to the row, and modes: for single
    event types.
    """

    columns: dict[str, str] = {}
    key: str | None = None
    mode: Mode = "append"
    modes: dict[str, Mode] = {}

    def mode_of(self, event_type: str) -> Mode:
        """The same under every name of the event type."""
        canonical = catalogue.canonical(event_type)
        return next((mode for name, mode in self.modes.items() if catalogue.canonical(name) == canonical), self.mode)


class GoogleAccount(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """The table [sheets] of `config.toml`: what writes Google Sheets.

    credentials: the file of a service account's key. api: where the API is, if not at Google's own address.
    """

    credentials: str
    api: str | None = None


def is_template(place: str) -> bool:
    """Whether a column's value is made by a template, rather than found at a place."""
    return "{{" in place or "{%" in place


def file_and_tab(url: str) -> tuple[str, str | None]:
    """The path of a `csv:` or `xlsx:` URL, and the sheet within the workbook if one is named."""
    scheme, _, path = url.partition(":")
    if scheme.lower() != "xlsx":
        return path, None
    path, _, tab = path.partition("#")
    return path, tab or None


def google_parts(url: str) -> tuple[str, str]:
    """The id of the spreadsheet and the name of its sheet. Raises InvalidWebhook."""
    found = _GOOGLE.fullmatch(url)
    if found is None:
        raise InvalidWebhook("url", "is no Google sheet", "write gsheet:ID/TAB; the id is that of the sheet's own URL")
    return found[1], found[2]


def check_sheet_url(url: str) -> None:
    """Raises InvalidWebhook."""
    scheme = url.partition(":")[0].lower()
    if scheme == "gsheet":
        google_parts(url)
        return
    path, tab = file_and_tab(url)
    if not url.isprintable():
        raise InvalidWebhook("url", "has characters that cannot be printed")
    if not PurePosixPath(path).is_absolute() and not PureWindowsPath(path).is_absolute():
        raise InvalidWebhook("url", "names no file by its whole path", f"write {scheme}:/PATH/NAME.{scheme}")
    # Nothing else on the server's disk is to be taken for a spreadsheet.
    if not path.lower().endswith(f".{scheme}"):
        raise InvalidWebhook(
            "url", f"names a file that does not end in .{scheme}", f"write {scheme}:/PATH/NAME.{scheme}"
        )
    if tab is not None and (len(tab) > 31 or re.search(r"[\[\]:*?/\\]", tab)):
        raise InvalidWebhook("url", f"{tab[:40]!r} is no name of a sheet", "use 31 characters, none of []:*?/\\")


def check_sheet(sheet: SheetSettings, event_types: Sequence[str]) -> None:
    """All but the templates of columns, which are not the model's. Raises InvalidWebhook."""
    columns = sheet.columns
    if len(columns) > MAX_COLUMNS:
        raise InvalidWebhook("qwebhook.sheet.columns", f"has {len(columns)} entries", f"use {MAX_COLUMNS} at most")
    for header, place in columns.items():
        if not header.strip() or len(header) > MAX_HEADER or not header.isprintable():
            raise InvalidWebhook("qwebhook.sheet.columns", f"{header[:40]!r} is no header of a column")
        if not is_template(place) and not PLACE.fullmatch(place):
            raise InvalidWebhook(
                "qwebhook.sheet.columns", f"{place[:80]!r} is no place in an event", "write for example data.name"
            )
    if columns.get(ID_COLUMN, ID_PLACE) != ID_PLACE:
        raise InvalidWebhook(
            "qwebhook.sheet.columns", f"{ID_COLUMN!r} is the column of the event's id", "choose another header"
        )
    subscribed = {catalogue.canonical(name) for name in event_types}
    for name in sheet.modes:
        if catalogue.canonical(name) not in subscribed:
            raise InvalidWebhook("qwebhook.sheet.modes", f"{name[:80]!r} is not among the event types")
    keyed = [mode for mode in (sheet.mode, *sheet.modes.values()) if mode != "append"]
    if keyed and sheet.key is None:
        raise InvalidWebhook(
            "qwebhook.sheet.key", f"is missing: {keyed[0]} finds a row by it", "name a column's header"
        )
    if sheet.key is not None and sheet.key not in columns_of(sheet):
        raise InvalidWebhook("qwebhook.sheet.key", f"{sheet.key[:40]!r} is not the header of a column")


def columns_of(sheet: SheetSettings | None) -> Mapping[str, str]:
    """The columns, by default those that suit every event."""
    return sheet.columns if sheet is not None and sheet.columns else DEFAULT_COLUMNS
