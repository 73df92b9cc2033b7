from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Receiver
from tests.cli.world import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A command line with a home of its own, whose store is not made yet."""
    return Cli(tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def server(cli: Cli) -> Iterator[Server]:
    """A server on the command line's store, that may deliver to loopback addresses; both have the real time."""
    cli.now = time.time()
    server = Server(Home(cli.home))
    assert server.path == cli.store
    yield server
    server.close()
