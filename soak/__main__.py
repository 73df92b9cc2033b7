"""Kill the server again and again, and look for what was lost.

    python -m soak [--minutes 30] [--seed N] [--rate 300] [--json FILE]

Prints a table of what was done, and of what came of it; exit code 1 if anything was lost, or was otherwise than it must
be. Everything is on loopback and in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sqlite3
import tempfile
import time
from pathlib import Path
from random import Random

from soak.kills import Kills


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description="Kill the server again and again")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=round(time.time()), help="of what is random, to begin with")
    parser.add_argument("--rate", type=float, default=300, help="events a second, at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    figures: dict[str, object] = {
        "seed": options.seed,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    with tempfile.TemporaryDirectory(prefix="qwebhook-soak-") as folder:
        kills = Kills(Path(folder), Random(options.seed), options.rate)
        figures |= asyncio.run(kills.run(options.minutes * 60))
    wrong = kills.wrong
    print("\n".join(f"{name:60} {value:>12}" for name, value in figures.items()))
    print("\n".join(f"WRONG: {what}" for what in wrong) or "Nothing was lost.")
    if options.json is not None:
        options.json.write_text(json.dumps(figures | {"wrong": wrong}, indent=2) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
