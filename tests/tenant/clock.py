"""The tenant's time, which need not be that of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime

DAY = 86_400_000


class Clock:
    """skew: seconds by which the tenant's clock is ahead; negative where it is late."""

    def __init__(self) -> None:
        self.skew = 0.0

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return int((time.time() + self.skew) * 1000)


def written(milliseconds: int) -> str:
    """RFC 3339 in UTC: `2026-11-24T16:18:59.123Z`."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def read(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time. Raises ValueError, also for a time without an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text:
        raise ValueError(f"{text!r} is not a time with an offset")
    return milliseconds_of(moment)


def milliseconds_of(moment: datetime) -> int:
    """Milliseconds since the epoch; the moment must have an offset."""
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1000 + moment.microsecond // 1000
