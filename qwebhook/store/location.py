"""Which store a text names, and the way to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from qwebhook.model.errors import InvalidInput

if TYPE_CHECKING:
    from qwebhook.store.sqlite import SqliteStore


class FileLocation(msgspec.Struct, frozen=True):
    """A SQLite file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


class RestLocation(msgspec.Struct, frozen=True):
    """A qwebhook server or a Qlik Cloud tenant; the URL has no slash at its end."""

    url: str

    def __str__(self) -> str:
        return self.url


Location = FileLocation | RestLocation


def parse_location(text: str) -> Location:
    """The store that a URL or a bare path names. Raises InvalidInput."""
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if not scheme:
        if not text.strip():
            raise InvalidInput("the store is empty", "give a path or a URL")
        return FileLocation(Path(text).expanduser().absolute())
    if scheme == "sqlite":
        path = unquote(urlsplit(text).path)
        if not text.lower().startswith("sqlite:///") or len(path) < 2:
            raise InvalidInput(f"{text!r} has no absolute path", "write sqlite:///ABSOLUTE/PATH")
        return FileLocation(Path(path))
    if scheme in ("http", "https"):
        if not urlsplit(text).hostname:
            raise InvalidInput(f"{text!r} has no host", "write https://HOST")
        return RestLocation(text.rstrip("/"))
    raise InvalidInput(f"stores of kind {scheme!r} are not supported", "give a path, sqlite:///PATH or https://HOST")


def file_of(location: Location) -> Path:
    """The file of a database store. Raises InvalidInput for a location that is no database."""
    if isinstance(location, RestLocation):
        raise InvalidInput(
            f"{location} is a server, and this command works on a database store so far",
            "give --store a path, or use `publish`, which sends to a server",
        )
    return location.path


def open_database(location: Location, *, create: bool = False) -> SqliteStore:
    """The database store at the location; with `create`, a missing file is made.

    Raises InvalidInput for a location that is no database, Unavailable when it cannot be opened.
    """
    from qwebhook.store.sqlite import SqliteStore

    return SqliteStore.open(file_of(location), create=create)
