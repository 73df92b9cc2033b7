"""`qwebhook publish`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qwebhook.cli.results import Single, View
from qwebhook.cli.session import Session, session_of
from qwebhook.cli.settings import TOKEN_VARIABLE
from qwebhook.model.errors import InvalidInput, QwebhookError

if TYPE_CHECKING:
    from qwebhook.cli.publishing import Destination, Receipt

EXAMPLES = """
qwebhook event-types com.qlik.v1.app.created --sample | qwebhook publish
qwebhook publish events.ndjson
qwebhook publish events.json --server http://127.0.0.1:8787 --token @token.txt
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def publish(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A JSON event, an array, or one on each line; - for stdin.")
    ] = "-",
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Send to this server instead of the store.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="TOKEN", help="For a server: TOKEN, @FILE or env:NAME. [env: QWEBHOOK_TOKEN]"),
    ] = None,
    assign_ids: Annotated[bool, typer.Option("--assign-ids", help="Give an id to events that have none.")] = False,
) -> Single:
    """Hand events to a server, or to a database store.

    It returns when they are on disk. An event that is there already counts as a duplicate and is not delivered
    again, so that publishing a file twice is safe. A file is checked whole before anything of it is sent.
    """
    from qwebhook.cli.event_input import EventReader
    from qwebhook.cli.publishing import Receipt

    session = session_of(ctx)
    chunks = EventReader(session, assign_ids=assign_ids).chunks(file)
    receipt = Receipt(ids=[])
    destination: Destination | None = None
    try:
        for events in chunks:
            if destination is None:
                # Not before the first events are checked, so that a mistake in them is what one hears of.
                destination = _destination(session, server, token)
            receipt.add(destination.publish(events))
    except QwebhookError as error:
        raise _with_progress(error, receipt) from None
    finally:
        if destination is not None:
            destination.close()
    if destination is None:
        session.note("there was no event in the input")
    return _result(receipt)


def _destination(session: Session, server: str | None, token: str | None) -> Destination:
    from qwebhook.cli.inputs import read_value
    from qwebhook.cli.publishing import JournalDestination, ServerDestination, StoreDestination

    given = read_value(session, token, "--token") if token is not None else None
    if server is not None:
        # A context's token is for its own store, not for a server named here.
        return ServerDestination(server, given or session.environ.get(TOKEN_VARIABLE))
    if session.is_remote:
        if given is not None:
            return ServerDestination(str(session.location()), given)
        store = session.open_server()
        if not store.is_qwebhook:
            raise InvalidInput(f"{store.name} is a tenant, which takes no events", "publish to a qwebhook store")
        return StoreDestination(store.remote)
    if given is not None:
        raise InvalidInput("--token is for a server, and the store is a database", "leave it out, or give --server")
    database = session.open_database()
    if database.server() is None:
        session.warn("no server is running on this store; `qwebhook serve` delivers what is published")
    return JournalDestination(database.open_journal(), lambda: session.now_ms)


def _with_progress(error: QwebhookError, receipt: Receipt) -> QwebhookError:
    count = receipt.accepted + receipt.duplicates
    if not count:
        return error
    progress = "the event before was taken" if count == 1 else f"the {count} events before were taken"
    return type(error)(error.message, f"{error.hint}; {progress}" if error.hint else progress)


def _result(receipt: Receipt) -> Single:
    view = View(
        columns=(),
        identifier=lambda receipt: "\n".join(receipt.ids),
        fields=["accepted", "duplicates", "ids"],
    )
    events = "event" if receipt.accepted == 1 else "events"
    duplicates = "duplicate" if receipt.duplicates == 1 else "duplicates"
    summary = f"{receipt.accepted} {events} accepted, {receipt.duplicates} {duplicates}"
    return Single(receipt, view, summary=summary)
