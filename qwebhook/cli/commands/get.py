"""`qwebhook get`."""

from __future__ import annotations

import typer

from qwebhook.cli.results import Single
from qwebhook.cli.selection import WebhookArgument
from qwebhook.cli.session import session_of

EXAMPLES = """
qwebhook get reports
qwebhook get 0193600b -o json
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def get(ctx: typer.Context, webhook: WebhookArgument) -> Single:
    """Show a webhook.

    Its secret and the values of its encrypted headers are never shown.
    """
    from qwebhook.cli.views import WEBHOOKS

    return Single(session_of(ctx).open_store().find_webhook(webhook), WEBHOOKS)
