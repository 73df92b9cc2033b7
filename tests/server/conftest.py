"""One server for what does not get in each other's way, and those who ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwebhook.server import access
from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Receiver
from tests.server.asking import Asking
from tests.server.clock import Clock

Serve = Callable[..., Server]


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(Home(tmp_path_factory.mktemp("served")), "--webhook-limit", "0")
    yield server
    server.close()


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def admin(server: Server) -> Asking:
    return Asking(server, server.token("admin"))


@pytest.fixture(scope="package")
def user(server: Server) -> Asking:
    """One whose user is `tests.builders.USER`."""
    return Asking(server, server.token("user"))


@pytest.fixture(scope="package")
def other(server: Server) -> Asking:
    """One of another user."""
    return Asking(server, server.store.create_token("other", "user", "user-two")[1])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server of the test's own, with options: `serve("--webhook-limit", "2")`."""
    started: list[Server] = []

    def start(*options: object) -> Server:
        started.append(Server(Home(tmp_path), *options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What access takes for the time."""
    clock = Clock()
    monkeypatch.setattr(access, "time", clock)
    return clock
