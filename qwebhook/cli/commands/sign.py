"""`qwebhook sign`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwebhook.cli.results import Text
from qwebhook.cli.session import Session, session_of
from qwebhook.cli.suggestions import webhook_names
from qwebhook.model.errors import InvalidInput

if TYPE_CHECKING:
    from qwebhook.model.signature import Signer

EXAMPLES = """
qwebhook sign event.json --secret env:SECRET
qwebhook sign event.json --webhook reports --id msg-1 --timestamp 1764000000
qwebhook sign - --secret @secret.txt -o json < event.json
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def sign(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body, to the byte; - for stdin.")] = "-",
    secret: Annotated[
        str | None, typer.Option("--secret", metavar="SECRET", help="The secret, @FILE, env:NAME, or - for stdin.")
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option("--webhook", metavar="WEBHOOK", help="Sign as this webhook does.", autocompletion=webhook_names),
    ] = None,
    message_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The webhook-id; a new one unless given.")
    ] = None,
    timestamp: Annotated[
        int | None,
        typer.Option("--timestamp", metavar="SECONDS", min=0, help="Seconds since 1970; now unless given."),
    ] = None,
) -> Text:
    """Print the signature headers of a body.

    Both schemes: Qlik-Signature, which covers the body, and the three headers of Standard Webhooks, which cover its
    id and time as well.
    """
    from qwebhook.cli.inputs import read_bytes

    session = session_of(ctx)
    signer = _signer(session, secret, webhook)
    body = read_bytes(session, file, "FILE")
    if message_id is None:
        from qwebhook.model.identifiers import random_id

        message_id = random_id(session.now_ms, session.random(10))
    if not message_id or not message_id.isprintable() or not message_id.isascii():
        raise InvalidInput("--id is not printable ASCII", "an id goes into a header")
    seconds = int(session.clock()) if timestamp is None else timestamp
    headers: dict[str, Any] = {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        **signer.headers(message_id, seconds, body),
    }
    return Text("\n".join(f"{name}: {value}" for name, value in headers.items()), lambda: headers)


def _signer(session: Session, secret: str | None, webhook: str | None) -> Signer:
    if (secret is None) == (webhook is None):
        raise InvalidInput("no secret, or two", "give either --secret or --webhook")
    if secret is not None:
        from qwebhook.cli.inputs import read_value
        from qwebhook.model.signature import Signer

        value = read_value(session, secret, "--secret", stdin=True)
        if not value:
            raise InvalidInput("--secret is empty")
        return Signer([(value, None)])
    store = session.open_store()
    found = store.find_webhook(str(webhook))
    if not found.secret_key_added:
        raise InvalidInput(f"the webhook {found.name} has no secret", "`qwebhook rotate-secret` gives it one")
    if session.is_remote:
        from qwebhook.cli.remote_endpoints import signing_endpoint

        return signing_endpoint(session, found, None, {}, told=False).signer
    return store.endpoint(found.id).signer
