"""The retry schedule, its jitter, and what a receiver may ask for."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.backoff import ATTEMPTS, JITTER, SCHEDULE, SPAN, parse_retry_after, retry_delay

HOUR = 3600.0
NOW = 1_795_536_000.0
attempts = st.integers(1, ATTEMPTS - 1)
randomness = st.floats(0, 1, exclude_max=True)
asked = st.floats(0, SPAN)


def test_the_schedule_is_the_promised_one() -> None:
    expected = (5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
    assert expected == SCHEDULE
    assert ATTEMPTS == 10
    assert [retry_delay(attempt, 0.5) for attempt in range(1, 10)] == list(SCHEDULE)


@given(attempts, randomness)
def test_jitter_stays_within_a_tenth(attempt: int, random: float) -> None:
    delay = retry_delay(attempt, random)
    assert delay is not None
    scheduled = SCHEDULE[attempt - 1]
    assert scheduled * (1 - JITTER) <= delay < scheduled * (1 + JITTER) + 1e-9


def test_jitter_uses_the_randomness_it_is_given() -> None:
    assert retry_delay(2, 0.0) == pytest.approx(270)
    assert retry_delay(2, 0.75) == pytest.approx(315)
    assert retry_delay(2, 0.999999) == pytest.approx(330, abs=0.1)
    assert retry_delay(2, 0.0, 600) == 600
    assert retry_delay(2, 0.5, 600) == pytest.approx(630)


@pytest.mark.parametrize("retry_after", [None, 0.0, 60.0, SPAN])
def test_after_the_tenth_attempt_there_is_no_other(retry_after: float | None) -> None:
    assert retry_delay(9, 0.5, retry_after) is not None
    assert retry_delay(10, 0.5, retry_after) is None
    assert retry_delay(11, 0.5, retry_after) is None


@given(attempts, randomness, asked)
def test_retry_after_is_never_undercut(attempt: int, random: float, seconds: float) -> None:
    delay = retry_delay(attempt, random, seconds)
    assert delay is not None
    assert seconds <= delay <= SPAN


@given(attempts, randomness, asked, asked)
def test_asking_for_longer_never_makes_it_shorter(attempt: int, random: float, one: float, other: float) -> None:
    shorter = retry_delay(attempt, random, min(one, other))
    longer = retry_delay(attempt, random, max(one, other))
    assert shorter is not None
    assert longer is not None
    assert shorter <= longer


@given(attempts, randomness)
def test_asking_for_at_once_does_not_use_up_the_attempts(attempt: int, random: float) -> None:
    delay = retry_delay(attempt, random, 0)
    assert delay is not None
    assert min(4.0 ** (attempt - 1), SCHEDULE[attempt - 1]) <= delay <= SCHEDULE[attempt - 1] * 1.1


def test_asking_for_at_once_each_time_still_takes_hours() -> None:
    in_all = sum(retry_delay(attempt, 0.0, 0) or 0 for attempt in range(1, 10))
    assert 20 * HOUR < in_all < 30 * HOUR


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("000000000000120", 120),
        ("999999999999999999999", SPAN),
        ("9" * 5000, SPAN),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW + 90), 90),  # "-0000"
        (formatdate(NOW - 90, usegmt=True), 0),
        (formatdate(NOW + 365 * 86_400, usegmt=True), SPAN),
        ("Tuesday, 24-Nov-26 16:01:30 GMT", 90),  # RFC 850's form
        ("Tue Nov 24 16:01:30 2026", 90),  # asctime's form
    ],
    ids=lambda value: str(value)[:32],
)
def test_retry_after_is_read(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1.5", "1e3", "٣", "Mon, 99 Nov 2026 00:00:00 GMT", "Tue, 24 Nov 2026 25:61:00 GMT"]
)
def test_what_cannot_be_read_is_none(value: str) -> None:
    assert parse_retry_after(value, NOW) is None


_pieces = st.sampled_from(
    ["Tue", "Nov", "24", "2026", "16:01:30", "GMT", "+0000", "-2400", "+9999", "9" * 20, "0", *",:;()-", "am", "Z"]
)


@given(st.text(max_size=60) | st.lists(_pieces, max_size=8).map(" ".join))
def test_any_header_is_answered_within_the_span(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= SPAN


@given(st.integers(0, int(SPAN)))
def test_both_spellings_of_the_same_wait_agree(seconds: int) -> None:
    date = formatdate(NOW + seconds, usegmt=True)
    assert parse_retry_after(str(seconds), NOW) == parse_retry_after(date, NOW) == seconds


def test_more_than_the_whole_schedule_is_waited_as_asked() -> None:
    assert retry_delay(1, 0.5, 2 * SPAN) == 2 * SPAN
