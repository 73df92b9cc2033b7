"""A circuit breaker: a receiver that is down is asked now and then whether it is up again, and left alone meanwhile.

    closed       everything is sent
    open         nothing is, until a time: 10 failures in a row, and none of them a complaint about the request
    half open    one at a time: a success closes it, a failure opens it again, for twice as long

What waits is not lost and uses up no attempts.
"""

from __future__ import annotations

from typing import Literal

from qwebhook.model.delivery import Delivered, Failure, Outcome, Reply, Settled

FAILURES = 10
# Longer than an attempt may take, so that those under way when it opens have ended when it is half open.
FIRST_OPEN = 30_000
LONGEST_OPEN = 300_000
State = Literal["closed", "open", "half open"]


class Breaker:
    """The breaker of one webhook. Times are milliseconds since the epoch."""

    __slots__ = ("_failures", "_open_for", "open_until")

    def __init__(self) -> None:
        self._failures = 0
        self._open_for = FIRST_OPEN
        self.open_until = 0

    @property
    def closed(self) -> bool:
        """Whether there is no limit but the webhook's own."""
        return self._failures < FAILURES

    def state(self, now: int) -> State:
        """See the module."""
        if self.closed:
            return "closed"
        return "open" if now < self.open_until else "half open"

    def ended(self, result: Reply | Failure | Settled, outcome: Outcome, now: int) -> None:
        """Take notice of an attempt."""
        if is_alive(result, outcome):
            self._failures = 0
            self._open_for = FIRST_OPEN
            self.open_until = 0
            return
        self._failures += 1
        if self._failures >= FAILURES and now >= self.open_until:
            self.open_until = now + self._open_for
            self._open_for = min(2 * self._open_for, LONGEST_OPEN)


def is_alive(result: Reply | Failure | Settled, outcome: Outcome) -> bool:
    """Whether an attempt shows that the receiver works: it took the event, or found fault with it."""
    if isinstance(outcome, Delivered):
        return True
    if isinstance(result, Reply):
        return 300 <= result.status < 500 and result.status not in (408, 429)
    if isinstance(result, Settled):
        return result.verdict != "again"
    return result.kind in ("template", "invalid")
