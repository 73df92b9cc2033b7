"""Replays by the server that is the store: it puts the events into its own queue."""

from __future__ import annotations

import time
from collections.abc import Sequence

from qwebhook.cli.progress import Meter
from qwebhook.cli.replaying import LOOK_EVERY, ReplayPlan, as_replay, judged, view_of
from qwebhook.cli.results import Listing
from qwebhook.cli.session import Session
from qwebhook.store.contract import ReplayOutcome, ReplayQuery
from qwebhook.store.replayed import Replayed


def replay_by_server(session: Session, plan: ReplayPlan) -> Listing:
    """Let the server replay to each webhook, wait if that is wanted, and show the counts.

    Raises InvalidInput for a tenant, which does not do it.
    """
    server = session.open_server()
    done: list[Replayed] = []
    outcomes: Sequence[ReplayOutcome | None]
    try:
        for webhook in plan.webhooks:
            query = ReplayQuery(webhook.id, plan.since, plan.until, plan.everything)
            done.append(server.replay(query, plan.dry_run))
            if not webhook.enabled and not plan.dry_run:
                session.note(f"{webhook.name} is disabled: what is replayed is held until it is enabled")
        outcomes = [None] * len(done) if plan.wait is None else _awaited(session, plan.wait, done)
    except BaseException:
        enqueued = sum(one.enqueued for one in done)
        if enqueued and not plan.dry_run:
            session.note(f"deliveries enqueued before that, which stay in the queue: {enqueued}")
        raise
    replays = [as_replay(*one) for one in zip(plan.webhooks, done, outcomes, strict=True)]
    return Listing(replays, view_of(plan), exit_code=judged(session, plan, replays))


def _awaited(session: Session, wait: float, done: Sequence[Replayed]) -> list[ReplayOutcome | None]:
    """The outcomes, when all are decided or the time (seconds) is over."""
    server = session.open_server()
    enqueued = sum(one.enqueued for one in done)
    deadline = time.monotonic() + wait
    with Meter(session) as meter:
        while True:
            outcomes = [server.replay_outcome(one) for one in done]
            pending = sum(one.pending for one in outcomes)
            meter.show(f"{enqueued - pending} of {enqueued} decided", enqueued - pending, enqueued)
            left = deadline - time.monotonic()
            if not pending or left <= 0:
                return list(outcomes)
            time.sleep(min(LOOK_EVERY, left))
