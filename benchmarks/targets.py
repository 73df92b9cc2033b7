"""What targets cost: presets, workbooks, mails.

    PYTHONPATH=. python benchmarks/targets.py [--rounds 5] [--json]

- A preset: the time to make its message of an event, by that of a whole delivery without one (acceptance, delivery over
  HTTP to a sink, record), both in this process and one after the other.
- A workbook: the time to deliver 10,000 events that wait to it, as `serve` does, by ten times that of 1,000.
- Mails: 1,000 to a server on loopback, by how many connections.

Medians of the rounds are printed, with the lowest and the highest ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets, prepare
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model import catalogue
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.event import read_event
from qwebhook.model.mail import MailServer
from qwebhook.model.webhook import Settings, Webhook, WebhookDraft
from qwebhook.render.body import rendered_body
from qwebhook.render.presets import PRESETS
from qwebhook.server.lifecycle import clock, tune_interpreter
from qwebhook.store.sqlite import SqliteStore

TYPE = "com.qlik.v1.app.created"
EVENTS = 2000
AT_ONCE = 1000
Round = Callable[[], dict[str, float]]


class Nobody:
    """An observer that counts."""

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.done = asyncio.Event()

    def attempted(self, *_: object) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()

    def broken(self, *_: object) -> None:
        """Not here."""


def body(number: int) -> bytes:
    """The sample of the type, with an id of its own."""
    return json.dumps(catalogue.sample(TYPE, event_id=f"bench-{number}", time="2026-11-27T16:00:00Z")).encode()


def webhook(url: str, **settings: Any) -> Webhook:
    """A webhook, made in a store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore.open(Path(folder) / "bench.db", create=True)
        draft = WebhookDraft(name="bench", url=url, event_types=[TYPE], enabled=True, qwebhook=Settings(**settings))
        made = store.create_webhook(draft, "bench")
        store.close()
        return made


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A sink in as few lines as can be: every request, of which the head says the length, is answered 204."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def delivery_seconds() -> float:
    """Of one of many deliveries over HTTP, with their acceptance."""
    sink = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{sink.sockets[0].getsockname()[1]}/"
    with tempfile.TemporaryDirectory() as folder:
        async with Delivering(Path(folder), url, EVENTS, Sender(AddressPolicy(["loopback"]))) as delivering:
            bodies = [body(number) for number in range(EVENTS)]
            await delivering.start()
            start = time.perf_counter()
            await delivering.accept(bodies)
            await delivering.done()
            seconds = (time.perf_counter() - start) / EVENTS
    sink.close()
    return seconds


async def accepted(writer: Writer, bodies: list[bytes]) -> None:
    """When all are on disk."""
    await asyncio.gather(*(writer.accept([read_event(one)]) for one in bodies))


class Delivering:
    """What `serve` does with a webhook, in this process: a store, its writer and a worker."""

    def __init__(self, folder: Path, url: str, events: int, sender: Sender) -> None:
        self._store = SqliteStore.open(folder / "bench.db", create=True)
        self._store.create_webhook(WebhookDraft(name="bench", url=url, event_types=[TYPE], enabled=True), "bench")
        self._observer = Nobody(events)
        self._targets = Targets(sender, Allowed(folders=[folder]))
        self._worker = Worker(self._targets, self._observer, clock, lambda: 0.5)
        self._writer: Writer

    async def leave_waiting(self, bodies: list[bytes]) -> None:
        """Before the start: what a server that was ended has left in the store."""
        writer = Writer(self._store.open_journal(), clock, lambda written: None, print)
        for first in range(0, len(bodies), AT_ONCE):
            await accepted(writer, bodies[first : first + AT_ONCE])
        await writer.close(5)

    async def start(self) -> None:
        """Deliver what waits, and what comes."""
        self._writer = Writer(self._store.open_journal(), clock, self._worker.written, print)
        await self._worker.start(self._writer)

    async def accept(self, bodies: list[bytes]) -> None:
        """Each as a request of its own, all at once."""
        await accepted(self._writer, bodies)

    async def done(self) -> None:
        """Until all is on record."""
        await self._observer.done.wait()

    async def __aenter__(self) -> Delivering:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._worker.stop_starting()
        await self._worker.drain(5)
        await self._writer.close(5)
        await self._targets.close()
        self._store.close()


def presets() -> dict[str, float]:
    """Of a preset's message by a delivery."""
    whole = asyncio.run(delivery_seconds())
    bodies = [body(number) for number in range(EVENTS)]
    figures = {"delivery us": whole * 1e6}
    for name in PRESETS:
        to = webhook("https://example.com/", preset=name)
        rendered_body(to, TYPE, bodies[0])  # the first compiles it
        start = time.perf_counter()
        for one in bodies:
            rendered_body(to, TYPE, one)
        each = (time.perf_counter() - start) / EVENTS
        figures[f"{name} us"] = each * 1e6
        figures[f"{name} ratio"] = each / whole
    return figures


async def workbook_seconds(rows: int) -> float:
    """To append so many that wait when the server starts."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"xlsx:{folder}/bench.xlsx"
        async with Delivering(Path(folder), url, rows, Sender(AddressPolicy([]))) as delivering:
            await delivering.leave_waiting([body(number) for number in range(rows)])
            start = time.perf_counter()
            await delivering.start()
            await delivering.done()
            return time.perf_counter() - start


def workbooks() -> dict[str, float]:
    """Of ten thousand rows by ten times a thousand."""
    few, many = (asyncio.run(workbook_seconds(rows)) for rows in (1000, 10_000))
    return {"1,000 rows s": few, "10,000 rows s": many, "workbook ratio": many / (10 * few)}


def mails() -> dict[str, float]:
    """A thousand, and how many connections they took."""
    connections: set[object] = set()

    class Keeping:
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            connections.add(session.peer)
            return "250 kept"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Keeping(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        server = MailServer(server="127.0.0.1", port=port, sender="bench@example.com", security="none")
        to = Endpoint(1, 1, webhook("mailto:robin@example.com"), [], {})

        async def send() -> float:
            targets = Targets(Sender(AddressPolicy([])), Allowed(mail=server))
            prepared = [prepare(to, bytes(16), TYPE, body(number), clock()) for number in range(1000)]
            start = time.perf_counter()
            await asyncio.gather(*(targets.send(to, one) for one in prepared))
            seconds = time.perf_counter() - start
            await targets.close()
            return seconds

        return {"1,000 mails s": asyncio.run(send()), "connections": len(connections)}
    finally:
        controller.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="What targets cost")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, list[float]] = {}
    tune_interpreter()  # as serve does
    for _ in range(options.rounds):
        for part in (presets, workbooks, mails):
            for name, value in part().items():
                figures.setdefault(name, []).append(value)
    if options.json:
        print(json.dumps({"python": platform.python_version(), "figures": figures}))
        return
    print(f"{options.rounds} rounds, CPython {platform.python_version()}, medians (lowest to highest):")
    for name, values in figures.items():
        print(f"  {name:18} {statistics.median(values):10.3f}  ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
