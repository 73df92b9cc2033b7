"""`qwebhook resend`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from qwebhook.cli.results import Listing
from qwebhook.cli.selection import WebhookArgument
from qwebhook.cli.sending import AllowExecOption, AllowFilesOption, AllowNetworkOption, TimeoutOption, timeout_seconds
from qwebhook.cli.session import session_of
from qwebhook.model.errors import InvalidInput

EXAMPLES = """
qwebhook resend reports 0193600b-1d2e-7abc-8000-00000000002a
qwebhook resend reports $(qwebhook deliveries reports --status fail --limit 1 -q)
qwebhook resend reports --failed --since 2h
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def resend(
    ctx: typer.Context,
    webhook: WebhookArgument,
    delivery_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="The deliveries' ids.", show_default=False)
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Every event's latest delivery, if that has failed and is not retried.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="With --failed: triggered since then: RFC 3339, in UTC unless it has a zone, or 2h, 7d ago.",
        ),
    ] = None,
    timeout: TimeoutOption = None,
    allow_network: AllowNetworkOption = None,
    allow_exec: AllowExecOption = False,
    allow_files: AllowFilesOption = None,
) -> Listing:
    """Send deliveries again, each once and at once.

    What was sent goes to where the webhook points now, with its present headers and secret, whether a server is
    running or not; a tenant or a server that is the store sends itself. Each is a delivery of its own on record, is not
    retried, and has the webhook-id that it had. Exit code 7 if any fails. For many events, `replay` puts them into the
    server's queue.
    """
    from qwebhook.cli.inputs import meant
    from qwebhook.cli.resending import failed_deliveries, resend_all, resend_by_server
    from qwebhook.cli.target_settings import allowed
    from qwebhook.model.addresses import AddressPolicy
    from qwebhook.model.timestamps import moment

    session = session_of(ctx)
    if session.is_remote and (timeout is not None or allow_network or allow_exec or allow_files):
        raise InvalidInput(
            "--timeout and --allow-… cannot be given for a store behind a server, which sends", "leave them out"
        )
    if delivery_ids and failed:
        raise InvalidInput("deliveries are named and --failed is given", "give one of them")
    if not delivery_ids and not failed:
        raise InvalidInput("no delivery is named", "give its id, or --failed")
    if since is not None and not failed:
        raise InvalidInput("--since goes with --failed", "leave it out, or give no ids")
    earliest = meant("--since", partial(moment, now=session.now_ms), since) if since is not None else None
    seconds = timeout_seconds(timeout)
    policy = AddressPolicy(session.allowed_networks(allow_network or ()))
    found = session.open_store().find_webhook(webhook)
    wanted = list(dict.fromkeys(delivery_ids or ())) or failed_deliveries(session, found, earliest)
    if session.is_remote:
        return resend_by_server(session, found, wanted)
    may_use = allowed(session, commands=allow_exec, folders=allow_files or ())
    return resend_all(session, found, wanted, policy, seconds, may_use)
