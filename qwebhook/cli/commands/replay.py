"""`qwebhook replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from qwebhook.cli.results import Listing
from qwebhook.cli.session import session_of
from qwebhook.cli.suggestions import webhook_names
from qwebhook.model.errors import InvalidInput

EXAMPLES = """
qwebhook replay reports --since 2h --dry-run
qwebhook replay reports --since 2026-11-24T08:00:00Z --until 2026-11-24T10:00:00Z --wait 5m
qwebhook replay --since 1d
qwebhook replay reports --source audits:prod --since 7d --dry-run
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def replay(
    ctx: typer.Context,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Events accepted since then: RFC 3339, in UTC unless it has a zone, or 90m, 2h, 7d ago.",
        ),
    ],
    webhook: Annotated[
        str | None,
        typer.Argument(
            metavar="WEBHOOK",
            help="To this webhook; to every enabled one, unless given.",
            autocompletion=webhook_names,
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Events accepted before then; now unless given.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those too that have a success on record.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and put nothing into the queue.")] = False,
    wait: Annotated[
        str | None,
        typer.Option("--wait", metavar="DURATION", help="Wait so long at most for what comes of them."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="audits:CONTEXT", help="Events that the audit log of a tenant has."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.01, metavar="N", help="With --source: N deliveries a second at most."),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="SECRET",
            help="With --source, for a tenant's webhook: sign with it; @FILE, env:NAME or -.",
        ),
    ] = None,
) -> Listing:
    """Deliver past events again that have no success on record.

    Those that the webhook wants as it is now, its filter and types, are put into the server's queue in order, each
    as a delivery of its own with retries; also those from before the webhook was made, as far as they are kept. What
    is pending already is left out. With --wait, exit code 7 if any fails or is not decided by then.

    With --source, the events are those of a tenant's audit log (its archive, beyond 90 days), such as a service that
    does not retry has lost. To a tenant's webhook they are sent from here, one after the other, so that --wait has
    nothing to wait for; exit code 7 says that some failed. A server's queue is filled on its own machine, with --store.
    """
    from qwebhook.cli.inputs import meant
    from qwebhook.cli.replaying import ReplayPlan, period, replay_all, webhooks_to_replay
    from qwebhook.model.timestamps import duration_seconds

    session = session_of(ctx)
    if dry_run and wait is not None:
        raise InvalidInput("--dry-run and --wait were both given", "give one of them")
    patience = meant("--wait", duration_seconds, wait) if wait is not None else None
    if source is not None:
        from qwebhook.cli.backfilling import BackfillPlan, backfill_webhook

        if webhook is None:
            raise InvalidInput("--source is for one webhook", "name it")
        if everything:
            raise InvalidInput(
                "--all cannot be given with --source, which is for what has not been delivered",
                "`replay --all` without it delivers again what the store has",
            )
        plan_of_source = BackfillPlan(
            webhook=webhook,
            source=source,
            since=since,
            until=until,
            dry_run=dry_run,
            rate=rate,
            wait=patience,
            secret=secret,
        )
        return backfill_webhook(session, plan_of_source)
    if rate is not None or secret is not None:
        raise InvalidInput(f"{'--rate' if rate is not None else '--secret'} goes with --source")
    beginning, end = period(session, since, until)
    plan = ReplayPlan(
        webhooks=webhooks_to_replay(session, webhook),
        since=beginning,
        until=end,
        everything=everything,
        dry_run=dry_run,
        wait=patience,
    )
    return replay_all(session, plan)
