"""Rate limits as the service has them: so many reads and so many writes of one user in a window."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from tests.tenant.answers import Refused


@dataclass
class _Window:
    ends: float
    used: int = 0


class Rate:
    """No limits until `limit` sets some."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._limits: dict[str, int | None] = {}
        self._seconds = 0.0
        self._tells = True
        self._windows: dict[tuple[str, str], _Window] = {}

    def limit(
        self, reads: int | None = None, writes: int | None = None, window: float = 300.0, retry_after: bool = True
    ) -> None:
        """At most so many requests of one user in a window, from its first request on; None for any number.

        window: seconds. retry_after: whether a 429 says how long to wait.
        """
        with self._lock:
            self._limits = {"reads": reads, "writes": writes}
            self._seconds, self._tells = window, retry_after
            self._windows.clear()

    def take(self, user_id: str, method: str) -> None:
        """Count a request. Raises Refused (429)."""
        tier = "reads" if method == "GET" else "writes"
        limit = self._limits.get(tier)
        if limit is None:
            return
        now = time.monotonic()
        window = self._windows.get((user_id, tier))
        if window is None or window.ends <= now:
            window = self._windows[user_id, tier] = _Window(now + self._seconds)
        if window.used >= limit:
            wait = str(math.ceil(window.ends - now))
            raise Refused(429, "Too many requests", headers=(("retry-after", wait),) if self._tells else ())
        window.used += 1
