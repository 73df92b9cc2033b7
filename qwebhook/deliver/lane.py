"""One webhook's share of the work: what is ready for it, what is in flight, and how much it may take."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from qwebhook.deliver.breaker import Breaker, is_alive
from qwebhook.model.delivery import THROTTLED, Delivered, Failure, Outcome, Reply, RetryAt, Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.sheet import SHEET_SCHEMES
from qwebhook.store.contract import Claim

LEAST_CONCURRENCY = 10
MOST_CONCURRENCY = 64
READY_LIMIT = 256
# Rows of a spreadsheet are written together: a file is written anew however few they are, and a request to Google
# should not be of much more than 2 MB. What is read from the store at once has a limit of its own, in bytes.
TOGETHER_LIMIT, GOOGLE_LIMIT = 10_000, 2000
# After this many 429 or 503 in a row that ask for a pause, the whole webhook pauses, at most for a day.
THROTTLES_BEFORE_PAUSE = 3
LONGEST_PAUSE = 86_400_000
MINUTE = 60_000
# A start that comes late by up to this many milliseconds counts as made in time, so that a rate of thousands a minute
# is reached although timers wake us late. The spacing is wider by as much as that could let into one minute too many.
CATCH_UP = 50


class Lane:
    """The state of one webhook in the worker. Times are milliseconds since the epoch.

    ready: claimed, to be started in order. held: sequences that are ready or in flight. store_due: when the
    earliest delivery falls due that is in the store and not held; None if there is none. paused_until: before this,
    nothing is started.

    A rate is kept by spacing starts evenly, without saving up for a burst: then no minute, wherever it begins, sees
    more starts than the rate, and what is remembered is one number.
    """

    __slots__ = (
        "_last_start",
        "_spacing",
        "_throttles",
        "breaker",
        "endpoint",
        "fetching",
        "held",
        "in_flight",
        "limit",
        "paused_until",
        "ready",
        "runnable",
        "spaced_until",
        "store_due",
        "timer",
    )

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.ready: deque[Claim] = deque()
        self.held: set[int] = set()
        self.in_flight = 0
        self.limit = LEAST_CONCURRENCY
        self.breaker = Breaker()
        self.store_due: int | None = None
        self.paused_until = 0
        self.spaced_until = 0.0
        self.fetching = False
        self.runnable = False
        self.timer: asyncio.TimerHandle | None = None
        self._throttles = 0
        self._spacing = 0.0
        self._last_start = 0.0
        self._take_settings()

    @property
    def strict(self) -> bool:
        """Whether deliveries go one at a time, a retry holding the next."""
        return self.endpoint.strict

    @property
    def together(self) -> bool:
        """Whether all that is ready is delivered at once."""
        return self.endpoint.scheme in SHEET_SCHEMES and not self._spacing

    @property
    def ready_limit(self) -> int:
        """How many deliveries may be ready."""
        if not self.together:
            return READY_LIMIT
        return GOOGLE_LIMIT if self.endpoint.scheme == "gsheet" else TOGETHER_LIMIT

    def can_start(self, now: int) -> bool:
        """Whether a delivery may be started now."""
        return (
            bool(self.ready)
            and self.in_flight < self._slots
            and self.paused_until <= now
            and (self.spaced_until <= now or self._clock_was_set_back(now))
            and self.endpoint.webhook.enabled
        )

    @property
    def _slots(self) -> int:
        return self.limit if self.breaker.closed else 1

    def start(self, now: int) -> Claim:
        """The delivery to start, which takes a slot; only if `can_start`."""
        self.in_flight += 1
        if self._spacing:
            late = 0 <= now - self.spaced_until <= CATCH_UP
            self._last_start = self.spaced_until if late else now
            self.spaced_until = self._last_start + self._spacing
        return self.ready.popleft()

    def start_the_rest(self) -> list[Claim]:
        """What else is ready, to go in the same slot."""
        rest = list(self.ready)
        self.ready.clear()
        return rest

    def opens_at(self) -> int:
        """When neither a pause nor the rate holds the webhook back any longer."""
        return max(self.paused_until, math.ceil(self.spaced_until))

    def _clock_was_set_back(self, now: int) -> bool:
        return self.spaced_until - now > self._spacing + 1  # what rounding may make of it

    def wants_more(self, now: int) -> bool:
        """Whether to read from the store: nothing is ready, and something there is due."""
        return (
            not self.ready
            and not self.fetching
            and self.in_flight < self._slots
            and self.store_due is not None
            and self.store_due <= now
            and self.paused_until <= now
            and self.endpoint.webhook.enabled
        )

    def due_later(self, due: int) -> None:
        """Remember that the store holds a delivery that falls due then."""
        self.store_due = due if self.store_due is None else min(self.store_due, due)

    def takes_directly(self, now: int) -> bool:
        """Whether what was just accepted may be kept in memory: not when older ones wait in the store."""
        behind = self.fetching or (self.store_due is not None and self.store_due <= now)
        return not behind and len(self.ready) < self.ready_limit and self.endpoint.webhook.enabled

    def change(self, endpoint: Endpoint) -> list[Claim]:
        """Take a new version of the webhook; what was ready, which the store knows better now: it may be discarded."""
        was_enabled, url = self.endpoint.webhook.enabled, self.endpoint.webhook.url
        self.endpoint = endpoint
        self._take_settings()
        dropped = list(self.ready)
        self.ready.clear()
        self.held.difference_update(claim.sequence for claim in dropped)
        if endpoint.webhook.enabled and not was_enabled:
            self.store_due = 0  # what was held meanwhile is due
            self.paused_until = 0
            self._throttles = 0
        if (endpoint.webhook.enabled and not was_enabled) or endpoint.webhook.url != url:
            if self.paused_until == self.breaker.open_until:
                self.paused_until = 0
            self.breaker = Breaker()
        return dropped

    def _take_settings(self) -> None:
        settings = self.endpoint.webhook.qwebhook
        rate = settings.rate_per_minute
        self._spacing = (MINUTE + CATCH_UP) / rate if rate else 0.0
        self.spaced_until = self._last_start + self._spacing if rate else 0.0
        if self.strict or (self.endpoint.scheme == "exec" and settings.concurrency is None):
            self.limit = 1
        elif settings.concurrency is not None:
            self.limit = settings.concurrency
        else:
            self.limit = min(max(self.limit, LEAST_CONCURRENCY), MOST_CONCURRENCY)

    def learn(self, result: Reply | Failure | Settled, outcome: Outcome, now: int) -> None:
        """Adapt to how an attempt ended: concurrency, a pause that a receiver insists on, and one that it needs."""
        if not self.strict:  # where a retry holds the webhook anyway
            self.breaker.ended(result, outcome, now)
            self.paused_until = max(self.paused_until, self.breaker.open_until)
        status = result.status if isinstance(result, Reply) else 0
        if status in THROTTLED and isinstance(outcome, RetryAt) and outcome.asked:
            self._throttles += 1
            if self._throttles >= THROTTLES_BEFORE_PAUSE:
                self.paused_until = max(self.paused_until, min(outcome.due, now + LONGEST_PAUSE))
        else:
            self._throttles = 0
        fixed = self.strict or self.endpoint.scheme == "exec"
        if fixed or self.endpoint.webhook.qwebhook.concurrency is not None:
            return
        if isinstance(outcome, Delivered):
            if self.in_flight >= self.limit:  # only what was used up is worth more
                self.limit = min(self.limit + 1, MOST_CONCURRENCY)
        elif not is_alive(result, outcome):  # overload, not a complaint about the request
            self.limit = max(self.limit // 2, LEAST_CONCURRENCY)
