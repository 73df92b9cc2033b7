"""`qwebhook deliveries`."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from qwebhook.cli.results import Listing
from qwebhook.cli.selection import Limited, check_choice
from qwebhook.cli.session import session_of
from qwebhook.cli.suggestions import event_types, webhook_names

DEFAULT_LIMIT = 100
EXAMPLES = """
qwebhook deliveries reports
qwebhook deliveries --status fail --limit 20
qwebhook deliveries reports --event com.qlik.v1.app.created --all -o csv
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def deliveries(
    ctx: typer.Context,
    webhook: Annotated[
        str | None,
        typer.Argument(
            metavar="WEBHOOK",
            help="Those of this webhook; of all of them, unless given.",
            autocompletion=webhook_names,
            show_default=False,
        ),
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help="success or fail, of the latest attempt.")
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(
            "--event",
            metavar="TYPE",
            help="Those of events of this type, under any of its names.",
            autocompletion=event_types,
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option("--sort", metavar="FIELD", help="status or triggeredAt; -FIELD for the reverse."),
    ] = "-triggeredAt",
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many to show.")] = DEFAULT_LIMIT,
    everything: Annotated[bool, typer.Option("--all", help="Show all of them.")] = False,
) -> Listing:
    """List deliveries, the latest first.

    A delivery is listed from its first attempt on, and its status is that of the latest one.
    """
    from qwebhook.cli.views import DELIVERIES, DELIVERIES_OF_WEBHOOK, with_names
    from qwebhook.model.delivery import Status
    from qwebhook.store.contract import DeliveryQuery, DeliverySort

    check_choice("--sort", sort, get_args(DeliverySort))
    restrictions: dict[str, Any] = {"sort": sort, "event_type": event}
    if status is not None:
        check_choice("--status", status, get_args(Status))
        restrictions["status"] = status
    store = session_of(ctx).open_store()
    if webhook is not None:
        restrictions["webhook_id"] = store.find_webhook(webhook).id
    view = DELIVERIES_OF_WEBHOOK if webhook is not None else with_names(DELIVERIES, store)
    found = Limited(store.list_deliveries, DeliveryQuery(**restrictions), None if everything else limit)
    return Listing(
        found,
        view,
        if_empty="no delivery fits the filters" if status or event else "no deliveries yet",
        after=found.note,
    )
