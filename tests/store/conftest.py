"""The drivers that sit the exam.

A test that asks for `driver` runs once for each store that people administer; one that asks for `database` runs once
for each that the delivery engine can work on: what needs a journal, or a quota of its own. A new driver is added to the
lists below and has to pass all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, Protocol

import pytest

from qwebhook.store.contract import Administration, InboundStore, Journal, TokenStore
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.vault import KEY_VARIABLE
from tests.store.served import BY_TOKEN, ServedDriver, end_server

Written = Literal["events", "pending", "deliveries", "attempts"]
# Those who act: a server knows them by the names of their tokens.
ONE, ANOTHER = BY_TOKEN + "one", BY_TOKEN + "another"


class Store(Administration, TokenStore, InboundStore, Protocol):
    """What a database's `make` and `open` give; of what a server does not do, `driver` tests make no use."""


class Driver(Protocol):
    """One store, new for each test; whatever was opened is closed at the test's end."""

    def make(self) -> Store:
        """The store, made: empty."""

    def open(self) -> Store:
        """The same store through a connection of its own, as another process has."""

    def close(self) -> None: ...


class Database(Driver, Protocol):
    """A store that the delivery engine works on."""

    def journal(self) -> Journal:
        """The queue and history of the same store, through a connection of their own."""

    def refusing(self, what: Written) -> AbstractContextManager[None]:
        """In its block, a transaction that writes a row of that kind fails, late, as on a full disk."""


class SqliteDriver:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self._opened: list[Callable[[], None]] = []

    def make(self) -> SqliteStore:
        return self._kept(SqliteStore.open(self.path, create=True))

    def open(self) -> SqliteStore:
        return self._kept(SqliteStore.open(self.path))

    def _kept(self, store: SqliteStore) -> SqliteStore:
        self._opened.append(store.close)
        return store

    def journal(self) -> Journal:
        store = SqliteStore.open(self.path)
        journal = store.open_journal()
        store.close()
        self._opened.append(journal.close)
        return journal

    @contextmanager
    def refusing(self, what: Written) -> Iterator[None]:
        table = {"events": "event", "pending": "pending", "deliveries": "delivery", "attempts": "attempt"}[what]
        # Not RAISE, which is a constraint: those are faults of what is written, not of the store.
        self._execute(f"CREATE TRIGGER refusal AFTER INSERT ON {table} BEGIN SELECT json('refused'); END")
        yield
        self._execute("DROP TRIGGER refusal")

    def _execute(self, statement: str) -> None:
        database = sqlite3.connect(self.path, isolation_level=None)
        try:
            database.execute(statement)
        finally:
            database.close()

    def close(self) -> None:
        for close in reversed(self._opened):
            close()


ADMINISTRATION_DRIVERS = [pytest.param(SqliteDriver, id="sqlite"), pytest.param(ServedDriver, id="served")]
DATABASE_DRIVERS = [pytest.param(SqliteDriver, id="sqlite")]


@pytest.fixture(autouse=True)
def _no_key_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.fixture(scope="package", autouse=True)
def _server_ends() -> Iterator[None]:
    yield
    end_server()


@pytest.fixture(params=ADMINISTRATION_DRIVERS)
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    made = request.param(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(driver: Driver) -> Store:
    """An empty store to administer."""
    return driver.make()


@pytest.fixture(params=DATABASE_DRIVERS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made = request.param(tmp_path)
    yield made
    made.close()
