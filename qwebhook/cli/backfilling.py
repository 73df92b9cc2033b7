"""Backfills from the command line: what a tenant's audit log holds, for one webhook that has not had it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from qwebhook.cli.own_journal import own_journal
from qwebhook.cli.printable import printable
from qwebhook.cli.progress import Meter
from qwebhook.cli.replaying import OUTCOME_COLUMNS, awaited, bounds_at, check_server, judged
from qwebhook.cli.results import Column, Listing, View
from qwebhook.cli.session import Session
from qwebhook.cli.sources import open_source
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidInput
from qwebhook.model.event import Event
from qwebhook.model.timestamps import from_rfc3339, to_rfc3339
from qwebhook.source.audit_log import AuditLog
from qwebhook.source.backfill import Backfilled, Put, backfill, joined, paced
from qwebhook.source.pace import RequestRate
from qwebhook.source.tail import AHEAD, DEEP_OVERLAP
from qwebhook.store.contract import BackfillStep, Journal, ReplayOutcome
from qwebhook.store.replayed import Replayed


class Backfill(Backfilled, kw_only=True, rename="camel"):
    """A webhook's backfill. failed: of what was sent from here; None where a server delivers it. outcome: how what it
    delivers has fared, if that was waited for.
    """

    webhook_id: str
    name: str
    failed: int | None = None
    outcome: ReplayOutcome | None = None


class BackfillPlan(msgspec.Struct, kw_only=True):
    """What to backfill. webhook: as it was named. source: `audits:CONTEXT`. since, until: as they were given.

    rate: deliveries a second, None for as many as come. wait: seconds, None for not at all. secret: what is signed with
    where the store gives none out.
    """

    webhook: str
    source: str
    since: str
    until: str | None
    dry_run: bool
    rate: float | None
    wait: float | None
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
        check_server(session, [webhook], plan.wait)
    done = Backfill(webhook_id=webhook.id, name=webhook.name)
    made = Replayed(webhook.id)
    journal = store.open_journal()
    try:
        audits = open_log(session, plan)
        put = _into_queue(session, journal, made, audits.name, plan.dry_run)
        read_log(session, plan, audits, stretch(plan, audits.now()), store.endpoint(webhook.id), put, done)
    finally:
        journal.close()
    if done.coming:
        session.note(f"{done.coming} are later than what `serve --source` has read, which takes them up when it runs")
    if plan.wait is not None:
        made.enqueued = done.enqueued
        done.outcome = _waited_for(session, made, plan.wait)
    shown = view("WOULD BE ENQUEUED" if plan.dry_run else "ENQUEUED", OUTCOME_COLUMNS if plan.wait is not None else ())
    return Listing([done], shown, exit_code=judged(session, plan.wait, [done]))


def open_log(session: Session, plan: BackfillPlan) -> AuditLog:
    """The audit log of the plan's source."""
    return AuditLog(open_source(session, plan.source, time.sleep), RequestRate(time.sleep).wait)


def stretch(plan: BackfillPlan, now: int) -> tuple[int, int]:
    """From when to when the log is read (ms, the end not included). now: the tenant's time. Raises InvalidInput."""
    # The tenant's time is known by whole seconds: what happened within this one is wanted, too.
    since, end = bounds_at(plan.since, plan.until, now)
    until = now + AHEAD if end is None else end
    if since >= until:
        named = f"--until {plan.until}" if plan.until is not None else "now, by the tenant's clock"
        raise InvalidInput(f"--since {plan.since} is not before {named}")
    return since, until


def read_log(
    session: Session,
    plan: BackfillPlan,
    audits: AuditLog,
    period: tuple[int, int],
    endpoint: Endpoint,
    put: Put,
    done: Backfill,
) -> None:
    """Hand what the endpoint wants of the log to `put`, and tell how far it is. period: as `stretch` gives it."""
    since, until = period
    reached = since
    if plan.rate is not None and not plan.dry_run:
        put = paced(put, plan.rate, time.sleep)
    with Meter(session) as meter, _told_how_to_go_on(session, lambda: reached if reached > since else None):
        for page in backfill(audits, endpoint, since, until, put, done):
            if not done.failed:
                # What failed is to be sent by the next run, too.
                reached = page.reached
            for skip in page.skips:
                if skip.kind == "malformed":
                    session.note(f"passed over an item of the audit log ({skip.name}): {skip.reason}")
            words = f"{printable(done.name)}: {done.read} read, {done.matching} matching, {done.enqueued} to deliver"
            meter.show(words, page.reached - since, until - since)


def _waited_for(session: Session, made: Replayed, wait: float) -> ReplayOutcome:
    """How the new deliveries have fared when all are decided, or `wait` seconds are over."""
    try:
        with own_journal(session) as run, Meter(session) as meter:
            return asyncio.run(awaited(wait, run, meter, {made.webhook_id: made}))[made.webhook_id]
    except BaseException:
        session.note(f"deliveries enqueued before that, which stay in the queue: {made.enqueued}")
        raise


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


def _into_queue(session: Session, journal: Journal, made: Replayed, source: str, dry_run: bool) -> Put:
    """Puts events into the queue of a database store. made: takes the new deliveries."""
    place = journal.source_place(source)
    # What a server's own source has yet to read must come by it, since it is for all webhooks.
    coming_from = None if place is None else max(place.reached - DEEP_OVERLAP, place.since)

    def put(events: list[Event]) -> BackfillStep:
        past = [event for event in events if coming_from is None or _time(event) < coming_from]
        later = [event for event in events if coming_from is not None and _time(event) >= coming_from]
        steps = [
            journal.backfill(made.webhook_id, some, session.now_ms, accept=accept, dry_run=dry_run)
            for some, accept in ((past, True), (later, False))
            if some
        ]
        step = joined(steps)
        made.add_claims(step.claims)
        return step

    return put


def _time(event: Event) -> int:
    """The event's time (ms); 0 for one that has none."""
    try:
        return from_rfc3339(event.time or "")
    except InvalidInput:
        return 0


def view(title: str, outcome: Sequence[Column] = ()) -> View:
    """How a backfill is shown. title: that of what is or would be delivered. outcome: columns that say how it went."""
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
        *outcome,
    ]
    return View(columns, identifier=lambda one: str(one.webhook_id), fields=Backfill.__struct_encode_fields__)
