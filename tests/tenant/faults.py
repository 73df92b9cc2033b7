"""Trouble that a test switches on for the next requests.

    tenant.faults.inject(status(429, retry_after=1), times=3)
    tenant.faults.inject(reset(), method="POST", path="*/webhooks", takes_effect=True)
    tenant.faults.inject(repeated_items(), path="*/audits", times=None)

A fault either takes the place of an answer, or changes the one that there is. With `takes_effect` the request is
carried out in either case, and only its answer is lost: what tells a client that repeats a POST from one that does not.
"""

from __future__ import annotations

import enum
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from tests.tenant.answers import Answer, Json, error_answer, json_answer
from tests.tenant.request_log import Pattern

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form method=post></form></body></html>"


class Ending(enum.Enum):
    """How an answer is sent: in whole, half and then cut off, not at all with the connection reset, or never."""

    WHOLE = enum.auto()
    CUT = enum.auto()
    RESET = enum.auto()
    NEVER = enum.auto()


@dataclass(frozen=True)
class Fault:
    """instead: takes the place of the answer. change: what becomes of the answer. ending: how it is sent."""

    instead: Answer | None = None
    change: Callable[[Answer], Answer] | None = None
    ending: Ending = Ending.WHOLE

    @property
    def needs_answer(self) -> bool:
        """Whether the request must be carried out for this fault."""
        return self.change is not None or self.ending is Ending.CUT


@dataclass
class Injected:
    """A fault that waits for its requests. skip: how many pass first. left: None for any number. used: so far."""

    fault: Fault
    pattern: Pattern
    takes_effect: bool
    skip: int
    left: int | None
    used: int = 0


class Faults:
    """The faults that are switched on; of several that match, the one that was injected first."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._injected: list[Injected] = []

    def inject(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str = "*",
        times: int | None = 1,
        after: int = 0,
        takes_effect: bool = False,
    ) -> Injected:
        """Switch a fault on for matching requests (see Pattern); what it returns counts them.

        times: None for ever. after: how many matching requests pass first.
        """
        injected = Injected(fault, Pattern(method, path), takes_effect or fault.needs_answer, after, times)
        with self._lock:
            self._injected.append(injected)
        return injected

    def mend(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._injected.clear()

    def take(self, method: str, path: str) -> Injected | None:
        """What befalls a request."""
        with self._lock:
            for injected in self._injected:
                if injected.left == 0 or not injected.pattern.matches(method, path):
                    continue
                if injected.skip:
                    injected.skip -= 1
                    continue
                if injected.left is not None:
                    injected.left -= 1
                injected.used += 1
                return injected
        return None


def status(code: int, retry_after: int | str | None = None) -> Fault:
    """An error in the service's shape. retry_after: seconds, or a date; None for no such header."""
    headers = () if retry_after is None else (("retry-after", str(retry_after)),)
    return Fault(error_answer(code, HTTPStatus(code).phrase, headers=headers))


def answer(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Anything at all: `answer(302, location="/elsewhere")`. In names of headers, `_` stands for a hyphen."""
    return Fault(Answer(code, body, tuple((name.replace("_", "-"), value) for name, value in headers.items())))


def html(code: int = 200) -> Fault:
    """A login page, as of a wrong tenant name or a proxy."""
    return answer(code, LOGIN_PAGE, content_type="text/html; charset=utf-8")


def hang() -> Fault:
    """No answer, for as long as the client waits."""
    return Fault(ending=Ending.NEVER)


def reset() -> Fault:
    """The connection is reset instead of an answer."""
    return Fault(ending=Ending.RESET)


def cut_off() -> Fault:
    """The connection ends in the middle of the body."""
    return Fault(ending=Ending.CUT)


def truncated() -> Fault:
    """A whole response whose JSON ends in its middle."""
    return Fault(change=lambda good: replace(good, body=good.body[: len(good.body) // 2]))


def altered(change: Callable[[Json], Json]) -> Fault:
    """Another object than the one that would be answered with success."""

    def changed(good: Answer) -> Answer:
        if good.status >= 300 or not good.body:
            return good
        return replace(good, body=json_answer(change(json.loads(good.body))).body)

    return Fault(change=changed)


def cursor_loop() -> Fault:
    """The `next` link of a page leads to the page itself."""

    def looped(page: Json) -> Json:
        return page | {"links": page["links"] | {"next": page["links"]["self"]}}

    return altered(looped)


def foreign_next(origin: str) -> Fault:
    """The `next` link of a page leads to another host, where no credentials must go. origin: `http://HOST:PORT`."""

    def led_away(page: Json) -> Json:
        href = urlsplit(page["links"].get("next", page["links"]["self"])["href"])
        elsewhere = urlsplit(origin)
        away = urlunsplit(href._replace(scheme=elsewhere.scheme, netloc=elsewhere.netloc))
        return page | {"links": page["links"] | {"next": {"href": away}}}

    return altered(led_away)


def repeated_items(count: int = 1) -> Fault:
    """Each page begins with the last items of the page answered before it."""
    before: list[Json] = []

    def repeated(page: Json) -> Json:
        again, before[:] = list(before), page["data"][-count:]
        return page | {"data": [*again, *page["data"]]}

    return altered(repeated)
