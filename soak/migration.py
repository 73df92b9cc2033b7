"""Servers that are killed while they bring a store of the first version up to date."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from qwebhook.store.sqlite.connection import MIGRATIONS, Connection
from soak.power_loss import check_integrity, read_only
from soak.process import Home, Server

WEBHOOKS, DELIVERIES, PENDING = 200, 50_000, 500
STARTING_SECONDS = 1.2

FILL = f"""
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {WEBHOOKS})
    INSERT INTO webhook (
        id, version, name, url, description, event_types, filter, headers, encrypted_header_names, enabled, level,
        check_certificate_revocation, enable_cloud_event_delivery, origin, settings, created_at, created_by,
        updated_at, updated_by
    )
    SELECT
        printf('0193600b-0e9f-7000-8000-%012d', i), 1, 'old-' || i, 'http://127.0.0.1:9/', '',
        '["com.example.old"]', '', '{{}}', '[]', 0, 'tenant', 0, 0, 'api', '{{}}', i, 'soak', i, 'soak'
    FROM n;
    INSERT INTO webhook_event_type SELECT 'com.example.old', row FROM webhook;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {DELIVERIES})
    INSERT INTO event_key SELECT i, printf('%024d', i), 1000 + i FROM n;
    INSERT INTO event SELECT row, 'com.example.old', key, accepted_at, x'7b7d' FROM event_key;
    INSERT INTO delivery
    SELECT row, 1 + row % {WEBHOOKS}, row, type, 'success', 'delivered', 1, accepted_at, NULL, 0
    FROM event WHERE row > {PENDING};
    INSERT INTO attempt
    SELECT row * 64 + 1, accepted_at, 1.0, 1.0, 'delivered', '', 'http://127.0.0.1:9/', '{{}}', NULL, 200, '[]', ''
    FROM event WHERE row > {PENDING};
    INSERT INTO pending
    SELECT 1 + row % {WEBHOOKS}, accepted_at, row, row, 1, accepted_at FROM event WHERE row <= {PENDING};
    UPDATE store SET next_event = {DELIVERIES + 1}, next_delivery = {DELIVERIES + 1};
"""

Figures = dict[str, float]


class Migration:
    """Kills in a folder of its own. wrong: what was otherwise than it must be, once it has run."""

    def __init__(self, folder: Path, random: Random) -> None:
        self._folder = folder
        self._random = random
        self.wrong: list[str] = []

    async def run(self, kills: int) -> Figures:
        """Kill so many servers, each on a store of its own; after each the next one must bring it up to date."""
        old = self._folder / "old"
        old.mkdir()
        await asyncio.to_thread(_make_old, old / "store.db")
        migrated = 0
        for number in range(kills):
            folder = self._folder / str(number)
            shutil.copytree(old, folder)
            migrated += await self._kill(Home(folder))
            shutil.rmtree(folder)
        return {
            "kills": kills,
            "before the store was brought up to date": kills - migrated,
            "faults": len(self.wrong),
        }

    async def _kill(self, home: Home) -> bool:
        """Whether the store had been brought up to date when the server was killed."""
        server = Server(home, "--retention", "100000d")
        await server.spawn()
        await asyncio.sleep(self._random.uniform(0, STARTING_SECONDS))
        await server.end()
        self.wrong += check_integrity(home.store)
        version = _version(home.store)
        latest = len(list(MIGRATIONS.glob("[0-9]*.sql")))
        if version not in (1, latest):
            self.wrong.append(f"a store was left between versions, as {version}")
        await server.spawn()
        try:
            await server.listening()
        except RuntimeError as error:
            self.wrong.append(str(error))
        await server.end()
        code, out, error_text = await home.run("store", "check")
        if code:
            self.wrong.append(f"store check ended with {code}: {out} {error_text}")
        self.wrong += _missing(home.store)
        return version == latest


def _make_old(store: Path) -> None:
    """A store of the first version, with disabled webhooks, so that what is pending stays."""
    scripts = store.parent / "migrations"
    scripts.mkdir()
    shutil.copy(min(MIGRATIONS.glob("[0-9]*.sql")), scripts)
    Connection.open(store, create=True, migrations=scripts).close()
    with closing(sqlite3.connect(store)) as database:
        database.executescript(f"BEGIN;{FILL}COMMIT;")


def _version(store: Path) -> int:
    with closing(read_only(store)) as database:
        version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def _missing(store: Path) -> list[str]:
    wanted = {"webhook": WEBHOOKS, "event": DELIVERIES, "delivery": DELIVERIES - PENDING, "pending": PENDING}
    with closing(read_only(store)) as database:
        found = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in wanted}
    return [] if found == wanted else [f"of {wanted} there are {found}"]
