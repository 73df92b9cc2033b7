"""Stores that an earlier version of qwebhook made: they are brought up to date with everything that is in them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwebhook.model.event import Event
from qwebhook.model.signature import Signer
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store.contract import BEGINNING, DeliveryQuery, ReplayQuery, StatisticsQuery, WebhookQuery
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.connection import MIGRATIONS, Connection
from tests.builders import APP_CREATED, APP_DELETED, OWNER, SECRET, URL, USER, event
from tests.store.recordings import DAY, NOW, SECOND, delivered

WEBHOOK = """INSERT INTO webhook (
    row, id, version, name, url, description, event_types, filter, headers, encrypted_header_names, encrypted_headers,
    secrets, enabled, level, owner_id, check_certificate_revocation, enable_cloud_event_delivery, origin, settings,
    created_at, created_by, updated_at, updated_by
) VALUES (
    :row, :id, 0, :name, :url, '', :event_types, '', '{}', :names, :headers, :secrets, :enabled, :level, :owner_id,
    0, 0, :origin, '{}', :at, 'user-one', :at, 'user-one'
)"""
DELIVERY = "INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
ATTEMPT = "INSERT INTO attempt VALUES (?, 1, 1.0, 1.0, ?, ?, 'https://a.example/', '{}', NULL, ?, '[]', '')"
TOKEN = "a token of version 1"


def identifier(row: int) -> str:
    return f"0193600b-0e9f-7000-8000-{row:012}"


def event_of(row: int) -> Event:
    return event(id=f"e{row}", type=APP_DELETED if row == 3 else APP_CREATED)


def fill(connection: Connection) -> None:
    """Three webhooks and one that was deleted; four events, of which one is delivered, one dead, one waiting for its
    retry, and one for its first attempt.
    """
    database, vault = connection.database, connection.vault
    database.execute("BEGIN")
    webhooks = [
        (1, "Alpha", [APP_CREATED, APP_DELETED], True, "tenant", None, "api"),
        (2, "beta", [APP_CREATED], False, "user", OWNER, "automations"),
        (4, "gamma", ["com.example.mine"], True, "tenant", None, "management-console"),
    ]
    for row, name, types, enabled, level, owner, origin in webhooks:
        sealed = row == 1
        secrets = vault.seal(json.dumps([{"secret": SECRET}]).encode(), f"{identifier(row)}/secret")
        headers = vault.seal(b'{"X-A": "hidden"}', f"{identifier(row)}/encryptedHeaders")
        values = {
            "row": row,
            "id": identifier(row),
            "name": name,
            "url": URL,
            "event_types": json.dumps(types),
            "names": '["X-A"]' if sealed else "[]",
            "headers": headers if sealed else None,
            "secrets": secrets if sealed else None,
            "enabled": enabled,
            "level": level,
            "owner_id": owner,
            "origin": origin,
            "at": NOW + row,
        }
        database.execute(WEBHOOK, values)
        database.executemany("INSERT INTO webhook_event_type VALUES (?, ?)", [(kind, row) for kind in types])
    for row in range(1, 5):
        past = event_of(row)
        key, at = b64encode(past.key).decode(), NOW + row * SECOND
        database.execute("INSERT INTO event_key VALUES (?, ?, ?)", (row, key, at))
        database.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", (row, past.type, key, at, past.body))
    for values in [
        (1, 1, 1, APP_CREATED, "success", "delivered", 1, NOW + SECOND, None),
        (2, 1, 2, APP_CREATED, "fail", "dead", 10, NOW + 2 * SECOND, None),
        (3, 1, 3, APP_DELETED, "fail", "retrying", 1, NOW + 3 * SECOND, NOW + DAY),
        (5, 3, 1, APP_CREATED, "success", "delivered", 1, NOW + SECOND, None),
    ]:
        database.execute(DELIVERY, values)
        code = 200 if values[4] == "success" else 503
        for number in range(1, values[6] + 1):
            database.execute(ATTEMPT, (values[0] * 64 + number, values[5], f"status {code}", code))
    database.execute("INSERT INTO pending VALUES (1, ?, 3, 3, 2, ?)", (NOW + DAY, NOW + 3 * SECOND))
    database.execute("INSERT INTO pending VALUES (1, ?, 4, 4, 1, ?)", (NOW + 4 * SECOND, NOW + 4 * SECOND))
    digest = hashlib.sha256(TOKEN.encode()).digest()
    database.execute("INSERT INTO token VALUES ('id-of-token', 'ci', ?, 'user', 'user-one', ?)", (digest, NOW))
    database.execute("UPDATE store SET next_event = 5, next_delivery = 6")
    database.execute("COMMIT")


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The migrations that there were in version 1."""
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(MIGRATIONS / "0001_first.sql", folder)
    return folder


@pytest.fixture
def path(tmp_path: Path, first: Path) -> Path:
    """A store of version 1 that holds something of everything, closed."""
    path = tmp_path / "store.db"
    connection = Connection.open(path, create=True, migrations=first)
    fill(connection)
    connection.close()
    return path


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path)
    yield store
    store.close()


def test_the_first_migration_is_as_it_was_when_it_was_released() -> None:
    """What a store of version 1 has is not what the script says, but what it said."""
    script = (MIGRATIONS / "0001_first.sql").read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(script).hexdigest() == "e475c310d35ac07561fa402441ce3e571326938e90a3d493b6f2e37a526214f3"


