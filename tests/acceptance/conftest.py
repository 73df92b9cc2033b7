"""What acceptance tests work with: a home, servers in it, and a receiver. All are ended when the test is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Receiver

Serve = Callable[..., Server]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def serve(home: Home) -> Iterator[Serve]:
    """Starts servers: `serve("--drain", "1s")`; see Server."""
    started: list[Server] = []

    def start(*options: object, **settings: object) -> Server:
        server = Server(home, *options, **settings)  # type: ignore[arg-type]
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture
def server(serve: Serve) -> Server:
    """A server of the test's own, that may deliver to loopback addresses."""
    return serve()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module that do not get in each other's way."""
    server = Server(Home(tmp_path_factory.mktemp("shared")))
    yield server
    server.close()
