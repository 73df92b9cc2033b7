"""Replays by the server that is the store: it puts the events into its own queue."""

from __future__ import annotations

import time
from collections.abc import Sequence

from qwebhook.cli.printable import printable
from qwebhook.cli.progress import Meter
from qwebhook.cli.replaying import (
    LOOK_EVERY,
    ReplayPlan,
    as_replay,
    judged,
    show_decided,
    unless_deleted,
    view_of,
)
from qwebhook.cli.results import Listing
from qwebhook.cli.session import Session
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import ReplayOutcome
from qwebhook.store.replayed import Replayed


def replay_by_server(session: Session, plan: ReplayPlan) -> Listing:
    """Let the server replay to each webhook, wait if that is wanted, and show the counts.

    Raises InvalidInput for a tenant, which does not do it.
    """
    done: list[tuple[Webhook, Replayed]] = []
    outcomes: Sequence[ReplayOutcome | None] = []
    try:
        _replay_all(session, plan, done)
        replayed = [one for _, one in done]
        outcomes = [None] * len(done) if plan.wait is None else _awaited(session, plan.wait, replayed)
    except BaseException:
        enqueued = sum(one.enqueued for _, one in done)
        if enqueued and not plan.dry_run:
            session.note(f"deliveries enqueued before that, which stay in the queue: {enqueued}")
        raise
    replays = [as_replay(*one, outcome) for one, outcome in zip(done, outcomes, strict=True)]
    return Listing(replays, view_of(plan), exit_code=judged(session, plan.wait, replays))


def _replay_all(session: Session, plan: ReplayPlan, done: list[tuple[Webhook, Replayed]]) -> None:
    """done: takes what was replayed to each."""
    server = session.open_server()
    with Meter(session) as meter:
        for webhook in plan.webhooks:
            meter.show(f"{printable(webhook.name)}: the server looks at what came")
            try:
                with unless_deleted(session, plan, webhook):
                    replayed = server.replay(
                        webhook.id, plan.since, plan.until, everything=plan.everything, dry_run=plan.dry_run
                    )
                    done.append((webhook, replayed))
                    if not webhook.enabled and not plan.dry_run:
                        session.note(f"{webhook.name} is disabled: what is replayed is held until it is enabled")
            except KeyboardInterrupt:
                if not plan.dry_run:
                    session.note(
                        f"the server goes no further with {webhook.name}, and its log says how many deliveries it had"
                        " enqueued; they stay in the queue"
                    )
                raise


def _awaited(session: Session, wait: float, done: Sequence[Replayed]) -> list[ReplayOutcome | None]:
    """The outcomes, when all are decided or the time (seconds) is over."""
    server = session.open_server()
    enqueued = sum(one.enqueued for one in done)
    deadline = time.monotonic() + wait
    with Meter(session) as meter:
        while True:
            outcomes = [server.replay_outcome(one) for one in done]
            pending = show_decided(meter, enqueued, outcomes)
            left = deadline - time.monotonic()
            if not pending or left <= 0:
                return list(outcomes)
            time.sleep(min(LOOK_EVERY, left))
