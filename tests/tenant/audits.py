"""The audit log: what happened in the tenant, and when it can be read there.

An event is in the log from a moment on that may lie after its eventTime, as with any log that is gathered from many
places. Events are kept narrow, so that a hundred thousand of them cost little.
"""

from __future__ import annotations

import threading
import uuid
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.tenant.access import ADMIN, TENANT_ID
from tests.tenant.answers import Json
from tests.tenant.clock import DAY, Clock, milliseconds_of, written

KEPT = 90 * DAY
NEVER = 1 << 62
ENGINE = "com.qlik/engine"


@dataclass(slots=True)
class Event:
    """type: None for an item that has none. Times in milliseconds since the epoch; visible: from when it is read."""

    serial: int
    id: str
    event_id: str
    time: int
    type: str | None
    source: str
    user_id: str
    data: Json
    extensions: Json
    visible: int

    def key(self) -> tuple[int, int]:
        """In the order of eventTime."""
        return (self.time, self.serial)

    def item(self) -> Json:
        """As the audit log shows it: legacy-shaped."""
        return {"id": self.id, "tenantId": TENANT_ID, "userId": self.user_id, **self._legacy()}

    def pushed(self, envelope: str) -> Json:
        """As a webhook carries it. envelope: "legacy", "hybrid" or "cloudevents"."""
        if envelope == "legacy":
            return {"cloudEventsVersion": "0.1", **self._legacy()}
        attributes = {name.lower(): value for name, value in self._all_extensions().items()}
        event = {
            "specversion": "1.0",
            "id": self.event_id,
            "time": written(self.time),
            "type": self.type,
            "source": self.source,
            "datacontenttype": "application/json",
            **attributes,
            "data": self.data,
        }
        return event if envelope == "cloudevents" else {"cloudEventsVersion": "0.1", **self._legacy(), **event}

    def _legacy(self) -> Json:
        typed = {} if self.type is None else {"eventType": self.type}
        return {
            "eventId": self.event_id,
            "eventTime": written(self.time),
            **typed,
            "eventTypeVersion": "1.0.0",
            "source": self.source,
            "contentType": "application/json",
            "extensions": self._all_extensions(),
            "data": self.data,
        }

    def _all_extensions(self) -> Json:
        return {"tenantId": TENANT_ID, "userId": self.user_id, **self.extensions}


class AuditLog:
    """The events, in the order of their eventTime.

    archive_page: how many events of a day the archive answers at once; None for all, since no limit is documented.
    """

    def __init__(self, lock: threading.RLock, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self.events: list[Event] = []
        self.archive_page: int | None = None
        self._added = 0

    def add(
        self,
        type: str | None = "com.qlik.v1.app.created",
        *,
        data: Json | None = None,
        at: datetime | None = None,
        delay: float = 0.0,
        held: bool = False,
        event_id: str = "",
        source: str = ENGINE,
        user_id: str = ADMIN,
        extensions: Json | None = None,
    ) -> Event:
        """An event.

        type: None for an item without one. at: its eventTime; by default now, by the tenant's clock. delay: seconds
        from now until it can be read. held: it cannot be read before `release`. extensions: beside tenantId and userId.
        """
        with self._lock:
            now = self._clock.now()
            visible = NEVER if held else now + int(delay * 1000) if delay else 0
            time = now if at is None else milliseconds_of(at)
            data = {"id": f"app-{self._added + 1}"} if data is None else data
            event = self._new(time, type, event_id, source, user_id, data, extensions or {}, visible)
            insort(self.events, event, key=Event.key)
            return event

    def add_many(
        self,
        count: int,
        type: str = "com.qlik.v1.app.created",
        *,
        until: datetime | None = None,
        apart: timedelta = timedelta(milliseconds=10),
        data: Callable[[int], Json] = lambda number: {"id": f"app-{number}"},
    ) -> list[Event]:
        """Many events at even distances, oldest first. until: the last one's eventTime; by default now."""
        with self._lock:
            last = self._clock.now() if until is None else milliseconds_of(until)
            step = apart / timedelta(milliseconds=1)
            none: Json = {}
            added = [
                self._new(last - int(step * (count - number)), type, "", ENGINE, ADMIN, data(number), none, 0)
                for number in range(1, count + 1)
            ]
            self.events = sorted([*self.events, *added], key=Event.key)
            return added

    def _new(
        self,
        time: int,
        type: str | None,
        event_id: str,
        source: str,
        user_id: str,
        data: Json,
        extensions: Json,
        visible: int,
    ) -> Event:
        self._added += 1
        event_id = event_id or str(uuid.uuid4())
        return Event(
            self._added, f"audit-{self._added}", event_id, time, type, source, user_id, data, extensions, visible
        )

    def release(self, *events: Event) -> None:
        """Those that were held can be read from now on."""
        with self._lock:
            for event in events:
                event.visible = 0

    def age_limit(self) -> int:
        """The eventTime before which events are in the archive only."""
        return self._clock.now() - KEPT

    def is_visible(self) -> Callable[[Event], bool]:
        """Whether an event can be read now."""
        now = self._clock.now()
        return lambda event: event.visible <= now

    def known(self, field: str) -> list[Any]:
        """What there is of `type` or `source`, each once."""
        return sorted({getattr(event, field) for event in self.events} - {None})
