"""A server's time by the dates of its answers: never ahead of it, and it follows a clock that is set."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from qwebhook.store.rest.server_time import ServerTime

NOON = 1_795_536_000


class Monotonic:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
def told(monotonic: Monotonic) -> ServerTime:
    return ServerTime(monotonic)


def note(told: ServerTime, seconds: float) -> None:
    told.note(formatdate(seconds, usegmt=True))


@pytest.mark.parametrize("date", ["", "soon", "Tue, 99 Nov 2026"])
def test_before_an_answer_has_told_it_it_is_not_known(told: ServerTime, date: str) -> None:
    told.note(date)
    assert told.now() is None


def test_it_goes_on_between_answers(told: ServerTime, monotonic: Monotonic) -> None:
    note(told, NOON)
    monotonic.now += 2.5
    assert told.now() == NOON * 1000 + 2500


def test_of_whole_seconds_the_latest_lags_least(told: ServerTime, monotonic: Monotonic) -> None:
    note(told, NOON)  # at noon and 0.9 s
    monotonic.now += 0.2
    note(told, NOON + 1)
    monotonic.now += 0.8
    note(told, NOON + 1)
    assert told.now() == NOON * 1000 + 1800


def test_a_clock_that_is_set_is_followed(told: ServerTime) -> None:
    for moment in (NOON, NOON + 3600, NOON - 3600):
        note(told, moment)
        assert told.now() == moment * 1000


def test_what_is_assumed_gives_way_to_what_is_told(told: ServerTime) -> None:
    told.assume(NOON * 1000)
    assert told.now() == NOON * 1000
    note(told, NOON + 7)
    assert told.now() == (NOON + 7) * 1000
