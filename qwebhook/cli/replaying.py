"""Replays from the command line: over which webhooks, how far they are, and how they are shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import msgspec

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.inputs import meant
from qwebhook.cli.own_journal import own_journal
from qwebhook.cli.printable import printable
from qwebhook.cli.progress import Meter
from qwebhook.cli.results import Column, Listing, View
from qwebhook.cli.selection import read_pages
from qwebhook.cli.session import Session
from qwebhook.deliver.replaying import outcome, replay
from qwebhook.deliver.writer import Run
from qwebhook.model.errors import InvalidInput, NotFound, Unavailable
from qwebhook.model.timestamps import humanised, moment
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import ReplayOutcome, ReplayQuery, WebhookQuery
from qwebhook.store.replayed import Replayed

LOOK_EVERY = 0.3
OUTCOME_COLUMNS = (
    Column("SUCCEEDED", lambda one: one.outcome.succeeded, "number"),
    Column("FAILED", lambda one: one.outcome.failed, "number"),
    Column("NOT DECIDED", lambda one: one.outcome.pending, "number"),
)


class Replay(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What was replayed to one webhook, as `Replayed` counts it. outcome: how it has fared, if that was waited for."""

    webhook_id: str
    name: str
    matching: int
    delivered: int
    pending: int
    enqueued: int
    outcome: ReplayOutcome | None = None


class Waited(Protocol):
    """What was put into the queue for one webhook, and how it has fared, if that was waited for."""

    name: str
    enqueued: int
    outcome: ReplayOutcome | None


class ReplayPlan(msgspec.Struct, kw_only=True):
    """What to replay. since, until: milliseconds since the epoch, None for what is now where the events are.

    wait: seconds, None for not at all.
    """

    webhooks: Sequence[Webhook]
    since: int
    until: int | None
    everything: bool
    dry_run: bool
    wait: float | None


def period(session: Session, since: str, until: str | None) -> tuple[int, int | None]:
    """From when to when, by the clock of the machine where the events are; see ReplayPlan. Raises InvalidInput."""
    # What is mistyped is told before anything is sent.
    bounds_at(since, until, session.now_ms)
    now = session.open_server().now() if session.is_remote else session.now_ms
    beginning, end = bounds_at(since, until, now)
    if beginning >= (now if end is None else end):
        raise InvalidInput(f"--since {since} is not before {f'--until {until}' if until is not None else 'now'}")
    return beginning, end


def bounds_at(since: str, until: str | None, now: int) -> tuple[int, int | None]:
    """What --since and --until mean at a time; all in milliseconds since the epoch. Raises InvalidInput."""

    def read(text: str) -> int:
        return moment(text, now)

    return meant("--since", read, since), meant("--until", read, until) if until is not None else None


def webhooks_to_replay(session: Session, reference: str | None) -> list[Webhook]:
    """The webhook that is named, enabled or not; all enabled ones for None."""
    store = session.open_store()
    if reference is not None:
        return [store.find_webhook(reference)]
    found = list(read_pages(store.list_webhooks, WebhookQuery(enabled=True, sort="createdAt"), None))
    if not found:
        session.note("there is no enabled webhook")
    return found


def replay_all(session: Session, plan: ReplayPlan) -> Listing:
    """Replay to each webhook, wait if that is wanted, and show the counts. Raises Unavailable."""
    if session.is_remote:
        from qwebhook.cli.server_replaying import replay_by_server

        return replay_by_server(session, plan)
    if not plan.dry_run and plan.webhooks:
        check_server(session, plan.webhooks, plan.wait)
    done: dict[str, Replayed] = {}
    try:
        with own_journal(session) as run, Meter(session) as meter:
            replays = asyncio.run(_replay_all(session, plan, run, meter, done))
    except BaseException:
        enqueued = sum(one.enqueued for one in done.values())
        if enqueued and not plan.dry_run:
            session.note(f"deliveries enqueued before that, which stay in the queue: {enqueued}")
        raise
    return Listing(replays, view_of(plan), exit_code=judged(session, plan.wait, replays))


def check_server(session: Session, webhooks: Sequence[Webhook], wait: float | None) -> None:
    """Say what keeps anything from being delivered; with --wait, raise Unavailable where no server is alive."""
    if session.open_database().server() is None:
        if wait is not None:
            raise Unavailable(
                "no server is running on this store, and --wait would wait in vain",
                "start `qwebhook serve`, or leave out --wait; nothing was replayed",
            )
        session.warn("no server is running on this store; `qwebhook serve` delivers what is replayed")
    for webhook in webhooks:
        if not webhook.enabled:
            session.note(f"{webhook.name} is disabled: what is replayed is held until it is enabled")


