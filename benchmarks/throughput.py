"""Durable delivery, end to end, against a bare client loop.

    python benchmarks/throughput.py [--events 6000] [--pairs 5] [--connections 64]

One pair is two runs one after the other, with the same load generator (aiohttp, as many connections, each waiting for
its answer) and the same sink:

- baseline: the generator posts every event straight to the sink;
- qwebhook: the generator posts to `qwebhook serve`, whose eight webhooks (each event matches one) point to the sink.
  It ends when every event has had its 202 after fsync, was delivered, signed, and its outcome is on record.

The ratio of a pair is qwebhook's rate by the baseline's. Medians of the pairs are printed, as JSON with --json.
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
from pathlib import Path

import aiohttp
import uvloop

WEBHOOKS = 8
HERE = Path(__file__).parent


def event(number: int) -> bytes:
    """An event of about 850 bytes, of one of eight types."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"bench-{number}",
            "source": "com.qlik/bench",
            "type": f"com.example.bench.{number % WEBHOOKS}",
            "time": "2026-11-24T16:00:00Z",
            "datacontenttype": "application/json",
            "tenantid": "YmVuY2htYXJrLXRlbmFudC1pZA",
            "userid": "605a18af2ab08cdbfad09259",
            "data": {"id": f"{number:024x}", "name": "Benchmark", "description": "x" * 500},
        }
    ).encode()


async def load(url: str, headers: dict[str, str], events: list[bytes], expected: int, connections: int) -> float:
    """Post the events over the connections; the seconds it took."""
    left = iter(events)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def connection() -> None:
            for body in left:
                async with session.post(url, data=body, headers=headers) as response:
                    await response.read()
                    assert response.status == expected, (response.status, await response.text())

        start = time.perf_counter()
        await asyncio.gather(*(connection() for _ in range(connections)))
        return time.perf_counter() - start


async def until_recorded(session: aiohttp.ClientSession, url: str, admin: str, wanted: int) -> None:
    """Wait until the server has recorded that many deliveries and nothing is pending."""
    headers = {"Authorization": f"Bearer {admin}"}
    while True:
        async with session.get(f"{url}/metrics", headers=headers) as response:
            text = await response.text()
        delivered = re.search(r'qwebhook_attempts_total\{outcome="delivered"\} ([\d.e+]+)', text)
        depth = re.search(r"^qwebhook_queue_depth ([\d.e+]+)", text, re.M)
        if delivered and float(delivered[1]) >= wanted and depth and float(depth[1]) == 0:
            return
        await asyncio.sleep(0.005)


def command(*words: str, home: str) -> str:
    """Run qwebhook; what it printed."""
    environment = {**os.environ, "QWEBHOOK_STORE": f"{home}/bench.db"}
    return subprocess.run(
        [sys.executable, "-m", "qwebhook", *words], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def serve(home: str) -> tuple[subprocess.Popen[str], str]:
    """A running server and its URL."""
    argv = [sys.executable, "-m", "qwebhook", "serve", "--store", f"{home}/bench.db", "--port", "0"]
    argv += ["--allow-network", "loopback", "--log-format", "json"]
    with Path(f"{home}/log").open("w") as log:
        process = subprocess.Popen(argv, stderr=log, text=True)
    for _ in range(500):
        found = re.search(r'"what":"listening","url":"([^"]+)"', Path(f"{home}/log").read_text())
        if found:
            return process, found[1]
        time.sleep(0.02)
    raise SystemExit("the server did not start")


async def measure(events: int, pairs: int, connections: int, sink: subprocess.Popen[str]) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {"baseline": [], "accepted": [], "delivered": [], "ratio": []}
    with tempfile.TemporaryDirectory() as home:
        target = f"http://127.0.0.1:{sink.stdout.readline().strip()}/"
        for number in range(WEBHOOKS):
            command(
                *("create", f"bench-{number}", "--url", f"{target}hook/{number}", "--secret", "generate"),
                *("--event", f"com.example.bench.{number}", "-q"),
                home=home,
            )
        admin = command("token", "create", "bench", "--role", "admin", home=home)
        server, url = serve(home)
        headers = {"Content-Type": "application/cloudevents+json", "Authorization": f"Bearer {admin}"}
        done = 0
        try:
            async with aiohttp.ClientSession() as session:
                for pair in range(pairs + 1):  # the first warms both up
                    bodies = [event(done + number) for number in range(events)]
                    bare = events / await load(target, headers, bodies, 200, connections)
                    start = time.perf_counter()
                    accepted = events / await load(f"{url}/events", headers, bodies, 202, connections)
                    done += events
                    await until_recorded(session, url, admin, done)
                    delivered = events / (time.perf_counter() - start)
                    if pair:
                        for name, value in zip(figures, (bare, accepted, delivered, delivered / bare), strict=True):
                            figures[name].append(value)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Durable delivery against a bare client loop")
    parser.add_argument("--events", type=int, default=6000, help="events in each run")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64, help="requests in flight")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with subprocess.Popen(
        [sys.executable, HERE / "sink.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sink:
        figures = uvloop.run(measure(options.events, options.pairs, options.connections, sink))
    medians = {name: statistics.median(values) for name, values in figures.items()}
    if options.json:
        print(json.dumps({"python": platform.python_version(), "figures": figures, "medians": medians}))
        return
    print(
        f"{options.pairs} pairs of {options.events} events, {options.connections} in flight, "
        f"CPython {platform.python_version()}, medians:"
    )
    print(f"  bare client loop   {medians['baseline']:8.0f} requests/s")
    print(f"  qwebhook accepted  {medians['accepted']:8.0f} events/s (202 after fsync)")
    print(f"  qwebhook delivered {medians['delivered']:8.0f} events/s (signed, delivered, on record)")
    low, high = min(figures["ratio"]), max(figures["ratio"])
    print(f"  ratio              {medians['ratio']:8.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
