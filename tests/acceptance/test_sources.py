"""`serve --source audits:CONTEXT`: events out of a tenant's audit log, over restarts and outages."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qwebhook.model.webhook import Settings
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Receiver
from tests.builders import APP_CREATED, APP_DELETED
from tests.tenant import Tenant
from tests.tenant.faults import hang, repeated_items, status

SOURCE = ("--source", "audits:prod")
AUDITS = "*/audits*"


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def config(home: Home, tenant: Tenant) -> Path:
    return configure(home, prod=(tenant.url, tenant.key))


def configure(home: Home, **contexts: tuple[str, str]) -> Path:
    """A configuration with contexts of these URLs and keys."""
    path = home.folder / "config.toml"
    path.write_text(
        "\n".join(f'[contexts.{name}]\nstore = "{url}"\ntoken = "{key}"\n' for name, (url, key) in contexts.items())
    )
    path.chmod(0o600)
    home.environ["QWEBHOOK_CONFIG"] = str(path)
    return path


def following(serve: Serve, *options: object) -> Server:
    """A server that follows the tenant's log, and has read it once."""
    server = serve(*SOURCE, *options)
    server.wait_log("source caught up")
    return server


def ids(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["eventId"] for one in receiver.received]


def add(tenant: Tenant, count: int) -> list[str]:
    return [tenant.audits.add().event_id for _ in range(count)]


def stop(server: Server) -> None:
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_events_of_the_log_are_delivered_as_if_they_had_been_pushed(
    config: Path, serve: Serve, tenant: Tenant, receiver: Receiver
) -> None:
    server = following(serve)
    server.create_webhook(url=receiver.url("/legacy"))
    server.create_webhook(url=receiver.url("/cloud"), enable_cloud_event_delivery=True)
    server.create_webhook(url=receiver.url("/other"), event_types=[APP_DELETED])
    event = tenant.audits.add(data={"id": "a1", "name": "Sales"}, extensions={"spaceId": "s1"}, user_id="anna")
    receiver.wait_for(1, "/legacy")
    receiver.wait_for(1, "/cloud")
    bodies = {one.path: json.loads(one.body) for one in receiver.received}
    assert bodies["/legacy"] == event.pushed("legacy")
    cloud = event.pushed("cloudevents")
    assert cloud.items() <= (bodies["/cloud"] | {"time": cloud["time"]}).items()
    assert bodies["/cloud"]["time"] == cloud["time"]


def test_what_is_pushed_and_read_is_one_event(config: Path, serve: Serve, tenant: Tenant, receiver: Receiver) -> None:
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"))
    events = [tenant.audits.add(held=True) for _ in range(3)]
    for event, envelope in zip(events, ("legacy", "hybrid", "cloudevents"), strict=True):
        server.publish(json.dumps(event.pushed(envelope)).encode())
    receiver.wait_for(3)
    tenant.audits.release(*events)
    last = tenant.audits.add()
    receiver.wait_for(4)
    assert json.loads(receiver.received[-1].body)["eventId"] == last.event_id
    assert len(receiver.received) == 4
    assert until(lambda: server.metrics()["qwebhook_events_duplicate_total"] == 3, "duplicates")


def test_a_restart_misses_nothing_and_repeats_nothing(
    config: Path, serve: Serve, tenant: Tenant, receiver: Receiver
) -> None:
    before = add(tenant, 2)
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"))
    first = add(tenant, 3)
    receiver.wait_for(3)
    stop(server)
    missed = add(tenant, 150)
    server.restart()
    server.wait_log("source caught up", 2)
    last = add(tenant, 1)
    receiver.wait_for(154)
    assert sorted(ids(receiver)) == sorted([*first, *missed, *last])
    assert not set(ids(receiver)) & set(before)


def test_a_kill_repeats_nothing_either(config: Path, serve: Serve, tenant: Tenant, receiver: Receiver) -> None:
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"), event_types=[APP_CREATED])
    expected = [event.event_id for event in tenant.audits.add_many(1500, apart=timedelta(0))]
    receiver.wait_for(300)
    server.signal(signal.SIGKILL)
    server.restart()
    until(lambda: len(set(ids(receiver))) == 1500, "every event", timeout=40)
    # What was in flight when it was killed is sent again; what was read again is not.
    assert set(ids(receiver)) == set(expected)
    assert len(ids(receiver)) < 1500 + 100


def test_days_later_it_goes_on_where_it_was(config: Path, serve: Serve, tenant: Tenant, receiver: Receiver) -> None:
    tenant.clock.skew = -5 * 86_400.0
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"), qwebhook=Settings(ordering="strict"))
    stop(server)
    missed = [tenant.audits.add(at=datetime.now(UTC) - timedelta(days=days)).event_id for days in (4, 3, 1.5, 0.1)]
    tenant.clock.skew = 0
    server.restart()
    receiver.wait_for(4)
    assert ids(receiver) == missed


def test_an_outage_is_told_and_closed(config: Path, serve: Serve, tenant: Tenant, receiver: Receiver) -> None:
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"))
    tenant.stop()
    told = server.wait_log("source failed")
    assert told["source"] == "audits:prod"
    assert "cannot be reached" in told["reason"]
    assert server.client.get("/readyz").status_code == 200
    missed = add(tenant, 3)
    tenant.start()
    receiver.wait_for(3)
    # Several are on their way at once.
    assert sorted(ids(receiver)) == sorted(missed)
    server.wait_log("source caught up", 2)
    assert server.metrics()['qwebhook_source_failures_total{source="audits:prod"}'] >= 1


