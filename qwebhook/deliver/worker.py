"""The worker: takes a slot, then a delivery; sends; records; and goes to sleep until the next falls due.

Every webhook has a lane with slots of its own, and lanes take turns, so that no webhook's trouble delays another's.
What was just accepted is handed over in memory; a lane that has fallen behind reads on from the store, in order. The
claims are in memory alone: one server has the store.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from qwebhook.deliver.attempt import attempt, attempt_together
from qwebhook.deliver.breaker import State
from qwebhook.deliver.lane import Lane
from qwebhook.deliver.targets import Targets
from qwebhook.deliver.writer import Clock, Writer
from qwebhook.model.delivery import Exchange, Outcome, RetryAt, judge, reason
from qwebhook.model.endpoint import Endpoint, EndpointIndex
from qwebhook.model.errors import Unavailable
from qwebhook.store.contract import Claim, Journal, Recording, Written

# Bodies that may wait in memory, over all lanes; beyond this, lanes read from the store when their turn comes.
READY_BYTES = 64 << 20
# How often to ask whether another process has committed: an idle server does nothing else.
WATCH_SECONDS = 0.25
LONGEST_SLEEP = 3600.0
# Deliveries started in one turn of the event loop: between them, requests that came in are read and answered.
STARTS_PER_TURN = 2


class Observer(Protocol):
    """Is told of what the worker does."""

    def attempted(self, endpoint: Endpoint, claim: Claim, exchange: Exchange, outcome: Outcome, reason: str) -> None:
        """An attempt has ended and is on record."""

    def broken(self, endpoint: Endpoint, open_until: int | None) -> None:
        """The webhook's breaker has opened until a time (ms since the epoch); None: it has closed."""


