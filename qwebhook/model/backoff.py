"""When a failed delivery is tried again: a function of the attempt, the clock and randomness.

The delays after the first attempt are those of the Standard Webhooks example schedule, so the ten attempts
of a delivery start, without jitter, after

    attempt   1    2     3        4          5          6          7        8        9        10
    delay     0    5 s   5 m      30 m       2 h        5 h        10 h     14 h     20 h     24 h
    in all    0    5 s   5 m 5 s  35 m 5 s   2 h 35 m   7 h 35 m   17 h 35  31 h 35  51 h 35  75 h 35 m

Jitter moves each by up to a tenth either way, so that what failed together does not come back together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

SCHEDULE = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
ATTEMPTS = len(SCHEDULE) + 1
SPAN = sum(SCHEDULE)
JITTER = 0.1
# Of a webhook's own schedule, in seconds.
LONGEST_RETRY = 7 * 86_400
# No delivery waits longer for its next attempt, whatever was asked for.
LONGEST_WAIT = max(SPAN, LONGEST_RETRY) * (1 + JITTER)


def retry_delay(
    attempt: int, randomness: float, retry_after: float | None = None, schedule: Sequence[float] = SCHEDULE
) -> float | None:
    """Seconds from the end of attempt number `attempt` (from 1) to the next; None when that was the last.

    randomness: uniform in [0, 1). retry_after: seconds the receiver asked for, which are never undercut: a longer
    wait than the schedule's is taken as asked, up to the length of the whole schedule. A shorter one is taken
    too, but not below 1 s, 4 s, 16 s, … (a fourfold rise), or a receiver that always says "in a second" would use
    up all attempts in ten. schedule: seconds before the second attempt, the third and so on.
    """
    if not 1 <= attempt <= len(schedule):
        return None
    scheduled = schedule[attempt - 1]
    if retry_after is None:
        return scheduled * (1 - JITTER + 2 * JITTER * randomness)
    least = min(scheduled, 4.0 ** (attempt - 1))
    return min(max(retry_after, least) * (1 + JITTER * randomness), max(SPAN, retry_after))


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110, section 10.2.3); None if it cannot be read.

    value: a number of seconds or an HTTP date. now: seconds since the epoch. The answer lies in 0 to SPAN.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), SPAN)
    # Imported here, since every command would pay its 8 ms and hardly a receiver sends a date.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment.timestamp() - now, 0.0), SPAN)
