"""The history of deliveries, read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import get_args

from qwebhook.model.catalogue import names_of
from qwebhook.model.delivery import Attempt, Delivery, Status
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
        where: list[str] = []
        values: list[object] = []
        own_from = 0
        if query.webhook_id is not None:
            webhook, first = self._webhook_row(query.webhook_id)
            where.append(_SQL["where webhook"])
            values.append(webhook)
            own_from = first if query.own else 0
        types: tuple[str | None, ...] = (None,) if query.event_type is None else names_of(query.event_type)
        selects: list[str] = []
        parameters: list[object] = []
        for event_type, (status, beyond) in product(types, _parts(query, paging)):
            parts = list(where)
            parameters += values
            if event_type is not None:
                parts.append(_SQL["where event_type"])
                parameters.append(event_type)
            if status is not None:
                parts.append(_SQL["where status"])
                parameters.append(status)
            if own_from and paging.descending:
                parts.append(_SQL["where own"])
                parameters.append(own_from)
            elif own_from:
                # One bound for the index: of two, it might begin at the lower one.
                beyond = max(beyond or 0, own_from - 1)
            if beyond is not None:
                parts.append(_SQL["where beyond"].format(comparison=paging.comparison))
                parameters.append(beyond)
            selects.append(_SQL["list"].format(where=" AND ".join(parts) or "1"))
        order = _SQL[f"order {paging.field}"].format(direction=paging.direction)
        statement = _SQL["ordered"].format(selects=" UNION ALL ".join(selects), order=order)
        with store_errors(self._connection.path):
            rows: list[Row] = self._connection.execute(statement, [*parameters, paging.fetch]).fetchall()
        return paging.page(rows, self._delivery, value_column=3, row_column=0)

    def _delivery(self, row: Row) -> Delivery:
        return delivery_from(row, self._connection.number)

    def get(self, webhook_id: str, delivery_id: str, own: bool = False) -> Delivery:
        return self._delivery(self.row(webhook_id, delivery_id, own))

    def attempts(self, webhook_id: str, delivery_id: str, own: bool = False) -> list[Attempt]:
        row = self.row(webhook_id, delivery_id, own)
        with store_errors(self._connection.path):
            rows = self._connection.execute(_SQL["attempts"], (row[0], row[9])).fetchall()
        return [attempt_from(one) for one in rows]

    def row(self, webhook_id: str, delivery_id: str, own: bool = False) -> Row:
        """The columns of `list` for one delivery. own: as in DeliveryQuery. Raises NotFound."""
        webhook, own_from = self._webhook_row(webhook_id)
        place = row_of("delivery", delivery_id, self._connection.number)
        if place is not None and (not own or place[0] >= own_from):
            where = f"{_SQL['where webhook']} AND {_SQL['where sequence']}"
            with store_errors(self._connection.path):
                statement = _SQL["list"].format(where=where)
                row: Row | None = self._connection.execute(statement, (webhook, place[0])).fetchone()
            if row is not None and row[6] == place[1]:
                return row
        raise NotFound(
            f"webhook {webhook_id} has no delivery {delivery_id}",
            "the list has those there are (`qwebhook deliveries`)",
        )

    def _webhook_row(self, webhook_id: str) -> tuple[int, int]:
        """Its row, and the first delivery that is its owner's. Raises NotFound."""
        with store_errors(self._connection.path):
            row = self._connection.execute(_SQL["webhook_row"], (webhook_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no webhook {webhook_id}", "the list has those there are (`qwebhook list`)")
        found: tuple[int, int] = row
        return found


def _parts(query: DeliveryQuery, paging: cursors.Paging) -> Iterator[tuple[Status | None, int | None]]:
    """The parts of a page: the status of each (None: any), and the sequence it begins beyond (None: at its start).

    An index has the deliveries of each status in order, so that a restricted list is read from as many parts as there
    are statuses, times the names of the type, and merged. Without any restriction, deliveries are in order as they are.
    """
    cursor = paging.cursor
    beyond = cursor.row if cursor is not None else None
    if query.status is not None:
        yield query.status, beyond
    elif paging.field == "status":
        statuses = sorted(get_args(Status), reverse=paging.descending)
        if cursor is None:
            yield from ((status, None) for status in statuses)
            return
        if cursor.value not in statuses:
            raise cursors.malformed()
        at = statuses.index(str(cursor.value))
        yield statuses[at], beyond
        yield from ((status, None) for status in statuses[at + 1 :])
    elif query.webhook_id is None and query.event_type is None:
        yield None, beyond
    else:
        yield from ((status, beyond) for status in get_args(Status))
