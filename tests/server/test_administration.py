"""A served store: changes on the writer's thread, which the worker knows before anything that follows from them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver import worker as worker_module
from qwebhook.deliver.replaying import replay
from qwebhook.deliver.worker import STARTS_PER_TURN
from qwebhook.model.endpoint import EndpointIndex
from qwebhook.model.errors import InvalidWebhook, StoreFull
from qwebhook.model.patch import replacements
from qwebhook.server.administration import ServedStore, Store
from qwebhook.store.contract import ReplayQuery
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER, event, webhook_draft
from tests.deliver.test_worker import Engine, now, url

Test = Callable[[ServedStore, Engine], Coroutine[Any, Any, None]]


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[tuple[ServedStore, Engine]]:
    """A served store, and the engine that delivers for it."""
    stores = [SqliteStore.open(path, create=True) for _ in range(3)]
    engine = Engine(stores[0])
    observed = stores[0].open_journal()
    await engine.start()
    served = ServedStore(engine.writer, engine.worker, stores[1], stores[2], observed)
    try:
        yield served, engine
    finally:
        await engine.stop()
        served.close()
        observed.close()
        for store in stores:
            store.close()


def run(path: Path, test: Test) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(20), serving(path) as (served, engine):
            await test(served, engine)

    asyncio.run(within_time())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def creating(name: str, **fields: Any) -> Callable[[Store], Any]:
    return lambda store: store.create_webhook(webhook_draft(name=name, url=url(name), **fields), USER)


def test_what_is_changed_is_read(path: Path) -> None:
    async def test(served: ServedStore, _: Engine) -> None:
        webhook = await served.change(creating("orders"))
        assert await served.read(lambda store: store.get_webhook(webhook.id)) == webhook

    run(path, test)


def test_changes_and_reads_have_threads_of_their_own(path: Path) -> None:
    async def test(served: ServedStore, engine: Engine) -> None:
        name = threading.current_thread().name
        threads = [
            await served.change(lambda _: threading.current_thread().name),
            await engine.writer.run(lambda _: threading.current_thread().name),
            await served.note(lambda _: threading.current_thread().name),
            await served.read(lambda _: threading.current_thread().name),
            await served.observe(lambda _: threading.current_thread().name),
        ]
        assert threads[0] == threads[1] == threads[2] != threads[3] == threads[4]
        assert name not in threads

    run(path, test)


def test_what_is_accepted_while_a_webhook_is_made_is_delivered_to_it(path: Path) -> None:
    """Matched or not, as the two fell; but what was matched is never forgotten."""

    async def test(served: ServedStore, engine: Engine) -> None:
        for turn in range(50):
            await asyncio.gather(served.change(creating(f"w{turn}")), engine.publish(f"e{turn}"))
        await engine.settled()
        for turn in range(50):
            sent = engine.sender.sent.get(url(f"w{turn}"), [])
            assert set(sent) >= {f"e{later}" for later in range(turn + 1, 50)}

    run(path, test)


def test_the_next_event_sees_a_change(path: Path) -> None:
    async def test(served: ServedStore, engine: Engine) -> None:
        webhook = await served.change(creating("orders"))
        await engine.publish("first")
        for enabled in (False, True):
            operations = replacements({"enabled": enabled})
            await served.change(lambda store, operations=operations: store.patch_webhook(webhook.id, operations, USER))
            await engine.publish(f"while {enabled}")
        assert await engine.sender.wait_for(2, url("orders")) == ["first", "while True"]

    run(path, test)


def test_what_a_replay_has_enqueued_is_not_sent_once_it_is_discarded(path: Path) -> None:
    """However late the loop hears of either: here when the thread has done both."""

    async def test(served: ServedStore, engine: Engine) -> None:
        webhook = await served.change(creating("orders"))
        await engine.publish(*range(20))
        await engine.settled()
        engine.sender.sent.clear()
        gate, done = threading.Event(), threading.Event()
        held = asyncio.ensure_future(engine.writer.run(lambda _: gate.wait(10)))
        await asyncio.sleep(0)
        query = ReplayQuery(webhook.id, 0, now(), everything=True)
        replaying = asyncio.ensure_future(replay(engine.writer.run, query, now, offered=engine.worker.offer))
        await asyncio.sleep(0)
        discarding = asyncio.ensure_future(served.change(lambda store: store.discard_pending(webhook.id)))
        await asyncio.sleep(0)
        last = asyncio.ensure_future(engine.writer.run(lambda _: done.set()))
        await asyncio.sleep(0)
        gate.set()
        assert done.wait(10)
        await asyncio.gather(held, discarding, replaying, last)
        await engine.settled()
        assert (await replaying).enqueued == await discarding == 20
        # What is begun before the loop hears of the change ends as it began.
        assert len(engine.sender.sent[url("orders")]) <= STARTS_PER_TURN

    run(path, test)


def test_a_change_that_is_refused_changes_nothing(path: Path) -> None:
    async def test(served: ServedStore, _: Engine) -> None:
        with pytest.raises(InvalidWebhook):
            await served.change(creating(""))
        assert (await served.read(lambda store: store.statistics())).webhooks == 0

    run(path, test)


def test_a_change_is_made_though_the_look_that_follows_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(served: ServedStore, engine: Engine) -> None:
        def failing() -> EndpointIndex | None:
            raise StoreFull("no room")

        with monkeypatch.context() as patched:
            patched.setattr(engine.journal, "refresh", failing)
            await served.change(creating("orders"))
        await engine.publish("first")
        assert await engine.sender.wait_for(1, url("orders")) == ["first"]

    run(path, test)


REMOVALS: dict[str, Callable[[Store, str], object]] = {
    "delete": lambda store, webhook: store.delete_webhook(webhook),
    "discard": lambda store, webhook: store.discard_pending(webhook),
    "disable": lambda store, webhook: store.patch_webhook(webhook, replacements({"enabled": False}), USER),
}


@pytest.mark.parametrize("removal", REMOVALS)
def test_what_was_read_just_before_it_is_taken_away_is_not_sent(
    path: Path, monkeypatch: pytest.MonkeyPatch, removal: str
) -> None:
    """However late the loop hears of either: here when the thread has done both."""
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 60)

    async def test(served: ServedStore, engine: Engine) -> None:
        webhook = await served.change(creating("orders"))
        with closing(SqliteStore.open(path)) as another, closing(another.open_journal()) as journal:
            journal.write([event(id=str(number)) for number in range(20)], [], now())
        gate, done = threading.Event(), threading.Event()
        held = asyncio.ensure_future(engine.writer.run(lambda _: gate.wait(10)))
        await asyncio.sleep(0)
        (lane,) = engine.worker._lanes.values()
        lane.due_later(0)
        engine.worker._take_turn(lane)
        engine.worker.offer([])
        await asyncio.sleep(0)
        assert lane.fetching
        removing = asyncio.ensure_future(served.change(lambda store: REMOVALS[removal](store, webhook.id)))
        await asyncio.sleep(0)
        last = asyncio.ensure_future(engine.writer.run(lambda _: done.set()))
        await asyncio.sleep(0)
        gate.set()
        assert done.wait(10)
        await asyncio.gather(held, removing, last)
        while lane.fetching:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        # What is begun before the loop hears of the change ends as it began.
        assert len(engine.sender.sent.get(url("orders"), [])) <= STARTS_PER_TURN

    run(path, test)


def test_webhooks_that_another_process_made_do_not_take_the_place_of_later_ones(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 0.01)

    async def test(served: ServedStore, engine: Engine) -> None:
        entered, gate, done = threading.Event(), threading.Event(), threading.Event()
        refresh = engine.journal.refresh

        def slow() -> EndpointIndex | None:
            index = refresh()
            if not entered.is_set():
                entered.set()
                gate.wait(10)
            return index

        monkeypatch.setattr(engine.journal, "refresh", slow)
        with closing(SqliteStore.open(path)) as another:
            another.create_webhook(webhook_draft(name="theirs", url=url("theirs")), USER)
        while not entered.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        changing = asyncio.ensure_future(served.change(creating("ours")))
        await asyncio.sleep(0)
        last = asyncio.ensure_future(engine.writer.run(lambda _: done.set()))
        await asyncio.sleep(0)
        gate.set()
        assert done.wait(10)
        await asyncio.gather(changing, last)
        await engine.publish("first")
        assert await engine.sender.wait_for(1, url("ours")) == ["first"]
        assert await engine.sender.wait_for(1, url("theirs")) == ["first"]

    run(path, test)
