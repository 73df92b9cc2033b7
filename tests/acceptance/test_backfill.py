"""`replay WEBHOOK --source audits:CONTEXT`: what a tenant's audit log has, for a webhook that has not had it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qwebhook.model.signature import verify_qlik
from qwebhook.model.webhook import Settings
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Answer, Receiver
from tests.acceptance.test_sources import configure, following, ids
from tests.builders import APP_CREATED, APP_DELETED
from tests.tenant import Tenant
from tests.tenant.audits import Event
from tests.tenant.faults import truncated

SOURCE = ("--source", "audits:prod")
SECRET = "a-secret-of-more-than-thirty-two-characters"


@pytest.fixture
def tenant(home: Home) -> Iterator[Tenant]:
    with Tenant() as tenant:
        configure(home, prod=(tenant.url, tenant.key))
        home.environ["QWEBHOOK_ALLOW_NETWORK"] = "loopback"
        yield tenant


def past(tenant: Tenant, days: float, type: str | None = APP_CREATED, **fields: Any) -> Event:
    return tenant.audits.add(type, at=datetime.now(UTC) - timedelta(days=days), **fields)


def replayed(done: subprocess.CompletedProcess[str], code: int = 0) -> dict[str, Any]:
    assert done.returncode == code, done.stderr
    (one,) = json.loads(done.stdout)
    counts: dict[str, Any] = one
    return counts


def replay(server: Server, *options: object) -> subprocess.CompletedProcess[str]:
    return server.home.run("replay", "reports", "--store", server.path, *SOURCE, "-o", "json", *options)


def test_what_the_log_has_and_the_webhook_has_not_had(tenant: Tenant, server: Server, receiver: Receiver) -> None:
    server.create_webhook(url=receiver.url("/hook"), filter='spaceId eq "s1"', qwebhook=Settings(ordering="strict"))
    server.create_webhook(name="other", url=receiver.url("/other"))
    space = {"extensions": {"spaceId": "s1"}}
    old, had, new = past(tenant, 100, **space), past(tenant, 3, **space), past(tenant, 1, **space)
    past(tenant, 2, APP_DELETED)
    past(tenant, 2, None)
    past(tenant, 2)
    server.publish(json.dumps(had.pushed("hybrid")).encode())
    receiver.wait_for(1)
    dry = replayed(replay(server, "--since", "120d", "--dry-run"))
    expected = {
        "read": 6,
        "repeated": 0,
        "malformed": 1,
        "otherTypes": 1,
        "otherUsers": 0,
        "filtered": 1,
        "delivered": 1,
        "pending": 0,
        "coming": 0,
        "enqueued": 2,
    }
    assert expected.items() <= dry.items()
    assert expected.items() <= replayed(replay(server, "--since", "120d")).items()
    receiver.wait_for(3)
    assert ids(receiver)[-2:] == [old.event_id, new.event_id]
    assert len(receiver.at("/other")) == 1
    again = replayed(replay(server, "--since", "120d"))
    assert (again["enqueued"], again["delivered"] + again["pending"]) == (0, 3)


@pytest.mark.parametrize(("answers", "code", "succeeded"), [([200, 200], 0, 2), ([200, 410], 7, 1)])
def test_what_comes_of_it_can_be_waited_for(
    tenant: Tenant, server: Server, receiver: Receiver, answers: list[int], code: int, succeeded: int
) -> None:
    server.create_webhook(url=receiver.url("/hook"), qwebhook=Settings(ordering="strict"))
    past(tenant, 2), past(tenant, 1)
    receiver.answers("/hook", *map(Answer, answers))
    counts = replayed(replay(server, "--since", "7d", "--wait", "20s"), code)
    assert counts["outcome"] == {"pending": 0, "succeeded": succeeded, "failed": 2 - succeeded}
    server.signal(15)
    server.wait()
    past(tenant, 0.5)
    alone = replay(server, "--since", "7d", "--wait", "20s")
    assert alone.returncode == 6
    assert "nothing was replayed" in alone.stderr


def test_what_a_source_will_bring_is_left_to_it(tenant: Tenant, serve: Serve, receiver: Receiver) -> None:
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"))
    server.signal(15)
    server.wait()
    missed = tenant.audits.add()
    counts = replayed(replay(server, "--since", "1h"))
    assert (counts["coming"], counts["enqueued"]) == (1, 0)
    server.restart()
    receiver.wait_for(1)
    assert ids(receiver) == [missed.event_id]


def test_a_tenant_s_webhook_gets_what_the_service_lost(home: Home, tenant: Tenant, receiver: Receiver) -> None:
    hook = tenant.webhooks.add(
        name="reports", url="https://hooks.example.com/hook", eventTypes=[APP_CREATED], enabled=True, secret=SECRET
    )
    # The service takes no address of this machine.
    tenant.webhooks.all[hook["id"]].fields["url"] = receiver.url("/hook")
    delivered, failed, never = (past(tenant, days) for days in (3, 2, 1))
    tenant.deliveries.add(hook["id"], delivered, 200)
    tenant.deliveries.add(hook["id"], failed, 503)
    command = ("replay", "reports", "--context", "prod", *SOURCE, "--since", "7d", "--secret", "env:HOOK", "-o", "json")
    home.environ["HOOK"] = SECRET
    dry = replayed(home.run(*command, "--dry-run"))
    assert (dry["delivered"], dry["enqueued"]) == (1, 2)
    receiver.answers("/hook", Answer(200), Answer(500), Answer(200))
    first = replayed(home.run(*command), 7)
    assert (first["enqueued"], first["failed"]) == (2, 1)
    second = replayed(home.run(*command))
    assert (second["delivered"], second["enqueued"], second["failed"]) == (2, 1, 0)
    assert ids(receiver) == [failed.event_id, never.event_id, never.event_id]
    assert all(verify_qlik([SECRET], one.body, one.headers["qlik-signature"]) for one in receiver.received)
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 2


def test_what_failed_is_not_passed_by_what_says_how_to_go_on(home: Home, tenant: Tenant, receiver: Receiver) -> None:
    hook = tenant.webhooks.add(name="reports", url="https://hooks.example.com/hook", eventTypes=[APP_CREATED])
    tenant.webhooks.all[hook["id"]].fields["url"] = receiver.url("/hook")
    tenant.audits.add_many(150)
    tenant.faults.inject(truncated(), path="*/audits*", after=2, times=None)
    receiver.answers("/hook", Answer(500), Answer(200))
    command = ("replay", "reports", "--context", "prod", *SOURCE, "--since", "1h")
    broken_off = home.run(*command)
    assert broken_off.returncode == 6
    assert "goes on from there" not in broken_off.stderr
    tenant.faults.mend()
    assert replayed(home.run(*command, "-o", "json"))["failed"] == 0
    assert len(set(ids(receiver))) == 150


def test_what_the_tenant_has_no_records_of_any_more_is_told(home: Home, tenant: Tenant) -> None:
    tenant.webhooks.add(name="reports", url="https://hooks.example.com/hook", eventTypes=[APP_CREATED])
    command = ("replay", "reports", "--context", "prod", *SOURCE, "--dry-run", "--since")
    assert "records of seven days" in home.run(*command, "8d").stderr
    assert home.run(*command, "7d").stderr == ""


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--since", "7d", "--all"], 2),
        (["--since", "7d", "--wait", "1s", "--dry-run"], 2),
        (["--since", "7d", "--wait", "soon"], 2),
        (["--since", "1h", "--until", "2h"], 2),
        (["--since", "soon"], 2),
        (["--since", "7d", "--rate", "0"], 2),
    ],
)
def test_what_cannot_be_done_is_refused(tenant: Tenant, server: Server, options: list[str], code: int) -> None:
    server.create_webhook()
    assert replay(server, *options).returncode == code


def test_an_early_end_says_how_to_go_on(tenant: Tenant, server: Server, receiver: Receiver) -> None:
    server.create_webhook(url=receiver.url("/hook"))
    tenant.audits.add_many(250)
    tenant.faults.inject(truncated(), path="*/audits*", after=2, times=None)
    done = replay(server, "--since", "1h")
    assert done.returncode == 6
    assert "goes on from there" in done.stderr
    tenant.faults.mend()
    counts = replayed(replay(server, "--since", "1h"))
    assert counts["enqueued"] == 150
    receiver.wait_for(250)
    assert len(set(ids(receiver))) == len(ids(receiver)) == 250
