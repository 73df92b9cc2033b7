"""The one renderer: prints what a command returned, in the format that was asked for.

stdout carries the result and nothing else. Machine formats are UTF-8 whatever the locale says, and have the REST
API's field names. Each format imports what it needs when it is used; a table in a pipe needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qwebhook.cli.results import Document, Format, Listing, Result, Single, Text
from qwebhook.cli.session import Session


def chosen_format(session: Session) -> Format:
    """What -o says, else ids for -q, else a table."""
    output = session.options.output
    if output is not None:
        return output  # type: ignore[return-value]
    return "id" if session.options.quiet else "table"


def render(result: Result, session: Session) -> int:
    """Print a result; returns the exit code that goes with it."""
    output = chosen_format(session)
    if isinstance(result, Listing):
        _render_listing(result, output, session)
    elif isinstance(result, Single):
        _render_single(result, output, session)
    elif isinstance(result, Document):
        _write(session, _yaml([result.content], single=True) if output == "yaml" else _json(result.content))
    else:
        _render_text(result, output, session)
    return result.exit_code


def _render_listing(result: Listing, output: Format, session: Session) -> None:
    if output == "json":
        _write_array(result.items, session)
    elif output == "yaml":
        items = [_builtins(item) for item in result.items]
        _write(session, _yaml(items) if items else b"[]\n")
    elif output == "csv":
        _write(session, _csv((_builtins(item) for item in result.items), result.view.fields))
    elif output == "id":
        for item in result.items:
            session.stdout.write(result.view.identifier(item) + "\n")
    else:
        from qwebhook.cli.tables import write_table

        if not write_table(result.items, result.view, session) and result.if_empty:
            session.note(result.if_empty)
    after = result.after() if result.after is not None else ""
    if after:
        # Written out first, so that on a terminal the note stands below what it speaks of.
        session.stdout.flush()
        session.note(after)


def _render_single(result: Single, output: Format, session: Session) -> None:
    if output == "id" or (output == "table" and result.summary):
        text = result.summary if output == "table" else result.view.identifier(result.item)
        session.stdout.write(f"{text}\n" if text else "")
        return
    content = {**_builtins(result.item), **_builtins(result.extra)}
    if output == "json":
        _write(session, _json(content))
    elif output == "yaml":
        _write(session, _yaml([content], single=True))
    elif output == "csv":
        _write(session, _csv([content], [*result.view.fields, *result.extra]))
    else:
        from qwebhook.cli.tables import write_blocks, write_fields

        fields = _builtins(result.item)
        write_fields({name: fields[name] for name in fields if name not in result.in_blocks}, session)
        write_blocks(result.blocks, session)


def _render_text(result: Text, output: Format, session: Session) -> None:
    if output in ("table", "id"):
        session.stdout.write(result.text if result.text.endswith("\n") else result.text + "\n")
        return
    content = _builtins(result.item())
    if output == "json":
        _write(session, _json(content))
    elif output == "yaml":
        _write(session, _yaml([content], single=True))
    else:
        _write(session, _csv([content], list(content)))


def _builtins(item: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(item)


def _json(content: Any) -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _write_array(items: Iterable[Any], session: Session) -> None:
    """A JSON array, written item by item, so that a long list is not held in memory."""
    separator = b"[\n  "
    for item in items:
        # JSON has no raw newline within a string, so every newline here is between tokens.
        _write(session, separator + _json(item).rstrip(b"\n").replace(b"\n", b"\n  "))
        separator = b",\n  "
    _write(session, b"[]\n" if separator.startswith(b"[") else b"\n]\n")


def _yaml(items: list[Any], single: bool = False) -> bytes:
    import yaml

    text: str = yaml.safe_dump(
        items[0] if single else items, sort_keys=False, allow_unicode=True, default_flow_style=False, width=110
    )
    return text.encode()


def _csv(items: Iterable[dict[str, Any]], fields: Iterable[str]) -> bytes:
    import csv
    import io

    names = list(fields)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for item in items:
        writer.writerow([_cell(item.get(name)) for name in names])
    return buffer.getvalue().encode()


def _cell(value: Any) -> str:
    """A CSV cell: text as it is, nothing for null, and everything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    import msgspec

    return msgspec.json.encode(value).decode()


def _write(session: Session, content: bytes) -> None:
    buffer = getattr(session.stdout, "buffer", None)
    if buffer is None:
        session.stdout.write(content.decode())
        return
    session.stdout.flush()
    buffer.write(content)
