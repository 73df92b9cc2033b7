"""How fast a log is read: within the tenant's rate limit, often after events, seldom when nothing happens.

requests    900 a minute of the thousand that the service allows one user, 60 of them at once
readings    1 s after events, then 2, 4 and 5 s while there are none
failures    1 s, doubled each time up to a minute, moved by up to a quarter either way
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

REQUESTS_A_MINUTE = 900.0
BURST = 60
FAST, SLOW = 1.0, 5.0
LONGEST_AFTER_FAILURE = 60.0


class Stopped(Exception):
    """Reading was told to stop."""


class Stopping:
    """Waits that end when they are told to, from another thread."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait. Raises Stopped."""
        if self._stopped.wait(seconds):
            raise Stopped


class RequestRate:
    """Lets through so many requests a minute, and a few at once after a rest. sleep, monotonic: seconds."""

    def __init__(
        self,
        sleep: Callable[[float], None],
        per_minute: float = REQUESTS_A_MINUTE,
        burst: int = BURST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._interval = 60.0 / per_minute
        self._burst = burst
        self._monotonic = monotonic
        self._next = float("-inf")

    def wait(self) -> None:
        """Return when the next request may be sent."""
        now = self._monotonic()
        at = max(self._next, now - self._burst * self._interval)
        self._next = at + self._interval
        # Also when there is nothing to wait for, so that a stop is noticed.
        self._sleep(max(at - now, 0.0))


class ReadingPace:
    """How long to wait between readings, in seconds."""

    def __init__(self, randomness: Callable[[], float] = random.random) -> None:
        self._randomness = randomness
        self._idle = FAST
        self._failures = 0

    def after(self, found: bool) -> float:
        """After a reading that found events, or none."""
        self._failures = 0
        wait = FAST if found else self._idle
        self._idle = min(wait * 2, SLOW)
        return wait

    def after_failure(self) -> float:
        """After one that failed."""
        wait: float = min(FAST * 2.0 ** min(self._failures, 10), LONGEST_AFTER_FAILURE)
        self._failures += 1
        return wait * (0.75 + 0.5 * self._randomness())
