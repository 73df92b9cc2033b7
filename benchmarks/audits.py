"""Catching up with an audit log: how fast, and with how much memory.

    PYTHONPATH=. python benchmarks/audits.py [--events 100000] [--unlimited]

A stand-in tenant in a process of its own has the events in its log. They are read into a new store, through the same
`Tail` and writer as `serve --source` uses: 900 requests a minute, as always, or --unlimited. Printed are the rate, and
the resident memory after each tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from qwebhook.deliver.writer import Writer
from qwebhook.source.audit_log import AuditLog
from qwebhook.source.pace import RequestRate
from qwebhook.source.tail import Tail
from qwebhook.store.contract import SourcePlace
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from qwebhook.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[1]
PAGE = 4096


def resident() -> float:
    """MB of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def now() -> int:
    return time.time_ns() // 1_000_000


async def catch_up(url: str, key: str, events: int, unlimited: bool, store: Path) -> None:
    made = SqliteStore.open(store, create=True)
    writer = Writer(made.open_journal(), now, lambda written: None, lambda error: None)
    loop = asyncio.get_running_loop()
    since = now() - (events + 3600) * 1000
    rate = RequestRate(time.sleep)
    audits = AuditLog(Remote(url, BearerKey(key, "")), (lambda: None) if unlimited else rate.wait)
    tail = Tail(audits, SourcePlace(since, since))
    count = 0
    began = time.perf_counter()
    told = 0

    def read() -> None:
        nonlocal count, told
        for step in tail.read():

            async def accepted(given: list = step.events) -> None:  # type: ignore[type-arg]
                await writer.accept(given)

            if step.events:
                asyncio.run_coroutine_threadsafe(accepted(), loop).result()
                count += len(step.events)
            if count * 10 // events > told:
                told = count * 10 // events
                print(f"{count:8} events  {time.perf_counter() - began:7.1f} s  {resident():6.1f} MB", flush=True)

    done = asyncio.Event()
    thread = threading.Thread(target=lambda: (read(), loop.call_soon_threadsafe(done.set)))
    thread.start()
    await done.wait()
    seconds = time.perf_counter() - began
    print(f"{count} events in {seconds:.1f} s: {count / seconds:.0f}/s, {count / seconds * 60 / 100:.0f} requests/min")
    assert count == events
    await writer.close(5)
    made.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--unlimited", action="store_true", help="as fast as the tenant answers")
    options = parser.parse_args()
    command = [sys.executable, "-m", "tests.tenant", "--events", str(options.events)]
    tenant = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert tenant.stdout is not None
        url, key = (tenant.stdout.readline().split()[-1] for _ in range(2))
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(catch_up(url, key, options.events, options.unlimited, Path(folder) / "store.db"))
    finally:
        tenant.send_signal(signal.SIGTERM)
        tenant.wait()


if __name__ == "__main__":
    main()
