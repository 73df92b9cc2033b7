"""A server with a million deliveries pending, against one with none.

    python benchmarks/backlog.py [--pending 1000000] [--rounds 5] [--events 4000] [--json]

The store is filled by way of its own journal: deliveries to a receiver that never answers, and one to a sink, the last.
Measured are the time from the start of `qwebhook serve` to the arrival at the sink, its resident memory a while after,
and the rate at which it accepts events (64 in flight, each 202 after fsync) by that of a server with an empty store, in
rounds that alternate. What is accepted has no webhook, so that acceptance alone is compared. Needs /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import uvloop

from qwebhook.model.event import read_event
from qwebhook.model.webhook import WebhookDraft
from qwebhook.store.sqlite import SqliteStore

BATCH = 500
IN_FLIGHT = 64


class Sink(asyncio.Protocol):
    """Answers 204, and notes when something came first."""

    first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        Sink.first = Sink.first or time.perf_counter()
        if b"\r\n\r\n" in data:
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]


def body(identifier: str, kind: str) -> bytes:
    data = {"id": identifier, "text": "x" * 200}
    return json.dumps({"specversion": "1.0", "id": identifier, "source": "bench", "type": kind, "data": data}).encode()


def fill(path: Path, pending: int, hole: int, sink: int) -> str:
    """A store with so many deliveries pending, and a token for it."""
    store = SqliteStore.open(path, create=True)
    for kind, port in (("hanging", hole), ("healthy", sink)):
        url = f"http://127.0.0.1:{port}/"
        store.create_webhook(WebhookDraft(name=kind, url=url, event_types=[kind], enabled=True), "bench")
    token = store.create_token("bench", "publisher", None)[1]
    journal = store.open_journal()
    now = time.time_ns() // 1_000_000
    for first in range(0, pending, BATCH):
        events = [read_event(body(f"old-{number}", "hanging")) for number in range(first, min(first + BATCH, pending))]
        journal.write(events, [], now)
    if pending:
        journal.write([read_event(body("last", "healthy"))], [], now)
    journal.close()
    store.close()
    return token


@contextmanager
def serving(home: Path) -> Iterator[tuple[str, int]]:
    """A running server: its URL, and its process id."""
    argv = [sys.executable, "-m", "qwebhook", "serve", "--store", str(home / "bench.db"), "--port", "0"]
    argv += ["--allow-network", "loopback", "--log-format", "json", "--drain", "1s"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(argv, stderr=log)
    try:
        while not (found := re.search(r'"what":"listening","url":"([^"]+)"', (home / "log").read_text())):
            assert process.poll() is None, (home / "log").read_text()
            time.sleep(0.02)
        yield found[1], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def accepted(url: str, token: str, events: int, name: str) -> float:
    """Events a second."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    left = iter([body(f"{name}-{number}", "unwanted") for number in range(events)])
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def connection() -> None:
            for one in left:
                async with session.post(f"{url}/events", data=one) as response:
                    await response.read()
                    assert response.status == 202, response.status

        start = time.perf_counter()
        await asyncio.gather(*(connection() for _ in range(IN_FLIGHT)))
        return events / (time.perf_counter() - start)


def resident(pid: int) -> float:
    """Megabytes."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]


async def measure(pending: int, rounds: int, events: int) -> dict[str, list[float]]:
    loop = asyncio.get_running_loop()
    sink = await loop.create_server(Sink, "127.0.0.1", 0)
    hole = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (hole, sink)]
    figures: dict[str, list[float]] = {"empty /s": [], "full /s": [], "ratio": []}
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder) / "full", Path(folder) / "empty"
        tokens = []
        for home, count in ((full, pending), (empty, 0)):
            await asyncio.to_thread(home.mkdir)
            tokens.append(await asyncio.to_thread(fill, home / "bench.db", count, *ports))
        start = time.perf_counter()
        starting = serving(full)
        url, pid = await asyncio.to_thread(starting.__enter__)
        try:
            while not Sink.first:  # noqa: ASYNC110 the sink is a protocol
                await asyncio.sleep(0.005)
            figures["first delivery s"] = [Sink.first - start]
            with serving(empty) as (other, _):
                for number in range(rounds + 1):  # the first warms both up
                    bare = await accepted(other, tokens[1], events, f"e{number}")
                    rate = await accepted(url, tokens[0], events, f"f{number}")
                    if number:
                        for name, value in (("empty /s", bare), ("full /s", rate), ("ratio", rate / bare)):
                            figures[name].append(value)
            figures["resident MB"] = [resident(pid)]
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)
    sink.close()
    hole.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="A server with a long queue")
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = uvloop.run(measure(options.pending, options.rounds, options.events))
    if options.json:
        print(json.dumps({"python": platform.python_version(), "figures": figures}))
        return
    print(f"{options.pending:,} pending, {options.rounds} rounds, CPython {platform.python_version()}, medians:")
    for name, values in figures.items():
        print(f"  {name:18} {statistics.median(values):8.2f}  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
