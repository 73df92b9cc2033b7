"""`qwebhook event-types`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwebhook.cli.results import Column, Document, Listing, View
from qwebhook.cli.session import Session, session_of
from qwebhook.cli.suggestions import event_types as event_type_names
from qwebhook.model.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from qwebhook.model.catalogue import EventType

EXAMPLES = """
qwebhook event-types
qwebhook event-types com.qlik.v1.app.reload.finished
qwebhook event-types com.qlik.v1.app.created --sample
qwebhook event-types com.qlik.v1.app.created --schema > schema.json
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def event_types(
    ctx: typer.Context,
    event_type: Annotated[
        str | None,
        typer.Argument(
            metavar="TYPE", help="Show the fields of this type.", autocompletion=event_type_names, show_default=False
        ),
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Print a complete event of the type, as JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the type's events.")] = False,
) -> Listing | Document:
    """Show the known event types, or one of them.

    The catalogue is open: webhooks may subscribe to types that it does not have. Its sources are `webhook` (known
    to be pushed to webhooks), `audit` (known from the audit log) and `qwebhook` (our own). Where the store is a tenant
    or a server, the list is what that one offers.
    """
    session = session_of(ctx)
    if event_type is None:
        if sample or schema:
            raise InvalidInput("--sample and --schema need a TYPE", "`qwebhook event-types` lists them")
        return _all_types(session)
    if sample and schema:
        raise InvalidInput("--sample and --schema were both given", "give one of them")
    if sample or schema:
        return _document(session, event_type, sample)
    return _fields(event_type)


def _all_types(session: Session) -> Listing:
    """Those of the catalogue, or of the tenant or server that is the store."""
    from qwebhook.model import catalogue

    view = View(
        columns=[
            Column("TYPE", lambda listed: listed.name),
            Column("TITLE", lambda listed: listed.title),
            Column("CATEGORY", lambda listed: listed.category, spare=True),
            Column("LEVELS", lambda listed: ", ".join(listed.levels)),
            Column("SOURCE", lambda listed: listed.source, spare=True),
        ],
        identifier=lambda listed: str(listed.name),
        fields=catalogue.EventType.__struct_encode_fields__,
    )
    found = session.open_server().event_types() if session.is_remote else catalogue.event_types()
    return Listing(found, view)


def _document(session: Session, name: str, sample: bool) -> Document:
    from qwebhook.cli.advice import unknown_type
    from qwebhook.model import catalogue
    from qwebhook.model.event import is_well_formed_type
    from qwebhook.model.identifiers import random_id
    from qwebhook.model.timestamps import to_rfc3339

    if not is_well_formed_type(name):
        raise InvalidInput(f"{name[:80]!r} is not a well-formed event type")
    warning = unknown_type(name)
    if warning:
        session.advise(f"{warning}; this is what is common to all events")
    if not sample:
        return Document(catalogue.schema(name))
    now = session.now_ms
    return Document(catalogue.sample(name, event_id=random_id(now, session.random(10)), time=to_rfc3339(now)))


def _fields(name: str) -> Listing:
    from qwebhook.model import catalogue

    known = catalogue.event_type(name)
    if known is None:
        raise _unknown(name)
    data = catalogue.schema(name)["properties"]["data"]
    required = data.get("required", [])
    rows = [
        {
            "name": field,
            "type": _type_name(description),
            "required": field in required,
            "description": description.get("description", ""),
        }
        for field, description in data.get("properties", {}).items()
    ]
    view = View(
        columns=[
            Column("FIELD OF DATA", lambda row: row["name"]),
            Column("TYPE", lambda row: row["type"]),
            Column("ALWAYS", lambda row: "yes" if row["required"] else ""),
            Column("DESCRIPTION", lambda row: row["description"]),
        ],
        identifier=lambda row: str(row["name"]),
        fields=["name", "type", "required", "description"],
    )
    return Listing(rows, view, after=lambda: _about(known))


def _about(known: EventType) -> str:
    from qwebhook.model import catalogue

    others = catalogue.names_of(known.name)[1:]
    renamed = f" Also known as {', '.join(others)}." if others else ""
    return f"{known.name}: {known.description}{renamed} Levels: {', '.join(known.levels)}."


def _unknown(name: str) -> NotFound:
    from qwebhook.cli.advice import closest_type

    close = closest_type(name)
    hint = f"did you mean {close}?" if close else "`qwebhook event-types` lists the known ones"
    return NotFound(f"{name} is not in the catalogue of event types", hint)


def _type_name(description: dict[str, Any]) -> str:
    kind = description.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"array of {_type_name(description.get('items', {}))}"
    return str(description.get("format", kind))
