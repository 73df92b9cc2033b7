"""A tenant of the test's own, and one who asks it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.tenant import Tenant
from tests.tenant.caller import Caller


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture(scope="package")
def client() -> Iterator[httpx.Client]:
    """One for all: it takes longer to make than most tests take."""
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture
def admin(client: httpx.Client, tenant: Tenant) -> Caller:
    return Caller(client, tenant)


@pytest.fixture
def anna(admin: Caller) -> Caller:
    """One who is no administrator."""
    return admin.with_key(admin.tenant.access.new_key("user", "anna"))
