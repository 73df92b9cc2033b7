"""The audit log of a stand-in tenant: pages, the tenant's time, the archive, and what can go wrong with them."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from qwebhook.model.errors import Forbidden, NotAuthorised, NotFound, QwebhookError, Unavailable
from qwebhook.source.audit_log import DAY, AuditLog
from qwebhook.source.following import follow
from qwebhook.source.pace import ReadingPace, RequestRate, Stopped, Stopping
from qwebhook.source.tail import Step, Tail
from qwebhook.store.contract import SourcePlace
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from tests.tenant import Tenant
from tests.tenant.faults import answer, cursor_loop, foreign_next, html, repeated_items, status, truncated

AUDITS = "*/audits*"


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


def remote(tenant: Tenant, key: str = "") -> Remote:
    return Remote(tenant.url, BearerKey(key or tenant.key, "renew it"), name="prod", sleep=lambda _: None)


@pytest.fixture
def log(tenant: Tenant) -> Iterator[AuditLog]:
    client = remote(tenant)
    yield AuditLog(client)
    client.close()


def now() -> int:
    return time.time_ns() // 1_000_000


def since(seconds: float) -> SourcePlace:
    """A place so many seconds ago."""
    at = now() - int(seconds * 1000)
    return SourcePlace(at, at)


def ids(tail: Tail) -> list[str]:
    return [event.id for step in tail.read() for event in step.events]


def test_pages_in_order_with_what_was_asked_for(tenant: Tenant, log: AuditLog) -> None:
    events = tenant.audits.add_many(250)
    assert ids(Tail(log, since(60))) == [event.event_id for event in events]
    first = next(one for one in tenant.log.requests("GET", AUDITS) if dict(one.query).get("limit") == "100")
    query = dict(first.query)
    assert set(query) == {"eventTime", "sort", "limit"}
    assert query["sort"] == "eventTime"


@pytest.mark.parametrize("skew", [-7200, -300, 0, 300, 7200])
def test_the_machine_s_clock_does_not_matter(tenant: Tenant, log: AuditLog, skew: int) -> None:
    tenant.clock.skew = skew
    tenant.audits.add(at=datetime.now(UTC) + timedelta(seconds=skew - 30))
    tail = Tail(log, None)
    assert ids(tail) == []
    assert tail.place is not None
    assert abs(tail.place.since - (now() + skew * 1000)) < 3000
    event = tenant.audits.add()
    assert ids(tail) == [event.event_id]


def test_a_clock_that_jumps_loses_nothing(tenant: Tenant, log: AuditLog) -> None:
    tail = Tail(log, None)
    list(tail.read())
    taken = []
    for skew in (0, 3600, 3599, 7200):
        tenant.clock.skew = skew
        taken.append(tenant.audits.add().event_id)
        got = ids(tail)
        # What is ahead of the tenant's time by the last answer is read when an answer has told of it.
        assert [*got, *ids(tail)] == taken[-1:]


def test_what_appears_late_is_read(tenant: Tenant, log: AuditLog) -> None:
    tail = Tail(log, since(600))
    late = tenant.audits.add(at=datetime.now(UTC) - timedelta(minutes=5), held=True)
    seen = tenant.audits.add()
    assert ids(tail) == [seen.event_id]
    tenant.audits.release(late)
    tail._deep_due = 0.0
    assert ids(tail) == [late.event_id]


def test_days_later_the_archive_is_read_first(tenant: Tenant, log: AuditLog) -> None:
    tenant.audits.archive_page = 2
    today = datetime.now(UTC)
    events = [tenant.audits.add(at=today - timedelta(days=days)) for days in (97, 95, 91.5, 91.2, 89, 30, 1)]
    place = SourcePlace(now() - 98 * DAY, now() - 96 * DAY)
    assert ids(Tail(log, place)) == [event.event_id for event in events[1:]]


def test_an_archived_day_in_one_piece(tenant: Tenant, log: AuditLog) -> None:
    day = (datetime.now(UTC) - timedelta(days=92)).replace(hour=12)
    events = tenant.audits.add_many(250, until=day)
    steps = list(Tail(log, SourcePlace(0, now() - 93 * DAY)).read())
    assert [event.id for step in steps for event in step.events] == [event.event_id for event in events]
    assert max(len(step.events) for step in steps) == 100


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (html(), Unavailable, "web page"),
        (truncated(), Unavailable, "cannot be read"),
        (status(503), Unavailable, "503"),
        (status(429), Unavailable, "no more requests"),
        (answer(302, location="http://127.0.0.1:9/"), Unavailable, "leads elsewhere"),
        (answer(200, b'{"data": 7}', content_type="application/json"), Unavailable, "cannot be read"),
        (cursor_loop(), Unavailable, "cursor"),
        (status(404), NotFound, "no audit log"),
    ],
)
def test_trouble_is_told_and_mended(
    tenant: Tenant, log: AuditLog, fault: object, error: type[QwebhookError], words: str
) -> None:
    events = tenant.audits.add_many(150)
    tail = Tail(log, since(60))
    log.now()
    tenant.faults.inject(fault, path=AUDITS, times=None)  # type: ignore[arg-type]
    with pytest.raises(error, match=words):
        ids(tail)
    tenant.faults.mend()
    assert {event.event_id for event in events[100:]} <= set(ids(tail))
    assert tail.place == SourcePlace(tail.place.since, events[-1].time)  # type: ignore[union-attr]


def test_trouble_on_a_later_page_keeps_what_was_read(tenant: Tenant, log: AuditLog) -> None:
    events = tenant.audits.add_many(250)
    tail = Tail(log, since(60))
    log.now()
    tenant.faults.inject(truncated(), path=AUDITS, after=1)
    got = []
    with pytest.raises(Unavailable):
        for step in tail.read():
            got += [event.id for event in step.events]
    got += ids(tail)
    assert got == [event.event_id for event in events]


def test_a_link_to_another_host_is_not_followed(tenant: Tenant, log: AuditLog) -> None:
    events = tenant.audits.add_many(150)
    with Tenant() as elsewhere:
        log.now()
        tenant.faults.inject(foreign_next(elsewhere.url), path=AUDITS)
        assert ids(Tail(log, since(60))) == [event.event_id for event in events]
        assert elsewhere.log.requests() == []


def test_repeated_items_are_counted(tenant: Tenant, log: AuditLog) -> None:
    events = tenant.audits.add_many(250)
    log.now()
    tenant.faults.inject(repeated_items(2), path=AUDITS, times=None)
    steps = list(Tail(log, since(60)).read())
    assert [event.id for step in steps for event in step.events] == [event.event_id for event in events]
    assert [skip.kind for step in steps for skip in step.skips] == ["repeated"] * 4


def test_an_item_without_a_type_is_passed_over(tenant: Tenant, log: AuditLog) -> None:
    tenant.audits.add(None, event_id="typeless")
    event = tenant.audits.add()
    steps = list(Tail(log, since(60)).read())
    assert [event.id for step in steps for event in step.events] == [event.event_id]
    assert [(skip.kind, skip.name) for step in steps for skip in step.skips] == [("malformed", "typeless")]


def test_who_may_not_read_it_is_told(tenant: Tenant) -> None:
    with pytest.raises(Forbidden, match="tenant administrator"):
        AuditLog(remote(tenant, tenant.access.new_key("user", "anna"))).now()
    key = tenant.access.new_key("admin")
    tenant.access.expire(key)
    with pytest.raises(NotAuthorised, match="renew it"):
        AuditLog(remote(tenant, key)).now()


# Following


class Collector:
    """A `Follower` that keeps what it is given; it stops at a number of events."""

    def __init__(self, stopping: Stopping, enough: int) -> None:
        self.ids: list[str] = []
        self.errors: list[QwebhookError] = []
        self.caught_up_after: list[int] = []
        self._stopping = stopping
        self._enough = enough

    def take(self, step: Step) -> None:
        self.ids += [event.id for event in step.events]
        if len(self.ids) >= self._enough:
            self._stopping.stop()

    def caught_up(self) -> None:
        self.caught_up_after.append(len(self.ids))

    def failed(self, error: QwebhookError) -> None:
        self.errors.append(error)


class _Hurried(ReadingPace):
    def after(self, found: bool) -> float:
        return super().after(found) / 100

    def after_failure(self) -> float:
        return super().after_failure() / 100


def test_following_goes_on_through_an_outage(tenant: Tenant, log: AuditLog) -> None:
    stopping = Stopping()
    collector = Collector(stopping, 3)
    first = tenant.audits.add()
    thread = threading.Thread(target=follow, args=(Tail(log, since(60)), collector, stopping, _Hurried()))
    thread.start()
    tenant.log.wait_for(3, "GET", AUDITS, answered=True)
    tenant.stop()
    missed = tenant.audits.add()
    deadline = time.monotonic() + 10
    while not collector.errors and time.monotonic() < deadline:
        time.sleep(0.01)
    tenant.start()
    last = tenant.audits.add()
    thread.join(10)
    assert not thread.is_alive()
    assert collector.ids == [first.event_id, missed.event_id, last.event_id]
    assert collector.errors


def test_a_stop_ends_a_wait_at_once(tenant: Tenant, log: AuditLog) -> None:
    stopping = Stopping()
    thread = threading.Thread(
        target=follow, args=(Tail(log, since(60)), Collector(stopping, 1), stopping, ReadingPace())
    )
    thread.start()
    tenant.log.wait_for(1, "GET", AUDITS, answered=True)
    stopping.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_a_long_log_is_followed_in_bounded_memory(tenant: Tenant, log: AuditLog) -> None:
    """A tenth of what `benchmarks/audits.py` reads."""
    log._remote._client.headers["accept-encoding"] = "identity"
    tenant.audits.add_many(10_000)
    tail = Tail(log, since(3600), remembered=500)
    reading = tail.read()
    count = 0
    tracemalloc.start()
    try:
        early = 0
        for step in reading:
            count += len(step.events)
            if count == 2000:
                early = tracemalloc.get_traced_memory()[0]
            if count == 10_000:
                break
        # The tenant, which is in this process, too, notes every request.
        assert tracemalloc.get_traced_memory()[0] - early < 1 << 20
    finally:
        tracemalloc.stop()
    assert count == 10_000


# Pace


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def test_requests_keep_to_the_rate_after_a_few_at_once() -> None:
    clock = Time()
    rate = RequestRate(clock.sleep, per_minute=60, burst=5, monotonic=lambda: clock.now)
    for _ in range(20):
        rate.wait()
    assert clock.waits[:6] == [0] * 6
    assert clock.now == pytest.approx(14)
    clock.now += 100
    before = clock.now
    for _ in range(6):
        rate.wait()
    assert clock.now == before


def test_readings_are_frequent_after_events_and_rare_without() -> None:
    pace = ReadingPace(lambda: 0.5)
    assert [pace.after(found) for found in (True, False, False, False, False, False)] == [1, 2, 4, 5, 5, 5]
    assert pace.after(True) == 1
    assert [pace.after_failure() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pace.after(False) == 2
    assert pace.after_failure() == 1


def test_a_stop_is_heard_by_who_waits() -> None:
    stopping = Stopping()
    stopping.sleep(0)
    stopping.stop()
    with pytest.raises(Stopped):
        stopping.sleep(60)
