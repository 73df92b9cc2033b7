"""Backfill: what an audit log holds for one webhook, and which of it the webhook has not had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.event import Event
from qwebhook.source.audit_log import AuditPages
from qwebhook.source.items import time_of
from qwebhook.source.sorting import Known, Skip, sort_out
from qwebhook.source.windows import read_pages
from qwebhook.store.contract import BackfillStep

REMEMBERED = 20_000
Put = Callable[[list[Event]], BackfillStep]


class Backfilled(msgspec.Struct, rename="camel"):
    """What a backfill has done so far.

    read: items of the log. Of these, left out, each for the first reason that holds:
    repeated: the log gave them twice. malformed: no event can be made of them.
    other_types: the webhook does not subscribe to them. filtered: the filter does not hold.
    other_users: they concern another than the owner of a webhook of level user.
    delivered: they have a success on record. pending: they wait in the queue. coming: `serve` reads them itself.
    enqueued: put into the queue, or what would be.
    """

    read: int = 0
    repeated: int = 0
    malformed: int = 0
    other_types: int = 0
    other_users: int = 0
    filtered: int = 0
    delivered: int = 0
    pending: int = 0
    coming: int = 0
    enqueued: int = 0

    @property
    def matching(self) -> int:
        """What the webhook wants."""
        return self.delivered + self.pending + self.coming + self.enqueued


class BackfillPage(msgspec.Struct):
    """What one page brought. reached: the latest eventTime up to there (ms). step: what became of its events."""

    reached: int
    skips: list[Skip]
    step: BackfillStep


def backfill(
    pages: AuditPages, endpoint: Endpoint, since: int, until: int, put: Put, done: Backfilled
) -> Iterator[BackfillPage]:
    """Put what the webhook wants of a stretch of the log where it belongs, page by page, oldest first.

    since, until: milliseconds since the epoch, the latter not included. put: takes the events of a page. done: is added
    to as it goes on. Raises what `AuditPages` and `put` raise.
    """
    known = Known(REMEMBERED)
    reached = since
    for items in read_pages(pages, since, until):
        events, skips, marks = sort_out(items, known, 1, since)
        known.add(marks, 1)
        wanted = [event for event in events if _wants(endpoint, event, done)]
        step = put(wanted)
        done.read += len(items)
        done.repeated += sum(skip.kind == "repeated" for skip in skips)
        done.malformed += sum(skip.kind == "malformed" for skip in skips)
        done.delivered += step.delivered
        done.pending += step.pending
        done.coming += step.unknown
        done.enqueued += step.enqueued
        reached = max([reached, *(moment for moment in map(time_of, items) if moment is not None and moment < until)])
        yield BackfillPage(reached, skips, step)


def paced(put: Put, rate: float, sleep: Callable[[float], None]) -> Put:
    """A `put` that delivers so many events a second at most. sleep: seconds."""
    at_once = max(int(rate), 1)

    def put_slowly(events: list[Event]) -> BackfillStep:
        steps = []
        for first in range(0, len(events), at_once):
            steps.append(put(events[first : first + at_once]))
            if steps[-1].enqueued:
                sleep(steps[-1].enqueued / rate)
        return joined(steps)

    return put_slowly


def joined(steps: Sequence[BackfillStep]) -> BackfillStep:
    """What several steps did."""
    return BackfillStep(
        sum(step.delivered for step in steps),
        sum(step.pending for step in steps),
        sum(step.unknown for step in steps),
        sum(step.enqueued for step in steps),
        [claim for step in steps for claim in step.claims],
    )


def _wants(endpoint: Endpoint, event: Event, done: Backfilled) -> bool:
    """Whether the webhook wants the event; if not, why is counted."""
    if catalogue.canonical(event.type) not in endpoint.subscribed:
        done.other_types += 1
    elif endpoint.wants(event):
        return True
    elif endpoint.webhook.level == "user" and not event.concerns(endpoint.webhook.owner_id or ""):
        done.other_users += 1
    else:
        done.filtered += 1
    return False
