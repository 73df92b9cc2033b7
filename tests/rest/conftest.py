"""A stand-in tenant, and stores and clients that use it; a wait between two tries is noted and not waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwebhook.store.rest import RestStore
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from qwebhook.store.rest.service import Memory
from tests.tenant import Tenant

ADVICE = "make a new key in the management console"
NAME = "context prod"
Connect = Callable[..., Remote]
OpenStore = Callable[..., RestStore]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def naps() -> list[float]:
    """The seconds of each wait, in order."""
    return []


@pytest.fixture
def connect(tenant: Tenant, naps: list[float]) -> Iterator[Connect]:
    """Makes a client of the tenant, by its administrator's key; keyword arguments are those of `Remote`."""
    made: list[Remote] = []

    def connect(url: str = "", key: str = "", **options: Any) -> Remote:
        given = {"name": NAME, "timeout": 10.0, "sleep": naps.append, "randomness": lambda: 0.5} | options
        credentials = given.pop("credentials", None) or BearerKey(key or tenant.key, ADVICE)
        made.append(Remote(url or tenant.url, credentials, **given))
        return made[-1]

    yield connect
    for remote in made:
        remote.close()


@pytest.fixture
def remote(connect: Connect) -> Remote:
    return connect()


@pytest.fixture
def open_store(connect: Connect) -> OpenStore:
    """Opens the tenant as a store; memory: what is remembered of it."""

    def open_store(memory: Memory | None = None, **options: Any) -> RestStore:
        return RestStore(connect(**options), memory)

    return open_store


@pytest.fixture
def store(open_store: OpenStore) -> RestStore:
    return open_store()
