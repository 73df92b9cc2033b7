"""A webhook's rate, by the time at which the worker starts deliveries: a clock of the test's own, no waiting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.deliver.lane import CATCH_UP, MINUTE, Lane
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Settings
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER, endpoint, webhook
from tests.deliver.claims import NOW, claim
from tests.deliver.virtual_engine import Engine, Start, with_engine


def lane(rate: int | None, count: int = 1000, **fields: Any) -> Lane:
    """A lane in which so many are ready, with room for all of them."""
    settings = Settings(rate_per_minute=rate, **({"concurrency": 1000} | fields))
    made = Lane(endpoint(webhook(qwebhook=settings)))
    made.ready.extend(claim(sequence) for sequence in range(count))
    return made


def with_rate(rate: int | None) -> Any:
    return endpoint(webhook(qwebhook=Settings(rate_per_minute=rate, concurrency=1000)), version=2)


def most_in_a_minute(starts: list[float]) -> int:
    """The most starts in any minute, wherever it begins."""
    most = first = 0
    for last, at in enumerate(starts):
        while at - starts[first] >= MINUTE:
            first += 1
        most = max(most, last - first + 1)
    return most


@given(
    rate=st.integers(1, 6000),
    lateness=st.lists(st.one_of(st.integers(0, 60), st.integers(0, 5000)), min_size=1, max_size=20),
    idle=st.dictionaries(st.integers(0, 900), st.integers(0, 200_000), max_size=5),
)
def test_no_minute_sees_more_than_the_rate_however_late_we_are_woken(
    rate: int, lateness: list[int], idle: dict[int, int]
) -> None:
    limited = lane(rate)
    now, starts = NOW, []
    for number in range(1000):
        now = max(now, limited.opens_at()) + lateness[number % len(lateness)] + idle.get(number, 0)
        assert limited.can_start(now)
        limited.start(now)
        limited.in_flight = 0
        starts.append(float(now))
    assert most_in_a_minute(starts) <= rate


@pytest.mark.parametrize("rate", [1, 60, 600, 6000, 60_000])
def test_the_rate_is_reached_although_we_are_woken_late(rate: int) -> None:
    limited = lane(rate, 0)
    now = end = NOW
    started = 0
    while started < min(2 * rate, 3000):
        limited.ready.append(claim(1))
        while limited.can_start(now):
            limited.start(now)
            limited.ready.append(claim(1))
            limited.in_flight = 0
            started += 1
            end = now
        now = max(now, limited.opens_at()) + 15
    assert started - 1 >= (end - NOW) / MINUTE * rate * 0.99


def test_after_idleness_there_is_no_burst() -> None:
    limited = lane(60)
    limited.start(NOW)
    later = NOW + 10 * MINUTE
    limited.start(later)
    assert not limited.can_start(later + 1000)
    assert limited.can_start(later + 1001)


def test_without_a_rate_nothing_is_spaced() -> None:
    free = lane(None)
    for _ in range(500):
        assert free.can_start(NOW)
        free.start(NOW)
    assert free.opens_at() == 0


def test_a_change_of_the_rate_counts_from_the_last_start() -> None:
    changed = lane(1)
    changed.start(NOW)
    changed.ready.append(claim(1))
    assert not changed.can_start(NOW + MINUTE)
    for rate, wait in ((600, 101), (1, MINUTE + CATCH_UP), (None, 0)):
        changed.change(with_rate(rate))
        changed.ready.append(claim(1))
        assert changed.can_start(NOW + wait)
        assert wait == 0 or not changed.can_start(NOW + wait - 1)


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    limited = lane(60)
    limited.start(NOW)
    assert not limited.can_start(NOW)
    assert limited.can_start(NOW - 60 * MINUTE)


def waits(starts: list[Start]) -> list[int]:
    """From each start to the next."""
    return [later.at - earlier.at for earlier, later in pairwise(starts)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db", create=True)
    yield store
    store.close()


def test_a_lane_with_a_rate_starts_evenly_and_in_order_and_others_go_on(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("limited", rate_per_minute=60)
        engine.create("free")
        await engine.publish(500)
        await engine.pass_time(600)
        starts = engine.sender.at("limited")
        assert [one.id for one in starts] == [str(number) for number in range(500)]
        assert waits(starts) == pytest.approx([1000.8] * 499, abs=3)
        assert most_in_a_minute([float(one.at) for one in starts]) == 60
        assert len(engine.sender.at("free")) == 500
        assert max(one.at for one in engine.sender.at("free")) == starts[0].at

    with_engine(store, test)


def test_retries_count_as_starts(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("limited", rate_per_minute=60)
        refused = {str(number) for number in range(20)}

        def answer(one: str) -> int:
            again = one not in refused
            refused.discard(one)
            return 200 if again else 400

        engine.sender.answer = answer
        await engine.publish(40)
        await engine.pass_time(80)
        starts = engine.sender.at("limited")
        assert len(starts) == 60
        assert [one.id for one in starts].count("0") == 2
        assert waits(starts) == pytest.approx([1000.8] * 59, abs=3)

    with_engine(store, test)


def test_strict_order_holds_with_a_rate(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("strict", ordering="strict", rate_per_minute=30)
        refused = {"1"}

        def answer(one: str) -> int:
            again = one not in refused
            refused.discard(one)
            return 200 if again else 400

        engine.sender.answer = answer
        await engine.publish(4)
        await engine.pass_time(60)
        starts = engine.sender.at("strict")
        assert [one.id for one in starts] == ["0", "1", "1", "2", "3"]
        assert waits(starts) == pytest.approx([2002, 5000, 2002, 2002], abs=3)

    with_engine(store, test)


def test_a_change_of_the_setting_takes_effect_at_once(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        limited = engine.create("limited", rate_per_minute=1)
        await engine.publish(100)
        await engine.pass_time(10)
        assert len(engine.sender.started) == 1
        store.patch_webhook(limited.id, replacements({"qwebhook": {"ratePerMinute": 600}}), USER)
        engine.worker.take_endpoints(engine.journal.refresh() or pytest.fail("the change was not seen"))
        await engine.pass_time(5)
        assert 45 <= len(engine.sender.started) <= 51
        store.patch_webhook(limited.id, replacements({"qwebhook": {}}), USER)
        await engine.pass_time(1)  # as another process changes it: the worker looks several times a second
        assert [one.id for one in engine.sender.started] == [str(number) for number in range(100)]

    with_engine(store, test)
