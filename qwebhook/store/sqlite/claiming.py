"""The queue, read: what is due, when the next falls due, and how much waits."""

from __future__ import annotations

from binascii import a2b_base64

from qwebhook.model.backoff import LONGEST_WAIT
from qwebhook.model.trace import kept_trace
from qwebhook.store.contract import Claim
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries

_SQL = queries("claiming")
# A claim stops at this many bytes of bodies, so that a backlog of large events is not read into memory at once.
_CLAIM_BYTES = 8 << 20


def claim(connection: Connection, webhook: int, now: int, limit: int, held: set[int]) -> list[Claim]:
    """See Journal.claim."""
    claims: list[Claim] = []
    size = 0
    with store_errors(connection.path):
        rows = connection.execute(_SQL["claim"], (webhook, now, limit + len(held)))
        for webhook_row, due, sequence, attempt, event, kind, key, body, triggered_at, not_before, trace in rows:
            if sequence in held:
                continue
            claims.append(
                Claim(
                    webhook_row,
                    due,
                    sequence,
                    attempt,
                    event,
                    kind,
                    a2b_base64(key),
                    body,
                    triggered_at,
                    not_before,
                    kept_trace(trace),
                )
            )
            size += len(body)
            if len(claims) == limit or size >= _CLAIM_BYTES:
                break
        rows.close()
    return claims


def next_due(connection: Connection, webhook: int, held: set[int]) -> int | None:
    """See Journal.next_due."""
    with store_errors(connection.path):
        rows = connection.execute(_SQL["earliest"], (webhook, len(held) + 1)).fetchall()
    return next((due for due, sequence in rows if sequence not in held), None)


def hasten(connection: Connection, now: int) -> None:
    """See Journal.hasten."""
    times = now, now + round(LONGEST_WAIT * 1000)
    with store_errors(connection.path):
        if not connection.execute(_SQL["any_beyond"], times).fetchone()[0]:
            return
    with connection.transaction():
        connection.execute(_SQL["hasten_records"], times)
        connection.execute(_SQL["hasten"], times)


def pending(connection: Connection) -> tuple[int, int | None]:
    """See Journal.pending."""
    with store_errors(connection.path):
        row: tuple[int, int | None] = connection.execute(_SQL["pending"]).fetchone()
    return row
