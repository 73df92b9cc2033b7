"""`qwebhook rotate-secret`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwebhook.cli.inputs import GENERATE, meant, read_secret
from qwebhook.cli.results import Single
from qwebhook.cli.selection import WebhookArgument
from qwebhook.cli.session import session_of
from qwebhook.model.errors import InvalidInput

if TYPE_CHECKING:
    from qwebhook.model.webhook import Webhook

EXAMPLES = """
qwebhook rotate-secret reports
qwebhook rotate-secret reports --grace 7d
qwebhook rotate-secret reports --secret @new-secret.txt --grace 0
"""

# Milliseconds; as over the REST API.
LONGEST_GRACE = 365 * 86_400_000

app = typer.Typer(add_completion=False)


@app.command("rotate-secret", epilog=EXAMPLES)
def rotate_secret(
    ctx: typer.Context,
    webhook: WebhookArgument,
    grace: Annotated[
        str, typer.Option("--grace", metavar="DURATION", help="How long the present secret signs, too.")
    ] = "24h",
    secret: Annotated[
        str,
        typer.Option("--secret", metavar="SECRET", help="The new one: the secret, @FILE, env:NAME, - or generate."),
    ] = GENERATE,
) -> Single:
    """Give a webhook a new secret, while the present one signs for some time, too.

    A new one is generated and shown once, unless it is given. Meanwhile webhook-signature lists the signatures of
    both, so that a receiver can change over when it likes; Qlik-Signature has room for one, and is by the new secret
    at once.
    """
    from qwebhook.cli.views import WEBHOOKS
    from qwebhook.model.timestamps import duration_seconds, humanised

    session = session_of(ctx)
    milliseconds = round(meant("--grace", duration_seconds, grace) * 1000)
    if milliseconds > LONGEST_GRACE:
        raise InvalidInput(f"--grace {grace} is more than a year", "give 365d at most")
    value = read_secret(session, secret)
    store = session.open_store()
    before = store.find_webhook(webhook)
    after = store.rotate_secret(before.id, value, milliseconds, session.user)
    extra: dict[str, Any] = {}
    if secret == GENERATE:
        extra["secret"] = value
        if session.options.output in (None, "table", "id"):
            session.tell_once("secret", value)
    until = _both_sign_until(before, after, milliseconds)
    if until is not None:
        extra["bothSignUntil"] = until
        session.note(f"both secrets sign until {until} (for {humanised(milliseconds / 1000)}), then the new one alone")
    elif before.secret_key_added:
        session.note("the secret before it signs no more")
    else:
        session.note(f"{before.name} had no secret; its deliveries are signed from now on")
    return Single(after, WEBHOOKS, extra=extra)


def _both_sign_until(before: Webhook, after: Webhook, grace: int) -> str | None:
    """RFC 3339; None where only the new one signs. grace: milliseconds, counted from the change."""
    from qwebhook.model.timestamps import from_rfc3339, to_rfc3339

    if not before.secret_key_added or not grace:
        return None
    return to_rfc3339(from_rfc3339(after.updated_at) + grace)
