"""A server's time, as the dates of its answers tell it: this machine's clock may be wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

SECOND = 1000


class ServerTime:
    """The time of one server, in milliseconds since the epoch. monotonic: seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        # The server's time less the monotonic clock's.
        self._ahead: int | None = None

    def note(self, date: str) -> None:
        """Take the time from the header `Date` of an answer. Its seconds are whole, so that what is told of them is
        never ahead of the server.
        """
        try:
            told = parsedate_to_datetime(date)
        except (ValueError, TypeError):
            return
        moment = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
        ahead = int(moment.timestamp()) * SECOND - self._elapsed()
        # The latest of the estimates lags least behind; unless the server's clock was set back.
        if self._ahead is None or ahead > self._ahead or ahead < self._ahead - 2 * SECOND:
            self._ahead = ahead

    def assume(self, moment: int) -> None:
        """Go by this, for want of a date."""
        self._ahead = moment - self._elapsed()

    def now(self) -> int | None:
        """The time there; None where no answer has told it."""
        return None if self._ahead is None else self._ahead + self._elapsed()

    def _elapsed(self) -> int:
        return int(self._monotonic() * SECOND)
