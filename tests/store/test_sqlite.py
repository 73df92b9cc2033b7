"""What belongs to SQLite alone: the file, its key, its migrations and its lock."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwebhook.model.errors import (
    InvalidInput,
    NotFound,
    QwebhookError,
    StoreBusy,
    StoreDamaged,
    StoreFull,
    StoreKeyProblem,
    StoreMissing,
    StoreTooNew,
    Unavailable,
)
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import OMITTED
from qwebhook.store import cursors
from qwebhook.store.contract import DeliveryQuery, WebhookQuery
from qwebhook.store.sqlite import SqliteStore, connection
from qwebhook.store.sqlite.connection import APPLICATION_ID, MIGRATIONS, Connection
from qwebhook.store.sqlite.journal import SqliteJournal
from qwebhook.store.sqlite.lock import ServerLock, holder_of, lock_path
from qwebhook.store.vault import KEY_VARIABLE, key_path
from tests.builders import SECRET, USER, event, webhook_draft
from tests.store.recordings import DAY, NOW, delivered, retry

ROOT = Path(__file__).parents[2]
NOBODY = 65534
ANOTHER_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="

posix = pytest.mark.skipif(os.name != "posix", reason="modes and signals are POSIX's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def made(path: Path) -> Path:
    """The path of a store with one webhook that has a secret, closed."""
    store = SqliteStore.open(path, create=True)
    store.create_webhook(webhook_draft(secret=SECRET), USER)
    store.close()
    return path


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path, create=True)
    yield store
    store.close()


@pytest.fixture
def journal(store: SqliteStore) -> Iterator[SqliteJournal]:
    journal = store.open_journal()
    yield journal
    journal.close()


def database_of(store: SqliteStore | SqliteJournal) -> sqlite3.Connection:
    return store._connection.database


def raw(path: Path, *statements: str) -> list[Any]:
    """What the last statement gives, by a connection that knows nothing of stores."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        return [database.execute(statement).fetchall() for statement in statements][-1]
    finally:
        database.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def on_disk(path: Path) -> bytes:
    """Everything that lies in files beside the store and in it."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file != key_path(path))


# The file


@posix
def test_only_the_owner_reads_what_belongs_to_a_store(path: Path) -> None:
    before = os.umask(0)
    try:
        store = SqliteStore.open(path, create=True)
        store.create_webhook(webhook_draft(), USER)
        lock = ServerLock(path)
        names = {file.name for file in path.parent.iterdir()}
        assert names >= {"store.db", "store.db.key", "store.db-wal", "store.db.lock"}
        assert {file.name: mode(file) for file in path.parent.iterdir()} == dict.fromkeys(names, 0o600)
        lock.release()
        store.close()
    finally:
        os.umask(before)


def test_a_missing_file_is_made_only_when_that_is_asked_for(path: Path) -> None:
    with pytest.raises(StoreMissing) as error:
        SqliteStore.open(path)
    assert str(path) in error.value.message
    assert list(path.parent.iterdir()) == []


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing) as error:
        SqliteStore.open(tmp_path / "missing" / "store.db", create=True)
    assert str(tmp_path / "missing") in error.value.message
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_becomes_a_store_only_when_that_is_asked_for(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreMissing):
        SqliteStore.open(path)
    assert path.read_bytes() == b""
    SqliteStore.open(path, create=True).close()
    SqliteStore.open(path).close()


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("content", [b"not a database\n" * 100, b"xy"])
def test_a_file_that_is_no_database_is_refused_untouched(path: Path, content: bytes, create: bool) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreDamaged):
        SqliteStore.open(path, create=create)
    assert path.read_bytes() == content
    assert not key_path(path).exists()


@pytest.mark.parametrize("create", [False, True])
def test_the_database_of_another_program_is_refused_untouched(path: Path, create: bool) -> None:
    raw(path, "CREATE TABLE theirs (a)", "INSERT INTO theirs VALUES (1)")
    before = path.read_bytes()
    with pytest.raises(StoreDamaged) as error:
        SqliteStore.open(path, create=create)
    assert "not a qwebhook store" in error.value.message
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.db"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged):
        SqliteStore.open(tmp_path, create=True)


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        SqliteStore.open(tmp_path / ("x" * 300), create=True)


def test_a_damaged_file_is_told_from_a_sound_one(made: Path) -> None:
    content = bytearray(made.read_bytes())
    content[4096 : len(content)] = os.urandom(len(content) - 4096)
    made.write_bytes(content)
    with pytest.raises(StoreDamaged):
        store = SqliteStore.open(made)
        try:
            store.list_webhooks(WebhookQuery())
            store.create_webhook(webhook_draft(), USER)
        finally:
            store.close()


def test_a_store_opened_again_has_what_it_had(made: Path) -> None:
    store = SqliteStore.open(made, create=True)
    assert [webhook.name for webhook in store.list_webhooks(WebhookQuery()).items] == ["reports"]
    assert store.path == made
    store.close()


def test_every_connection_is_durable_and_logs_ahead(store: SqliteStore, journal: SqliteJournal, path: Path) -> None:
    again = SqliteStore.open(path)
    for one in (store, journal, again):
        database = database_of(one)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    again.close()


CREATE_ONE = """
import sys
from pathlib import Path
from qwebhook.store.sqlite import SqliteStore
from tests.builders import webhook_draft
print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore.open(Path(sys.argv[1]), create=True)
store.create_webhook(webhook_draft(secret="a-secret-that-is-thirty-nine-characters"), "user-one")
store.close()
"""


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs the script, with pipes to its input and output."""
    environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def at_once(script: str, *arguments: object) -> None:
    """Four processes that run the script, and go on together when each has said that it is ready."""
    children = [child(script, *arguments) for _ in range(4)]
    for one in children:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in children:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in children:
        _, errors = one.communicate(timeout=60)
        assert (one.returncode, errors) == (0, "")


