"""What webhooks that hang cost the others.

    python benchmarks/isolation.py [--seconds 15] [--rate 600] [--rounds 3] [--json]

A server has 100 webhooks: 50 point to a sink, 50 to a receiver that takes connections and never answers. In each round
events come at the same rate twice: first those of the healthy ones and as many that no webhook wants; then those of the
healthy ones and as many of the hanging ones. So the server accepts as much either time. Of the healthy ones' deliveries
within the time it is measured how many there were, and how long each took from before its event was posted to its
arrival; the second by the first is the ratio. Medians of the rounds are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
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

HEALTHY = HANGING = 50


class Sink(asyncio.Protocol):
    """Answers at once, and notes when which event came."""

    arrived: dict[str, float] = {}  # noqa: RUF012 one for all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = int(self.buffer[:end].lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            Sink.arrived[json.loads(body)["id"]] = time.perf_counter()
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]


def command(store: str, *words: str) -> str:
    """Run qwebhook; what it printed."""
    argv = [sys.executable, "-m", "qwebhook", *words, "--store", store]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def serving(home: str) -> Iterator[str]:
    """A running server; its URL."""
    argv = [sys.executable, "-m", "qwebhook", "serve", "--store", f"{home}/bench.db", "--port", "0", "--drain", "1s"]
    argv += ["--allow-network", "loopback", "--log-format", "json"]
    with Path(f"{home}/log").open("w") as log:
        process = subprocess.Popen(argv, stderr=log)
    try:
        while not (found := re.search(r'"what":"listening","url":"([^"]+)"', Path(f"{home}/log").read_text())):
            time.sleep(0.05)
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def post_all(
    session: aiohttp.ClientSession, url: str, kinds: list[str], seconds: float, rate: int, name: str
) -> dict[str, float]:
    """Post events of the kinds in turn at the rate; when each healthy one was posted."""
    posted: dict[str, float] = {}
    waiting: set[asyncio.Task[None]] = set()

    async def post(identifier: str, kind: str) -> None:
        body = {"specversion": "1.0", "id": identifier, "source": "bench", "type": kind, "data": {"text": "x" * 500}}
        headers = {"Content-Type": "application/cloudevents+json"}
        async with session.post(f"{url}/events", data=json.dumps(body), headers=headers) as response:
            await response.read()
            assert response.status == 202, response.status

    start = time.perf_counter()
    for number in range(int(seconds * rate)):
        await asyncio.sleep(max(start + number / rate - time.perf_counter(), 0))
        kind, identifier = kinds[number % len(kinds)], f"{name}-{number}"
        if kind.startswith("healthy"):
            posted[identifier] = time.perf_counter()
        task = asyncio.create_task(post(identifier, kind))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return posted


async def phase(
    session: aiohttp.ClientSession, url: str, others: str, seconds: float, rate: int, name: str
) -> tuple[float, float]:
    """Of the healthy ones: deliveries a second, and the 99th percentile of their latency in milliseconds."""
    kinds = [kind for number in range(HEALTHY) for kind in (f"healthy.{number}", f"{others}.{number}")]
    start = time.perf_counter()
    posted = await post_all(session, url, kinds, seconds, rate, name)
    end = time.perf_counter()
    deadline = end + 30
    while any(one not in Sink.arrived for one in posted) and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    late = [one for one in posted if one not in Sink.arrived]
    assert not late, f"{len(late)} have not arrived"
    latencies = sorted((Sink.arrived[one] - at) * 1000 for one, at in posted.items())
    within = sum(Sink.arrived[one] <= end for one in posted)
    return within / (end - start), latencies[int(0.99 * len(latencies))]


async def measure(seconds: float, rate: int, rounds: int) -> dict[str, list[float]]:
    loop = asyncio.get_running_loop()
    sink = await loop.create_server(Sink, "127.0.0.1", 0)
    hole = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as home:
        store = f"{home}/bench.db"
        for kind, server in (("healthy", sink), ("hanging", hole)):
            port = server.sockets[0].getsockname()[1]
            for number in range(HEALTHY):
                url = f"http://127.0.0.1:{port}/{number}"
                await asyncio.to_thread(
                    command, store, "create", f"{kind}-{number}", "--url", url, "--event", f"{kind}.{number}", "-q"
                )
        token = await asyncio.to_thread(command, store, "token", "create", "bench", "--role", "publisher")
        headers = {"Authorization": f"Bearer {token}"}
        connector = aiohttp.TCPConnector(limit=200)
        with serving(home) as url:
            async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
                await phase(session, url, "unwanted", 2, rate, "warm")
                for number in range(rounds):
                    alone = await phase(session, url, "unwanted", seconds, rate, f"alone{number}")
                    beside = await phase(session, url, "hanging", seconds, rate, f"beside{number}")
                    for name, value in (
                        ("alone /s", alone[0]),
                        ("beside /s", beside[0]),
                        ("throughput ratio", beside[0] / alone[0]),
                        ("alone p99 ms", alone[1]),
                        ("beside p99 ms", beside[1]),
                        ("p99 ratio", beside[1] / alone[1]),
                    ):
                        figures.setdefault(name, []).append(value)
    sink.close()
    hole.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="What webhooks that hang cost the others")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each half of a round")
    parser.add_argument("--rate", type=int, default=600, help="events a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ.pop("QWEBHOOK_STORE", None)
    figures = uvloop.run(measure(options.seconds, options.rate, options.rounds))
    if options.json:
        print(json.dumps({"python": platform.python_version(), "figures": figures}))
        return
    print(f"{options.rounds} rounds at {options.rate} events/s, CPython {platform.python_version()}, medians:")
    for name, values in figures.items():
        print(f"  {name:18} {statistics.median(values):8.2f}  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
