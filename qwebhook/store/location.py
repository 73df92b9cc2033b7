"""Which store a text names, and the way to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from qwebhook.model.errors import InvalidInput
from qwebhook.store.home import expanded

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
# Where Qlik Cloud's tenants are: https://TENANT.REGION.qlikcloud.com.
_TENANTS = (".qlikcloud.com", ".qlikcloudgov.com")


def parse_location(text: str) -> Location:
    """The store that a URL or a bare path names. Raises InvalidInput."""
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if not scheme:
        if not text.strip():
            raise InvalidInput("the store is empty", "give a path or a URL")
        _refuse_a_host(text)
        return FileLocation(expanded(text).absolute())
    if scheme == "sqlite":
        parts = urlsplit(text)
        if parts.query or parts.fragment:
            raise InvalidInput(f"{text!r} has a query or a fragment", "write ? and # of a path as %3F and %23")
        path = unquote(parts.path)
        if not text.lower().startswith("sqlite:///") or len(path) < 2:
            raise InvalidInput(f"{text!r} has no absolute path", "write sqlite:///ABSOLUTE/PATH")
        # On Windows a drive stands where a path begins: sqlite:///C:/q.db.
        on_drive = sys.platform == "win32" and path[2:3] == ":"
        return FileLocation(Path(path[1:] if on_drive else path))
    if scheme in ("http", "https"):
        return _server(text)
    raise InvalidInput(f"stores of kind {scheme!r} are not supported", "give a path, sqlite:///PATH or https://HOST")


def _refuse_a_host(text: str) -> None:
    """Raises InvalidInput for what would be a file by its form, and is meant as a tenant or a server."""
    host = text.partition("/")[0]
    name, _, port = host.partition(":")
    if name.lower().endswith(_TENANTS):
        raise InvalidInput(f"{text} is the name of a tenant, and not its URL", f"write https://{text}")
    if port.isdigit() and "\\" not in text:
        raise InvalidInput(f"{text} is an address, and not a URL", f"write https://{text}, or http:// on this machine")


def _server(text: str) -> RestLocation:
    """Raises InvalidInput; what may be a password is not shown."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("the server's URL cannot be read", "write https://HOST") from None
    if not host:
        raise InvalidInput("the server's URL has no host", "write https://HOST")
    if parts.username is not None:
        raise InvalidInput("the server's URL carries a user name", "give a token in QWEBHOOK_TOKEN instead")
    if parts.query or parts.fragment:
        raise InvalidInput(f"the URL of {host} has a query or a fragment", "write https://HOST")
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidInput(f"http://{host} would show the credentials to everyone on the way", "use https://")
    return RestLocation(text.rstrip("/"))


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine by its form; names are not resolved."""
    # RFC 6761, section 6.3
    if host == "localhost" or host.endswith(".localhost"):
        return True
    # Most runs have no such URL.
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def file_of(location: Location) -> Path:
    """The file of a database store. Raises InvalidInput for a location that is no database."""
    if isinstance(location, RestLocation):
        raise InvalidInput(
            f"{location} is a server, and this command works on a database", "name its file with --store"
        )
    return location.path


def open_database(location: Location, *, create: bool = False) -> SqliteStore:
    """The database store at the location; with `create`, a missing file is made.

    Raises InvalidInput for a location that is no database, Unavailable when it cannot be opened.
    """
    from qwebhook.store.sqlite import SqliteStore

    return SqliteStore.open(file_of(location), create=create)