def test_processes_that_make_the_same_store_at_once_share_it(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.db" for number in range(3)]
    for path in paths:
        at_once(CREATE_ONE, path)
        store = SqliteStore.open(path)
        made = store.list_webhooks(WebhookQuery()).items
        assert len(made) == 4
        for webhook in made:
            assert store.endpoint(webhook.id).signer.headers("i", 1, b"")
        store.close()


def test_a_store_that_becomes_one_while_it_is_looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes the store between the looks at its version, its application and its tables."""
    finished = tempfile.mkdtemp()
    template = Path(finished) / "store.db"
    SqliteStore.open(template, create=True).close()
    looks = []

    class Watched(sqlite3.Connection):
        def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
            if "PRAGMA user_version" in statement or "application_id" in statement or "sqlite_schema" in statement:
                looks.append(statement)
                if len(looks) == meddle:
                    SqliteStore.open(path, create=True).close()
            return super().execute(statement, *parameters)

    real = sqlite3.connect
    for meddle in (1, 2, 3):
        looks.clear()
        for file in path.parent.iterdir():
            file.unlink()
        watched = iter([Watched])

        def connect(database: Any, watched: Any = watched, **options: Any) -> sqlite3.Connection:
            return real(database, factory=next(watched, sqlite3.Connection), **options)

        monkeypatch.setattr(sqlite3, "connect", connect)
        SqliteStore.open(path, create=True).close()
        assert len(looks) >= meddle
    shutil.rmtree(finished)


# Versions


def test_a_store_of_a_later_version_is_refused(made: Path) -> None:
    raw(made, "PRAGMA user_version = 99")
    with pytest.raises(StoreTooNew) as error:
        SqliteStore.open(made)
    assert "99" in error.value.message


@pytest.fixture
def longer(tmp_path: Path) -> Path:
    """Migrations with one more at their end."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "0999_last.sql").write_text(
        "-- One more; with a semicolon in a trigger.\n"
        "CREATE TABLE extra (a INTEGER) STRICT;\n"
        "INSERT INTO extra SELECT count(*) FROM webhook;\n"
        "CREATE TRIGGER doubled AFTER INSERT ON extra BEGIN UPDATE extra SET a = 1; UPDATE extra SET a = 2; END;\n"
    )
    return folder


def latest(folder: Path) -> int:
    return len(list(folder.glob("*.sql")))


