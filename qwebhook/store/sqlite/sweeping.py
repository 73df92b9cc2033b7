"""Deleting old history in small steps, so that no sweep holds the writer for long."""

from __future__ import annotations

from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.queries import queries

_SQL = queries("journal")
KEY_RETENTION = 100 * 86_400_000


class Sweeper:
    """Remembers where each table's last step ended, so that rows which must stay are not looked at again and again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._places = {"deliveries": 0, "events": 0, "keys": 0}

    def sweep(self, before: int, limit: int, now: int) -> int:
        """Delete up to `limit` rows of each kind from before a time (ms); how many went.

        Pending deliveries and their events stay, however old. Keys stay `KEY_RETENTION` longer than asked for
        events of that age, since a duplicate may come late. What is from after now is passed over.
        """
        with self._connection.transaction():
            deliveries = self._old("deliveries", before, limit, now)
            self._connection.executemany(_SQL["delete_attempts"], deliveries)
            self._connection.executemany(_SQL["delete_delivery"], deliveries)
            events = self._old("events", before, limit, now)
            self._connection.executemany(_SQL["delete_event"], events)
            keys = self._old("keys", before - KEY_RETENTION, limit, now)
            self._connection.executemany(_SQL["delete_key"], keys)
        return len(deliveries) + len(events) + len(keys)

    def _old(self, table: str, before: int, limit: int, now: int) -> list[tuple[int]]:
        parameters = (self._places[table], before, limit, now)
        rows = self._connection.execute(_SQL[f"oldest_{table}"], parameters).fetchall()
        old = [(row,) for row, time in rows if time < before]
        # At the end of what is old a round is over: the next one looks again at what had to stay.
        self._places[table] = old[-1][0] if len(old) == limit else 0
        return old
