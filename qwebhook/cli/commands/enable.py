"""`qwebhook enable`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qwebhook.cli.results import Listing
from qwebhook.cli.selection import AllOption, WebhookArguments, filtered
from qwebhook.cli.session import session_of

EXAMPLES = """
qwebhook enable reports
qwebhook enable --all --url example.com
qwebhook enable reports --discard
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
@filtered
def enable(
    ctx: typer.Context,
    filters: dict[str, Any],
    webhooks: WebhookArguments = None,
    everything: AllOption = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Drop what was held while it was disabled, and start afresh.")
    ] = False,
) -> Listing:
    """Enable webhooks.

    What was pending when a webhook was disabled is delivered now, unless --discard is given.
    """
    from qwebhook.cli.switching import switch

    return switch(session_of(ctx), webhooks or (), everything, filters, enabled=True, discard=discard)
