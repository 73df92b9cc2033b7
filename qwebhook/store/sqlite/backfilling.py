"""Events that were read elsewhere and that one webhook is to have: which of them it had, and which never came."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence

import msgspec

from qwebhook.model.event import Event
from qwebhook.store.contract import BackfillStep
from qwebhook.store.sqlite import replaying
from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.replaying import PastEvent
from qwebhook.store.sqlite.rows import json_text

_SQL = queries("backfilling")


class _Trace(msgspec.Struct, array_like=True):
    """What is left of an event that came. delivered, waiting, kept: 0 or 1; kept: whether its body is."""

    key: str
    row: int
    accepted_at: int
    delivered: int
    waiting: int
    kept: int


_traces = msgspec.json.Decoder(list[_Trace])


def unknown(connection: Connection, events: Sequence[Event]) -> list[Event]:
    """Those that never came, each once."""
    traces = _look(connection, 0, events)
    return list({key: event for key, event in _by_key(events) if key not in traces}.values())


def look(
    connection: Connection, webhook: int, events: Sequence[Event], accept: bool
) -> tuple[BackfillStep, list[PastEvent]]:
    """The counts, with none put into the queue yet, and the events to be put there: their bodies are those that came
    first. webhook: its row. accept: whether those that never came would be. To be called within a transaction.
    """
    traces = _look(connection, webhook, events)
    step = BackfillStep(0, 0, 0, 0, [])
    wanted: dict[str, Event] = {}
    for key, event in _by_key(events):
        trace = traces.get(key)
        if key in wanted or (trace is not None and trace.waiting):
            step.pending += 1
        elif trace is not None and trace.delivered:
            step.delivered += 1
        elif trace is None and not accept:
            step.unknown += 1
        else:
            step.enqueued += 1
            wanted[key] = event
    known = [(traces[key], event) for key, event in wanted.items() if key in traces]
    bodies = replaying.read_bodies(connection, [trace.row for trace, _ in known])
    return step, [
        PastEvent(trace.row, event.type, event.key, *(bodies[trace.row][1:] if trace.kept else (event.body,)))
        for trace, event in known
    ]


def restore(connection: Connection, events: Iterable[PastEvent]) -> None:
    """Keep the bodies again of those that have none left. To be called within a transaction."""
    rows = [(event.row, event.type, event.body.decode()) for event in events]
    connection.execute(_SQL["restore_events"], (json_text(rows),))


def _by_key(events: Sequence[Event]) -> Iterable[tuple[str, Event]]:
    return ((b64encode(event.key).decode(), event) for event in events)


def _look(connection: Connection, webhook: int, events: Sequence[Event]) -> dict[str, _Trace]:
    keys = [key for key, _ in _by_key(events)]
    found = connection.execute(_SQL["traces"], {"keys": json_text(keys), "webhook": webhook}).fetchone()[0]
    return {trace.key: trace for trace in _traces.decode(found)}
