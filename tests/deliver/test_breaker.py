"""The breaker: when it opens, asks, and closes; by itself and in the worker, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver.breaker import FAILURES, FIRST_OPEN, LONGEST_OPEN, Breaker, is_alive
from qwebhook.model.delivery import Dead, Delivered, Failure, Outcome, Reply, RetryAt, Settled
from qwebhook.model.patch import replacements
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER
from tests.deliver.claims import NOW
from tests.deliver.virtual_engine import Engine, with_engine

DOWN, UP = Failure("connect", "connection refused"), Reply(200, [], b"")
AGAIN = RetryAt(NOW)


def failed(breaker: Breaker, count: int, now: int) -> None:
    for _ in range(count):
        breaker.ended(DOWN, AGAIN, now)


def test_it_opens_after_failures_in_a_row_and_for_longer_each_time() -> None:
    breaker = Breaker()
    failed(breaker, FAILURES - 1, NOW)
    breaker.ended(UP, Delivered(), NOW)
    failed(breaker, FAILURES - 1, NOW)
    assert breaker.state(NOW) == "closed"
    now, length = NOW, FIRST_OPEN
    for _ in range(8):
        failed(breaker, 1, now)
        assert (breaker.state(now), breaker.open_until - now) == ("open", length)
        failed(breaker, 20, now + 1)  # those that were under way make it no longer
        assert breaker.open_until - now == length
        now += length
        assert breaker.state(now) == "half open"
        length = min(2 * length, LONGEST_OPEN)
    breaker.ended(UP, Delivered(), now)
    assert breaker.state(now) == "closed"
    failed(breaker, FAILURES, now)
    assert breaker.open_until - now == FIRST_OPEN


@pytest.mark.parametrize(
    ("result", "outcome", "alive"),
    [
        (UP, Delivered(), True),
        (Reply(404, [], b""), AGAIN, True),
        (Reply(301, [], b""), AGAIN, True),
        (Reply(408, [], b""), AGAIN, False),
        (Reply(429, [], b""), AGAIN, False),
        (Reply(500, [], b""), AGAIN, False),
        (Failure("timeout", ""), AGAIN, False),
        (Failure("template", ""), Dead(), True),
        (Settled("never", "550 no such user"), Dead(), True),
        (Settled("again", "451 later"), AGAIN, False),
    ],
)
def test_what_a_receiver_says_of_one_event_is_no_sign_of_trouble(result: Any, outcome: Outcome, alive: bool) -> None:
    assert is_alive(result, outcome) is alive


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore.open(tmp_path / "store.db", create=True)) as store:
        yield store


def test_a_receiver_that_is_down_is_asked_one_at_a_time_until_it_is_back(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("a")
        engine.create("b")
        engine.sender.answer = lambda _: 503
        await engine.publish(100)
        await engine.pass_time(20)
        first = len(engine.sender.at("a"))
        assert FAILURES <= first <= 2 * FAILURES
        await engine.pass_time(100)  # 30 s and 60 s later, one each
        assert [one.at for one in engine.sender.at("a")[first:]] == pytest.approx([30_000, 90_000], abs=100)
        engine.sender.answer = lambda _: 200
        await engine.pass_time(100)
        assert {one.id for one in engine.sender.at("a")[first + 2 :]} == {str(number) for number in range(100)}
        assert [entry for entry in engine.breaks if entry is None] == [None, None]

    with_engine(store, test)


def test_a_new_url_begins_with_a_closed_one(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("a")
        engine.sender.answer = lambda _: 503
        await engine.publish(30)
        await engine.pass_time(2)
        engine.sender.answer = lambda _: 200
        new = "https://receiver.example.com/b"
        store.patch_webhook(webhook.id, replacements({"url": new}), USER)
        await engine.pass_time(10)
        assert len(engine.sender.at("b")) == 30

    with_engine(store, test)
