"""`qwebhook list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qwebhook.cli.results import Listing
from qwebhook.cli.selection import Limited, filtered, webhook_query
from qwebhook.cli.session import session_of

DEFAULT_LIMIT = 100
EXAMPLES = """
qwebhook list
qwebhook list --disabled --sort name
qwebhook list --event com.qlik.v1.app.reload.finished -o json
qwebhook list --name report -q
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
@filtered
def list_webhooks(
    ctx: typer.Context,
    filters: dict[str, Any],
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="FIELD",
            help="name, url, createdAt or updatedAt; -FIELD for the reverse.",
            show_default="-createdAt",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many to show.")] = DEFAULT_LIMIT,
    everything: Annotated[bool, typer.Option("--all", help="Show all of them.")] = False,
) -> Listing:
    """List webhooks.

    Filters restrict the list; a webhook must pass all of them.
    """
    from qwebhook.cli.views import WEBHOOKS

    session = session_of(ctx)
    query = webhook_query(**filters, sort=sort)
    found = Limited(session.open_store().list_webhooks, query, None if everything else limit)
    return Listing(
        found,
        WEBHOOKS,
        if_empty="no webhook fits the filters" if filters else "no webhooks yet; `qwebhook create` makes one",
        after=found.note,
    )