def test_an_older_store_is_migrated_after_a_copy(made: Path, longer: Path) -> None:
    before = latest(MIGRATIONS)
    store = SqliteStore.open(made, migrations=longer)
    (webhook,) = store.list_webhooks(WebhookQuery()).items
    assert store.endpoint(webhook.id).signer.headers("i", 1, b"")
    assert database_of(store).execute("SELECT a FROM extra").fetchall() == [(1,)]
    store.close()
    assert raw(made, "PRAGMA user_version") == [(before + 1,)]

    backup = made.with_name(f"store.db.v{before}.bak")
    assert mode(backup) == 0o600
    assert raw(backup, "PRAGMA user_version") == [(before,)]
    assert raw(backup, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert raw(backup, "SELECT name FROM webhook") == [("reports",)]
    assert raw(backup, "PRAGMA integrity_check") == [("ok",)]
    assert not list(made.parent.glob("*.partial"))
    with pytest.raises(StoreTooNew):
        SqliteStore.open(made)


def test_the_copy_has_what_is_in_the_log_only(made: Path, longer: Path) -> None:
    store = SqliteStore.open(made)
    store.create_webhook(webhook_draft(name="late"), USER)
    SqliteStore.open(made, migrations=longer).close()
    store.close()
    (backup,) = made.parent.glob("*.bak")
    assert raw(backup, "SELECT count(*) FROM webhook") == [(2,)]


@posix
def test_a_store_is_not_migrated_under_a_server_that_does_not_know_of_it(made: Path, longer: Path) -> None:
    before = latest(MIGRATIONS)
    server = child(SERVE, made)
    assert server.stdout is not None
    assert server.stdout.readline() == "serving\n"
    with pytest.raises(StoreBusy, match=f"is served by process {server.pid} at http://127.0.0.1:8787"):
        SqliteStore.open(made, migrations=longer)
    assert raw(made, "PRAGMA user_version") == [(before,)]
    SqliteStore.open(made).close()
    server.communicate("", timeout=60)
    # The server that is to serve it has the lock when it opens the store.
    lock = ServerLock(made)
    SqliteStore.open(made, migrations=longer).close()
    lock.release()
    assert raw(made, "PRAGMA user_version") == [(before + 1,)]


def test_the_copy_of_an_earlier_try_is_kept(made: Path, longer: Path) -> None:
    backup = made.with_name(f"store.db.v{latest(MIGRATIONS)}.bak")
    backup.write_bytes(b"of the first try")
    SqliteStore.open(made, migrations=longer).close()
    assert backup.read_bytes() == b"of the first try"


def test_a_migration_that_fails_leaves_the_store_as_it_was(made: Path, longer: Path) -> None:
    script = longer / "0999_last.sql"
    script.write_text(script.read_text() + "INSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(Unavailable):
        SqliteStore.open(made, migrations=longer)
    assert raw(made, "PRAGMA user_version") == [(latest(MIGRATIONS),)]
    assert raw(made, "SELECT name FROM sqlite_schema WHERE name = 'extra'") == []
    SqliteStore.open(made).close()


def test_a_store_is_made_whole_or_not_at_all(path: Path, longer: Path) -> None:
    script = longer / "0999_last.sql"
    script.write_text("INSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(Unavailable):
        SqliteStore.open(path, create=True, migrations=longer)
    SqliteStore.open(path, create=True).close()
    assert raw(path, "PRAGMA user_version") == [(latest(MIGRATIONS),)]


MIGRATE = """
import sys
from pathlib import Path
from qwebhook.store.sqlite import SqliteStore
print("ready", flush=True)
sys.stdin.readline()
SqliteStore.open(Path(sys.argv[1]), migrations=Path(sys.argv[2])).close()
"""


def test_processes_that_migrate_at_once_do_it_once(made: Path, longer: Path) -> None:
    at_once(MIGRATE, made, longer)
    (backup,) = made.parent.glob("*.bak*")
    assert raw(backup, "PRAGMA user_version") == [(latest(MIGRATIONS),)]


def test_the_copy_is_of_before_the_migration_also_when_another_migrates_meanwhile(
    made: Path, longer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = connection._checked_version
    meddling = [True]

    def checked(*arguments: Any) -> int:
        version = real(*arguments)
        if meddling.pop() if meddling else False:
            SqliteStore.open(made, migrations=longer).close()
            for backup in made.parent.glob("*.bak"):
                assert raw(backup, "PRAGMA user_version") == [(version,)]
                backup.unlink()  # as if the other had not got so far
        return version

    monkeypatch.setattr(connection, "_checked_version", checked)
    SqliteStore.open(made, migrations=longer).close()
    assert not meddling
    assert list(made.parent.glob("*.bak*")) == []  # what there is to copy is of after the migration


# The key


def test_a_store_without_its_key_is_refused_and_gets_no_other(made: Path) -> None:
    key = key_path(made).read_bytes()
    key_path(made).unlink()
    for create in (False, True):
        with pytest.raises(StoreKeyProblem) as error:
            SqliteStore.open(made, create=create)
        assert str(key_path(made)) in error.value.message
        assert KEY_VARIABLE in error.value.hint
        assert not key_path(made).exists()
    key_path(made).write_bytes(key)
    SqliteStore.open(made).close()


def test_the_key_of_another_store_is_refused_and_kept(made: Path) -> None:
    key_path(made).write_text(ANOTHER_KEY)
    for create in (False, True):
        with pytest.raises(StoreKeyProblem):
            SqliteStore.open(made, create=create)
    assert key_path(made).read_text() == ANOTHER_KEY


@pytest.mark.parametrize(
    "content", [b"", b"\n", ANOTHER_KEY[:20].encode(), b"QUJD", ANOTHER_KEY.encode() * 2, b"\xff" * 44, b"*" * 44]
)
def test_what_is_no_key_is_refused_and_kept(made: Path, path: Path, content: bytes) -> None:
    key_path(made).write_bytes(content)
    fresh = path.with_name("fresh.db")
    key_path(fresh).write_bytes(content)
    for store in (made, fresh):
        with pytest.raises(StoreKeyProblem) as error:
            SqliteStore.open(store, create=True)
        assert str(key_path(store)) in error.value.message
        assert key_path(store).read_bytes() == content


def test_the_key_may_come_from_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f" {ANOTHER_KEY}\n")
    SqliteStore.open(path, create=True).close()
    assert not key_path(path).exists()
    SqliteStore.open(path).close()
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(StoreKeyProblem):
        SqliteStore.open(path)
    key_path(path).write_text(ANOTHER_KEY)
    SqliteStore.open(path).close()


@pytest.mark.parametrize("value", [ANOTHER_KEY, "nonsense"])
def test_the_environment_comes_before_the_file_and_is_named(
    made: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, value)
    with pytest.raises(StoreKeyProblem) as error:
        SqliteStore.open(made)
    assert KEY_VARIABLE in error.value.message
    assert value not in str(error.value)


def test_a_key_that_lies_there_is_used_for_a_new_store(made: Path) -> None:
    key = key_path(made).read_bytes()
    for file in made.parent.glob("store.db*"):
        if file != key_path(made):
            file.unlink()
    SqliteStore.open(made, create=True).close()
    assert key_path(made).read_bytes() == key


def test_the_store_keeps_only_a_fingerprint_of_its_key(made: Path) -> None:
    text = key_path(made).read_bytes().strip()
    assert len(base64.b64decode(text)) == 32
    assert text not in on_disk(made)
    assert base64.b64decode(text) not in on_disk(made)


def test_two_stores_have_two_keys(tmp_path: Path) -> None:
    for name in ("one.db", "two.db"):
        SqliteStore.open(tmp_path / name, create=True).close()
    assert key_path(tmp_path / "one.db").read_bytes() != key_path(tmp_path / "two.db").read_bytes()


@posix
def test_a_link_leads_to_the_same_store_with_its_key_and_lock(made: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(made)
    store = SqliteStore.open(link)
    assert len(store.list_webhooks(WebhookQuery()).items) == 1
    lock = ServerLock(store.path)
    with pytest.raises(StoreBusy):
        ServerLock(made)
    lock.release()
    store.close()


# What is sealed


def test_secrets_and_encrypted_headers_are_never_on_disk_in_clear(
    store: SqliteStore, journal: SqliteJournal, path: Path
) -> None:
    values = [SECRET, "hidden-header-value", "another-secret-of-thirty-two-chars", "another-header-value"]
    made = store.create_webhook(webhook_draft(secret=values[0], encrypted_headers={"X-Token": values[1]}), USER)
    _, token = store.create_token("ci", "admin", None)
    (claim,) = journal.write([event()], [], NOW).accepted[0].claims
    journal.write([], [delivered(claim, headers={"X-Token": OMITTED})], NOW)
    fields = {"secret": values[2], "encryptedHeaders": {"X-Token": values[3]}}
    store.patch_webhook(made.id, replacements(fields), USER)
    disk = on_disk(path)
    assert made.id.encode() in disk
    for value in (*values, token):
        assert value.encode() not in disk
    assert raw(path, "SELECT request_body FROM attempt") == [(None,)]
    assert store.endpoint(made.id).encrypted_headers == {"X-Token": values[3]}


@pytest.mark.parametrize("column", ["secrets", "encrypted_headers"])
def test_sealed_values_cannot_be_moved_to_another_webhook(store: SqliteStore, path: Path, column: str) -> None:
    drafts = [
        webhook_draft(name=name, secret=SECRET[:-1] + name, encrypted_headers={"X-A": name}) for name in ("1", "2")
    ]
    one, two = (store.create_webhook(draft, USER) for draft in drafts)
    raw(path, f"UPDATE webhook SET {column} = (SELECT {column} FROM webhook WHERE name = '1') WHERE name = '2'")
    with pytest.raises(StoreKeyProblem):
        store.endpoint(two.id)
    assert store.endpoint(one.id).encrypted_headers == {"X-A": "1"}


def test_a_secret_cannot_be_moved_to_the_headers_of_its_webhook(store: SqliteStore, path: Path) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET, encrypted_headers={"X-A": "1"}), USER)
    raw(path, "UPDATE webhook SET encrypted_headers = secrets")
    with pytest.raises(StoreKeyProblem):
        store.endpoint(made.id)


@pytest.mark.parametrize("blob", ["x''", "x'00'", "substr(secrets, 1, 20)", "zeroblob(100)", "secrets || x'00'"])
def test_a_damaged_sealed_value_is_refused(store: SqliteStore, path: Path, blob: str) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), USER)
    raw(path, f"UPDATE webhook SET secrets = CAST({blob} AS BLOB)")
    with pytest.raises(StoreKeyProblem):
        store.endpoint(made.id)


