"""`qwebhook delete`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.printable import printable
from qwebhook.cli.results import Listing
from qwebhook.cli.selection import AllOption, Outcomes, WebhookArguments, filtered, selected_webhooks
from qwebhook.cli.session import session_of
from qwebhook.model.errors import InvalidInput

if TYPE_CHECKING:
    from qwebhook.model.webhook import Webhook
    from qwebhook.store.contract import Administration

EXAMPLES = """
qwebhook delete reports
qwebhook delete --all --disabled --yes
qwebhook delete reports --yes --if-exists
"""
_SHOWN = 5

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
@filtered
def delete(
    ctx: typer.Context,
    filters: dict[str, Any],
    webhooks: WebhookArguments = None,
    everything: AllOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="A webhook that is not there is fine.")] = False,
) -> Listing:
    """Delete webhooks.

    What is pending for them is cancelled. On a terminal it asks first; elsewhere it needs --yes.
    """
    from qwebhook.cli.views import WEBHOOKS

    session = session_of(ctx)
    if not yes and not session.can_ask:
        raise InvalidInput("delete needs --yes where it cannot ask")
    doomed, missing = selected_webhooks(session, webhooks or (), everything, filters, missing_is_fine=if_exists)
    if doomed and not yes and not session.confirm(_question(doomed)):
        session.note("nothing was deleted")
        return Listing([], WEBHOOKS, exit_code=ExitCode.FAILED)
    store = session.open_store()
    outcomes = Outcomes(session, missing)
    for webhook in doomed:
        outcomes.attempt(webhook.name, partial(_deleted, store, webhook), missing_is_fine=if_exists)
    return Listing(outcomes.done, WEBHOOKS, exit_code=outcomes.exit_code)


def _deleted(store: Administration, webhook: Webhook) -> Webhook:
    store.delete_webhook(webhook.id)
    return webhook


def _question(webhooks: list[Webhook]) -> str:
    names = ", ".join(printable(webhook.name) for webhook in webhooks[:_SHOWN])
    if len(webhooks) == 1:
        return f"Delete the webhook {names}?"
    more = ", …" if len(webhooks) > _SHOWN else ""
    return f"Delete {len(webhooks)} webhooks ({names}{more})?"
