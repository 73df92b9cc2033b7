"""Tables and field lists for people: coloured and with relative times on a terminal, plain and exact in a pipe.

Whatever is shown may come from a stranger (a receiver's response, a webhook's name), so control characters are
shown and never sent to the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qwebhook.cli.printable import printable
from qwebhook.cli.results import Column, View
from qwebhook.cli.session import Session

GAP = "  "
_COLOURS = {
    "enabled": "green",
    "delivered": "green",
    "success": "green",
    "disabled": "yellow",
    "retrying": "yellow",
    "cancelled": "yellow",
    "fail": "red",
    "dead": "red",
    "gone": "red",
}


def write_table(items: Iterable[Any], view: View, session: Session) -> int:
    """A table of the items; returns how many there were. An empty one is not printed."""
    if session.stdout_is_terminal:
        return _write_rich(items, view.columns, session)
    rows = [[_text(column.value(item)) for column in view.columns] for item in items]
    if rows:
        _write_plain([[column.title for column in view.columns], *rows], view.columns, session)
    return len(rows)


def write_fields(item: dict[str, Any], session: Session) -> None:
    """One object, a field to a line; those that are empty are left out."""
    lines: list[tuple[str, str]] = []
    for name, value in item.items():
        label = name
        for text in _field_lines(value):
            lines.append((label, _dated(name, text, session)))
            label = ""
    width = max((len(label) for label, _ in lines), default=0)
    before, after = ("\x1b[1m", "\x1b[0m") if session.colour else ("", "")
    for label, text in lines:
        session.stdout.write(f"{before}{label}{after}{'':{width - len(label)}}{GAP}{text}".rstrip() + "\n")


def write_blocks(blocks: Sequence[tuple[str, str]], session: Session) -> None:
    """Texts of several lines below their titles."""
    before, after = ("\x1b[1m", "\x1b[0m") if session.colour else ("", "")
    for title, text in blocks:
        session.stdout.write(f"\n{before}{title}{after}\n")
        for line in text.rstrip("\n").split("\n"):
            session.stdout.write(f"{GAP}{printable(line)}".rstrip() + "\n")


def _text(value: object) -> str:
    return "" if value is None else printable(str(value))


def _field_lines(value: Any) -> list[str]:
    if value is None or value == "" or value == [] or value == {}:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, dict):
        return [f"{_text(name)}: {', '.join(_field_lines(inner))}" for name, inner in value.items()]
    if isinstance(value, list):
        return [line for inner in value for line in _field_lines(inner)]
    return [_text(value)]


def _dated(name: str, text: str, session: Session) -> str:
    if not name.endswith("At") or not session.stdout_is_terminal:
        return text
    return f"{text} ({relative_time(text, session.now_ms)})"


def relative_time(text: str, now: int) -> str:
    """An RFC 3339 time as a person says it: `just now`, `5m ago`, `in 2h`. now: milliseconds since the epoch."""
    from qwebhook.model.timestamps import from_rfc3339

    seconds = (now - from_rfc3339(text)) / 1000
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count = int(abs(seconds) // size)
        if count:
            return f"{count}{unit} ago" if seconds > 0 else f"in {count}{unit}"
    return "just now"


def _write_plain(rows: Sequence[Sequence[str]], columns: Sequence[Column], session: Session) -> None:
    widths = [max(_width(row[index]) for row in rows) for index in range(len(columns))]
    for row in rows:
        cells = []
        for text, width, column in zip(row, widths, columns, strict=True):
            padding = " " * (width - _width(text))
            cells.append(padding + text if column.kind == "number" else text + padding)
        session.stdout.write(GAP.join(cells).rstrip() + "\n")


def _width(text: str) -> int:
    """How many terminal columns the text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def _write_rich(items: Iterable[Any], columns: Sequence[Column], session: Session) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [[_shown(column, item, session) for column in columns] for item in items]
    if not rows:
        return 0
    console = Console(file=session.stdout, no_color=not session.colour, highlight=False, force_terminal=session.colour)
    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="bold")
    kept = _fitting(columns, rows, console.width)
    for column in (columns[index] for index in kept):
        table.add_column(
            column.title,
            justify="right" if column.kind == "number" else "left",
            # Identifiers are copied, so they stay whole; everything else may be wrapped.
            no_wrap=column.title in ("ID", "TYPE") or column.kind in ("time", "status"),
            overflow="fold",
        )
    for row in rows:
        styles = [_COLOURS.get(row[index], "") if columns[index].kind == "status" else "" for index in kept]
        table.add_row(*(Text(row[index], style=style) for index, style in zip(kept, styles, strict=True)))
    console.print(table)
    return len(rows)


def _shown(column: Column, item: Any, session: Session) -> str:
    text = _text(column.value(item))
    return relative_time(text, session.now_ms) if text and column.kind == "time" else text


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns to show in a width: spare ones go, the last first, until the others fit."""
    widths = [max(len(column.title), *(_width(row[index]) for row in rows)) for index, column in enumerate(columns)]
    kept = list(range(len(columns)))
    for index in reversed(kept):
        if sum(widths[one] + len(GAP) for one in kept) - len(GAP) <= width:
            break
        if columns[index].spare:
            kept.remove(index)
    return kept
