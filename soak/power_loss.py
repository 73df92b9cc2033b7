"""What a power loss would have left of a store: no more than what SQLite had made sure of.

The process is stopped between any two instructions, and its files are copied. Of them remains what had been synced:

- of the log, the frames that its index names, since SQLite names them there after `fsync`; what comes behind is cut
  off, and the frame that was being written is torn;
- of the database file, every page that a checkpoint was still to make sure of is garbage: the log must have it again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from pathlib import Path
from random import Random
from typing import NamedTuple

from soak.process import stop

_WAL_HEADER, _FRAME_HEADER = 32, 24


class Index(NamedTuple):
    """Of the log's index: how many frames are synced, how many of them a checkpoint has brought home."""

    frames: int
    settled: int
    page_size: int


def read_index(data: bytes) -> Index | None:
    """The index in a `-shm` file; None while it is being changed, which is told by its two copies."""
    if len(data) < 136 or data[:48] != data[48:96]:
        return None
    page_size, frames = struct.unpack_from("=HI", data[:20], 14)
    settled = struct.unpack_from("=I", data, 96)[0]
    return Index(frames, settled, 65536 if page_size == 1 else page_size)


def copy_after_power_loss(pid: int, store: Path, folder: Path, random: Random) -> Path | None:
    """Stop the process that serves a store, and put into the folder what a power loss now would leave of the store.

    It stays stopped. None if it was stopped while it changed the index: try again later. Whoever calls this must have
    no connection to the store, whose locks it would lose.
    """
    stop(pid)
    index = read_index(Path(f"{store}-shm").read_bytes())
    if index is None:
        return None
    copy = folder / store.name
    for ending in ("", "-wal", ".key"):
        shutil.copyfile(f"{store}{ending}", f"{copy}{ending}")
    lose(copy, index, random)
    return copy


def lose(store: Path, index: Index, random: Random) -> None:
    """Take from a copied store what was not synced when its index was as given."""
    frame_size = _FRAME_HEADER + index.page_size
    end = _WAL_HEADER + index.frames * frame_size
    with Path(f"{store}-wal").open("r+b") as log, store.open("r+b") as database:
        size = os.fstat(log.fileno()).st_size
        if end < size:
            log.truncate(end)
            log.seek(end)
            log.write(random.randbytes(random.randrange(frame_size)))
        # Part of a checkpoint is made sure of only with the whole of it.
        for frame in range(index.frames if index.settled < index.frames else 0):
            log.seek(_WAL_HEADER + frame * frame_size)
            page = struct.unpack(">I", log.read(4))[0]
            place = (page - 1) * index.page_size
            # The first page says that this is a database with a log, and changes no more in that: one sector is
            # written whole or not at all.
            if page > 1 and place < os.fstat(database.fileno()).st_size:
                database.seek(place)
                database.write(random.randbytes(index.page_size))


def read_only(store: Path) -> sqlite3.Connection:
    """A connection that changes nothing: what a crash has left is for the server to put in order."""
    return sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


def check_integrity(store: Path) -> list[str]:
    """What SQLite finds wrong in a store."""
    database = read_only(store)
    try:
        found = [str(row[0]) for row in database.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        return [str(error)]
    finally:
        database.close()
    return [] if found == ["ok"] else found
