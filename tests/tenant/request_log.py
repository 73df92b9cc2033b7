"""What was asked of the tenant. Credentials and bodies are not kept."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase

_CREDENTIALS = {"authorization", "proxy-authorization", "cookie"}
PATIENCE = 15.0


@dataclass(frozen=True)
class Pattern:
    """Which requests. method: None for any. path: a glob over the whole path, in which `*` stands for slashes, too."""

    method: str | None = None
    path: str = "*"

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and fnmatchcase(path, self.path)


@dataclass
class Logged:
    """One request.

    headers: names in lower case, without credentials. at: seconds since the epoch. user_id: who asked, "" where nobody
    was let in. status: what was answered; None while it is not, and where the connection was broken instead.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    at: float
    user_id: str = ""
    status: int | None = None


class RequestLog:
    """The requests, in order of arrival."""

    def __init__(self, lock: threading.RLock) -> None:
        self._changed = threading.Condition(lock)
        self._all: list[Logged] = []

    def arrived(self, method: str, path: str, query: tuple[tuple[str, str], ...], headers: dict[str, str]) -> Logged:
        """Note a request; the one who handles it fills in the rest."""
        shown = {name: value for name, value in headers.items() if name not in _CREDENTIALS}
        logged = Logged(method, path, query, shown, time.time())
        with self._changed:
            self._all.append(logged)
            self._changed.notify_all()
        return logged

    def answered(self, logged: Logged, status: int) -> None:
        with self._changed:
            logged.status = status
            self._changed.notify_all()

    def requests(self, method: str | None = None, path: str = "*") -> list[Logged]:
        """Those of a method and a path (see Pattern)."""
        pattern = Pattern(method, path)
        with self._changed:
            return [one for one in self._all if pattern.matches(one.method, one.path)]

    def wait_for(
        self,
        count: int,
        method: str | None = None,
        path: str = "*",
        *,
        answered: bool = False,
        timeout: float = PATIENCE,
    ) -> list[Logged]:
        """The requests, once there are at least so many. answered: count those that have been answered only."""

        def found() -> list[Logged]:
            return [one for one in self.requests(method, path) if one.status is not None or not answered]

        with self._changed:
            came = self._changed.wait_for(lambda: len(found()) >= count, timeout)
            assert came, f"{len(found())} of {count} requests came within {timeout:g} s: {method or 'any'} {path}"
            return found()

    def clear(self) -> None:
        with self._changed:
            self._all.clear()
