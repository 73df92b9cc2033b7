"""Opening a store file: what it is, its migrations, its key; transactions, and the errors of both."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from qwebhook.model.errors import (
    InvalidInput,
    QwebhookError,
    StoreBusy,
    StoreDamaged,
    StoreFull,
    StoreMissing,
    StoreReadOnly,
    StoreTooNew,
    Unavailable,
)
from qwebhook.store.vault import Vault, check_key, fingerprint, make_key, read_key

APPLICATION_ID = 0x71776862  # "qwhb", in the file's header
BUSY_SECONDS = 5.0
NEEDED_SQLITE = (3, 38)  # the operator ->>
# Pages of 4 KiB. Larger than SQLite's 1,000, so that a busy server folds the log back a few times a minute.
CHECKPOINT_PAGES = 4000
MIGRATIONS = Path(__file__).parent / "migrations"


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the tree's, each with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error, path) from error
    except UnicodeEncodeError as error:  # half a surrogate pair, as Python reads undecodable arguments
        raise InvalidInput("a text has characters that UTF-8 cannot express", "give it in UTF-8") from error


def _translated(error: sqlite3.Error, path: Path) -> QwebhookError:
    if isinstance(error, sqlite3.IntegrityError):
        # A fault of what was to be written: the store is well, and trying it again would fail again.
        return QwebhookError(f"the store {path} cannot take what was to be written: {error}")
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(
            f"the store {path} is locked by another process",
            f"waited {BUSY_SECONDS:.0f} s; try again when it is done",
        )
    if code == sqlite3.SQLITE_READONLY:
        return StoreReadOnly(
            f"the store {path} cannot be written", "check the owner and mode of the file and its folder"
        )
    # The second: there is no room for the log's index, which every server makes anew.
    if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return StoreFull(f"no room to write to the store {path}", "free disk space; nothing accepted is lost")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreDamaged(f"{path} is not a sound database: {error}", "restore it from a backup")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreReadOnly(
            f"the store {path} cannot be opened: {error}",
            "check the owner and mode of the file and its folder",
        )
    return Unavailable(f"the store {path} failed: {error}")


class Connection:
    """One connection to a checked, migrated store file.

    number: the store's part of ids. May be used from any one thread at a time.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, number: int, vault: Vault) -> None:
        self.path = path
        self.database = database
        self.number = number
        self.vault = vault
        self.execute = database.execute
        self.executemany = database.executemany

    @classmethod
    def open(
        cls, path: Path, *, create: bool = False, migrate: bool = True, migrations: Path = MIGRATIONS
    ) -> Connection:
        """Open a store; with `create`, make a missing one. An older one is migrated, after a backup copy; without
        `migrate`, it is refused.

        Raises StoreMissing, StoreTooNew, StoreDamaged, StoreKeyProblem and the other kinds of Unavailable.
        """
        if sqlite3.sqlite_version_info < NEEDED_SQLITE:
            needed = ".".join(map(str, NEEDED_SQLITE))
            raise Unavailable(
                f"this Python's SQLite is {sqlite3.sqlite_version}, and {needed} is needed", "use a newer Python"
            )
        scripts = sorted(migrations.glob("[0-9]*.sql"))
        if not _exists(path):
            if not create:
                raise StoreMissing(f"there is no store at {path}", "`qwebhook create` or `qwebhook serve` makes one")
            _make_file(path)
        elif not path.is_file():
            raise StoreDamaged(f"{path} is not a file", "give the path of a store file")
        with store_errors(path):
            database = sqlite3.connect(
                path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            try:
                # LIKE and lower() know the case of ASCII letters only.
                database.create_function("casefold", 1, str.casefold, deterministic=True)
                number, vault = _prepare(database, path, scripts, create, migrate)
            except BaseException:
                database.close()
                raise
        return cls(path, database, number, vault)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write transaction: everything in the block, or nothing. Durable when the block has ended."""
        with store_errors(self.path):
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._rollback()
                raise
            try:
                self.execute("COMMIT")
            except BaseException:
                self._rollback()
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read transaction: the whole block sees the same state, whatever others write meanwhile."""
        with store_errors(self.path):
            self.execute("BEGIN")
            try:
                yield
            finally:
                self._rollback()

    def _rollback(self) -> None:
        # A failed statement (disk full, I/O) may have rolled back already.
        if self.database.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        self.database.close()


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StoreReadOnly(
            f"the store {path} cannot be reached: {error.strerror}", "check the owner and mode of its folders"
        ) from None
    return True


def _make_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return  # another process was faster
    except FileNotFoundError:
        raise StoreMissing(f"there is no folder {path.parent}", "make it, or give another path") from None
    except OSError as error:
        raise StoreReadOnly(f"the store {path} cannot be made: {error.strerror}") from None


def _prepare(
    database: sqlite3.Connection, path: Path, scripts: Sequence[Path], create: bool, migrate: bool
) -> tuple[int, Vault]:
    latest = len(scripts)
    version = _checked_version(database, path, latest)
    if version < latest and not migrate:
        raise Unavailable(f"the store {path} has version {version}, and not yet {latest}")
    if version == 0:
        if not create and path.stat().st_size:
            # Another process is making it right now, or a crash left it so; either way it is ours to finish.
            create = True
        if not create:
            raise StoreMissing(f"the store {path} is empty", "`qwebhook create` or `qwebhook serve` makes one")
        _log_ahead(database)
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    if version < latest:
        _migrate(database, path, scripts)
    row = database.execute("SELECT number, key_fingerprint FROM store").fetchone()
    return row[0], Vault(check_key(path, read_key(path), row[1]))


def _log_ahead(database: sqlite3.Connection) -> None:
    """Switch to WAL; while another process has the file, SQLite refuses that at once instead of waiting."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _checked_version(database: sqlite3.Connection, path: Path, latest: int) -> int:
    # In this order, since another process may be making the store: its tables come with the marks of a store.
    tables = _has_tables(database)
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    application: int = database.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID and (version or tables):
        raise StoreDamaged(f"{path} is a database, but not a qwebhook store", "give another path")
    if version > latest:
        raise StoreTooNew(
            f"the store {path} has version {version}, and this qwebhook knows up to {latest}",
            "update qwebhook",
        )
    return version


def _has_tables(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _back_up(path: Path, version: int) -> None:
    """A copy as of before the migration; an earlier copy of the same version is kept, since it is the older one.

    Made under the migration's lock, so that it is the only one being made and holds nothing of the migration. The
    connection that has the lock cannot be copied from, so another reads.
    """
    target = path.with_name(f"{path.name}.v{version}.bak")
    if target.exists():
        return
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreReadOnly(
            f"the copy {partial} from before the migration cannot be made: {error.strerror}",
            "check the owner and mode of its folder",
        ) from None
    source, copy = sqlite3.connect(path), sqlite3.connect(partial)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    partial.replace(target)


def _check_is_not_served(path: Path, version: int) -> None:
    """Raises StoreBusy where a server listens for the store: an earlier qwebhook, since it has left it as it is, which
    does not know what a migration would make of the tables under it.
    """
    from qwebhook.store.sqlite.lock import holder_of

    holder = holder_of(path)
    if holder is not None and holder.url:
        raise StoreBusy(
            f"the store {path} has version {version}, and is served by {holder}, an earlier qwebhook",
            "stop that server first; whoever opens the store then brings it up to date",
        )


def _migrate(database: sqlite3.Connection, path: Path, scripts: Sequence[Path]) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        # Looked at again under the lock: another process may have done it meanwhile.
        version = _checked_version(database, path, len(scripts))
        if 0 < version < len(scripts):
            _check_is_not_served(path, version)
            _back_up(path, version)
        for script in scripts[version:]:
            for statement in _statements(script.read_text(encoding="utf-8")):
                database.execute(statement)
        if version == 0:
            key = read_key(path) or make_key(path)
            database.execute(
                "INSERT INTO store (only_row, number, key_fingerprint, created_at) VALUES (1, ?, ?, ?)",
                (secrets.randbelow(4096), fingerprint(key), time.time_ns() // 1_000_000),
            )
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {len(scripts)}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script. `executescript` would commit, and the whole migration is one transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