class Worker:
    """Delivers what a journal holds. To be made and used within one event loop.

    randomness: gives floats, uniform in [0, 1).
    """

    def __init__(self, targets: Targets, observer: Observer, clock: Clock, randomness: Callable[[], float]) -> None:
        self._targets = targets
        self._observer = observer
        self._clock = clock
        self._randomness = randomness
        self._loop = asyncio.get_running_loop()
        self._writer: Writer
        self._lanes: dict[int, Lane] = {}
        self._turns: deque[Lane] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetches: set[asyncio.Task[None]] = set()
        self._ready_bytes = 0
        self._stopping = False
        self._pumping = False
        self._watching: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """How many attempts are under way."""
        return len(self._tasks)

    def endpoints(self) -> list[Endpoint]:
        """The webhooks as they are now."""
        return [lane.endpoint for lane in self._lanes.values()]

    def breakers(self) -> dict[State, int]:
        """How many webhooks' breakers are in each state."""
        now = self._clock()
        counts: dict[State, int] = {"closed": 0, "open": 0, "half open": 0}
        for lane in self._lanes.values():
            counts[lane.breaker.state(now)] += 1
        return counts

    async def start(self, writer: Writer) -> None:
        """Take up the endpoints and everything that is due."""
        self._writer = writer
        # A disk without room for that is no reason not to start.
        with contextlib.suppress(Unavailable):
            await writer.run(lambda journal: journal.hasten(self._clock()))
        index, commits = await writer.run(lambda journal: (journal.refresh(), journal.foreign_commits()))
        if index is not None:
            self.take_endpoints(index)
        await self._look_for_due()
        self._watching = asyncio.create_task(self._watch(commits), name="qwebhook-watch")

    def written(self, written: Written) -> None:
        """Take what a transaction brought: new endpoints, and deliveries to make."""
        if written.endpoints is not None:
            self.take_endpoints(written.endpoints)
        now = self._clock()
        for accepted in written.accepted:
            if accepted.claims:
                self._offer(accepted.claims, now)
        if written.raised:
            self._offer(written.raised, now)
        self._pump()

    def offer(self, claims: Iterable[Claim]) -> None:
        """Take deliveries that were put into the store in another way than by accepting events."""
        self._offer(claims, self._clock())
        self._pump()

    def take_endpoints(self, index: EndpointIndex) -> None:
        """Work with the webhooks as they are now; those in flight end as they began."""
        for row in self._lanes.keys() - index.by_row.keys():
            lane = self._lanes.pop(row)
            self._forget(lane.ready)
            lane.ready.clear()
            if lane.timer is not None:
                lane.timer.cancel()
        for row, endpoint in index.by_row.items():
            known = self._lanes.get(row)
            if known is None:
                self._lanes[row] = Lane(endpoint)
            elif known.endpoint is not endpoint:
                dropped = known.change(endpoint)
                self._forget(dropped)
                if dropped:
                    known.due_later(0)
                self._take_turn(known)
        self._pump()

    def _offer(self, claims: Iterable[Claim], now: int) -> None:
        for claim in claims:
            lane = self._lanes.get(claim.webhook)
            if lane is None:
                continue  # deleted meanwhile, and its deliveries with it
            if lane.takes_directly(now) and self._ready_bytes < READY_BYTES and not self._stopping:
                self._ready(lane, claim)
            else:
                lane.due_later(claim.due)
            self._take_turn(lane)

    def _ready(self, lane: Lane, claim: Claim) -> None:
        lane.ready.append(claim)
        lane.held.add(claim.sequence)
        self._ready_bytes += len(claim.body)

    def _forget(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            self._ready_bytes -= len(claim.body)

    def _take_turn(self, lane: Lane) -> None:
        if not lane.runnable:
            lane.runnable = True
            self._turns.append(lane)

    def _pump(self) -> None:
        """Start what may be started, one delivery a lane and turn; then see to what each lane waits for."""
        now = self._clock()
        turns = self._turns
        started = 0
        while turns and not self._stopping:
            lane = turns.popleft()
            if lane.can_start(now):
                if started == STARTS_PER_TURN:
                    turns.appendleft(lane)
                    if not self._pumping:
                        self._pumping = True
                        self._loop.call_soon(self._pump_on)
                    return
                started += 1
                claim = lane.start(now)
                self._ready_bytes -= len(claim.body)
                if lane.together:
                    rest = lane.start_the_rest()
                    self._forget(rest)
                    task = self._loop.create_task(self._deliver_together(lane, [claim, *rest]))
                else:
                    task = self._loop.create_task(self._deliver(lane, claim))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                turns.append(lane)
                continue
            lane.runnable = False
            if lane.wants_more(now):
                self._fetch(lane)
            else:
                self._set_timer(lane, now)

    def _pump_on(self) -> None:
        self._pumping = False
        self._pump()

    def _set_timer(self, lane: Lane, now: int) -> None:
        """Wake the lane when its pause ends or its rate allows, or when its next delivery falls due."""
        opens_at = lane.opens_at()
        due = opens_at if lane.ready else lane.store_due
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if due is None or not lane.endpoint.webhook.enabled or lane.fetching:
            return
        due = max(due, opens_at)
        if due <= now and (lane.ready or lane.in_flight):
            return  # waits for a slot, not for time
        # An hour at most: the clock may be set while we sleep.
        seconds = min(max(due - now, 0) / 1000, LONGEST_SLEEP)
        lane.timer = self._loop.call_later(seconds, self._wake, lane)

    def _wake(self, lane: Lane) -> None:
        lane.timer = None
        self._take_turn(lane)
        self._pump()

    def _fetch(self, lane: Lane) -> None:
        lane.fetching = True
        task = self._loop.create_task(self._fetch_from_store(lane))
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    async def _fetch_from_store(self, lane: Lane) -> None:
        endpoint, held, now = lane.endpoint, set(lane.held), self._clock()
        row = endpoint.row
        lane.store_due = None
        # One at a time while the other lanes' bodies fill the memory that there is for them.
        limit = lane.ready_limit if self._ready_bytes < READY_BYTES else 1

        def read(journal: Journal) -> tuple[list[Claim], int | None]:
            claims = journal.claim(row, now, limit, held)
            return claims, journal.next_due(row, held.union(claim.sequence for claim in claims))

        try:
            claims, due = await self._writer.run(read)
        except Exception:
            # The store is in trouble, which `readyz` tells; this lane looks again in a while.
            claims, due = [], now + 5000
        lane.fetching = False
        if self._lanes.get(row) is not lane:
            return  # deleted meanwhile, and its deliveries with it
        if lane.endpoint is not endpoint:
            claims, due = [], 0  # what was read before the change may be discarded
        if claims and lane.strict:
            # What a restart, or disabling, made us forget: the head of the queue waits for its retry.
            lane.paused_until = max(lane.paused_until, claims[0].not_before)
        for claim in claims:
            if claim.sequence not in lane.held:
                self._ready(lane, claim)
        if due is not None:
            lane.due_later(due)
        self._take_turn(lane)
        self._pump()

    async def _deliver(self, lane: Lane, claim: Claim) -> None:
        endpoint = lane.endpoint
        try:
            exchange = await attempt(
                self._targets, endpoint, claim.key, claim.type, claim.body, self._clock(), trace=claim.trace
            )
            now = self._clock()
            outcome = self._judged(endpoint, claim, exchange, now)
            self._learn(lane, exchange, outcome, now)
            why = reason(exchange.result)
            # The slot is kept until the attempt is on disk: what a crash sends again was in flight.
            await self._writer.record(Recording(claim, exchange, outcome, why))
            self._observer.attempted(endpoint, claim, exchange, outcome, why)
        except Exception as error:
            # It cannot be written down, and the log says why; held, it is not sent again while this server lives.
            self._take_turn(lane)
            self._loop.call_soon(self._pump)
            if not isinstance(error, Unavailable):
                raise
            return
        finally:
            lane.in_flight -= 1
        self._after(lane, claim, outcome)
        self._take_turn(lane)
        self._pump()

    async def _deliver_together(self, lane: Lane, claims: list[Claim]) -> None:
        """Deliver in one go, in order: a file that cannot be written fails for all of them."""
        endpoint = lane.endpoint
        try:
            exchanges = await attempt_together(self._targets, endpoint, claims, self._clock())
            now = self._clock()
            outcomes = [self._judged(endpoint, *pair, now) for pair in zip(claims, exchanges, strict=True)]
            whys = [reason(exchange.result) for exchange in exchanges]
            recordings = [Recording(*ended) for ended in zip(claims, exchanges, outcomes, whys, strict=True)]
            written = await asyncio.gather(*map(self._writer.record, recordings), return_exceptions=True)
        finally:
            lane.in_flight -= 1
            # After what follows, and whatever becomes of it.
            self._take_turn(lane)
            self._loop.call_soon(self._pump)
        # From the last, since those that are to be tried again go to the front.
        for recording, failed in zip(reversed(recordings), reversed(written), strict=True):
            if failed is None:
                self._after(lane, recording.claim, recording.outcome)
        for one, failed in zip(recordings, written, strict=True):
            if failed is None:
                self._observer.attempted(endpoint, one.claim, one.exchange, one.outcome, one.reason)
            elif not isinstance(failed, Unavailable):
                raise failed

    def _learn(self, lane: Lane, exchange: Exchange, outcome: Outcome, now: int) -> None:
        was_closed = lane.breaker.closed
        lane.learn(exchange.result, outcome, now)
        if lane.breaker.closed is not was_closed:
            self._observer.broken(lane.endpoint, lane.breaker.open_until if was_closed else None)

    def _judged(self, endpoint: Endpoint, claim: Claim, exchange: Exchange, now: int) -> Outcome:
        schedule = endpoint.webhook.qwebhook.retries
        return judge(exchange.result, claim.attempt, now, self._randomness(), schedule)

    def _after(self, lane: Lane, claim: Claim, outcome: Outcome) -> None:
        """See to the next attempt, if there is to be one."""
        active = self._lanes.get(claim.webhook) is lane and lane.endpoint.webhook.enabled
        if isinstance(outcome, RetryAt) and lane.strict and active:
            lane.ready.appendleft(msgspec.structs.replace(claim, attempt=claim.attempt + 1))
            self._ready_bytes += len(claim.body)
            lane.paused_until = max(lane.paused_until, outcome.due)
            return
        lane.held.discard(claim.sequence)
        if isinstance(outcome, RetryAt):
            lane.due_later(outcome.due)

    async def _watch(self, commits: int) -> None:
        """Notice what other processes committed: changed webhooks, and events put straight into the store."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                seen = await self._writer.run(lambda journal: journal.foreign_commits())
                if seen == commits:
                    continue
                await self._writer.run(self._refresh)
                await self._look_for_due()
                commits = seen
            except Exception:  # noqa: S112 the store is in trouble: `readyz` tells, and the next look may work
                continue

    def _refresh(self, journal: Journal) -> None:
        index = journal.refresh()
        if index is not None:
            # From here, so that it comes before what a later change brings.
            self._loop.call_soon_threadsafe(self.take_endpoints, index)

    async def _look_for_due(self) -> None:
        """Ask the store, lane by lane, for the earliest delivery that is not in hand."""
        idle = [(lane, set(lane.held)) for lane in self._lanes.values() if lane.endpoint.webhook.enabled]

        def read(journal: Journal) -> list[int | None]:
            return [journal.next_due(lane.endpoint.row, held) for lane, held in idle]

        for (lane, _), due in zip(idle, await self._writer.run(read), strict=True):
            if due is not None:
                lane.due_later(due)
                self._take_turn(lane)
        self._pump()

    @property
    def stopping(self) -> bool:
        """Whether nothing more is started."""
        return self._stopping

    def stop_starting(self) -> None:
        """Start nothing more; what is ready stays pending."""
        self._stopping = True
        if self._watching is not None:
            self._watching.cancel()
        for lane in self._lanes.values():
            if lane.timer is not None:
                lane.timer.cancel()

    async def drain(self, seconds: float) -> int:
        """Wait for what is in flight; how many attempts were broken off after the seconds. Those stay pending."""
        tasks = set(self._tasks)
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._fetches, return_exceptions=True)
        return len(tasks)
