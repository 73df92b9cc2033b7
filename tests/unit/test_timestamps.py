"""Times and durations, read and written."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.errors import InvalidInput
from qwebhook.model.timestamps import duration_seconds, from_rfc3339, humanised, moment, to_rfc3339

LAST = 253_402_300_799_999  # the end of the year 9999
moments = st.integers(0, LAST)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_537_139_123, "2026-11-24T16:18:59.123Z"),
        (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (LAST, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_written(milliseconds: int, text: str) -> None:
    assert to_rfc3339(milliseconds) == text
    assert from_rfc3339(text) == milliseconds


@given(moments)
def test_a_time_comes_back(milliseconds: int) -> None:
    assert from_rfc3339(to_rfc3339(milliseconds)) == milliseconds


@given(moments, moments)
def test_written_times_sort_as_text(one: int, other: int) -> None:
    assert (to_rfc3339(one) < to_rfc3339(other)) == (one < other)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_reading_agrees_with_the_standard_library(moment: datetime) -> None:
    assert abs(from_rfc3339(moment.isoformat()) - moment.timestamp() * 1000) <= 0.6


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2026-11-24T18:18:59+02:00", "2026-11-24T16:18:59.000Z"),
        ("2026-11-24T10:48:59.5-05:30", "2026-11-24T16:18:59.500Z"),
        ("2026-11-24T16:18:59", "2026-11-24T16:18:59.000Z"),
        ("2026-11-24 16:18:59Z", "2026-11-24T16:18:59.000Z"),
        ("2026-11-24t16:18:59z", "2026-11-24T16:18:59.000Z"),
        ("2026-11-24T16:18:59.123456789Z", "2026-11-24T16:18:59.123Z"),
        ("2026-11-24", "2026-11-24T00:00:00.000Z"),
    ],
)
def test_other_spellings_are_read(text: str, same_as: str) -> None:
    assert to_rfc3339(from_rfc3339(text)) == same_as


@pytest.mark.parametrize(
    "text", ["", "yesterday", "24.11.2026", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "1795537139", "5m"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        from_rfc3339(text)
    assert refused.value.message == f"{text!r} is not an RFC 3339 time"
    assert refused.value.hint


@given(st.text(max_size=30))
def test_reading_any_text_raises_nothing_else(text: str) -> None:
    for read in (from_rfc3339, duration_seconds, lambda text: moment(text, 0)):
        try:
            read(text)
        except InvalidInput as refused:
            assert repr(text.strip()) in refused.message or repr(text) in refused.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("15", 15),
        ("1.5", 1.5),
        (" 90s ", 90),
        ("250ms", 0.25),
        ("15m", 900),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("24h", 86_400),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1d2h3m4s5ms", 93_784.005),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-5", "-5s", "5x", "1h30", "1h 30m", "5 s", "nan", "inf", "1e11", "99999999999d", "1,5h", "5M"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        duration_seconds(text)
    assert refused.value.message == f"{text!r} is not a duration"
    assert "24h" in refused.value.hint


NOW = from_rfc3339("2026-11-24T16:00:00Z")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("7d", "2026-11-17T16:00:00.000Z"),
        ("2h", "2026-11-24T14:00:00.000Z"),
        (" 90m ", "2026-11-24T14:30:00.000Z"),
        ("1h30m", "2026-11-24T14:30:00.000Z"),
        ("0s", "2026-11-24T16:00:00.000Z"),
        ("2026-11-24", "2026-11-24T00:00:00.000Z"),
        ("20261124", "2026-11-24T00:00:00.000Z"),
        ("2026-11-24T17:00:00+02:00", "2026-11-24T15:00:00.000Z"),
        ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00.000Z"),
    ],
)
def test_a_moment_is_a_time_or_a_duration_before_now(text: str, time: str) -> None:
    assert to_rfc3339(moment(text, NOW)) == time


@pytest.mark.parametrize("text", ["", "yesterday", "90", "2026", "-2h", "5x", "99999999999d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        moment(text, NOW)
    assert str(refused.value) == (
        f"{text!r} is neither a time nor a duration before now; write 2026-11-24T16:00:00Z, 90m or 7d"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.0004, "0ms"),
        (0.85, "850ms"),
        (0.9996, "1s"),
        (1, "1s"),
        (5.4, "5s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (3605, "1h"),
        (5400, "1h30m"),
        (86_400, "1d"),
        (183_600, "2d3h"),
        (86_400 * 400, "400d"),
    ],
)
def test_a_length_of_time_for_a_person(seconds: float, text: str) -> None:
    assert humanised(seconds) == text


@given(st.floats(0, 1e8))
def test_a_length_of_time_can_be_read_again(seconds: float) -> None:
    text = humanised(seconds)
    assert re.fullmatch(r"(\d+(d|h|m|s|ms)){1,2}", text)
    # The two largest units: what is left out is less than the second of them.
    assert duration_seconds(text) == pytest.approx(seconds, rel=0.05, abs=0.5)
