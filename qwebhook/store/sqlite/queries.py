"""The SQL of this driver, read from the `.sql` files beside it.

A query begins at a line `-- name: NAME` and ends where the next begins; the comment lines after it describe it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def queries(name: str) -> dict[str, str]:
    """The queries of `NAME.sql`, by their names, without comments."""
    found: dict[str, str] = {}
    current: list[str] = []
    title = ""
    for line in (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8").splitlines():
        if line.startswith("-- name: "):
            if title:
                found[title] = "\n".join(current)
            title, current = line.removeprefix("-- name: ").strip(), []
        elif line.strip() and not line.startswith("--"):
            current.append(line)
    found[title] = "\n".join(current)
    return found
