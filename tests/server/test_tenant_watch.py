"""Whether a tenant pushes: what is told of its webhooks, and how often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qwebhook.server.tenant_watch import LOOK_EVERY, TELL_AGAIN, TenantWatch
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from tests.tenant import Tenant
from tests.tenant.answers import Json
from tests.tenant.faults import status

PUBLIC = "https://hooks.example.com"


class Watching:
    """A watch whose clock the test moves."""

    def __init__(self, remote: Remote) -> None:
        self.now = 0.0
        self._watch = TenantWatch(remote, PUBLIC, lambda: self.now)

    def look(self, after: float = LOOK_EVERY) -> list[tuple[str, bool]]:
        """(name, enabled) of those that are told of, so many seconds later."""
        self.now += after
        return [(webhook.name, webhook.enabled) for webhook in self._watch.news()]


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def watching(tenant: Tenant) -> Iterator[Watching]:
    remote = Remote(tenant.url, BearerKey(tenant.key, ""), sleep=lambda _: None)
    yield Watching(remote)
    remote.close()


@pytest.fixture
def pushing(tenant: Tenant) -> Json:
    tenant.webhooks.add(name="another", url=f"{PUBLIC}/events/other", enabled=False)
    return tenant.webhooks.add(name="pushing", url=f"{PUBLIC}/events/", enabled=True)


def enable(tenant: Tenant, webhook: Json, enabled: bool) -> None:
    with tenant.lock:
        tenant.webhooks.all[webhook["id"]].fields["enabled"] = enabled


def test_a_change_is_told_once(tenant: Tenant, watching: Watching, pushing: Json) -> None:
    assert watching.look() == []
    enable(tenant, pushing, False)
    assert watching.look(LOOK_EVERY - 1) == []
    assert watching.look(1) == [("pushing", False)]
    assert watching.look() == []
    enable(tenant, pushing, True)
    assert watching.look() == [("pushing", True)]
    assert watching.look() == []


def test_what_stays_disabled_is_told_again(tenant: Tenant, watching: Watching, pushing: Json) -> None:
    enable(tenant, pushing, False)
    told = [bool(watching.look()) for _ in range(int(2 * TELL_AGAIN / LOOK_EVERY))]
    assert [number for number, one in enumerate(told) if one] == [0, TELL_AGAIN // LOOK_EVERY]


def test_what_cannot_be_looked_at_is_not_known(tenant: Tenant, watching: Watching, pushing: Json) -> None:
    enable(tenant, pushing, False)
    tenant.faults.inject(status(403))
    assert watching.look() == []
    assert watching.look() == [("pushing", False)]
