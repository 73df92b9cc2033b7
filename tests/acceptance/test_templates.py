"""Messages in place of events: a preset and a template, delivered by the real server."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.signature import verify_standard
from qwebhook.model.webhook import Settings
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Receiver
from tests.acceptance.test_sources import configure
from tests.builders import APP_CREATED, STANDARD_SECRET, cloud_event_body
from tests.tenant import Tenant
from tests.tenant.faults import hang, status


def test_a_preset_is_delivered_signed_and_on_record(server: Server, receiver: Receiver) -> None:
    settings = Settings(preset="slack", tenant_url="https://acme.eu.qlikcloud.com")
    webhook = server.create_webhook(url=receiver.url(), secret=STANDARD_SECRET, qwebhook=settings)
    server.publish(cloud_event_body(id="e1", data={"id": "a1", "name": "<!channel> Sales"}))
    (request,) = receiver.wait_for(1)
    message = json.loads(request.body)
    assert set(message) == {"text", "blocks"}
    assert "created the app &lt;!channel&gt; Sales" in message["text"]
    headers = request.headers
    assert headers["content-type"] == "application/json"
    problem = verify_standard(
        [STANDARD_SECRET],
        headers["webhook-id"],
        headers["webhook-timestamp"],
        headers["webhook-signature"],
        request.body,
        request.at,
    )
    assert problem == ""
    delivery = until(lambda: server.deliveries(webhook), "a delivery on record")[0]
    assert delivery.request.body.encode() == request.body


def test_a_template_that_fails_on_one_event_harms_no_other(server: Server, receiver: Receiver) -> None:
    settings = Settings(template='{"name": "{{ data.name }}", "size": {{ data.size }}}')
    webhook = server.create_webhook(url=receiver.url(), qwebhook=settings)
    server.publish(cloud_event_body(id="e1", data={"id": "a", "name": "first", "size": 1}))
    server.publish(cloud_event_body(id="e2", data={"id": "b", "name": "second"}))
    server.publish(cloud_event_body(id="e3", data={"id": "c", "name": 'third"', "size": 3}))
    bodies = [json.loads(request.body) for request in receiver.wait_for(2)]
    assert sorted(body["name"] for body in bodies) == ["first", 'third"']
    line = server.wait_log("attempt", outcome="dead")
    assert line["reason"].startswith("template: ")
    assert "'size'" in line["reason"]
    states = until(lambda: len(server.deliveries(webhook)) == 3 and server.deliveries(webhook), "all are on record")
    assert sorted(one.qwebhook.state for one in states) == ["dead", "delivered", "delivered"]
    assert server.pending() == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(preset="sms"), "qwebhook.preset: is 'sms'"),
        (Settings(template="{{ x"), "qwebhook.template: is wrong at line 1"),
        (Settings(template="a", preset="slack"), "qwebhook.template: is given beside a preset"),
        (Settings(tenant_url="http://acme.example.com"), "qwebhook.tenantUrl: is no address of a tenant"),
    ],
)
def test_what_is_refused_when_it_is_made(server: Server, settings: Settings, words: str) -> None:
    with pytest.raises(InvalidWebhook, match=words):
        server.create_webhook(qwebhook=settings)


def test_names_come_from_the_tenant(serve: Serve, home: Home, receiver: Receiver) -> None:
    with Tenant() as tenant:
        tenant.access.new_user("user", "u1", "Robin Example")
        tenant.directory.add_app("a1", "Sales")
        configure(home, prod=(tenant.url, tenant.key))
        server = serve("--names-from", "prod")
        template = "{{ user.name }}, {{ user.email }}: {{ app.name }} in {{ space.name }}"
        server.create_webhook(url=receiver.url(), qwebhook=Settings(template=template))
        for number in range(3):
            event = cloud_event_body(
                id=f"e{number}", userid="u1", spaceid="s9", toplevelresourceid="a1", data={"id": "a1"}
            )
            server.publish(event)
        bodies = {request.body.decode() for request in receiver.wait_for(3)}
        assert bodies == {"Robin Example, u1@example.com: Sales in s9"}
        assert len(tenant.log.requests("GET", "/api/v1/[ua][sp]*/*")) == 2


def test_an_event_that_cannot_be_read_is_dead_and_harms_no_other(
    serve: Serve, home: Home, receiver: Receiver, tmp_path: Path
) -> None:
    """It comes in, since what is only passed on need not be read; a row and a message need that."""
    with Tenant() as tenant:
        configure(home, prod=(tenant.url, tenant.key))
        server = serve("--names-from", "prod", "--allow-files", tmp_path)
        as_it_came = server.create_webhook(url=receiver.url())
        message = server.create_webhook(url=receiver.url(), qwebhook=Settings(preset="text"))
        rows = server.create_webhook(url=f"csv:{tmp_path}/a.csv")
        bad = cloud_event_body(id="e2", data={"x": 0}).replace(b'"x":0', b'"x":1e999')
        server.publish(b"[" + bad + b"," + cloud_event_body(id="e1") + b"]", "application/cloudevents-batch+json")
        until(lambda: server.pending() == 0, "all have ended")
        for webhook in (message, rows):
            dead, delivered = server.deliveries(webhook)
            assert (dead.qwebhook.state, delivered.qwebhook.state) == ("dead", "delivered")
            assert dead.status_message == "the event cannot be read: it does not fit (number out of range)"
        assert {one.qwebhook.state for one in server.deliveries(as_it_came)} == {"delivered"}


def test_what_is_shown_and_fired_has_the_names_that_a_server_would_tell(home: Home, receiver: Receiver) -> None:
    with Tenant() as tenant:
        tenant.access.new_user("user", "u1", "Robin Example")
        configure(home, prod=(tenant.url, tenant.key))
        (home.folder / "card.j2").write_text("{{ user.name }} in {{ space.name }}")
        event = ("--set", "userid=u1", "--set", "spaceid=s9", "--names-from", "prod")
        made = home.run(
            "create", "a", "--url", receiver.url(), "--event", APP_CREATED, "--template", home.folder / "card.j2"
        )
        assert made.returncode == 0, made.stderr
        shown = home.run("preview", "a", *event)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.endswith("\n\nRobin Example in s9\n")
        dry = home.run("test-fire", "a", *event, "--dry-run")
        assert json.loads(dry.stdout)[0]["body"] == "Robin Example in s9"
        asked = len(tenant.log.requests("GET", "/api/v1/users/u1"))
        fired = home.run("test-fire", "a", *event, "--allow-network", "loopback", "--count", "3")
        assert fired.returncode == 0, fired.stderr
        assert {request.body.decode() for request in receiver.wait_for(3)} == {"Robin Example in s9"}
        assert len(tenant.log.requests("GET", "/api/v1/users/u1")) == asked + 1
        bare = home.run("preview", "a", *event[:4])
        assert bare.stdout.endswith("\n\nu1 in s9\n")

        tenant.faults.inject(status(500), path="*/users/*", times=None)
        told = home.run("preview", "a", *event)
        assert told.returncode == 0
        assert told.stderr.startswith("qwebhook: warning: ids are shown in place of names: ")
        assert "(context prod) answered 500" in told.stderr
        assert told.stdout.endswith("\n\nu1 in s9\n")
        unknown = home.run("preview", "a", "--names-from", "nowhere")
        assert (unknown.returncode, "nowhere" in unknown.stderr) == (5, True)
        refused = home.run("test-fire", "a", "--names-from", "prod", "--via", "serve")
        assert (refused.returncode, "--names-from cannot be given with --via serve" in refused.stderr) == (2, True)


def test_a_tenant_that_hangs_delays_no_delivery_by_more_than_a_second(
    serve: Serve, home: Home, receiver: Receiver
) -> None:
    with Tenant() as tenant:
        tenant.faults.inject(hang(), path="*/users/*", times=None)
        configure(home, prod=(tenant.url, tenant.key))
        server = serve("--names-from", "prod", "--drain", "1s")
        server.create_webhook(url=receiver.url(), qwebhook=Settings(template="{{ user.name }}"))
        for number in range(20):
            server.publish(cloud_event_body(id=f"e{number}", userid=f"u{number}"))
        assert sorted(request.body for request in receiver.wait_for(20)) == sorted(
            f"u{number}".encode() for number in range(20)
        )
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