def test_the_same_secret_is_sealed_differently_each_time(store: SqliteStore, path: Path) -> None:
    for _ in range(2):
        store.create_webhook(webhook_draft(secret=SECRET), USER)
    assert raw(path, "SELECT count(DISTINCT secrets), count(DISTINCT substr(secrets, 1, 12)) FROM webhook") == [(2, 2)]


# Locked, full, read-only


@pytest.fixture
def locked(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store that another connection is writing to, and stores opened now do not wait for long."""
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(made, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield made
    other.close()


def test_a_locked_store_is_read_and_not_written(locked: Path) -> None:
    store = SqliteStore.open(locked)
    (webhook,) = store.list_webhooks(WebhookQuery()).items
    for change in (
        lambda: store.create_webhook(webhook_draft(), USER),
        lambda: store.patch_webhook(webhook.id, replacements({"name": "x"}), USER),
        lambda: store.delete_webhook(webhook.id),
        lambda: store.create_token("ci", "admin", None),
    ):
        with pytest.raises(StoreBusy) as error:
            change()
        assert str(locked) in error.value.message
    store.close()


def test_a_journal_that_is_locked_out_works_afterwards(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    store = SqliteStore.open(made)
    journal = store.open_journal()
    other = sqlite3.connect(made, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for call in (
        lambda: journal.write([event()], [], NOW),
        journal.check_writable,
        lambda: journal.sweep(NOW, 10),
    ):
        with pytest.raises(StoreBusy):
            call()
    other.execute("ROLLBACK")
    other.close()
    journal.check_writable()
    assert len(journal.write([event()], [], NOW).accepted[0].claims) == 1
    journal.close()
    store.close()


def test_a_store_cannot_be_made_or_migrated_while_another_writes(locked: Path, longer: Path) -> None:
    with pytest.raises(StoreBusy):
        SqliteStore.open(locked, migrations=longer)


def test_a_full_disk_loses_nothing_that_was_accepted(store: SqliteStore, journal: SqliteJournal, path: Path) -> None:
    store.create_webhook(webhook_draft(), USER)
    (first,) = journal.write([event(id="a")], [], NOW).accepted[0].claims
    database = database_of(journal)
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    large = event(id="b", data={"text": "x" * 100_000})
    with pytest.raises(StoreFull):
        journal.write([event(id="c"), large], [], NOW)
    assert journal.pending() == (1, NOW)
    assert journal.claim(first.webhook, NOW, 10, set()) == [first]
    assert not journal.write([event(id="c")], [delivered(first)], NOW).accepted[0].duplicate
    database.execute("PRAGMA max_page_count = 1000000")
    assert not journal.write([large], [], NOW).accepted[0].duplicate
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


@posix
def test_no_room_for_the_logs_index_is_a_full_disk_too(made: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreFull):
            SqliteStore.open(made)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    SqliteStore.open(made).close()


AS_NOBODY = f"""
import encodings.ascii, os, sys
from pathlib import Path
import msgspec, cryptography.hazmat.primitives.ciphers.aead
import qwebhook.store.sqlite.journal, qwebhook.store.sqlite.history, qwebhook.store.sqlite.lock
from qwebhook.model.errors import QwebhookError
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.lock import ServerLock
from tests.builders import event, webhook_draft
from qwebhook.store.contract import WebhookQuery
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
action, path, migrations = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
try:
    if action == "lock":
        ServerLock(path)
    else:
        store = SqliteStore.open(path, create=action == "create", migrations=migrations)
        store.list_webhooks(WebhookQuery())
        if action in ("create", "write"):
            store.create_webhook(webhook_draft(), "user-one")
    print("done")
except QwebhookError as error:
    print(type(error).__name__, error)
"""


class Unprivileged:
    """A folder that a process without privileges owns, and what happens there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "store.db"
        self.migrations = folder / "migrations"
        shutil.copytree(MIGRATIONS, self.migrations)
        self.own(folder)

    def own(self, *files: Path) -> None:
        if os.geteuid() == 0:
            for file in files:
                os.chown(file, NOBODY, NOBODY)

    def does(self, action: str, path: Path | None = None) -> str:
        """What a process prints that opens the store: `done`, or the kind of error and its text."""
        one = child(AS_NOBODY, action, path or self.path, self.migrations)
        output, errors = one.communicate(timeout=60)
        assert errors == ""
        return output.strip()


@pytest.fixture
def unprivileged() -> Iterator[Unprivileged]:
    # pytest's own folders let nobody else in.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield Unprivileged(folder)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@posix
def test_a_folder_that_cannot_be_written_is_said_so(unprivileged: Unprivileged) -> None:
    unprivileged.folder.chmod(0o555)
    for action in ("create", "lock"):
        said = unprivileged.does(action)
        assert said.startswith("StoreReadOnly ")
        assert str(unprivileged.path) in said
    assert not unprivileged.path.exists()


@posix
def test_a_folder_that_cannot_be_entered_is_said_so(unprivileged: Unprivileged) -> None:
    assert unprivileged.does("create") == "done"
    inner = unprivileged.folder / "inner"
    inner.mkdir(mode=0o000)
    unprivileged.own(inner)
    for action in ("read", "create"):
        said = unprivileged.does(action, inner / "store.db")
        assert said.startswith("StoreReadOnly ")
        assert str(inner) in said


@posix
def test_a_file_that_cannot_be_written_is_said_so(unprivileged: Unprivileged) -> None:
    assert unprivileged.does("create") == "done"
    unprivileged.path.chmod(0o400)
    assert unprivileged.does("write").startswith("StoreReadOnly ")
    unprivileged.path.chmod(0o000)
    assert unprivileged.does("read").startswith("StoreReadOnly ")


@posix
def test_a_closed_store_in_a_folder_that_cannot_be_written(unprivileged: Unprivileged) -> None:
    assert unprivileged.does("create") == "done"
    unprivileged.folder.chmod(0o555)
    for action in ("read", "write"):
        assert unprivileged.does(action).startswith("StoreReadOnly ")


@posix
def test_a_key_that_cannot_be_read_is_said_so(unprivileged: Unprivileged) -> None:
    assert unprivileged.does("create") == "done"
    key_path(unprivileged.path).chmod(0o000)
    said = unprivileged.does("read")
    assert said.startswith("StoreKeyProblem ")
    assert "store.db.key" in said


@posix
def test_a_copy_that_cannot_be_written_stops_the_migration(unprivileged: Unprivileged) -> None:
    assert unprivileged.does("create") == "done"
    (unprivileged.migrations / "0999_last.sql").write_text("CREATE TABLE extra (a) ;\n")
    # With its log there, a store is writable although nothing can be added to its folder.
    keeper = sqlite3.connect(unprivileged.path, isolation_level=None)
    keeper.execute("BEGIN IMMEDIATE")
    keeper.execute("UPDATE store SET only_row = 1")
    keeper.execute("COMMIT")
    unprivileged.own(*unprivileged.folder.glob("store.db-*"))
    unprivileged.folder.chmod(0o555)
    assert unprivileged.does("write").startswith("StoreReadOnly ")
    keeper.close()
    assert raw(unprivileged.path, "PRAGMA user_version") == [(latest(MIGRATIONS),)]


# One server


SERVE = """
import sys
from pathlib import Path
from qwebhook.store.sqlite.lock import ServerLock
lock = ServerLock(Path(sys.argv[1]))
lock.describe("http://127.0.0.1:8787")
print("serving", flush=True)
sys.stdin.readline()
"""


def test_a_second_server_is_refused_and_told_of_the_first(made: Path) -> None:
    store = SqliteStore.open(made)
    assert store.server() is None
    first = ServerLock(made)
    with pytest.raises(StoreBusy) as error:
        ServerLock(made)
    assert f"process {os.getpid()}" in error.value.message
    first.describe("http://127.0.0.1:8787")
    assert store.server() == f"process {os.getpid()} at http://127.0.0.1:8787"
    with pytest.raises(StoreBusy) as error:
        ServerLock(made)
    assert "http://127.0.0.1:8787" in error.value.message
    first.describe("http://[::1]:1")
    assert store.server() == f"process {os.getpid()} at http://[::1]:1"
    first.release()
    assert store.server() is None
    ServerLock(made).release()
    store.close()


def test_servers_of_two_stores_do_not_know_each_other(tmp_path: Path) -> None:
    one, two = ServerLock(tmp_path / "one.db"), ServerLock(tmp_path / "two.db")
    assert lock_path(tmp_path / "one.db") != lock_path(tmp_path / "two.db")
    one.release()
    two.release()


def test_asking_who_serves_leaves_nothing_behind(made: Path) -> None:
    assert holder_of(made) is None
    assert not lock_path(made).exists()


@posix
def test_of_two_who_ask_at_once_neither_is_taken_for_a_server(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ServerLock(made).release()
    seen: list[object] = []
    close = os.close

    def asked_before_the_first_has_done(descriptor: int) -> None:
        monkeypatch.setattr(os, "close", close)
        seen.append(holder_of(made))
        close(descriptor)

    monkeypatch.setattr(os, "close", asked_before_the_first_has_done)
    assert holder_of(made) is None
    assert seen == [None]


@posix
def test_the_lock_ends_with_the_process_however_that_ends(made: Path) -> None:
    server = child(SERVE, made)
    assert server.stdout is not None
    assert server.stdout.readline() == "serving\n"
    with pytest.raises(StoreBusy) as error:
        ServerLock(made)
    assert f"process {server.pid} at http://127.0.0.1:8787" in error.value.message
    holder = holder_of(made)
    assert holder is not None
    assert (holder.pid, holder.url) == (server.pid, "http://127.0.0.1:8787")
    server.send_signal(signal.SIGKILL)
    server.communicate(timeout=60)
    assert holder_of(made) is None
    ServerLock(made).release()


def test_administration_goes_on_beside_a_server(made: Path) -> None:
    lock = ServerLock(made)
    store = SqliteStore.open(made)
    store.create_webhook(webhook_draft(), USER)
    store.close()
    lock.release()


# Seeing what others do


def test_a_webhook_that_is_deleted_while_it_is_looked_at(
    store: SqliteStore, journal: SqliteJournal, path: Path
) -> None:
    made = [store.create_webhook(webhook_draft(name=name), USER) for name in ("one", "two")]
    deleted = []

    def meddle(statement: str) -> None:
        if "w.encrypted_headers, w.secrets FROM webhook" in statement and not deleted:
            deleted.append(made[1].id)
            store.delete_webhook(made[1].id)

    database_of(journal).set_trace_callback(meddle)
    index = journal.refresh()
    assert deleted
    assert index is not None
    assert [endpoint.webhook.name for endpoint in index.by_row.values()] == ["one", "two"]
    index = journal.refresh()
    assert index is not None
    assert [endpoint.webhook.name for endpoint in index.by_row.values()] == ["one"]


def test_an_unchanged_webhook_is_opened_once(store: SqliteStore, journal: SqliteJournal) -> None:
    made = [store.create_webhook(webhook_draft(name=name, secret=SECRET), USER) for name in ("one", "two")]
    before = journal.refresh()
    assert before is not None
    store.patch_webhook(made[0].id, replacements({"name": "three"}), USER)
    store.create_token("ci", "admin", None)
    after = journal.refresh()
    assert after is not None
    first, second = sorted(before.by_row)
    assert after.by_row[second] is before.by_row[second]
    assert after.by_row[first] is not before.by_row[first]


def test_what_others_wrote_to_the_queue_counts_for_the_numbers(store: SqliteStore, journal: SqliteJournal) -> None:
    store.create_webhook(webhook_draft(), USER)
    other = store.open_journal()
    numbers = []
    for number, one in enumerate([journal, other, other, journal, other, journal]):
        numbers += [claim.sequence for claim in one.write([event(id=str(number))], [], NOW).accepted[0].claims]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 6
    other.close()


def test_a_sweep_leaves_nothing_of_a_delivery(store: SqliteStore, journal: SqliteJournal, path: Path) -> None:
    store.create_webhook(webhook_draft(), USER)
    (claim,) = journal.write([event(id="a")], [], NOW).accepted[0].claims
    for number in range(1, 4):
        journal.write([], [retry(claim, NOW + number)], NOW)
        (claim,) = journal.claim(claim.webhook, NOW + number, 1, set())
    journal.write([], [delivered(claim)], NOW)
    assert raw(path, "SELECT count(*) FROM attempt") == [(4,)]
    while journal.sweep(NOW + 200 * DAY, 1):
        pass
    for table in ("pending", "delivery", "attempt", "event", "event_key"):
        assert raw(path, f"SELECT count(*) FROM {table}") == [(0,)], table


# Errors


@pytest.mark.parametrize("change", [{"row": 2**63}, {"row": -(2**63) - 1}, {"value": 2**64}, {"value": 1.5}], ids=str)
def test_a_cursor_that_was_tampered_with_is_refused(store: SqliteStore, change: dict[str, Any]) -> None:
    for number in range(2):
        store.create_webhook(webhook_draft(name=str(number)), USER)
    text = store.list_webhooks(WebhookQuery(limit=1)).next
    assert text is not None
    cursor = msgspec.structs.asdict(cursors.decode(text, cursors.fingerprint(WebhookQuery(limit=1)))) | change
    tampered = base64.urlsafe_b64encode(json.dumps(list(cursor.values())).encode()).decode()
    with pytest.raises(InvalidInput):
        store.list_webhooks(WebhookQuery(limit=1, cursor=tampered))


def test_no_error_of_the_database_gets_out_as_it_is(path: Path) -> None:
    store = SqliteStore.open(path, create=True)
    store.close()
    for call in (
        lambda: store.list_webhooks(WebhookQuery()),
        lambda: store.create_webhook(webhook_draft(), USER),
        lambda: store.list_deliveries(DeliveryQuery()),
        store.tokens_by_digest,
        store.version,
    ):
        with pytest.raises(QwebhookError) as error:
            call()
        assert not isinstance(error.value, NotFound)


def test_what_a_constraint_forbids_is_no_trouble_of_the_store(
    store: SqliteStore, journal: SqliteJournal, path: Path
) -> None:
    """Trouble is waited for and tried again; this would fail each time."""
    store.create_webhook(webhook_draft(), USER)
    (claim,) = journal.write([event(id="a")], [], NOW).accepted[0].claims
    journal.write([], [delivered(claim)], NOW)
    with pytest.raises(QwebhookError, match="UNIQUE constraint failed") as error:
        journal.write([event(id="b")], [delivered(claim)], NOW)
    assert not isinstance(error.value, Unavailable)
    assert not journal.write([event(id="b")], [], NOW).accepted[0].duplicate


def test_a_connection_is_closed_when_opening_fails(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Watched(sqlite3.Connection):
        def close(self) -> None:
            closed.append(True)
            super().close()

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *values, **options: real(*values, factory=Watched, **options))
    raw_version = "PRAGMA user_version = 99"
    raw(made, raw_version)
    closed.clear()
    with pytest.raises(StoreTooNew):
        Connection.open(made)
    assert closed == [True]
