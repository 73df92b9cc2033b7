"""Past events that a webhook is to have again: which there are, a step at a time, and how they have fared."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Sequence

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import NotFound
from qwebhook.model.event import read_event
from qwebhook.model.trace import Trace, kept_trace
from qwebhook.store.contract import Place, ReplayOutcome, ReplayQuery, ReplayStep
from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import json_text

_SQL = queries("replaying")
# A step ends at this many bytes of bodies, so that large events are not all read into memory at once.
_STEP_BYTES = 8 << 20


class PastEvent(msgspec.Struct):
    """An event that was accepted once: its row, type, sixteen-byte key, body, and the trace of its request."""

    row: int
    type: str
    key: bytes
    body: bytes
    trace: Trace | None = None


class _Glimpse(msgspec.Struct, array_like=True):
    """What is known of an event without its body. delivered, waiting: 0 or 1."""

    accepted_at: int
    row: int
    type: str
    size: int
    delivered: int
    waiting: int

    @property
    def place(self) -> Place:
        return self.accepted_at, self.row


_glimpses = msgspec.json.Decoder(list[_Glimpse])
_bodies = msgspec.json.Decoder(list[tuple[int, str, str, str | None]])


def look(
    connection: Connection, endpoint: Endpoint, query: ReplayQuery, after: Place, limit: int, dry_run: bool
) -> tuple[ReplayStep, list[PastEvent]]:
    """Look at up to `limit` events beyond a place; the counts, and the events to be put into the queue.

    In a dry run those are only counted. To be called within a transaction.
    """
    types = [name for subscribed in endpoint.subscribed for name in catalogue.names_of(subscribed)]
    # Rows begin at 1.
    at, row = max(after, (query.since, 0))
    bounds = {"webhook": endpoint.row, "at": at, "row": row, "until": query.until, "limit": limit}
    found = connection.execute(_SQL["past_events"], bounds | {"types": json_text(types)}).fetchall()
    glimpses = sorted(
        (one for (text,) in found for one in _glimpses.decode(text)), key=lambda one: (one.accepted_at, one.row)
    )[:limit]
    step = ReplayStep(0, 0, 0, 0, [], glimpses[-1].place if len(glimpses) == limit else None)
    # Level and filter look into the body.
    choosy = endpoint.filter is not None or endpoint.webhook.level == "user"
    looked_at: list[_Glimpse] = []
    wanted: list[int] = []
    size = 0
    for glimpse in glimpses:
        looked_at.append(glimpse)
        left_out = glimpse.waiting or (glimpse.delivered and not query.everything)
        if choosy or not (left_out or dry_run):
            wanted.append(glimpse.row)
            size += glimpse.size
            if size >= _STEP_BYTES:
                step.last = glimpse.place
                break
    bodies = read_bodies(connection, wanted)
    events: list[PastEvent] = []
    for glimpse in looked_at:
        key, body, trace = bodies.get(glimpse.row, (b"", b"", None))
        if choosy and not endpoint.wants(read_event(body)):
            continue
        step.matching += 1
        if glimpse.delivered and not query.everything:
            step.delivered += 1
        elif glimpse.waiting:
            step.pending += 1
        else:
            step.enqueued += 1
            if not dry_run:
                events.append(PastEvent(glimpse.row, glimpse.type, key, body, trace))
    return step, events


def read_bodies(connection: Connection, rows: Sequence[int]) -> dict[int, tuple[bytes, bytes, Trace | None]]:
    """The key, the body and the trace of each of the events, by their rows."""
    found = connection.execute(_SQL["bodies"], (json_text(rows),)).fetchone()[0]
    return {row: (a2b_base64(key), body.encode(), kept_trace(trace)) for row, key, body, trace in _bodies.decode(found)}


def outcome(connection: Connection, webhook_id: str, first: int, last: int, own: bool) -> ReplayOutcome:
    """See Journal.replay_outcome."""
    with connection.snapshot():
        found = connection.execute(_SQL["whose"], (webhook_id,)).fetchone()
        if found is None:
            raise NotFound(f"there is no webhook {webhook_id}")
        webhook, own_from = found
        first = max(first, own_from) if own else first
        pending = connection.execute(_SQL["pending_between"], (webhook, first, last)).fetchone()[0]
        succeeded, failed = connection.execute(_SQL["ended_between"], (webhook, first, last)).fetchone()
    return ReplayOutcome(pending, succeeded, failed)
