"""Paths as people write them: `~` stands for a home folder."""

from __future__ import annotations

from pathlib import Path

from qwebhook.model.errors import InvalidInput


def expanded(path: str | Path) -> Path:
    """The path with the folder that `~` or `~USER` stands for. Raises InvalidInput where nobody knows of one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInput(f"the home folder that {path} begins with is not known", "write the path in full") from None
