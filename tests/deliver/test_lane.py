"""How much a webhook may take, when it pauses, and what becomes of what it holds when it changes."""

from __future__ import annotations

from typing import Any

import pytest

from qwebhook.deliver.lane import (
    LEAST_CONCURRENCY,
    LONGEST_PAUSE,
    MOST_CONCURRENCY,
    READY_LIMIT,
    THROTTLES_BEFORE_PAUSE,
    Lane,
)
from qwebhook.model.delivery import Dead, Delivered, Failure, Reply, RetryAt
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.webhook import Settings
from tests.builders import endpoint, webhook
from tests.deliver.claims import NOW, claim

OK = Reply(200, [], b"")
BUSY = Reply(503, [], b"")
HOUR = 3_600_000


def settings(enabled: bool = True, version: int = 1, **fields: Any) -> Endpoint:
    return endpoint(webhook(enabled=enabled, qwebhook=Settings(**fields)), version=version)


def lane(*sequences: int, **fields: Any) -> Lane:
    """A lane in which those are ready."""
    made = Lane(settings(**fields))
    for sequence in sequences:
        made.ready.append(claim(sequence))
        made.held.add(sequence)
    return made


def test_concurrency_rises_while_it_is_used_up_and_answers_come() -> None:
    adapting = lane()
    assert adapting.limit == LEAST_CONCURRENCY
    adapting.in_flight = LEAST_CONCURRENCY
    adapting.learn(OK, Delivered(), NOW)
    assert adapting.limit == LEAST_CONCURRENCY + 1
    adapting.learn(OK, Delivered(), NOW)
    assert adapting.limit == LEAST_CONCURRENCY + 1
    for _ in range(200):
        adapting.in_flight = adapting.limit
        adapting.learn(OK, Delivered(), NOW)
    assert adapting.limit == MOST_CONCURRENCY


@pytest.mark.parametrize(
    ("result", "halved"),
    [
        (Failure("timeout", "no answer within 15 s"), True),
        (Failure("connect", "connection refused"), True),
        (Reply(429, [], b""), True),
        (Reply(503, [], b""), True),
        (Reply(400, [], b""), False),
        (Reply(404, [], b""), False),
        (Reply(302, [], b""), False),
        (Reply(408, [], b""), True),
        (Reply(451, [], b""), False),
        (Failure("template", "line 1"), False),
    ],
)
def test_concurrency_halves_when_a_receiver_is_overloaded(result: object, halved: bool) -> None:
    adapting = lane()
    adapting.limit = 40
    adapting.learn(result, RetryAt(NOW + 5000), NOW)
    assert adapting.limit == (20 if halved else 40)
    for _ in range(5):
        adapting.learn(result, Dead(), NOW)
    assert adapting.limit == (LEAST_CONCURRENCY if halved else 40)


def test_a_concurrency_that_was_set_stays() -> None:
    fixed = lane(concurrency=3)
    fixed.in_flight = 3
    for result, outcome in ((OK, Delivered()), (BUSY, RetryAt(NOW))):
        fixed.learn(result, outcome, NOW)
        assert fixed.limit == 3


def test_strictly_ordered_deliveries_go_one_at_a_time() -> None:
    strict = lane(1, 2, ordering="strict", concurrency=20)
    assert strict.can_start(NOW)
    strict.in_flight = 1
    strict.learn(OK, Delivered(), NOW)
    assert not strict.can_start(NOW)


def test_several_throttles_in_a_row_that_ask_for_it_pause_the_webhook() -> None:
    throttled = lane(1)
    until = NOW + 60_000
    for _ in range(THROTTLES_BEFORE_PAUSE - 1):
        throttled.learn(BUSY, RetryAt(until, asked=True), NOW)
        assert throttled.can_start(NOW)
    throttled.learn(BUSY, RetryAt(until, asked=True), NOW)
    assert not throttled.can_start(until - 1)
    assert throttled.can_start(until)


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (OK, Delivered()),
        (BUSY, RetryAt(NOW + 60_000)),
        (Reply(500, [], b""), RetryAt(NOW + 60_000, asked=True)),
        (Failure("timeout", ""), RetryAt(NOW + 60_000)),
    ],
)
def test_anything_else_between_them_counts_anew(result: object, outcome: Any) -> None:
    throttled = lane(1)
    for _ in range(3):
        for _ in range(THROTTLES_BEFORE_PAUSE - 1):
            throttled.learn(BUSY, RetryAt(NOW + 60_000, asked=True), NOW)
        throttled.learn(result, outcome, NOW)
    assert throttled.can_start(NOW)


def test_a_pause_lasts_a_day_at_most_and_is_never_shortened() -> None:
    throttled = lane(1)
    for due in (NOW + 75 * HOUR, NOW + 75 * HOUR, NOW + 75 * HOUR, NOW + 1000):
        throttled.learn(BUSY, RetryAt(due, asked=True), NOW)
    assert not throttled.can_start(NOW + LONGEST_PAUSE - 1)
    assert throttled.can_start(NOW + LONGEST_PAUSE)


def test_what_was_just_accepted_is_kept_unless_older_ones_wait() -> None:
    ahead = lane()
    assert ahead.takes_directly(NOW)
    ahead.due_later(NOW + 1)
    assert ahead.takes_directly(NOW)
    ahead.due_later(NOW)
    ahead.due_later(NOW + 5)
    assert not ahead.takes_directly(NOW)
    assert not lane(*range(READY_LIMIT)).takes_directly(NOW)
    assert not lane(enabled=False).takes_directly(NOW)
    fetching = lane()
    fetching.fetching = True
    assert not fetching.takes_directly(NOW)


def test_more_is_wanted_from_the_store_when_nothing_is_ready_and_something_is_due() -> None:
    behind = lane()
    assert not behind.wants_more(NOW)
    behind.due_later(NOW + 1)
    assert not behind.wants_more(NOW)
    assert behind.wants_more(NOW + 1)
    behind.paused_until = NOW + 10
    assert not behind.wants_more(NOW + 1)
    behind.paused_until = 0
    behind.in_flight = behind.limit
    assert not behind.wants_more(NOW + 1)
    with_some = lane(1)
    with_some.due_later(NOW)
    assert not with_some.wants_more(NOW)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_change_lets_go_of_what_was_ready_since_it_may_be_discarded(enabled: bool) -> None:
    changed = lane(2, 3)
    changed.held.add(1)
    changed.in_flight = 1
    dropped = changed.change(settings(enabled=enabled, version=2))
    assert [one.sequence for one in dropped] == [2, 3]
    assert changed.held == {1}
    assert not changed.can_start(NOW)


def test_enabling_ends_a_pause_and_looks_for_what_was_held() -> None:
    switched = lane(1, enabled=False)
    assert not switched.can_start(NOW)
    switched.paused_until = NOW + HOUR
    switched.change(settings(version=2))
    assert switched.wants_more(NOW)


def test_a_change_that_does_not_enable_keeps_the_pause() -> None:
    paused = lane()
    paused.paused_until = NOW + HOUR
    paused.change(settings(version=2, concurrency=5))
    paused.due_later(NOW)
    assert not paused.wants_more(NOW)
    assert paused.limit == 5
