"""`qwebhook listen`."""

from __future__ import annotations

from typing import Annotated

import typer

from qwebhook.cli.sending import AllowNetworkOption
from qwebhook.cli.session import session_of

EXAMPLES = """
qwebhook listen --context prod --forward-to http://localhost:3000/hook
qwebhook listen --context prod --event com.qlik.v1.app.reload.finished
qwebhook listen --context prod --print | jq .data
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def listen(
    ctx: typer.Context,
    forward_to: Annotated[
        str | None, typer.Option("--forward-to", metavar="URL", help="Send each event there, signed.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="TYPE", help="Events of this type only; may be repeated."),
    ] = None,
    print_events: Annotated[
        bool, typer.Option("--print", help="Print the events themselves, one JSON object a line.")
    ] = False,
    cloud_events: Annotated[
        bool, typer.Option("--cloud-events", help="Convert events in Qlik's older form to CloudEvents 1.0.")
    ] = False,
    secret: Annotated[
        str | None,
        typer.Option("--secret", metavar="SECRET", help="Sign with it instead: the secret, @FILE, env:NAME or -."),
    ] = None,
    allow_network: AllowNetworkOption = None,
) -> int:
    """Relay a tenant's events to a local address, for development.

    Needs no store and no public address: events are read from the audit log of the context's tenant, from now on,
    and printed one a line. `ready` means that a reading has succeeded; when the tenant cannot be reached for a while,
    it is tried again. All runs sign with the same secret, which is kept beside the configuration.
    """
    from qwebhook.cli.inputs import read_secret
    from qwebhook.cli.listening import ListeningPlan, Shown, endpoint_for, listen, stable_secret
    from qwebhook.cli.rendering import chosen_format
    from qwebhook.cli.sources import open_own_source
    from qwebhook.model.addresses import AddressPolicy
    from qwebhook.model.errors import InvalidInput, InvalidWebhook
    from qwebhook.model.signature import check_secret
    from qwebhook.model.webhook import check_event_types, check_url
    from qwebhook.source.pace import Stopping

    session = session_of(ctx)
    formats: dict[str, Shown] = {"table": "lines", "json": "json", "id": "ids"}
    output = chosen_format(session)
    if output not in formats or (print_events and output == "json"):
        raise InvalidInput(
            f"-o {output} is not what `listen{' --print' if print_events else ''}` prints",
            "give -o json for a JSON object a line, or --print for the events alone",
        )
    if forward_to is not None:
        try:
            if not forward_to.lower().startswith(("http:", "https:")):
                raise InvalidInput(f"--forward-to {forward_to} is no http: or https: URL")
            check_url(forward_to)
        except InvalidWebhook as error:
            raise InvalidInput(error.message.replace("url:", "--forward-to:", 1), error.hint) from None
    types = list(event or ())
    if types:
        check_event_types(types)
    stopping = Stopping()
    remote = open_own_source(session, stopping.sleep)
    own_secret, place = (read_secret(session, secret), None) if secret is not None else stable_secret(session)
    check_secret(own_secret)
    if forward_to is not None and place is not None:
        session.note(f"what is forwarded to {forward_to} is signed with the secret in {place}")
    return listen(
        session,
        ListeningPlan(
            remote=remote,
            stopping=stopping,
            endpoint=endpoint_for(forward_to or "", own_secret, types, cloud_events, session.now_ms),
            forward=forward_to is not None,
            # What it is for is a program on this machine.
            policy=AddressPolicy(["loopback", *session.allowed_networks(allow_network or ())]),
            shown="events" if print_events else formats[output],
        ),
    )
