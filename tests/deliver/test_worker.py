"""The worker over a real store and a sender that a test directs: order, backlogs, and lanes that must go on."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from qwebhook.deliver import worker as worker_module
from qwebhook.deliver.lane import READY_LIMIT
from qwebhook.deliver.names import NameFinder
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.targets import Targets
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.backoff import SPAN
from qwebhook.model.delivery import Exchange, Outcome, Reply
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import QwebhookError
from qwebhook.model.event import Event, read_event
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Settings, Webhook
from qwebhook.store.contract import Claim, DeliveryQuery, Journal, Recording, Written
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER, cloud_event_body, event, webhook_draft
from tests.store.recordings import DAY, retry

OK = Reply(200, [], b"")


class Sender:
    """Keeps what it is given to send, by URL. answer: what comes of it; `gate` holds back URLs that contain a word."""

    def __init__(self) -> None:
        self.sent: dict[str, list[str]] = {}
        self.answer: Callable[[PreparedRequest], Reply] = lambda _: OK
        self.gates: dict[str, asyncio.Event] = {}
        self.changed = asyncio.Condition()

    async def send(self, request: PreparedRequest) -> Exchange:
        async with self.changed:
            self.sent.setdefault(request.url, []).append(json.loads(request.body)["id"])
            self.changed.notify_all()
        for word, gate in self.gates.items():
            if word in request.url:
                await gate.wait()
        return Exchange(request.url, request.shown, request.body, now(), 1.0, self.answer(request), 1.0)

    async def wait_for(self, count: int, url: str) -> list[str]:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.sent.get(url, [])) >= count)
        return self.sent[url]


class Observer:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def attempted(self, endpoint: Endpoint, claim: Claim, exchange: Exchange, outcome: Outcome, reason: str) -> None:
        self.seen.append((endpoint.webhook.name, claim.attempt))

    def broken(self, endpoint: Endpoint, open_until: int | None) -> None:
        """Nobody watches."""


class Engine:
    """Writer, worker and what they work with, over a new store."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.journal = store.open_journal()
        self.sender = Sender()
        self.observer = Observer()
        self.failed: list[QwebhookError] = []

    async def start(self, names: NameFinder | None = None) -> None:
        targets = Targets(self.sender, names=names)  # type: ignore[arg-type]
        self.worker = Worker(targets, self.observer, now, lambda: 0.5)
        self.writer = Writer(self.journal, now, self.worker.written, self.failed.append)
        await self.worker.start(self.writer)

    async def stop(self) -> None:
        self.worker.stop_starting()
        await self.worker.drain(0)
        assert await self.writer.close(5)
        self.journal.close()

    def create(self, name: str, **fields: Any) -> Webhook:
        return self.store.create_webhook(webhook_draft(name=name, url=url(name), **fields), USER)

    async def publish(self, *ids: object) -> None:
        await self.writer.accept([event(id=str(one)) for one in ids])

    async def settled(self) -> None:
        """Once nothing is in flight or pending."""
        while self.worker.in_flight or (await self.writer.run(lambda journal: journal.pending()))[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def now() -> int:
    return time.time_ns() // 1_000_000


def url(name: str) -> str:
    return f"https://receiver.example.com/{name}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db", create=True)
    yield store
    store.close()


def with_engine(store: SqliteStore, test: Callable[[Engine], Coroutine[Any, Any, None]], started: bool = True) -> None:
    """Run a test in an event loop of its own, for twenty seconds at most."""

    async def run() -> None:
        engine = Engine(store)
        if started:
            await engine.start()
        await asyncio.wait_for(test(engine), 20)
        await engine.stop()

    asyncio.run(run())


def ids(count: int, start: int = 0) -> list[str]:
    return [str(number) for number in range(start, start + count)]


def test_a_backlog_larger_than_what_is_kept_in_memory_goes_out_in_order(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(concurrency=1))
        gate = engine.sender.gates["one"] = asyncio.Event()
        count = READY_LIMIT * 2 + 10
        for start in range(0, count, 100):
            await engine.publish(*ids(min(100, count - start), start))
        gate.set()
        await engine.publish(*ids(20, count))
        await engine.settled()
        assert engine.sender.sent[url("one")] == ids(count + 20)

    with_engine(store, test)


