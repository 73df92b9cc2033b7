"""Backfills from the command line: what a tenant's audit log holds, for one webhook that has not had it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.printable import printable
from qwebhook.cli.progress import Meter
from qwebhook.cli.results import Column, Listing, View
from qwebhook.cli.session import Session
from qwebhook.cli.sources import open_source
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidInput
from qwebhook.model.event import Event
from qwebhook.model.timestamps import from_rfc3339, moment, to_rfc3339
from qwebhook.source.audit_log import AuditLog
from qwebhook.source.backfill import Backfilled, Put, backfill
from qwebhook.source.pace import RequestRate
from qwebhook.source.tail import AHEAD, DEEP_OVERLAP
from qwebhook.store.contract import BackfillStep, Journal


class Backfill(Backfilled, kw_only=True, rename="camel"):
    """A webhook's backfill. failed: of what was sent from here; None where a server delivers it."""

    webhook_id: str
    name: str
    failed: int | None = None


class BackfillPlan(msgspec.Struct, kw_only=True):
    """What to backfill. webhook: as it was named. source: `audits:CONTEXT`. since, until: as they were given.

    rate: deliveries a second, None for as many as come. secret: what is signed with where the store gives none out.
    """

    webhook: str
    source: str
    since: str
    until: str | None
    dry_run: bool
    rate: float | None
    secret: str | None


def backfill_webhook(session: Session, plan: BackfillPlan) -> Listing:
    """Do it, and show the counts. Raises what the store and the tenant raise."""
    if session.is_remote:
        from qwebhook.cli.direct_backfilling import backfill_directly

        return backfill_directly(session, plan)
    store = session.open_database()
    webhook = store.find_webhook(plan.webhook)
    if plan.secret is not None:
        raise InvalidInput("--secret is for a tenant's webhook, whose secret cannot be read back", "leave it out")
    if not plan.dry_run:
        if store.server() is None:
            session.warn("no server is running on this store; `qwebhook serve` delivers what is put into its queue")
        if not webhook.enabled:
            session.note(f"{webhook.name} is disabled: what is put into its queue is held until it is enabled")
    journal = store.open_journal()
    try:
        audits = open_log(session, plan)
        put = _into_queue(session, journal, webhook.id, audits.name, plan.dry_run)
        done = Backfill(webhook_id=webhook.id, name=webhook.name)
        read_log(session, plan, audits, store.endpoint(webhook.id), put, done)
    finally:
        journal.close()
    if done.coming:
        session.note(f"{done.coming} are later than what `serve --source` has read, which takes them up when it runs")
    return Listing([done], view("WOULD BE ENQUEUED" if plan.dry_run else "ENQUEUED"))


def open_log(session: Session, plan: BackfillPlan) -> AuditLog:
    """The audit log of the plan's source."""
    return AuditLog(open_source(session, plan.source, time.sleep), RequestRate(time.sleep).wait)


def read_log(
    session: Session, plan: BackfillPlan, audits: AuditLog, endpoint: Endpoint, put: Put, done: Backfill
) -> None:
    """Hand what the endpoint wants of the log to `put`, and tell how far it is. The times are the tenant's."""
    now = audits.now()
    # The tenant's time is known by whole seconds: what happened within this one is wanted, too.
    since, until = moment(plan.since, now), moment(plan.until, now) if plan.until is not None else now + AHEAD
    if since >= until:
        end = f"--until {plan.until}" if plan.until is not None else "now, by the tenant's clock"
        raise InvalidInput(f"--since {plan.since} is not before {end}")
    reached = since
    with Meter(session) as meter, _told_how_to_go_on(session, lambda: reached if reached > since else None):
        for page in backfill(audits, endpoint, since, until, put, done):
            reached = page.reached
            for skip in page.skips:
                if skip.kind == "malformed":
                    session.note(f"passed over an item of the audit log ({skip.name}): {skip.reason}")
            words = f"{printable(done.name)}: {done.read} read, {done.matching} matching, {done.enqueued} to deliver"
            meter.show(words, reached - since, until - since)
            if plan.rate is not None and not plan.dry_run and page.step.enqueued:
                time.sleep(page.step.enqueued / plan.rate)


@contextmanager
def _told_how_to_go_on(session: Session, reached: Callable[[], int | None]) -> Iterator[None]:
    """Within the block: should it end early, say how far it came."""
    try:
        yield
    except BaseException:
        place = reached()
        if place is not None:
            at = to_rfc3339(place)
            session.note(f"what happened before {at} has been dealt with; --since {at} goes on from there")
        raise


def _into_queue(session: Session, journal: Journal, webhook_id: str, source: str, dry_run: bool) -> Put:
    """Puts events into the queue of a database store."""
    place = journal.source_place(source)
    # What a server's own source has yet to read must come by it, since it is for all webhooks.
    coming_from = None if place is None else max(place.reached - DEEP_OVERLAP, place.since)

    def put(events: list[Event]) -> BackfillStep:
        past = [event for event in events if coming_from is None or _time(event) < coming_from]
        later = [event for event in events if coming_from is not None and _time(event) >= coming_from]
        steps = [
            journal.backfill(webhook_id, some, session.now_ms, accept=accept, dry_run=dry_run)
            for some, accept in ((past, True), (later, False))
            if some
        ]
        return BackfillStep(
            sum(step.delivered for step in steps),
            sum(step.pending for step in steps),
            sum(step.unknown for step in steps),
            sum(step.enqueued for step in steps),
            [claim for step in steps for claim in step.claims],
        )

    return put


def _time(event: Event) -> int:
    """The event's time (ms); 0 for one that has none."""
    try:
        return from_rfc3339(event.time or "")
    except InvalidInput:
        return 0


def view(title: str, *, failed: bool = False) -> View:
    """How a backfill is shown. title: that of what is or would be delivered."""
    columns = [
        Column("WEBHOOK", lambda one: one.name),
        Column("READ", lambda one: one.read, "number"),
        Column("OTHER TYPES", lambda one: one.other_types, "number", spare=True),
        Column("OTHER USERS", lambda one: one.other_users, "number", spare=True),
        Column("FILTERED", lambda one: one.filtered, "number", spare=True),
        Column("MALFORMED", lambda one: one.malformed, "number", spare=True),
        Column("REPEATED", lambda one: one.repeated, "number", spare=True),
        Column("DELIVERED BEFORE", lambda one: one.delivered, "number"),
        Column("PENDING", lambda one: one.pending, "number", spare=True),
        Column("COMING", lambda one: one.coming, "number", spare=True),
        Column(title, lambda one: one.enqueued, "number"),
    ]
    if failed:
        columns.append(Column("FAILED", lambda one: one.failed, "number"))
    return View(columns, identifier=lambda one: str(one.webhook_id), fields=Backfill.__struct_encode_fields__)


def failed_code(done: Backfill) -> ExitCode:
    """The exit code of what was sent from here."""
    return ExitCode.DELIVERY_FAILED if done.failed else ExitCode.DONE
