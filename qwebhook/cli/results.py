"""What commands return. A command prints nothing of its result; `rendering` does, as the user asked for it.

Listing   several objects, maybe read while they are printed
Single    one object
Text      text that is the result itself: a token, a script
Document  JSON that is the result itself: a sample event, a schema
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from qwebhook.cli.exit_codes import ExitCode

Format = Literal["table", "json", "yaml", "csv", "id"]
Kind = Literal["text", "time", "status", "number"]


class Column(NamedTuple):
    """A column of a table. value: reads it from an object: a string, a number, or None. kind: how it is shown.

    spare: left out on a terminal that is too narrow; the last such column goes first.
    """

    title: str
    value: Callable[[Any], object]
    kind: Kind = "text"
    spare: bool = False


class View(NamedTuple):
    """How a kind of object is shown. identifier: what `-o id` prints of it. fields: the header of a CSV."""

    columns: Sequence[Column]
    identifier: Callable[[Any], str]
    fields: Sequence[str]


class Listing(NamedTuple):
    """Several objects. if_empty: what stderr says of an empty table. exit_code: given when all is printed.

    after: called when the last one was printed; returns a note for stderr or "".
    """

    items: Iterable[Any]
    view: View
    if_empty: str = ""
    exit_code: int = ExitCode.DONE
    after: Callable[[], str] | None = None


class Single(NamedTuple):
    """One object. extra: further members beside its own.

    blocks: titled texts that a table shows below its fields. in_blocks: fields that they show instead.
    summary: what a table shows instead of everything.
    """

    item: Any
    view: View
    extra: dict[str, Any] = {}  # noqa: RUF012 never changed
    blocks: Sequence[tuple[str, str]] = ()
    in_blocks: Sequence[str] = ()
    summary: str = ""
    exit_code: int = ExitCode.DONE


class Text(NamedTuple):
    """Text that is printed as it is, unless a machine format is asked for: then what `item` returns."""

    text: str
    item: Callable[[], Any]
    exit_code: int = ExitCode.DONE


class Document(NamedTuple):
    """A JSON document, printed as JSON (or YAML) whatever else was asked for."""

    content: Any
    exit_code: int = ExitCode.DONE


Result = Listing | Single | Text | Document
