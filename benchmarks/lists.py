"""Lists of a large store against those of a store a tenth its size.

    python benchmarks/lists.py [--webhooks 10000] [--deliveries 1000000] [--runs 15]

Two stores are built in a temporary folder by way of the store's own journal, which takes some minutes. Then a page of
100 is read of each, with each filter and sort and some together, the two stores in turn; and some work that is not a
list, but must not grow with the store, either. Printed are the medians and their ratio: 1 means that the time does not
depend on the total. What is rare is also the oldest, so that whoever walks down a list to find it walks to its end.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, get_args

import msgspec

from qwebhook.model.delivery import Dead, Delivered, Exchange, Reply, reason
from qwebhook.model.event import Event, read_event
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import WebhookDraft
from qwebhook.store.contract import (
    BEGINNING,
    Claim,
    DeliveryQuery,
    DeliverySort,
    Journal,
    Recording,
    ReplayQuery,
    StatisticsQuery,
    WebhookQuery,
    WebhookSort,
)
from qwebhook.store.sqlite import SqliteStore

LIMIT = 100
BATCH = 500
START = 1_795_536_000_000  # ms since the epoch
TYPES = [f"com.example.bench.{number}" for number in range(8)]
RARE_TYPE = "com.example.bench.rare"
# As many webhooks in either store have the rare value of everything that a list can be restricted to.
RARE_WEBHOOKS = 20
# And as many deliveries fail, every other one of the rare type.
RARE_DELIVERIES = 200
HEADERS = {"content-type": "application/json", "webhook-id": "msg_0123456789abcdef0123456789abcdef", "x-key": "v" * 60}


class Sample(msgspec.Struct):
    """A store of one size. busy, quiet: the ids of webhooks with many and few deliveries."""

    store: SqliteStore
    journal: Journal
    busy: str
    quiet: str


def build(path: Path, webhooks: int, deliveries: int) -> Sample:
    """A store of that size. Eight webhooks receive deliveries: every other goes to the first, few go to the last."""
    store = SqliteStore.open(path, create=True)
    made = []
    for number in range(webhooks):
        rare = len(TYPES) <= number < len(TYPES) + RARE_WEBHOOKS
        webhook = store.create_webhook(draft(number, webhooks, rare), "rare" if rare else f"maker-{number // 100}")
        if rare:
            store.patch_webhook(webhook.id, replacements({"description": "changed"}), "rare")
        made.append(webhook.id)
    journal = store.open_journal()
    for done in range(0, deliveries, BATCH):
        now = START + done
        events = [event(number) for number in range(done, min(done + BATCH, deliveries))]
        claims = [claim for accepted in journal.write(events, [], now).accepted for claim in accepted.claims]
        journal.write([], [recording(claim) for claim in claims], now)
    return Sample(store, journal, made[0], made[len(TYPES) - 1])


def draft(number: int, webhooks: int, rare: bool) -> WebhookDraft:
    """Each of the first eight webhooks subscribes to a type, the first to the rare one, too."""
    types = ["com.example.rare" if rare else "com.example.common"]
    if number < len(TYPES):
        types += [TYPES[number], *([RARE_TYPE] if number == 0 else [])]
    return WebhookDraft(
        name=f"webhook {number * 7919 % webhooks:06}",
        url=f"https://receiver.example.com/{number * 104_729 % webhooks:06}",
        event_types=types,
        enabled=not rare,
        level="user" if rare else "tenant",
        owner_id="rare" if rare else f"owner-{number // 100}",
        origin="automations" if rare else "api",
    )


def event(number: int) -> Event:
    kind = TYPES[0] if number % 2 else TYPES[1 + number % (len(TYPES) - 2)]
    if number < RARE_DELIVERIES:
        kind = RARE_TYPE if number % 2 else TYPES[-1]
    body = {
        "specversion": "1.0",
        "id": f"bench-{number}",
        "source": "com.example/bench",
        "type": kind,
        "data": {"id": f"{number:024x}", "name": "Benchmark", "description": "x" * 120},
    }
    return read_event(msgspec.json.encode(body))


def recording(claim: Claim) -> Recording:
    rare = claim.event <= RARE_DELIVERIES
    reply = Reply(503, [], b"busy") if rare else Reply(200, [("content-type", "text/plain")], b"thanks")
    exchange = Exchange("https://receiver.example.com/", HEADERS, claim.body, claim.due, 12.5, reply, 11.0)
    return Recording(claim, exchange, Dead() if rare else Delivered(), reason(reply))


def webhook_lists() -> Iterator[tuple[str, WebhookQuery]]:
    """Every filter in every order, then some together."""
    filters: dict[str, dict[str, Any]] = {
        "all": {},
        "name, a substring of 10": {"name": "00001"},
        "url, a substring of 10": {"url": "/00002"},
        "enabled true": {"enabled": True},
        "enabled false": {"enabled": False},
        "eventTypes of nearly all": {"event_types": ["com.example.common"]},
        "eventTypes of 20": {"event_types": ["com.example.rare"]},
        "level tenant": {"level": "tenant"},
        "level user": {"level": "user"},
        "origins api": {"origins": ["api"]},
        "origins, two that 20 have": {"origins": ["automations", "management-console"]},
        "ownerId": {"owner_id": "owner-3"},
        "createdByUserId": {"created_by_user_id": "rare"},
        "updatedByUserId": {"updated_by_user_id": "rare"},
        "ownerId and enabled true": {"owner_id": "owner-3", "enabled": True},
        "enabled false and level user": {"enabled": False, "level": "user"},
        "enabled false and eventTypes of nearly all": {"enabled": False, "event_types": ["com.example.common"]},
    }
    for words, filtered in filters.items():
        for sort in get_args(WebhookSort):
            if not sort.startswith("+"):
                yield f"webhooks: {words}, {sort}", WebhookQuery(sort=sort, limit=LIMIT, **filtered)


def delivery_lists(sample: Sample) -> Iterator[tuple[str, DeliveryQuery]]:
    """The whole store's and one webhook's, with every filter and both together, in every order."""
    filters: dict[str, dict[str, Any]] = {
        "any": {},
        "status success": {"status": "success"},
        "status fail": {"status": "fail"},
        "eventType of many": {"event_type": TYPES[0]},
        "eventType of 100": {"event_type": RARE_TYPE},
        "eventType of many, status success": {"event_type": TYPES[0], "status": "success"},
        "eventType of many, status fail": {"event_type": TYPES[0], "status": "fail"},
        "eventType of 100, status fail": {"event_type": RARE_TYPE, "status": "fail"},
    }
    for whose, webhook_id in (("all", None), ("one webhook", sample.busy), ("one with 100", sample.quiet)):
        for words, filtered in filters.items():
            for sort in get_args(DeliverySort):
                if not sort.startswith("+"):
                    query = DeliveryQuery(webhook_id=webhook_id, sort=sort, limit=LIMIT, **filtered)
                    yield f"deliveries of {whose}: {words}, {sort}", query


def work(sample: Sample) -> dict[str, Callable[[], object]]:
    """What is measured of a store, by its name."""
    store, journal = sample.store, sample.journal
    measured: dict[str, Callable[[], object]] = {}
    for name, webhooks in webhook_lists():
        measured[name] = partial(store.list_webhooks, webhooks)
    for name, deliveries in delivery_lists(sample):
        measured[name] = partial(store.list_deliveries, deliveries)
        cursor = store.list_deliveries(deliveries).next
        if cursor is not None:
            measured[f"{name}, second page"] = partial(
                store.list_deliveries, msgspec.structs.replace(deliveries, cursor=cursor)
            )
    past = ReplayQuery(sample.busy, START, START + 10 * BATCH, everything=True)
    numbers = count()
    return measured | {
        "a change of a webhook": lambda: store.patch_webhook(
            sample.quiet, replacements({"description": f"change {next(numbers)}"}), "benchmark"
        ),
        f"a step of a replay, {BATCH} events looked at": partial(
            journal.replay, past, BEGINNING, BATCH, START, dry_run=True
        ),
        "statistics": store.statistics,
        "statistics, a page of webhooks": partial(store.list_statistics, StatisticsQuery(limit=100)),
    }


def milliseconds(call: Callable[[], object]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="Lists of a large store against those of a small one")
    parser.add_argument("--webhooks", type=int, default=10_000)
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        small = build(Path(folder, "small.db"), options.webhooks // 10, options.deliveries // 10)
        large = build(Path(folder, "large.db"), options.webhooks, options.deliveries)
        for (name, of_small), of_large in zip(work(small).items(), work(large).values(), strict=True):
            milliseconds(of_small)
            milliseconds(of_large)
            times: dict[str, list[float]] = {"tenth": [], "whole": []}
            for _ in range(options.runs):
                times["tenth"].append(milliseconds(of_small))
                times["whole"].append(milliseconds(of_large))
            figures[name] = times
        for sample in (small, large):
            sample.journal.close()
            sample.store.close()
    if options.json:
        print(json.dumps({"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "figures": figures}))
        return
    print(
        f"{options.webhooks} webhooks and {options.deliveries} deliveries against a tenth of both, pages of {LIMIT}, "
        f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, medians of {options.runs} in ms:"
    )
    width = max(map(len, figures))
    print(f"{'':{width}} {'tenth':>7} {'whole':>7} {'ratio':>6}")
    for name, times in figures.items():
        tenth, whole = (statistics.median(times[size]) for size in ("tenth", "whole"))
        print(f"{name:{width}} {tenth:7.2f} {whole:7.2f} {whole / tenth:6.2f}")


if __name__ == "__main__":
    main()
