"""A tenant's audit log over its API: one page at a time, in the tenant's time.

The log holds 90 days; what is older is in the archive, by date. Source: Qlik Cloud's audits API.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec

from qwebhook.model.errors import Forbidden, NotFound, Unavailable
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.source.items import time_of
from qwebhook.store.rest.remote import Remote

PATH = "/api/v1/audits"
PAGE_SIZE = 100
SECOND, DAY = 1000, 86_400_000
KEPT = 90 * DAY


class AuditPage(msgspec.Struct):
    """Some items, each the raw JSON it came in; next: the cursor of those after them, None at the end."""

    items: list[bytes]
    next: str | None = None


class AuditPages(Protocol):
    """Where pages come from. Each call is one request, and raises what `Remote.request` does."""

    def now(self) -> int:
        """The tenant's time (milliseconds since the epoch), never ahead of it by more than its clock runs fast."""

    def log(self, start: int, end: int, cursor: str | None) -> AuditPage:
        """Items with an eventTime from start to end, the end not included, oldest first."""

    def archive(self, day: date, cursor: str | None) -> AuditPage:
        """Items of a day (UTC) that are older than `KEPT`."""


class _Link(msgspec.Struct):
    href: str = ""


class _Links(msgspec.Struct):
    next: _Link | None = None


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    links: _Links | None = None


class AuditLog:
    """`AuditPages` of a tenant.

    before_request: called before each request, to keep within the tenant's limits.
    """

    def __init__(self, remote: Remote, before_request: Callable[[], None] = lambda: None) -> None:
        self._remote = remote
        self._before_request = before_request

    @property
    def name(self) -> str:
        """What the log is known by in a store: the tenant's address, since contexts can be renamed and redirected."""
        return f"audits:{self._remote.url}"

    def now(self) -> int:
        told = self._remote.time.now()
        if told is not None:
            return told
        items = self._page(PATH, {"limit": "1"}).items
        if self._remote.time.now() is None:
            # A tenant whose answers have no date: its latest event is the best guess.
            times = [moment for moment in map(time_of, items) if moment is not None]
            self._remote.time.assume(max(times, default=time.time_ns() // 1_000_000))
        return self.now()

    def log(self, start: int, end: int, cursor: str | None) -> AuditPage:
        window = f"{to_rfc3339(start)}/{to_rfc3339(end)}"
        query = {"eventTime": window, "sort": "eventTime", "limit": str(PAGE_SIZE)}
        return self._page(PATH, query if cursor is None else query | {"next": cursor})

    def archive(self, day: date, cursor: str | None) -> AuditPage:
        query = {"date": day.isoformat()}
        return self._page(f"{PATH}/archive", query if cursor is None else query | {"next": cursor})

    def _page(self, path: str, query: Mapping[str, str]) -> AuditPage:
        self._before_request()
        try:
            answer = self._remote.request("GET", path, query=query)
        except Forbidden as error:
            hint = "use credentials of a tenant administrator"
            raise Forbidden(f"{self._remote.name} does not let its audit log be read: {error.message}", hint) from None
        except NotFound:
            raise NotFound(
                f"{self._remote.name} has no audit log", "a source is the context of a Qlik Cloud tenant"
            ) from None
        found: _List = self._remote.decoded(answer, _List)
        return AuditPage([bytes(item) for item in found.data], self._cursor(found))

    def _cursor(self, found: _List) -> str | None:
        """The cursor alone, and not the link: the next request goes where this one went, whatever a link says."""
        link = found.links.next if found.links else None
        if link is None or not link.href:
            return None
        cursors = parse_qs(urlsplit(link.href).query).get("next")
        if not cursors:
            raise Unavailable(f"{self._remote.name} gives a link to more items that has no cursor", "try again later")
        return cursors[0]


def day_of(moment: int) -> date:
    """The day (UTC) of a time in milliseconds since the epoch."""
    return datetime.fromtimestamp(moment / 1000, UTC).date()
