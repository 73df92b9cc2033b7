"""Writer and worker over a real store, in virtual time, with a sender that a test directs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.targets import Allowed, Targets
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.delivery import Exchange, Reply
from qwebhook.model.webhook import Settings, Webhook
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER, event, webhook_draft
from tests.deliver.virtual_time import START, VirtualLoop, run_virtually


class Start(NamedTuple):
    """at: milliseconds since the test began."""

    url: str
    id: str
    at: int


class Sender:
    """Remembers what it was given, and when, and answers as it is told."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.started: list[Start] = []
        self.requests: list[PreparedRequest] = []
        self.answer: Callable[[str], int] = lambda _: 200

    async def send(self, request: PreparedRequest) -> Exchange:
        one = json.loads(request.body)["id"]
        self.requests.append(request)
        self.started.append(Start(request.url, one, round(self.loop.passed * 1000)))
        reply = Reply(self.answer(one), [], b"")
        return Exchange(request.url, request.shown, request.body, self.loop.clock(), 1.0, reply, 1.0)

    def at(self, name: str) -> list[Start]:
        return [one for one in self.started if one.url.endswith(f"/{name}")]


class Engine:
    """Writer and worker in virtual time, over a store."""

    def __init__(self, store: SqliteStore, loop: VirtualLoop, allowed: Allowed) -> None:
        self.store = store
        self.sender = Sender(loop)
        self.journal = store.open_journal()
        self.targets = Targets(self.sender, allowed)  # type: ignore[arg-type]
        self.worker = Worker(self.targets, self, loop.clock, lambda: 0.5)
        self.writer = Writer(self.journal, loop.clock, self.worker.written, self.failed)
        self.loop = loop
        self.breaks: list[int | None] = []

    def failed(self, error: Exception) -> None:
        raise error

    def attempted(self, *_: object) -> None:
        """Nobody watches."""

    def broken(self, _: object, open_until: int | None) -> None:
        self.breaks.append(None if open_until is None else open_until - START)

    def create(self, name: str, url: str = "", **settings: Any) -> Webhook:
        url = url or f"https://receiver.example.com/{name}"
        draft = webhook_draft(name=name, url=url, qwebhook=Settings(**settings))
        return self.store.create_webhook(draft, USER)

    async def publish(self, count: int) -> None:
        await self.writer.accept([event(id=str(number)) for number in range(count)])

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def with_engine(
    store: SqliteStore,
    test: Callable[[Engine], Coroutine[Any, Any, None]],
    allowed: Allowed = Allowed(),  # noqa: B008
) -> None:
    async def run(loop: VirtualLoop) -> None:
        engine = Engine(store, loop, allowed)
        await engine.worker.start(engine.writer)
        await test(engine)
        engine.worker.stop_starting()
        await engine.worker.drain(0)
        await engine.writer.close(5)
        engine.journal.close()

    run_virtually(run)
