"""How far sources have been read, in SQLite."""

from __future__ import annotations

from qwebhook.store.contract import SourcePlace
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries

_SQL = queries("source_places")


def read(connection: Connection, source: str) -> SourcePlace | None:
    """See Journal.source_place."""
    with store_errors(connection.path):
        row = connection.execute(_SQL["place"], (source,)).fetchone()
    return SourcePlace(*row) if row else None


def keep(connection: Connection, source: str, place: SourcePlace, now: int) -> None:
    """See Journal.keep_source_place."""
    with connection.transaction():
        connection.execute(_SQL["keep_place"], (source, place.since, place.reached, now))