def test_bodies_beyond_what_may_be_kept_in_memory_go_out_in_order(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "READY_BYTES", 1)

    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(ordering="strict"))
        await engine.publish(*ids(30))
        await engine.publish(*ids(30, 30))
        await engine.settled()
        assert engine.sender.sent[url("one")] == ids(60)

    with_engine(store, test)


def test_an_event_of_which_no_message_can_be_made_is_dead_and_holds_up_none(store: SqliteStore) -> None:
    """JSON may have numbers that nothing can hold; they are forwarded, and cannot be rendered."""

    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(ordering="strict", template='{"id": "{{ event.id }}"}'))
        await engine.start(NameFinder(lambda kind, identifier: {}))
        endless = cloud_event_body(id="endless", data={"size": 17}).replace(b"17", b"1e999")
        await engine.writer.accept([read_event(endless)])
        await engine.publish("after")
        await engine.settled()
        assert engine.sender.sent[url("one")] == ["after"]
        (after, dead) = store.list_deliveries(DeliveryQuery()).items
        assert (dead.qwebhook.state, dead.qwebhook.attempts) == ("dead", 1)
        assert dead.status_message == "the event cannot be read: it does not fit (number out of range)"
        assert after.qwebhook.state == "delivered"

    with_engine(store, test, started=False)


def test_what_is_pending_at_the_start_goes_out_in_order(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(concurrency=1))
        before = store.open_journal()
        before.write([event(id=one) for one in ids(READY_LIMIT + 20)], [], now())
        before.close()
        await engine.start()
        await engine.publish("last")
        await engine.settled()
        assert engine.sender.sent[url("one")] == [*ids(READY_LIMIT + 20), "last"]

    with_engine(store, test, started=False)


@pytest.mark.parametrize("ordering", ["arrival", "strict"])
def test_what_waits_for_a_time_that_the_clock_was_set_back_from_goes_out_at_the_start(
    store: SqliteStore, ordering: Literal["arrival", "strict"]
) -> None:
    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(ordering=ordering))
        before, ahead = store.open_journal(), now() + 365 * DAY
        accepted = before.write([event(id="failed"), event(id="new")], [], ahead).accepted
        before.write([], [retry(accepted[0].claims[0], ahead + 5000)], ahead)
        before.close()
        await engine.start()
        await engine.settled()
        assert sorted(engine.sender.sent[url("one")]) == ["failed", "new"]

    with_engine(store, test, started=False)


