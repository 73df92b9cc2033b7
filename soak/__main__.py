"""Kill the server again and again, and look for what was lost.

    python -m soak [--minutes 30] [--seed N] [--rate 300] [--json FILE]

Prints a table of what was done, and of what came of it; exit code 1 if anything was lost, or was otherwise than it must
be. Everything is on loopback and in a temporary folder. The small disk is in memory, and needs root.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

from soak.full_disk import FullDisk
from soak.kills import Kills
from soak.migration import Migration
from soak.small_disk import NoSmallDisk

MIGRATIONS_A_MINUTE = 2
FULL_DISKS_A_MINUTE = 0.5

Figures = Mapping[str, object]


async def soak(folder: Path, random: Random, minutes: float, rate: float) -> tuple[dict[str, Figures], list[str]]:
    """The figures of each part, and what was wrong in any."""
    parts = {name: folder / name for name in ("kills", "migration", "disk")}
    for part in parts.values():
        part.mkdir()
    kills, migration = Kills(parts["kills"], random, rate), Migration(parts["migration"], random)
    figures: dict[str, Figures] = {
        "killed under load": await kills.run(minutes * 60),
        "killed while it brings a store up to date": await migration.run(max(round(minutes * MIGRATIONS_A_MINUTE), 1)),
    }
    wrong = kills.wrong + migration.wrong
    try:
        disk = FullDisk(parts["disk"], random)
        figures["a full disk, and one that cannot be written"] = await disk.run(
            max(round(minutes * FULL_DISKS_A_MINUTE), 1)
        )
        wrong += disk.wrong
    except NoSmallDisk as error:
        figures["a full disk, and one that cannot be written"] = {f"skipped: {error}": ""}
    return figures, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description="Kill the server again and again")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=round(time.time()), help="of what is random, to begin with")
    parser.add_argument("--rate", type=float, default=300, help="events a second, at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    machine: Figures = {
        "seed": options.seed,
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    with tempfile.TemporaryDirectory(prefix="qwebhook-soak-") as folder:
        figures, wrong = asyncio.run(soak(Path(folder), Random(options.seed), options.minutes, options.rate))
    for name, part in {"the run": machine, **figures}.items():
        print(f"\n{name}")
        print("\n".join(f"  {figure:56} {value:>12}" for figure, value in part.items()))
    print("\n" + ("\n".join(f"WRONG: {what}" for what in wrong) or "Nothing was lost."))
    if options.json is not None:
        text = json.dumps({"the run": machine, **figures, "wrong": wrong}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
