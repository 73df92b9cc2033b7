"""Replays: in steps, in order, counted, and handed to the worker where there is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwebhook.deliver import replaying
from qwebhook.deliver.replaying import outcome, replay
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import ReplayOutcome, ReplayQuery
from qwebhook.store.replayed import Replayed
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER
from tests.deliver.virtual_engine import Engine, with_engine
from tests.deliver.virtual_time import START

HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "STEP", 10)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db", create=True)
    yield store
    store.close()


def query(webhook: Webhook, **fields: Any) -> ReplayQuery:
    return ReplayQuery(**({"webhook_id": webhook.id, "since": START, "until": START + HOUR} | fields))


def ids(engine: Engine, name: str) -> list[str]:
    return [one.id for one in engine.sender.at(name)]


def test_what_was_accepted_before_goes_out_in_order(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("before")
        await engine.publish(35)
        late = engine.create("late", concurrency=1)
        engine.worker.take_endpoints(engine.journal.refresh() or pytest.fail("the new webhook was not seen"))
        told: list[int] = []
        replayed = await replay(
            engine.writer.run,
            query(late),
            engine.loop.clock,
            offered=engine.worker.offer,
            told=lambda far: told.append(far.enqueued),
        )
        assert (replayed.matching, replayed.delivered, replayed.pending, replayed.enqueued) == (35, 0, 0, 35)
        assert told[:3] == [10, 20, 30]
        assert told[-1] == 35
        await engine.pass_time(1)
        assert ids(engine, "late") == [str(number) for number in range(35)]
        assert await outcome(engine.writer.run, late.id, replayed.ranges) == ReplayOutcome(0, 35, 0)

    with_engine(store, test)


def test_others_who_wait_for_the_file_are_given_a_moment_after_each_step(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        await engine.publish(35)
        one = engine.create("one")

        async def took(dry_run: bool) -> float:
            began = engine.loop.passed
            await replay(engine.writer.run, query(one), engine.loop.clock, dry_run=dry_run)
            return engine.loop.passed - began

        assert await took(dry_run=True) == 0  # it keeps nobody waiting
        assert await took(dry_run=False) == pytest.approx(4 * replaying.PAUSE)

    with_engine(store, test)


def test_ranges_name_the_new_deliveries_and_no_others(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("other", rate_per_minute=1)
        await engine.publish(30)
        one = engine.create("one", rate_per_minute=1)
        engine.worker.take_endpoints(engine.journal.refresh() or pytest.fail("the new webhook was not seen"))
        number = 0

        async def run(work: Any) -> Any:
            nonlocal number
            number += 1
            result = await engine.writer.run(work)
            if number == 2:  # between two steps something new comes in
                await engine.publish(32)
            return result

        replayed = await replay(run, query(one, until=START + 1), engine.loop.clock, offered=engine.worker.offer)
        assert replayed.enqueued == 30
        first, second = replayed.ranges
        assert (first[1] - first[0] + 1, second[1] - second[0] + 1) == (20, 10)
        assert second[0] > first[1] + 1
        found = await outcome(engine.writer.run, one.id, replayed.ranges)
        assert found.pending + found.succeeded == 30
        assert await outcome(engine.writer.run, one.id, []) == ReplayOutcome(0, 0, 0)

    with_engine(store, test)


def test_a_success_on_record_and_what_waits_are_left_out(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        one = engine.create("one", concurrency=1)
        engine.sender.answer = lambda identifier: 503 if int(identifier) % 2 else 200
        await engine.publish(20)
        await engine.pass_time(1)
        counts = await replay(engine.writer.run, query(one), engine.loop.clock, dry_run=True)
        assert (counts.matching, counts.delivered, counts.pending, counts.enqueued) == (20, 10, 10, 0)
        everything = query(one, everything=True)
        counts = await replay(engine.writer.run, everything, engine.loop.clock, dry_run=True)
        assert (counts.matching, counts.delivered, counts.pending, counts.enqueued) == (20, 0, 10, 10)
        assert counts.ranges == []
        assert len(engine.sender.started) == 20
        await replay(engine.writer.run, everything, engine.loop.clock, offered=engine.worker.offer)
        await engine.pass_time(1)
        assert ids(engine, "one")[20:] == [str(number) for number in range(0, 20, 2)]

    with_engine(store, test)


def test_for_a_disabled_webhook_it_is_held(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        other = engine.create("other")
        await engine.publish(15)
        one = engine.create("one")
        store.patch_webhook(one.id, replacements({"enabled": False}), USER)
        await engine.pass_time(1)
        replayed = await replay(engine.writer.run, query(one), engine.loop.clock, offered=engine.worker.offer)
        await engine.pass_time(10)
        assert (replayed.enqueued, ids(engine, "one"), len(ids(engine, "other"))) == (15, [], 15)
        store.patch_webhook(one.id, replacements({"enabled": True}), USER)
        await engine.pass_time(1)
        assert ids(engine, "one") == [str(number) for number in range(15)]
        assert other.enabled

    with_engine(store, test)


def test_its_result_has_the_rest_apis_names() -> None:
    assert json.loads(msgspec.json.encode(Replayed("id", 5, 2, 1, 2, [(7, 8)]))) == {
        "webhookId": "id",
        "matching": 5,
        "delivered": 2,
        "pending": 1,
        "enqueued": 2,
        "ranges": [[7, 8]],
    }
