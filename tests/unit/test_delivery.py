"""How attempts end."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.backoff import ATTEMPTS, SCHEDULE, SPAN
from qwebhook.model.delivery import (
    DISABLE_AFTER,
    DISABLE_FAILURES,
    Dead,
    Delivered,
    Failure,
    FailureKind,
    Gone,
    Reply,
    RetryAt,
    failed_for_too_long,
    judge,
    reason,
)

NOW = 1_795_536_000_000
DAY = 86_400_000
KINDS: list[FailureKind] = ["dns", "connect", "tls", "timeout", "protocol", "address refused", "invalid"]


def reply(status: int, *headers: tuple[str, str]) -> Reply:
    return Reply(status, list(headers), b"")


@pytest.mark.parametrize("attempt", [1, 5, ATTEMPTS])
@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 226, 299])
def test_2xx_is_delivered_at_any_attempt(status: int, attempt: int) -> None:
    assert judge(reply(status, ("Retry-After", "60")), attempt, NOW, 0.5) == Delivered()


@pytest.mark.parametrize("attempt", [1, 5, ATTEMPTS])
def test_410_is_gone_at_any_attempt(attempt: int) -> None:
    assert judge(reply(410, ("Retry-After", "60")), attempt, NOW, 0.5) == Gone()


@pytest.mark.parametrize(
    "status",
    [100, 101, 199, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 408, 409, 411, 413, 429, 499, 500, 503, 599],
)
def test_any_other_status_is_tried_again_until_the_last(status: int) -> None:
    for attempt in range(1, ATTEMPTS):
        due = NOW + round(SCHEDULE[attempt - 1] * 1000)
        assert judge(reply(status), attempt, NOW, 0.5) == RetryAt(due, asked=False)
    assert judge(reply(status), ATTEMPTS, NOW, 0.5) == Dead()


@pytest.mark.parametrize("kind", KINDS)
def test_no_reply_is_tried_again_until_the_last(kind: FailureKind) -> None:
    failure = Failure(kind, "why")
    assert judge(failure, 1, NOW, 0.5) == RetryAt(NOW + 5000)
    assert judge(failure, ATTEMPTS, NOW, 0.5) == Dead()


@pytest.mark.parametrize("status", [302, 429, 500, 503])
@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_retry_after_in_seconds_is_kept_to(status: int, name: str) -> None:
    outcome = judge(reply(status, ("Server", "x"), (name, "3600")), 1, NOW, 0.0)
    assert outcome == RetryAt(NOW + 3_600_000, asked=True)


def test_retry_after_as_a_date_is_kept_to() -> None:
    date = formatdate(NOW / 1000 + 7200, usegmt=True)
    assert judge(reply(503, ("Retry-After", date)), 1, NOW, 0.0) == RetryAt(NOW + 7_200_000, asked=True)


def test_retry_after_moves_nothing_beyond_the_last_attempt() -> None:
    assert judge(reply(503, ("Retry-After", "60")), ATTEMPTS, NOW, 0.5) == Dead()


def test_a_retry_after_that_cannot_be_read_is_as_none() -> None:
    assert judge(reply(503, ("Retry-After", "soon")), 2, NOW, 0.5) == RetryAt(NOW + 300_000, asked=False)


def test_the_first_of_two_retry_after_counts() -> None:
    outcome = judge(reply(503, ("Retry-After", "60"), ("Retry-After", "9999")), 1, NOW, 0.0)
    assert outcome == RetryAt(NOW + 60_000, asked=True)


def test_randomness_moves_the_time() -> None:
    early, late = judge(reply(500), 2, NOW, 0.0), judge(reply(500), 2, NOW, 0.99)
    assert early == RetryAt(NOW + 270_000)
    assert isinstance(late, RetryAt)
    assert NOW + 329_000 < late.due < NOW + 330_000


@given(
    st.integers(100, 599),
    st.integers(1, ATTEMPTS),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.integers(0, 10**9).map(str) | st.text(max_size=12),
)
def test_an_attempt_has_one_outcome(status: int, attempt: int, random: float, retry_after: str | None) -> None:
    headers = [] if retry_after is None else [("Retry-After", retry_after)]
    outcome = judge(reply(status, *headers), attempt, NOW, random)
    if 200 <= status < 300:
        assert outcome == Delivered()
    elif status == 410:
        assert outcome == Gone()
    elif attempt == ATTEMPTS:
        assert outcome == Dead()
    else:
        assert isinstance(outcome, RetryAt)
        assert NOW < outcome.due <= NOW + SPAN * 1000
        if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
            assert outcome.asked
            assert outcome.due >= NOW + min(int(retry_after), SPAN) * 1000


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (reply(200), "status 200"),
        (reply(503), "status 503"),
        (reply(308), "status 308: redirects are not followed"),
        (Failure("timeout", "no answer within 15 s"), "timeout: no answer within 15 s"),
        (Failure("address refused", "10.0.0.1 is a private address"), "address refused: 10.0.0.1 is a private address"),
    ],
)
def test_the_reason_in_words(result: Reply | Failure, text: str) -> None:
    assert reason(result) == text


@pytest.mark.parametrize(
    ("days", "failures", "too_long"),
    [(5, 5, True), (6, 50, True), (5, 4, False), (4.99, 500, False), (0, 0, False), (30, 0, False)],
)
def test_failing_for_five_days_and_five_times_is_too_long(days: float, failures: int, too_long: bool) -> None:
    assert (DISABLE_AFTER, DISABLE_FAILURES) == (5 * DAY, 5)
    assert failed_for_too_long(NOW - round(days * DAY), failures, NOW) == too_long
