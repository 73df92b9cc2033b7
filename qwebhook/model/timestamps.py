"""Points in time: milliseconds since the epoch inside, RFC 3339 in UTC outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from qwebhook.model.errors import InvalidInput

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_DURATION = re.compile(f"(?:{_DURATION_PART.pattern})+")


def to_rfc3339(milliseconds: int) -> str:
    """RFC 3339 with milliseconds and `Z`: `2026-11-24T16:18:59.123Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    # Cached, since a log has many lines a second.
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"


def from_rfc3339(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time; a time without a zone is taken as UTC.

    Raises InvalidInput.
    """
    try:
        # RFC 3339 has "t" and "z" as well, which fromisoformat does not.
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise InvalidInput(f"{text!r} is not an RFC 3339 time", "write 2026-11-24T16:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def duration_seconds(text: str) -> float:
    """Seconds of a duration such as `15`, `90s`, `1h30m` or `7d`; a bare number is seconds.

    Raises InvalidInput.
    """
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        if not _DURATION.fullmatch(text):
            raise InvalidInput(f"{text!r} is not a duration", "write 90s, 15m, 24h or 7d") from None
        seconds = sum(float(part[1]) * _UNITS[part[2]] for part in _DURATION_PART.finditer(text))
    if not 0 <= seconds < 10**10:
        raise InvalidInput(f"{text!r} is not a duration", "write 90s, 15m, 24h or 7d")
    return seconds


def moment(text: str, now: int) -> int:
    """Milliseconds since the epoch of an RFC 3339 time, or of a duration before `now`, such as `90m` or `7d`.

    A bare number is neither: it could be meant as seconds, or as a year. Raises InvalidInput.
    """
    text = text.strip()
    try:
        if _DURATION.fullmatch(text):
            return now - round(duration_seconds(text) * 1000)
        return from_rfc3339(text)
    except InvalidInput:
        raise InvalidInput(
            f"{text!r} is neither a time nor a duration before now", "write 2026-11-24T16:00:00Z, 90m or 7d"
        ) from None


def humanised(seconds: float) -> str:
    """A length of time for a person, its two largest units: `850ms`, `5s`, `1m30s`, `2d3h`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    parts: list[tuple[int, str]] = []
    for name, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append((count, name))
    return "".join(f"{count}{name}" for count, name in parts[:2] if count)
