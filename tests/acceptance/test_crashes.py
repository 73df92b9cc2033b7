"""The soak in short: crashes, power losses, a full disk and clocks that jump lose nothing. See docs/reliability.md."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from qwebhook.store.sqlite import SqliteStore
from soak.full_disk import FullDisk
from soak.kills import Kills
from soak.migration import Migration
from soak.power_loss import check_integrity, lose, read_index
from soak.small_disk import NoSmallDisk
from tests.builders import USER, event, webhook_draft

linux = pytest.mark.skipif(sys.platform != "linux", reason="what a power loss leaves is looked for in /proc")


@linux
def test_killed_while_it_works_and_while_it_starts_it_loses_nothing(tmp_path: Path) -> None:
    kills = Kills(tmp_path, Random(5), rate=200, life_seconds=0.5, power_loss_every=2)
    figures = asyncio.run(kills.run(lives=4))
    assert kills.wrong == []
    assert figures["kills"] == 4
    assert figures["deliveries"] > 0


def test_killed_while_it_brings_a_store_up_to_date_it_leaves_the_old_one_or_the_new(tmp_path: Path) -> None:
    migration = Migration(tmp_path, Random(1))
    asyncio.run(migration.run(kills=3))
    assert migration.wrong == []


def test_a_disk_that_is_full_and_then_read_only(tmp_path: Path) -> None:
    try:
        disk = FullDisk(tmp_path, Random(1))
        figures = asyncio.run(disk.run())
    except NoSmallDisk as error:
        pytest.skip(str(error))
    assert disk.wrong == []
    assert figures["requests refused (503)"] >= 20


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """A store that lost power amid a checkpoint, with the event `kept` in its log and `gone` behind what was synced."""
    store, copy = tmp_path / "store.db", tmp_path / "lost.db"
    opened = SqliteStore.open(store, create=True)
    opened.create_webhook(webhook_draft(), USER)
    journal = opened.open_journal()
    with closing(sqlite3.connect(store)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.write([event(id="kept")], [], 1)
    index = read_index(Path(f"{store}-shm").read_bytes())
    assert index is not None
    assert index.settled < index.frames
    journal.write([event(id="gone")], [], 2)
    for ending in ("", "-wal", ".key"):
        shutil.copyfile(f"{store}{ending}", f"{copy}{ending}")
    journal.close()
    opened.close()
    lose(copy, index, Random(1))
    return copy


def test_what_was_synced_outlasts_a_power_loss_and_nothing_else_does(lost: Path) -> None:
    assert check_integrity(lost) == []
    with closing(sqlite3.connect(lost)) as database:
        bodies = [row[0] for row in database.execute("SELECT body FROM event")]
    assert bodies == [event(id="kept").body]


def test_a_power_loss_as_it_is_made_here_is_one(lost: Path) -> None:
    Path(f"{lost}-wal").unlink()
    assert check_integrity(lost) != []
