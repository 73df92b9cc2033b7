"""Following a log: nothing missed, nothing repeated, and a place that never passes what was not read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.errors import Unavailable
from qwebhook.source.audit_log import DAY, KEPT
from qwebhook.source.tail import DEEP_OVERLAP, OVERLAP, Step, Tail
from qwebhook.store.contract import SourcePlace
from tests.source.logs import MINUTE, NOW, SECOND, MemoryLog

START = SourcePlace(NOW, NOW)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def steps(tail: Tail) -> list[Step]:
    return list(tail.read())


def names(tail: Tail) -> list[str]:
    """The ids of what one reading brings."""
    return [event.id for step in steps(tail) for event in step.events]


def skips(taken: list[Step]) -> list[tuple[str, str]]:
    return [(skip.kind, skip.name) for step in taken for skip in step.skips]


def test_it_begins_now_and_says_so_at_once() -> None:
    log = MemoryLog()
    log.add("before", NOW - SECOND)
    tail = Tail(log, None)
    first, *others = steps(tail)
    assert first.place == START
    assert not first.events
    assert not [event for step in others for event in step.events]
    log.time += SECOND
    log.add("after")
    assert names(tail) == ["after"]


def test_what_was_there_before_the_beginning_is_not_read_after_a_restart_either() -> None:
    log = MemoryLog()
    log.add("before", NOW - SECOND)
    log.time += MINUTE
    assert names(Tail(log, START)) == []


def test_events_come_in_order_and_once() -> None:
    log = MemoryLog()
    tail = Tail(log, START)
    for number in range(10):
        log.add(str(number), NOW + number)
    log.time += SECOND
    assert names(tail) == [str(number) for number in range(10)]
    assert names(tail) == []
    assert tail.place == SourcePlace(NOW, NOW + 9)


def test_after_a_restart_it_goes_on_where_it_was() -> None:
    log = MemoryLog()
    for number in range(10):
        log.add(str(number), NOW + number * MINUTE * 10)
    log.time = NOW + 100 * MINUTE
    reading = Tail(log, START).read()
    taken = [next(reading), next(reading)]
    # The second was not handed on: whoever asks for the third would say so.
    reached = taken[0].place
    again = names(Tail(log, reached))
    assert again[0] in [event.id for event in taken[0].events]
    assert set(again) >= {str(number) for number in range(3, 10)}


def test_what_was_not_handed_on_comes_again() -> None:
    log = MemoryLog()
    for number in range(7):
        log.add(str(number), NOW + number)
    log.time += SECOND
    tail = Tail(log, START)
    reading = tail.read()
    assert [event.id for event in next(reading).events] == ["0", "1", "2"]
    assert [event.id for event in next(reading).events] == ["3", "4", "5"]
    reading.close()
    assert names(tail) == ["3", "4", "5", "6"]


def test_a_failure_in_the_middle_loses_and_repeats_nothing() -> None:
    log = MemoryLog(trouble={2: Unavailable("gone")})
    for number in range(7):
        log.add(str(number), NOW + number)
    log.time += SECOND
    tail = Tail(log, START)
    got: list[str] = []
    with pytest.raises(Unavailable):
        for step in tail.read():
            got += [event.id for event in step.events]
    assert tail.place == SourcePlace(NOW, NOW + 2)
    got += names(tail)
    assert got == [str(number) for number in range(7)]


def test_what_comes_late_is_read() -> None:
    log, clock = MemoryLog(), Clock()
    tail = Tail(log, START, monotonic=clock)
    log.time = NOW + 14 * MINUTE
    log.add("last")
    assert names(tail) == ["last"]
    log.add("late", NOW + SECOND)
    clock.seconds += 60
    assert names(tail) == ["late"]


def test_a_full_log_is_looked_through_deeply_now_and_then_only() -> None:
    log, clock = MemoryLog(page=1), Clock()
    for number in range(20):
        log.add(str(number), NOW + number * 30 * SECOND)
    log.time = NOW + 10 * MINUTE
    tail = Tail(log, START, monotonic=clock)
    assert len(names(tail)) == 20
    windows = []
    for _ in range(50):
        clock.seconds += 1
        names(tail)
        windows.append(log.windows[-1][0])
    assert tail.place is not None
    reached = tail.place.reached
    assert windows.count(max(NOW, reached - DEEP_OVERLAP)) == 1
    assert windows.count(reached - OVERLAP) == 49


@pytest.mark.parametrize("member", ["eventType", "eventId"])
def test_an_item_without_a_type_or_id_is_passed_over_and_told_once(member: str) -> None:
    log = MemoryLog()
    log.add("a", NOW + 1)
    log.add("b", NOW + 2, **{member: None})
    log.add("c", NOW + 3)
    log.time += SECOND
    tail = Tail(log, START)
    taken = steps(tail)
    assert [event.id for step in taken for event in step.events] == ["a", "c"]
    (skip,) = [skip for step in taken for skip in step.skips]
    assert (skip.kind, skip.time) == ("malformed", NOW + 2)
    assert member in skip.reason
    assert "b" in skip.name
    assert skips(steps(tail)) == []
    assert tail.place == SourcePlace(NOW, NOW + 3)


def test_items_that_come_twice_are_counted_and_handed_on_once() -> None:
    log = MemoryLog(twice=True)
    for number in range(7):
        log.add(str(number), NOW + number)
    log.time += SECOND
    tail = Tail(log, START)
    taken = steps(tail)
    assert [event.id for step in taken for event in step.events] == [str(number) for number in range(7)]
    assert skips(taken) == [("repeated", "2"), ("repeated", "5")]
    assert skips(steps(tail)) == []


def test_pages_that_lead_nowhere_are_noticed() -> None:
    log = MemoryLog(looped=True)
    for number in range(7):
        log.add(str(number), NOW + number)
    log.time += SECOND
    tail = Tail(log, START)
    got: list[str] = []
    with pytest.raises(Unavailable, match="lead back"):
        for step in tail.read():
            got += [event.id for event in step.events]
    assert log.requests < 5
    log.looped = False
    assert got + names(tail) == [str(number) for number in range(7)]


def test_the_place_does_not_pass_what_an_unordered_log_still_holds() -> None:
    log = MemoryLog(backwards=True)
    for number in range(9):
        log.add(str(number), NOW + number * MINUTE)
    log.time = NOW + 9 * MINUTE
    tail = Tail(log, START)
    reading = tail.read()
    places = [next(reading).place.reached for _ in range(3)]
    assert places == [NOW] * 3
    list(reading)
    assert tail.place == SourcePlace(NOW, NOW + 8 * MINUTE)


def test_an_event_of_the_future_does_not_take_the_place_along() -> None:
    log = MemoryLog()
    log.add("a", NOW + 1, eventTime="2999-01-01T00:00:00Z")
    log.time += SECOND
    tail = Tail(log, START)
    assert names(tail) == ["a"]
    log.add("b", NOW + 5 * SECOND)
    log.time += 10 * SECOND
    assert names(tail) == ["b"]


def test_where_nothing_happens_the_place_follows_seldom() -> None:
    log = MemoryLog()
    tail = Tail(log, START)
    kept = []
    for _ in range(100):
        log.time += DAY // 10
        kept += [step.place for step in steps(tail)]
    assert len(set(kept)) <= 11
    assert kept[-1].reached > log.time - 2 * DAY


def test_after_days_every_day_is_read_and_the_archive_beyond_ninety() -> None:
    log = MemoryLog(page=50)
    times = [NOW + number * DAY // 3 for number in range(300)]
    for number, moment in enumerate(times):
        log.add(str(number), moment)
    log.time = NOW + 100 * DAY
    assert log.time - KEPT > NOW
    tail = Tail(log, START)
    taken = steps(tail)
    assert [event.id for step in taken for event in step.events] == [str(number) for number in range(300)]
    assert not skips(taken)


def test_no_more_is_remembered_than_told() -> None:
    log = MemoryLog(page=100)
    for number in range(1000):
        log.add(str(number), NOW + number)
    log.time += SECOND
    tail = Tail(log, START, remembered=200)
    names(tail)
    assert len(tail._known) == 200


@given(st.data())
def test_whatever_happens_every_event_comes_and_none_twice_to_one_that_remembers(data: st.DataObject) -> None:
    """Late items, failures in the middle, and restarts, with a store that knows what it has taken."""
    log, clock = MemoryLog(page=data.draw(st.integers(1, 4))), Clock()
    place: SourcePlace | None = START
    tail = Tail(log, place, monotonic=clock)
    taken: list[str] = []
    added = 0

    def more() -> None:
        nonlocal added
        late = data.draw(st.integers(0, 10 * MINUTE))
        log.add(str(added), max(NOW, log.time - late))
        added += 1

    def read() -> None:
        nonlocal place
        if data.draw(st.booleans()):
            log.trouble = {log.requests + data.draw(st.integers(1, 4)): Unavailable("gone")}
        try:
            for step in tail.read():
                taken.extend(event.id for event in step.events if event.id not in taken)
                place = step.place
        except Unavailable:
            pass
        log.trouble = {}

    def restart() -> None:
        nonlocal tail
        tail = Tail(log, place, monotonic=clock)

    for _ in range(data.draw(st.integers(1, 25))):
        action: Callable[[], None] = data.draw(st.sampled_from([more, more, more, read, restart]))
        action()
        log.time += data.draw(st.integers(0, MINUTE))
        clock.seconds += 30
    log.time += 10 * SECOND
    clock.seconds += 60
    again = [event.id for step in tail.read() for event in step.events]
    assert len(again) == len(set(again))
    assert set(taken) | set(again) == {str(number) for number in range(added)}
