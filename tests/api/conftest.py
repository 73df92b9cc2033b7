"""One server for all that does not disturb each other, and those who use it.

Tests tell their webhooks apart by names and event types that no other test uses.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Receiver
from tests.api.client import CORE, PREFIXES, Client

PLENTY = 1_000_000


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that all share; one user may have as many webhooks as the tests make."""
    server = Server(Home(tmp_path_factory.mktemp("api")), "--webhook-limit", PLENTY)
    yield server
    server.close()


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    """A receiver that all share; each test has a path of its own."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def admin(server: Server) -> Client:
    """An administrator, who prefers the newer prefix."""
    return Client(server, server.token("admin"), CORE)


@pytest.fixture(scope="package", params=PREFIXES)
def either(request: pytest.FixtureRequest, server: Server) -> Client:
    """An administrator, under each prefix in turn."""
    return Client(server, server.token("admin"), request.param)