def test_a_migrated_store_is_sound_and_the_old_one_is_kept(path: Path, store: SqliteStore) -> None:
    found = store.check()
    assert found.problems == []
    assert found.figures["version"] == len(list(MIGRATIONS.glob("*.sql")))
    old = sqlite3.connect(path.with_name("store.db.v1.bak"))
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    assert old.execute("SELECT count(*) FROM webhook_event_type").fetchone() == (4,)
    old.close()


def test_a_migrated_store_has_the_schema_of_a_new_one(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    new = SqliteStore.open(tmp_path / "new.db", create=True)
    query = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    schemas = [one._connection.execute(query).fetchall() for one in (store, new)]
    assert schemas[0] == schemas[1]
    new.close()


def test_webhooks_are_listed_as_before(store: SqliteStore) -> None:
    def listed(query: WebhookQuery) -> list[str]:
        return [webhook.name for webhook in store.list_webhooks(query).items]

    assert listed(WebhookQuery()) == ["gamma", "beta", "Alpha"]
    assert listed(WebhookQuery(sort="name")) == ["Alpha", "beta", "gamma"]
    assert listed(WebhookQuery(enabled=False)) == listed(WebhookQuery(owner_id=OWNER)) == ["beta"]
    assert listed(WebhookQuery(event_types=[APP_CREATED])) == ["beta", "Alpha"]
    assert listed(WebhookQuery(event_types=[APP_CREATED, APP_DELETED], created_by_user_id=USER)) == ["Alpha"]
    assert listed(WebhookQuery(origins=["automations", "management-console"])) == ["gamma", "beta"]


def test_what_is_sealed_opens(store: SqliteStore) -> None:
    endpoint = store.endpoint(identifier(1))
    assert endpoint.encrypted_headers == {"X-A": "hidden"}
    assert endpoint.signer.headers("i", 1, b"") == Signer([(SECRET, None)]).headers("i", 1, b"")
    rotated = store.rotate_secret(identifier(1), "n" * 40, DAY, USER)
    assert rotated.secret_key_added
    assert len(store.endpoint(identifier(1)).signer.headers("i", 1, b"")["webhook-signature"].split()) == 2


def test_the_history_is_listed_and_counted(store: SqliteStore) -> None:
    records = store.list_deliveries(DeliveryQuery(webhook_id=identifier(1))).items
    assert [record.qwebhook.state for record in records] == ["retrying", "dead", "delivered"]
    assert [record.request.body.encode() for record in records] == [event_of(row).body for row in (3, 2, 1)]
    assert store.list_deliveries(DeliveryQuery(status="fail", event_type=APP_DELETED)).items == records[:1]
    # Of a webhook that was deleted in version 1 the id is not known.
    assert {record.webhook_id for record in store.list_deliveries(DeliveryQuery()).items} == {identifier(1), ""}
    statistics = store.statistics()
    assert (statistics.webhooks, statistics.pending, statistics.succeeded, statistics.failed) == (3, 2, 2, 2)
    assert statistics.oldest_pending_at == to_rfc3339(NOW + 3 * SECOND)
    first = store.list_statistics(StatisticsQuery()).items[0]
    assert (first.succeeded, first.failed, first.pending) == (1, 2, 2)


@pytest.mark.parametrize(("others", "own_from"), [(True, 6), (False, 0)])
def test_the_history_is_its_owner_s_unless_others_had_to_do_with_the_webhook(
    path: Path, others: bool, own_from: int
) -> None:
    if not others:
        old = sqlite3.connect(path, isolation_level=None)
        old.execute("UPDATE webhook SET created_by = owner_id, updated_by = owner_id WHERE level = 'user'")
        old.close()
    SqliteStore.open(path).close()
    new = sqlite3.connect(path)
    assert new.execute("SELECT level, own_from FROM webhook ORDER BY row").fetchall() == [
        ("tenant", 0),
        ("user", own_from),
        ("tenant", 0),
    ]
    new.close()


def test_tokens_are_valid_and_unused(store: SqliteStore) -> None:
    (token,) = store.list_tokens()
    assert (token.name, token.role, token.last_used_at) == ("ci", "user", None)
    assert store.tokens_by_digest() == {hashlib.sha256(TOKEN.encode()).digest(): token}
    store.note_token_use({token.id: NOW})
    assert store.list_tokens()[0].last_used_at == to_rfc3339(NOW)


def test_the_queue_goes_on_and_past_events_are_replayed(store: SqliteStore) -> None:
    journal = store.open_journal()
    claims = journal.claim(1, NOW + DAY, 10, set())
    assert [(claim.sequence, claim.attempt) for claim in claims] == [(4, 1), (3, 2)]
    journal.write([], [delivered(claim) for claim in claims], NOW + DAY)
    accepted = journal.write([event_of(1), event(id="new")], [], NOW + DAY).accepted
    assert [one.duplicate for one in accepted] == [True, False]
    assert accepted[1].claims[0].sequence == 6
    step = journal.replay(ReplayQuery(identifier(1), NOW, NOW + 5 * SECOND), BEGINNING, 100, NOW + DAY)
    assert (step.matching, step.delivered, step.enqueued) == (4, 3, 1)
    assert [claim.body for claim in step.claims] == [event_of(2).body]
    assert store.check().problems == []
    journal.close()
