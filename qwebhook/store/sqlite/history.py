"""The history of deliveries, read."""

from __future__ import annotations

from qwebhook.model.delivery import Attempt, Delivery
from qwebhook.model.errors import NotFound
from qwebhook.model.identifiers import row_of
from qwebhook.store import cursors
from qwebhook.store.contract import DeliveryQuery, Page
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row, attempt_from, delivery_from

_SQL = queries("history")


class History:
    """The deliveries' part of `Administration`, over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(self, query: DeliveryQuery) -> Page[Delivery]:
        paging = cursors.Paging(query, query.sort, query.limit, query.cursor)
        # Where all have one status, their order is that of their numbers, and an index has it.
        field = "triggeredAt" if query.status is not None else paging.field
        where: list[str] = []
        values: list[object] = []
        if query.webhook_id is not None:
            where.append(_SQL["where webhook"])
            values.append(self._webhook_row(query.webhook_id))
        for name in ("event_type", "status"):
            if getattr(query, name) is not None:
                where.append(_SQL[f"where {name}"])
                values.append(getattr(query, name))
        if paging.cursor is not None:
            where.append(_SQL[f"beyond {field}"].format(comparison=paging.comparison))
            values += [paging.cursor.value, paging.cursor.row] if field == "status" else [paging.cursor.row]
        order = _SQL[f"order {field}"].format(direction=paging.direction)
        statement = _SQL["list"].format(where=" AND ".join(where) or "1", order=order)
        with store_errors(self._connection.path):
            rows: list[Row] = self._connection.execute(statement, [*values, paging.fetch]).fetchall()
        return paging.page(rows, self._delivery, value_column=3, row_column=0)

    def _delivery(self, row: Row) -> Delivery:
        return delivery_from(row, self._connection.number)

    def get(self, webhook_id: str, delivery_id: str) -> Delivery:
        return self._delivery(self._row(webhook_id, delivery_id))

    def attempts(self, webhook_id: str, delivery_id: str) -> list[Attempt]:
        row = self._row(webhook_id, delivery_id)
        with store_errors(self._connection.path):
            rows = self._connection.execute(_SQL["attempts"], (row[0], row[9])).fetchall()
        return [attempt_from(one) for one in rows]

    def _row(self, webhook_id: str, delivery_id: str) -> Row:
        webhook = self._webhook_row(webhook_id)
        place = row_of("delivery", delivery_id, self._connection.number)
        if place is not None:
            where = f"{_SQL['where webhook']} AND {_SQL['where sequence']}"
            statement = _SQL["list"].format(where=where, order="1")
            with store_errors(self._connection.path):
                row: Row | None = self._connection.execute(statement, (webhook, place[0], 1)).fetchone()
            if row is not None and row[6] == place[1]:
                return row
        raise NotFound(
            f"webhook {webhook_id} has no delivery {delivery_id}",
            "`qwebhook deliveries` shows those there are",
        )

    def _webhook_row(self, webhook_id: str) -> int:
        with store_errors(self._connection.path):
            row = self._connection.execute(_SQL["webhook_row"], (webhook_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no webhook {webhook_id}", "`qwebhook list` shows those there are")
        number: int = row[0]
        return number
