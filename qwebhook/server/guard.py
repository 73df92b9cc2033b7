"""Who is not let in at all: web pages, and who tries one token after another.

A browser sends what any page tells it to, to a server on its own machine, too. Nothing here is meant for browsers, so
that what comes from a page of another origin is refused before anything is looked at; and on loopback, so is a name
that is not this machine's (DNS rebinding). Failed attempts are answered later and later, and logged.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from qwebhook.model.errors import Forbidden, InvalidInput
from qwebhook.server.log import Log
from qwebhook.server.responses import Headers, Scope

# The wait after the first failed attempt, which doubles with each, up to the longest; forgotten after a while.
FIRST_WAIT = 0.05
LONGEST_WAIT = 0.4
FORGOTTEN_SECONDS = 300.0
# Addresses remembered; and how often one of them is logged at most.
ADDRESSES_LIMIT = 10_000
LOG_SECONDS = 10.0


class Misdirected(InvalidInput):
    """The request names a host that this server is not."""

    status = 421
    code = "QWH-MISDIRECTED"


class BrowserGuard:
    """Refuses what a web page of another origin sends. host: that the server listens on. names: hosts that it goes by,
    with their ports or without; public_url: how clients reach it, "" for as they say; behind_proxy: a proxy decides
    which hosts it answers for.
    """

    def __init__(self, host: str, public_url: str = "", *, behind_proxy: bool = False) -> None:
        self._public = urlsplit(public_url).netloc.lower()
        self._loopback = (host == "localhost" or is_loopback(host)) and not behind_proxy
        # The name that was last found to be ours, since clients keep to one.
        self._known = b""

    def check(self, headers: Headers) -> None:
        """Let a request with these headers pass. Raises Forbidden, Misdirected."""
        host = b""
        for name, value in headers:
            if name == b"host":
                host = value
            elif name == b"origin":
                page = _netloc(value)
                if not page or page not in (_host(headers), self._public):
                    raise _from_a_page()
            elif name == b"sec-fetch-site" and value not in (b"same-origin", b"none"):
                raise _from_a_page()
        if self._loopback and host and host != self._known:
            self._check_name(host.decode("latin-1").lower())
            self._known = host

    def _check_name(self, host: str) -> None:
        machine = _without_port(host)
        if host != self._public and machine != "localhost" and not is_loopback(machine):
            raise Misdirected(
                f"this server is not {host}",
                "reach it by localhost or 127.0.0.1, or start it with --public-url or --behind-proxy",
            )


def _netloc(origin: bytes) -> str:
    try:
        return urlsplit(origin.decode("latin-1").lower()).netloc
    except ValueError:
        return ""


def _host(headers: Headers) -> str:
    return next((value.decode("latin-1").lower() for name, value in headers if name == b"host"), "")


def _from_a_page() -> Forbidden:
    return Forbidden("this comes from a web page of another origin", "nothing here is meant for browsers")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a host, as a URL or `--host` has it, is a literal loopback address."""
    return host == "::1" or (host.startswith("127.") and host.replace(".", "").isdigit())


class FailedAttempts:
    """Makes each further failed attempt of an address wait longer. clock: seconds."""

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._logged: dict[str, float] = {}

    async def slow(self, scope: Scope, reason: str) -> None:
        """Note a failed attempt, log it, and wait."""
        await asyncio.sleep(self.note(scope.get("client"), scope["path"], reason))

    def note(self, client: tuple[str, int] | None, path: str, reason: str) -> float:
        """Note a failed attempt, and log it; how many seconds its answer has to wait. client: address and port."""
        address = client[0] if client else "unknown"
        now = self._clock()
        count, at = self._failures.pop(address, (0, now))
        count = 1 if now - at > FORGOTTEN_SECONDS else count + 1
        self._failures[address] = count, now
        if len(self._failures) > ADDRESSES_LIMIT:
            forgotten, _ = self._failures.popitem(last=False)
            self._logged.pop(forgotten, None)
        if count == 1 or now - self._logged.get(address, -LOG_SECONDS) >= LOG_SECONDS:
            self._logged[address] = now
            self._log.warning("not let in", address=address, path=path, attempts=count, reason=reason)
        return min(FIRST_WAIT * (1 << min(count - 1, 10)), LONGEST_WAIT)
