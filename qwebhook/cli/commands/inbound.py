"""`qwebhook inbound`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qwebhook.cli.inputs import GENERATE, read_secret, split_list
from qwebhook.cli.removal import Removal, YesOption
from qwebhook.cli.results import Listing, Single
from qwebhook.cli.session import session_of
from qwebhook.cli.suggestions import event_types, inbound_names
from qwebhook.model.errors import InvalidInput

ADD_EXAMPLES = """
qwebhook inbound add my-tenant --secret generate
qwebhook inbound add shop --secret env:SHOP_SECRET
qwebhook inbound add my-tenant --secret @old-secret.txt --secret @new-secret.txt
qwebhook inbound add my-tenant --context prod --public-url https://hooks.example.com
"""
LIST_EXAMPLES = """
qwebhook inbound list
qwebhook inbound list -o json
"""
REMOVE_EXAMPLES = """
qwebhook inbound remove my-tenant
qwebhook inbound remove my-tenant shop --yes --if-exists
"""
_REMOVING = Removal("inbound remove", "Remove", "removed", "inbound")

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def inbound() -> None:
    """Say whose signatures let events in to the server."""


@app.command("add", epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is; no two inbounds share a name.")],
    secrets: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="SECRET",
            help="What it signs with: the secret, @FILE, env:NAME, - for stdin, or generate for a new one; may be "
            "repeated.",
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            metavar="URL",
            help="Make the webhook that pushes here, too, in the tenant that --context names: URL is where `qwebhook "
            "serve` is reached from the internet.",
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="TYPE",
            help="With --public-url: what the tenant is to push; every type that it offers, unless given.",
            autocompletion=event_types,
        ),
    ] = None,
) -> Single:
    """Let events in that are signed with a secret.

    POST /events then takes what carries a valid Qlik-Signature or webhook-signature by one of the secrets, without a
    token. Give two while a sender changes from one to the other. With --public-url a tenant is told to push here,
    under a new secret that nobody needs to know.
    """
    from qwebhook.cli.views import INBOUNDS

    session = session_of(ctx)
    if event and not split_list(event):  # such as a variable of a shell that is not set
        raise InvalidInput("--event names no type", "leave it out for every type that the tenant offers")
    if public_url is not None:
        from qwebhook.cli.tenant_inbound import push_here

        return push_here(session, name, public_url, split_list(event), secrets or [GENERATE])
    if event or not secrets:
        raise InvalidInput(
            "--event goes with --public-url" if event else "no secret is given",
            "give --secret, or --context TENANT and --public-url URL",
        )
    if secrets.count(GENERATE) > 1:
        raise InvalidInput("--secret generate is given twice", "one new secret is enough")
    values = [read_secret(session, secret) for secret in secrets]
    added = session.open_store(create=True).create_inbound(name, values, session.user)
    extra: dict[str, Any] = {}
    if GENERATE in secrets:
        extra["secret"] = values[secrets.index(GENERATE)]
        if session.options.output in (None, "table", "id"):
            session.tell_once("secret", extra["secret"])
    session.note(
        "for a tenant to push here, make a webhook there with this secret and the URL https://HOST/events, where "
        "`qwebhook serve` is reached from the internet"
    )
    return Single(added, INBOUNDS, extra=extra)


@app.command("list", epilog=LIST_EXAMPLES)
def list_inbounds(ctx: typer.Context) -> Listing:
    """List whose signatures let events in, and how many secrets each has."""
    from qwebhook.cli.views import INBOUNDS

    return Listing(
        session_of(ctx).open_store().list_inbounds(),
        INBOUNDS,
        if_empty="no inbounds yet; `qwebhook inbound add` makes one",
    )


@app.command("remove", epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    inbounds: Annotated[
        list[str], typer.Argument(metavar="INBOUND...", help="Names or ids.", autocompletion=inbound_names)
    ],
    yes: YesOption = False,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="An inbound that is not there is fine.")] = False,
) -> Listing:
    """Let no more events in by the signatures of these.

    A running server sees it within a second. On a terminal it asks first; elsewhere it needs --yes.
    """
    from qwebhook.cli.removal import remove_named
    from qwebhook.cli.views import INBOUNDS

    session = session_of(ctx)
    store = session.open_store()
    removed, code = remove_named(
        session, _REMOVING, inbounds, store.list_inbounds(), store.remove_inbound, yes=yes, if_exists=if_exists
    )
    return Listing(removed, INBOUNDS, exit_code=code)
