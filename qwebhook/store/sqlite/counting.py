"""The figures of a store, and of its webhooks."""

from __future__ import annotations

from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store import cursors
from qwebhook.store.contract import Page, Statistics, StatisticsQuery, WebhookStatistics
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row

_SQL = queries("history")
# The one order that there is: that in which webhooks were made.
_ORDER = "made"


def statistics(connection: Connection) -> Statistics:
    """See Administration.statistics. What is on record is counted as it is written, what is pending now."""
    with connection.snapshot():
        webhooks, enabled = connection.execute(_SQL["webhooks_there_are"]).fetchone()
        succeeded, failed = connection.execute(_SQL["all_counts"]).fetchone()
        pending, oldest = connection.execute(_SQL["all_pending"]).fetchone()
    return Statistics(
        webhooks=webhooks,
        enabled=enabled,
        pending=pending,
        oldest_pending_at=_time(oldest),
        succeeded=succeeded,
        failed=failed,
    )


def page(connection: Connection, query: StatisticsQuery) -> Page[WebhookStatistics]:
    """See Administration.list_statistics."""
    paging = cursors.Paging(query, _ORDER, query.limit, query.cursor)
    where, values = "1", [paging.fetch]
    if paging.cursor is not None:
        where = _SQL["where webhooks beyond"].format(comparison=paging.comparison)
        values.insert(0, paging.cursor.row)
    statement = _SQL["webhook_counts"].format(where=where, direction=paging.direction)
    with store_errors(connection.path):
        rows: list[Row] = connection.execute(statement, values).fetchall()
    return paging.page(rows, _of_webhook, value_column=0, row_column=0)


def _of_webhook(row: Row) -> WebhookStatistics:
    _, identifier, name, enabled, succeeded, failed, pending, oldest = row
    return WebhookStatistics(
        webhook_id=identifier,
        name=name,
        enabled=bool(enabled),
        pending=pending,
        oldest_pending_at=_time(oldest),
        succeeded=succeeded,
        failed=failed,
    )


def _time(milliseconds: int | None) -> str | None:
    return to_rfc3339(milliseconds) if milliseconds is not None else None
