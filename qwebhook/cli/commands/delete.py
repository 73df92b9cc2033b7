"""`qwebhook delete`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.removal import Removal, YesOption, agreed, check_can_ask
from qwebhook.cli.results import Listing
from qwebhook.cli.selection import (
    AllOption,
    Outcomes,
    WebhookArguments,
    check_selection,
    filtered,
    selected_webhooks,
)
from qwebhook.cli.session import session_of

if TYPE_CHECKING:
    from qwebhook.model.webhook import Webhook
    from qwebhook.store.contract import Administration

EXAMPLES = """
qwebhook delete reports
qwebhook delete --all --disabled --yes
qwebhook delete reports --yes --if-exists
"""
_DELETING = Removal("delete", "Delete", "deleted", "webhook")

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
@filtered
def delete(
    ctx: typer.Context,
    filters: dict[str, Any],
    webhooks: WebhookArguments = None,
    everything: AllOption = False,
    yes: YesOption = False,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="A webhook that is not there is fine.")] = False,
) -> Listing:
    """Delete webhooks.

    What is pending for them is cancelled. On a terminal it asks first; elsewhere it needs --yes.
    """
    from qwebhook.cli.views import WEBHOOKS

    session = session_of(ctx)
    # Before --yes, or one would hear of that first and then that nothing is named.
    check_selection(webhooks or (), everything, filters)
    check_can_ask(session, _DELETING, yes)
    doomed, missing = selected_webhooks(session, webhooks or (), everything, filters, missing_is_fine=if_exists)
    if doomed and not yes and not agreed(session, _DELETING, [webhook.name for webhook in doomed]):
        return Listing([], WEBHOOKS, exit_code=ExitCode.FAILED)
    store = session.open_store()
    outcomes = Outcomes(session, missing)
    for webhook in doomed:
        outcomes.attempt(webhook.name, partial(_deleted, store, webhook), missing_is_fine=if_exists)
    return Listing(outcomes.done, WEBHOOKS, exit_code=outcomes.exit_code)


def _deleted(store: Administration, webhook: Webhook) -> Webhook:
    store.delete_webhook(webhook.id)
    return webhook