def test_what_is_passed_over_is_logged_and_counted(
    config: Path, serve: Serve, tenant: Tenant, receiver: Receiver
) -> None:
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"))
    tenant.faults.inject(repeated_items(1), path=AUDITS, times=None)
    tenant.audits.add(None, event_id="typeless")
    events = tenant.audits.add_many(150, apart=timedelta(0))
    receiver.wait_for(150)
    skipped = server.wait_log("source skipped", kind="malformed")
    assert (skipped["item"], skipped["source"]) == ("typeless", "audits:prod")
    assert "eventType" in skipped["reason"]
    server.wait_log("source skipped", kind="repeated")
    assert sorted(ids(receiver)) == sorted(event.event_id for event in events)
    metrics = server.metrics()
    assert metrics['qwebhook_source_skips_total{kind="malformed",source="audits:prod"}'] == 1
    assert metrics['qwebhook_source_skips_total{kind="repeated",source="audits:prod"}'] >= 1
    assert metrics['qwebhook_source_events_total{source="audits:prod"}'] == 150
    assert 0 <= metrics['qwebhook_source_lag_seconds{source="audits:prod"}'] < 20


def test_a_tenant_that_does_not_answer_does_not_keep_it_from_stopping(
    config: Path, serve: Serve, tenant: Tenant
) -> None:
    server = following(serve)
    hanging = tenant.faults.inject(hang(), path=AUDITS, times=None)
    until(lambda: hanging.used, "a request that hangs", timeout=20)
    began = time.monotonic()
    stop(server)
    assert time.monotonic() - began < 8


def test_several_tenants(home: Home, tenant: Tenant, serve: Serve, receiver: Receiver) -> None:
    with Tenant() as other:
        configure(home, prod=(tenant.url, tenant.key), test=(other.url, other.key))
        server = serve(*SOURCE, "--source", "audits:test")
        server.wait_log("source caught up", source="audits:prod")
        server.wait_log("source caught up", source="audits:test")
        server.create_webhook(url=receiver.url("/hook"))
        expected = [tenant.audits.add().event_id, other.audits.add().event_id]
        receiver.wait_for(2)
        assert sorted(ids(receiver)) == sorted(expected)
        tenant.faults.inject(status(503), path=AUDITS, times=None)
        server.wait_log("source failed", source="audits:prod")
        expected.append(other.audits.add().event_id)
        receiver.wait_for(3)


def test_an_expired_key_is_told_with_what_to_do(config: Path, serve: Serve, tenant: Tenant) -> None:
    server = following(serve)
    tenant.access.expire(tenant.key)
    told = server.wait_log("source failed")
    assert "prod" in told["reason"]
    assert str(config) in told["hint"]
    assert tenant.key not in "\n".join(server.lines)


def test_a_new_key_is_taken_up_without_a_restart(
    home: Home, config: Path, serve: Serve, tenant: Tenant, receiver: Receiver
) -> None:
    server = following(serve)
    server.create_webhook(url=receiver.url("/hook"))
    tenant.access.expire(tenant.key)
    server.wait_log("source failed")
    missed = tenant.audits.add()
    configure(home, prod=(tenant.url, tenant.access.new_key("admin")))
    receiver.wait_for(1)
    assert ids(receiver) == [missed.event_id]
    server.wait_log("source caught up", 2)


def test_a_context_that_names_another_tenant_by_now_is_not_shown_to_the_first(
    home: Home, config: Path, serve: Serve, tenant: Tenant
) -> None:
    server = following(serve)
    with Tenant() as other:
        configure(home, prod=(other.url, other.key))
        tenant.access.expire(tenant.key)
        told = server.wait_log("source failed")
        assert "names another store" in told["reason"]


def test_it_says_when_the_tenant_has_disabled_the_webhook_that_pushes_here(
    config: Path, serve: Serve, tenant: Tenant
) -> None:
    public = "https://hooks.example.com"
    pushing = tenant.webhooks.add(name="to qwebhook", url=f"{public}/events", enabled=True)
    tenant.webhooks.add(name="another", url=f"{public}/events/other", enabled=False)
    by_hand = tenant.webhooks.add(name="by hand", url=f"{public}/events", enabled=False)
    tenant.webhooks.disable(pushing["id"], "too many failures", "failures")
    server = serve(*SOURCE, "--public-url", public)
    told = server.wait_log("tenant disabled the webhook that pushes here")
    assert (told["level"], told["webhook"], told["id"]) == ("warning", "to qwebhook", pushing["id"])
    assert told["reason"] == "too many failures"
    told = server.wait_log("tenant webhook that pushes here is disabled")
    assert (told["level"], told["webhook"], told["id"]) == ("warning", "by hand", by_hand["id"])


@pytest.mark.parametrize(
    ("sources", "code", "words"),
    [
        (["prod"], 2, "write audits:CONTEXT"),
        (["audits:"], 2, "write audits:CONTEXT"),
        (["audits:nobody"], 5, "no context 'nobody'"),
        (["audits:local"], 2, "names a file"),
        (["audits:prod", "audits:prod"], 2, "named twice"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_at_once(
    home: Home, tenant: Tenant, sources: list[str], code: int, words: str
) -> None:
    configure(home, prod=(tenant.url, tenant.key), local=(str(home.folder / "a.db"), ""))
    options = [word for source in sources for word in ("--source", source)]
    done = home.run("serve", "--store", home.folder / "store.db", "--port", "0", *options)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
