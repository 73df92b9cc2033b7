"""An audit log in memory, for what depends on its contents alone: no network, and a clock that the test moves."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from qwebhook.model.errors import QwebhookError
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.source.audit_log import DAY, KEPT, AuditPage
from tests.builders import APP_CREATED, TENANT, USER, compact

NOW = 1_795_536_000_000  # 2026-11-24T16:00:00Z
SECOND, MINUTE = 1000, 60_000


def item(name: str, at: int, **members: Any) -> bytes:
    """An item of the log; a member given as None is left out."""
    given = {
        "id": f"audit-{name}",
        "eventId": name,
        "eventTime": to_rfc3339(at),
        "eventType": APP_CREATED,
        "eventTypeVersion": "1.0.0",
        "source": "com.qlik/engine",
        "contentType": "application/json",
        "tenantId": TENANT,
        "userId": USER,
        "extensions": {"spaceId": "space-one"},
        "data": {"id": name},
    }
    return compact({key: value for key, value in (given | members).items() if value is not None})


@dataclass
class MemoryLog:
    """`AuditPages` over a list. time: the tenant's. trouble: errors for the requests of these numbers, from 1.

    looped: the cursor of the second page leads to itself. twice: each page repeats the last item of the one before.
    backwards: it answers latest first, whatever is asked.
    """

    time: int = NOW
    page: int = 3
    items: list[tuple[int, bytes]] = field(default_factory=list)
    requests: int = 0
    windows: list[tuple[int, int]] = field(default_factory=list)
    trouble: dict[int, QwebhookError] = field(default_factory=dict)
    looped: bool = False
    twice: bool = False
    backwards: bool = False

    def add(self, name: str, at: int | None = None, **members: Any) -> None:
        moment = self.time if at is None else at
        self.items.append((moment, item(name, moment, **members)))
        self.items.sort(key=lambda entry: entry[0])

    def now(self) -> int:
        return self.time

    def log(self, start: int, end: int, cursor: str | None) -> AuditPage:
        if cursor is None:
            self.windows.append((start, end))
        return self._page(max(start, self.time - KEPT), end, cursor)

    def archive(self, day: date, cursor: str | None) -> AuditPage:
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        return self._page(start, min(start + DAY, self.time - KEPT), cursor)

    def _page(self, start: int, end: int, cursor: str | None) -> AuditPage:
        self.requests += 1
        if self.requests in self.trouble:
            raise self.trouble[self.requests]
        low = bisect_left(self.items, start, key=lambda entry: entry[0])
        high = max(low, bisect_left(self.items, end, key=lambda entry: entry[0]))
        found = [content for _, content in self.items[low:high]]
        if self.backwards:
            found.reverse()
        at = int(cursor or "0")
        after = at + self.page
        items = found[at:after]
        if self.twice and at:
            items = [found[at - 1], *items]
        if self.looped and cursor:
            after = at
        return AuditPage(items, str(after) if after < len(found) or (self.looped and cursor) else None)


def decoded(body: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(body)
    return value
