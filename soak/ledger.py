"""The books: which events have their 202, what came to whom, and everything that must not be."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator

from soak.events import CHANGING, HOOKS, kind_of

SHOWN = 30
PATIENCE = 60.0


class Ledger:
    """Kept by one event loop. An event is known by its number, a server process by the number of its start.

    changing: of the events that webhooks want which come and go: when they were first sent, and got their 202.
    unsettled: the events with a 202 since `take_accepted`.
    """

    def __init__(self) -> None:
        self.numbers = 0
        self.accepted = 0
        self.start = 0
        self.counts: Counter[str] = Counter()
        self.repeats: Counter[tuple[int, str]] = Counter()
        self.wrong: list[str] = []
        self.changing: dict[int, tuple[float, float]] = {}
        self.changed: dict[str, set[int]] = {}
        self._answered = bytearray()
        self._unsettled: list[int] = []
        self._news = asyncio.Event()
        # For each webhook and event the start at whose time it came last; 0 for never.
        self._came = {hook.name: array("H") for hook in HOOKS}

    def take_numbers(self, count: int) -> range:
        """The next events to send."""
        taken = range(self.numbers, self.numbers + count)
        self.numbers = taken.stop
        self._answered.extend(bytes(count))
        for came in self._came.values():
            came.extend([0] * count)
        return taken

    def answered(self, number: int, began: float, ended: float) -> None:
        """An event has its 202."""
        self._answered[number] = 1
        self.accepted += 1
        self._unsettled.append(number)
        self._news.set()
        if kind_of(number) == CHANGING:
            self.changing[number] = began, ended

    def refused(self) -> None:
        """Events were answered 503."""
        self.counts["requests refused"] += 1
        self._news.set()

    async def until(self, reached: Callable[[], bool], what: str) -> None:
        """Until answers to events have brought something about."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), deadline - time.monotonic())
            except TimeoutError:
                raise RuntimeError(f"not within {PATIENCE:g} s: {what}") from None

    def take_accepted(self) -> list[int]:
        """The events that had their 202 since the last time this was asked."""
        taken, self._unsettled = self._unsettled, []
        return taken

    def came(self, name: str, number: int) -> None:
        """A delivery has come to a webhook's receiver, and will be answered with success."""
        hook = next((hook for hook in HOOKS if hook.name == name), None)
        if hook is None:
            self.changed.setdefault(name, set()).add(number)
            if kind_of(number) != CHANGING:
                self.fault(f"event {number} came to {name}, which does not want it")
            return
        if not hook.wants(number):
            self.fault(f"event {number} came to {name}, which does not want it")
            return
        self.counts["deliveries"] += 1
        before = self._came[name][number]
        self._came[name][number] = self.start
        if not before:
            self.counts["delivered"] += 1
        elif before == self.start:
            self.fault(f"event {number} came to {name} twice, and the server was not killed between")
        else:
            self.repeats[self.start, name] += 1

    def missing(self, numbers: list[int] | None = None) -> Iterator[tuple[str, int]]:
        """The webhooks and events, of those with a 202, that have not come together."""
        for number in range(self.numbers) if numbers is None else numbers:
            if self._answered[number]:
                for hook in HOOKS:
                    if not self._came[hook.name][number] and hook.wants(number):
                        yield hook.name, number

    def fault(self, what: str) -> None:
        """Something that must not be; the first of them are kept in words."""
        self.counts["faults"] += 1
        if len(self.wrong) < SHOWN:
            self.wrong.append(what)
