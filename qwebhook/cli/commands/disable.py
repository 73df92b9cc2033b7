"""`qwebhook disable`."""

from __future__ import annotations

from typing import Any

import typer

from qwebhook.cli.results import Listing
from qwebhook.cli.selection import AllOption, WebhookArguments, filtered
from qwebhook.cli.session import session_of

EXAMPLES = """
qwebhook disable reports
qwebhook disable --all --event com.qlik.v1.app.reload.finished
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
@filtered
def disable(
    ctx: typer.Context,
    filters: dict[str, Any],
    webhooks: WebhookArguments = None,
    everything: AllOption = False,
) -> Listing:
    """Disable webhooks.

    What is pending is held until they are enabled again; events that come meanwhile are not delivered.
    """
    from qwebhook.cli.switching import switch

    return switch(session_of(ctx), webhooks or (), everything, filters, enabled=False)