async def _replay_all(
    session: Session, plan: ReplayPlan, run: Run, meter: Meter, done: dict[str, Replayed]
) -> list[Replay]:
    """done: takes, by the webhook's id, what was replayed so far, so that it is known also after a Ctrl-C."""
    names = {webhook.id: printable(webhook.name) for webhook in plan.webhooks}

    def told(far: Replayed) -> None:
        done[far.webhook_id] = far
        meter.show(f"{names[far.webhook_id]}: {far.matching} matching, {far.enqueued} to deliver")

    until = session.now_ms if plan.until is None else plan.until
    for webhook in plan.webhooks:
        query = ReplayQuery(webhook.id, plan.since, until, plan.everything)
        with unless_deleted(session, plan, webhook):
            await replay(run, query, lambda: session.now_ms, dry_run=plan.dry_run, told=told)
    outcomes = await awaited(plan.wait, run, meter, done) if plan.wait is not None else {}
    return [
        as_replay(webhook, done[webhook.id], outcomes.get(webhook.id))
        for webhook in plan.webhooks
        if webhook.id in done
    ]


@contextmanager
def unless_deleted(session: Session, plan: ReplayPlan, webhook: Webhook) -> Iterator[None]:
    """Go on with the others if one of several is not there any more; raise NotFound if it is the only one."""
    try:
        yield
    except NotFound:
        if len(plan.webhooks) == 1:
            raise
        session.note(f"{webhook.name} has been deleted meanwhile")


def as_replay(webhook: Webhook, replayed: Replayed, outcome: ReplayOutcome | None) -> Replay:
    """What is shown of the replay to a webhook."""
    return Replay(
        webhook_id=webhook.id,
        name=webhook.name,
        matching=replayed.matching,
        delivered=replayed.delivered,
        pending=replayed.pending,
        enqueued=replayed.enqueued,
        outcome=outcome,
    )


async def awaited(wait: float, run: Run, meter: Meter, done: Mapping[str, Replayed]) -> dict[str, ReplayOutcome]:
    """The outcomes by the webhook's id, when all are decided or the time is over."""
    enqueued = sum(one.enqueued for one in done.values())
    deadline = time.monotonic() + wait
    while True:
        outcomes = {identifier: await outcome(run, identifier, one.ranges) for identifier, one in done.items()}
        pending = show_decided(meter, enqueued, outcomes.values())
        left = deadline - time.monotonic()
        if not pending or left <= 0:
            return outcomes
        await asyncio.sleep(min(LOOK_EVERY, left))


def show_decided(meter: Meter, enqueued: int, outcomes: Iterable[ReplayOutcome]) -> int:
    """Say how many of what was enqueued are decided; how many are not."""
    pending = failed = 0
    for one in outcomes:
        pending += one.pending
        failed += one.failed
    words = f"{enqueued - pending} of {enqueued} decided" + (f", {failed} failed" if failed else "")
    meter.show(words, enqueued - pending, enqueued)
    return pending


def judged(session: Session, wait: float | None, replays: Sequence[Waited]) -> ExitCode:
    """The exit code, after telling of each webhook where not all is well. wait: seconds, as in ReplayPlan."""
    code = ExitCode.DONE
    for one in replays:
        if one.outcome is None:
            continue
        decided = one.outcome.succeeded + one.outcome.failed
        over = f"not decided within {humanised(wait or 0)}; they stay in the queue"
        if one.outcome.pending and not session.is_remote and session.open_database().server() is None:
            over += ", and no server is running any more"
        counts = {
            "failed": one.outcome.failed,
            "cancelled": one.enqueued - decided - one.outcome.pending,
            over: one.outcome.pending,
        }
        for words, count in counts.items():
            if count:
                session.error(f"{one.name}: {count} of {one.enqueued} deliveries {words}")
                code = ExitCode.DELIVERY_FAILED
    return code


def view_of(plan: ReplayPlan) -> View:
    columns = [
        Column("WEBHOOK", lambda one: one.name),
        Column("MATCHING", lambda one: one.matching, "number"),
        Column("ALREADY DELIVERED", lambda one: one.delivered, "number"),
        Column("ALREADY PENDING", lambda one: one.pending, "number"),
        Column("WOULD BE ENQUEUED" if plan.dry_run else "ENQUEUED", lambda one: one.enqueued, "number"),
    ]
    if plan.wait is not None:
        columns += OUTCOME_COLUMNS
    return View(columns, identifier=lambda one: str(one.webhook_id), fields=Replay.__struct_encode_fields__)
