"""The figures of a store."""

from __future__ import annotations

from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store.contract import Statistics, WebhookStatistics
from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row

_SQL = queries("history")


def statistics(connection: Connection) -> Statistics:
    """See Administration.statistics. What is on record is counted as it is written, what is pending now."""
    with connection.snapshot():
        webhooks = connection.execute(_SQL["webhook_counts"]).fetchall()
        succeeded, failed = connection.execute(_SQL["all_counts"]).fetchone()
        pending = {row: (count, oldest) for row, count, oldest in connection.execute(_SQL["pending_counts"])}
    return Statistics(
        webhooks=len(webhooks),
        enabled=sum(row[3] for row in webhooks),
        pending=sum(count for count, _ in pending.values()),
        oldest_pending_at=_time(min((oldest for _, oldest in pending.values()), default=None)),
        succeeded=succeeded,
        failed=failed,
        by_webhook=[_of_webhook(row, *pending.get(row[0], (0, None))) for row in webhooks],
    )


def _of_webhook(row: Row, pending: int, oldest: int | None) -> WebhookStatistics:
    return WebhookStatistics(
        webhook_id=row[1],
        name=row[2],
        enabled=bool(row[3]),
        pending=pending,
        oldest_pending_at=_time(oldest),
        succeeded=row[4],
        failed=row[5],
    )


def _time(milliseconds: int | None) -> str | None:
    return to_rfc3339(milliseconds) if milliseconds is not None else None
