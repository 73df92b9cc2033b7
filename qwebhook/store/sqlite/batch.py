"""What one transaction writes, gathered as rows; and the one statement that writes all of them.

Every statement costs the writer's thread several turns at the interpreter's lock, which under load are dearer than the
statement. So all rows go through a single INSERT into a view, whose trigger writes every table. Nearly always that is a
whole transaction, which SQLite begins and commits by itself: the lock is given away once. Where the store is not as was
thought (an event came before, another process took numbers or changed a webhook) it is refused, and the caller goes
step by step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from qwebhook.model.delivery import Delivered
from qwebhook.model.event import Event
from qwebhook.store.contract import Claim, Recording
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import attempt_columns, json_text

_SQL = queries("batch")


class Numbers(NamedTuple):
    """Where a store stands: the version of its webhooks, and the rows that the next event and delivery get."""

    version: int
    event: int
    delivery: int


class Batch:
    """Rows for each table."""

    __slots__ = ("attempts", "deliveries", "done", "events", "pendings", "retried")

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.pendings: list[tuple[Any, ...]] = []
        self.done: list[tuple[Any, ...]] = []
        self.deliveries: list[tuple[Any, ...]] = []
        self.retried: list[tuple[Any, ...]] = []
        self.attempts: list[tuple[Any, ...]] = []

    def accept(self, row: int, key: str, event: Event, now: int) -> None:
        """A new event. key: its key as text; now: milliseconds since the epoch."""
        trace = None if event.trace is None else str(event.trace)
        self.events.append((row, event.type, key, now, event.body.decode(), trace))

    def enqueue(self, claims: Iterable[Claim]) -> None:
        """Pending deliveries."""
        for one in claims:
            self.pendings.append((one.webhook, one.due, one.sequence, one.event, one.attempt, one.triggered_at))

    def record(self, recording: Recording, status: str, state: str, due: int | None = None) -> None:
        """An attempt, and the delivery as it is after it. due: of the next attempt, if there is one."""
        claim = recording.claim
        if isinstance(recording.outcome, Delivered):
            self.done.append((claim.webhook, claim.due, claim.sequence))
        if claim.attempt == 1:
            self.deliveries.append(
                (claim.sequence, claim.webhook, claim.event, claim.type, status, state, claim.triggered_at, due)
            )
        else:
            self.retried.append((claim.sequence, status, state, claim.attempt, due))
        self.attempts.append(
            attempt_columns(
                claim.sequence,
                claim.attempt,
                recording.exchange,
                state,
                recording.reason,
                with_body=recording.exchange.body is not claim.body,
            )
        )

    def write(self, connection: Connection) -> None:
        """Write the rows within a transaction, in which no event may have come before."""
        if any(lists := self._lists()):
            connection.execute(_SQL["write"], (None,) * 5 + tuple(map(json_text, lists)))

    def write_at_once(self, connection: Connection, before: Numbers, after: Numbers) -> bool:
        """Write the rows as a transaction of its own; False if the store was not as `before`, or an event came before.

        Nothing is written then.
        """
        with store_errors(connection.path):
            try:
                connection.execute(_SQL["write"], (*before, *after[1:], *map(json_text, self._lists())))
            except sqlite3.IntegrityError:
                return False
        return True

    def _lists(self) -> tuple[list[tuple[Any, ...]], ...]:
        return self.events, self.pendings, self.done, self.deliveries, self.retried, self.attempts


def prepare(connection: Connection) -> None:
    """Make what batches are written through, which lives as long as the connection."""
    with store_errors(connection.path):
        for name in ("in_memory", "view", "trigger"):
            connection.execute(_SQL[name])
