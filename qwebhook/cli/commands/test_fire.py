"""`qwebhook test-fire`."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Literal

import typer

from qwebhook.cli.event_names import NamesFromOption
from qwebhook.cli.results import Document, Listing
from qwebhook.cli.selection import WebhookArguments
from qwebhook.cli.sending import AllowExecOption, AllowFilesOption, AllowNetworkOption, TimeoutOption
from qwebhook.cli.session import session_of
from qwebhook.cli.trial_events import DataOption, SetOption, TrialEvents, TypeOption

EXAMPLES = """
qwebhook test-fire reports
qwebhook test-fire reports --event com.qlik.v1.app.reload.finished --set data.status=error
qwebhook test-fire reports --count 100 --rate 20
qwebhook test-fire --all --silent
"""

app = typer.Typer(add_completion=False)


@app.command("test-fire", epilog=EXAMPLES)
def test_fire(
    ctx: typer.Context,
    webhooks: WebhookArguments = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every enabled webhook with an http: or https: target.")
    ] = False,
    event: TypeOption = None,
    data: DataOption = None,
    settings: SetOption = None,
    secret: Annotated[
        str | None,
        typer.Option("--secret", metavar="SECRET", help="Sign with it instead: the secret, @FILE, env:NAME or -."),
    ] = None,
    headers: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="NAME=VALUE", help="A header to send along; may be repeated."),
    ] = None,
    expect: Annotated[
        int | None, typer.Option("--expect", min=100, max=599, metavar="CODE", help="The status that is a success.")
    ] = None,
    timeout: TimeoutOption = None,
    count: Annotated[int, typer.Option("--count", min=1, max=100_000, metavar="N", help="How many to fire.")] = 1,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.01, max=10_000, metavar="R", help="A second; one after the other, unless given."),
    ] = None,
    allow_network: AllowNetworkOption = None,
    via: Annotated[
        Literal["direct", "serve"] | None,
        typer.Option(
            "--via",
            metavar="direct|serve",
            help="Send from here; or let the store's server send, which records it. Default: serve for the URL of a "
            "qwebhook server, direct otherwise.",
        ),
    ] = None,
    allow_exec: AllowExecOption = False,
    allow_files: AllowFilesOption = None,
    names_from: NamesFromOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the request, and send nothing.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="Say nothing unless one fails (for cron).")] = False,
) -> Listing | Document | int:
    """Send a realistic, signed test event to webhooks, and say what they answered.

    The event's id begins with test-, and the request carries the header qwebhook-test. It goes straight to the
    webhook's URL, whatever its filter, and is recorded nowhere. With --via serve the running server sends it, from
    where it stands and with its own rules, and keeps a record. A tenant gives the secret of a webhook to nobody: give
    it with --secret, or keep it with the context. Exit code 7 if any fails.
    """
    from qwebhook.cli.firing import FiringOptions, dry_run_document, fire_all, targets

    session = session_of(ctx)
    options = FiringOptions.read(
        session,
        TrialEvents(session, event, data, settings or ()),
        secret=secret,
        headers=headers or (),
        expect=expect,
        timeout=timeout,
        count=count,
        rate=rate,
        allowed_networks=allow_network or (),
        silent=silent,
        via=via,
        allow_exec=allow_exec,
        allow_files=allow_files or (),
        names_from=names_from,
    )
    with closing(options.names):
        endpoints, not_found = targets(session, webhooks or (), everything, options)
        if dry_run:
            return dry_run_document(endpoints, options, not_found)
        return fire_all(session, endpoints, options, not_found)