def test_a_retry_that_is_due_beyond_any_schedule_goes_out_at_the_start(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("one")
        before, ahead = store.open_journal(), now() + 365 * DAY
        accepted = before.write([event(id="1")], [], now()).accepted
        before.write([], [retry(accepted[0].claims[0], ahead)], ahead)
        before.close()
        await engine.start()
        await engine.settled()
        assert engine.sender.sent[url("one")] == ["1"]

    with_engine(store, test, started=False)


def test_a_retry_keeps_its_time_at_the_start(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one")
        before = store.open_journal()
        accepted = before.write([event(id="1")], [], now()).accepted
        due = now() + round(SPAN * 1000)
        before.write([], [retry(accepted[0].claims[0], due)], now())
        await engine.start()
        assert before.next_due(store.endpoint(webhook.id).row, set()) == due
        before.close()

    with_engine(store, test, started=False)


def test_a_webhook_takes_no_more_than_its_slots_and_others_go_on(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("slow", qwebhook=Settings(concurrency=3))
        engine.create("quick")
        gate = engine.sender.gates["slow"] = asyncio.Event()
        await engine.publish(*ids(100))
        await engine.sender.wait_for(100, url("quick"))
        assert len(engine.sender.sent[url("slow")]) == 3
        gate.set()
        await engine.settled()
        assert sorted(engine.sender.sent[url("slow")]) == sorted(ids(100))

    with_engine(store, test)


@pytest.mark.parametrize("ordering", ["arrival", "strict"])
def test_one_attempt_that_cannot_be_recorded_does_not_stop_its_webhook(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, ordering: Any
) -> None:
    # No look at the store may be what sets it going again.
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 60)

    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(ordering=ordering))
        refuse(engine.journal, "bad")
        await engine.publish("bad", "next", "last")
        sent = await engine.sender.wait_for(3, url("one"))
        assert sent == ["bad", "next", "last"]
        while len(engine.observer.seen) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert [str(error)[:16] for error in engine.failed] == ["the store failed"]

    with_engine(store, test)


@pytest.mark.parametrize("ordering", ["arrival", "strict"])
def test_a_mistake_of_ours_does_not_stop_the_webhook(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, ordering: Any
) -> None:
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 60)

    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(ordering=ordering))
        noticed: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noticed.append(context["exception"]))
        attempted = engine.observer.attempted

        def mistaken(endpoint: Endpoint, claim: Claim, *rest: Any) -> None:
            attempted(endpoint, claim, *rest)
            if json.loads(claim.body)["id"] == "bad":
                raise ZeroDivisionError

        engine.observer.attempted = mistaken  # type: ignore[method-assign]
        await engine.publish("bad", "next", "last")
        assert await engine.sender.wait_for(3, url("one")) == ["bad", "next", "last"]
        await engine.settled()
        gc.collect()
        assert [type(one) for one in noticed] == [ZeroDivisionError]

    with_engine(store, test)


def refuse(journal: Journal, identifier: str) -> None:
    """Have the journal fail at recordings of the event with that id, as with a value it cannot express."""
    write = journal.write

    def refusing(events: Sequence[Event], recordings: Sequence[Recording], at: int) -> Written:
        if any(json.loads(one.claim.body)["id"] == identifier for one in recordings):
            raise TypeError("cannot be expressed")
        return write(events, recordings, at)

    journal.write = refusing  # type: ignore[method-assign]


def test_a_webhook_deleted_by_another_process_gets_nothing_more(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 0.01)

    async def test(engine: Engine) -> None:
        unwanted = engine.create("unwanted", qwebhook=Settings(concurrency=1))
        engine.create("other")
        gate = engine.sender.gates["unwanted"] = asyncio.Event()
        await engine.publish(*ids(READY_LIMIT + 50))
        await engine.sender.wait_for(1, url("unwanted"))
        store.delete_webhook(unwanted.id)
        await engine.publish("after")
        gate.set()
        await engine.settled()
        assert engine.sender.sent[url("unwanted")] == ["0"]
        assert len(engine.sender.sent[url("other")]) == READY_LIMIT + 51

    with_engine(store, test)


def test_what_another_process_discards_is_not_sent(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 0.01)

    async def test(engine: Engine) -> None:
        webhook = engine.create("one", qwebhook=Settings(concurrency=1))
        gate = engine.sender.gates["one"] = asyncio.Event()
        await engine.publish(*ids(20))
        await engine.sender.wait_for(1, url("one"))
        assert store.discard_pending(webhook.id) == 20
        store.patch_webhook(webhook.id, replacements({"description": "emptied"}), USER)
        await engine.publish("after")
        gate.set()
        await engine.settled()
        assert engine.sender.sent[url("one")] == ["0", "after"]

    with_engine(store, test)


def test_after_stopping_nothing_is_started_and_what_is_broken_off_stays_pending(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        engine.create("one", qwebhook=Settings(concurrency=1))
        engine.sender.gates["one"] = asyncio.Event()
        await engine.publish("in flight", "ready")
        await engine.sender.wait_for(1, url("one"))
        engine.worker.stop_starting()
        await engine.publish("later")
        assert await engine.worker.drain(0.05) == 1
        assert engine.sender.sent[url("one")] == ["in flight"]
        assert (await engine.writer.run(lambda journal: journal.pending()))[0] == 3

    with_engine(store, test)
