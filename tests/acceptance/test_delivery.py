"""Events come in, in every form, and go out: matched, byte for byte, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook as StandardWebhook

from qwebhook import __version__
from qwebhook.model.webhook import OMITTED
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Answer, Received, Receiver
from tests.builders import (
    APP_CREATED,
    APP_DELETED,
    SECRET,
    STANDARD_SECRET,
    cloud_event_body,
    hybrid_event_body,
    legacy_event_body,
)

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
# Spaces, an escape and an order of members that no encoder would choose.
AS_SENT = b'{ "data" : {"id":"\\u00e9", "n": 1.50e0},"id":"as-sent", "source":"here","type":"com.qlik.v1.app.created", '
AS_SENT += b'"specversion" :"1.0" }\n'


def verify_standard(request: Received, secret: str = STANDARD_SECRET) -> None:
    StandardWebhook(secret).verify(request.body, request.headers)


def verify_qlik(request: Received, secret: str = STANDARD_SECRET) -> None:
    expected = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(request.headers["qlik-signature"], expected)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(AS_SENT, STRUCTURED, id="structured"),
        pytest.param(AS_SENT, "application/json; charset=utf-8", id="structured as JSON"),
        pytest.param(legacy_event_body(), "application/json", id="legacy"),
        pytest.param(b" " + hybrid_event_body(), "application/json", id="hybrid"),
    ],
)
def test_a_single_event_arrives_byte_for_byte_with_valid_signatures(
    server: Server, receiver: Receiver, body: bytes, content_type: str
) -> None:
    server.create_webhook(url=receiver.url(), secret=STANDARD_SECRET)
    server.publish(body, content_type)
    (request,) = receiver.wait_for(1)
    assert request.body == body
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"qwebhook/{__version__}"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 30
    verify_standard(request)
    verify_qlik(request)


def test_the_elements_of_a_batch_arrive_each_as_its_own_slice(server: Server, receiver: Receiver) -> None:
    server.create_webhook(url=receiver.url(), secret=SECRET)
    elements = [AS_SENT.strip(), legacy_event_body(eventId="second"), cloud_event_body(id="third")]
    server.publish(b"[ " + b" ,\n".join(elements) + b" ]", BATCH)
    requests = receiver.wait_for(3)
    assert sorted(request.body for request in requests) == sorted(elements)
    for request in requests:
        verify_qlik(request, SECRET)
    assert len({request.headers["webhook-id"] for request in requests}) == 3


def test_a_binary_event_arrives_as_structured_json_with_its_data_untouched(server: Server, receiver: Receiver) -> None:
    server.create_webhook(url=receiver.url(), secret=STANDARD_SECRET)
    data = b'{ "id": "a", "n": 1.50e0 }'
    attributes = {"ce-specversion": "1.0", "ce-id": "b%20inary", "ce-source": "here", "ce-type": APP_CREATED}
    server.publish(data, "application/json", **attributes, **{"ce-tenantid": "t"})
    (request,) = receiver.wait_for(1)
    assert json.loads(request.body) == {
        "specversion": "1.0",
        "id": "b inary",
        "source": "here",
        "type": APP_CREATED,
        "tenantid": "t",
        "datacontenttype": "application/json",
        "data": {"id": "a", "n": 1.5},
    }
    assert data in request.body
    verify_standard(request)
    verify_qlik(request)


BINARY = {"ce-specversion": "1.0", "ce-id": "binary", "ce-source": "here", "ce-type": APP_CREATED}
TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b"}
OTHER_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def trace_of(request: Received) -> dict[str, str]:
    return {name: request.headers[name] for name in TRACE if name in request.headers}


@pytest.mark.parametrize(
    ("body", "content_type", "attributes"),
    [
        pytest.param(AS_SENT, STRUCTURED, {}, id="structured"),
        pytest.param(legacy_event_body(), "application/json", {}, id="legacy"),
        pytest.param(b"[" + AS_SENT.strip() + b"]", BATCH, {}, id="batch of one"),
        pytest.param(b"{}", "application/json", BINARY, id="binary"),
    ],
)
def test_the_trace_of_a_request_with_one_event_goes_along_and_changes_no_body(
    server: Server, receiver: Receiver, body: bytes, content_type: str, attributes: dict[str, str]
) -> None:
    made = server.create_webhook(url=receiver.url(), secret=STANDARD_SECRET)
    server.publish(body, content_type, **attributes, **TRACE)
    (request,) = receiver.wait_for(1)
    assert trace_of(request) == TRACE
    if not attributes:
        assert request.body == body.strip(b"[]")
    assert b"trace" not in request.body
    verify_qlik(request)
    # A resend reads the event from the store, where the delivery had it from memory.
    (delivery,) = until(lambda: server.deliveries(made), "the delivery on record")
    response = server.client.post(
        f"/api/v1/webhooks/{made.id}/deliveries/{delivery.id}/actions/resend", headers=server.authorization("admin")
    )
    assert response.status_code == 201, response.text
    _, again = receiver.wait_for(2)
    assert (trace_of(again), again.body) == (TRACE, request.body)


def test_a_trace_that_is_the_events_own_goes_before_and_one_of_many_events_is_nobodys(
    server: Server, receiver: Receiver
) -> None:
    server.create_webhook(url=receiver.url())
    server.publish(cloud_event_body(id="own", traceparent=OTHER_TRACE), **TRACE)
    server.publish(b"{}", **BINARY, **{"ce-traceparent": OTHER_TRACE}, **TRACE)
    server.publish(cloud_event_body(id="none"), traceparent="00-" + "0" * 32 + "-00f067aa0ba902b7-01", tracestate="a=b")
    server.publish(b"[" + cloud_event_body(id="one") + b"," + cloud_event_body(id="two") + b"]", BATCH, **TRACE)
    found = {json.loads(request.body)["id"]: trace_of(request) for request in receiver.wait_for(5)}
    own = {"traceparent": OTHER_TRACE}
    assert found == {"own": own, "binary": own, "none": {}, "one": {}, "two": {}}


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_events_of_the_cloudevents_library_are_accepted(server: Server, receiver: Receiver, mode: str) -> None:
    server.create_webhook(url=receiver.url())
    attributes = {
        "specversion": "1.0",
        "id": "from-the-library",
        "source": "urn:example:source",
        "type": APP_CREATED,
        "time": datetime(2026, 11, 24, 16, 18, 59, tzinfo=UTC),
        "subject": "Zürich & Köln",
        "datacontenttype": "application/json",
        "tenantid": "tenant-one",
    }
    event = CloudEvent(attributes=attributes, data={"id": "app-one", "name": "Größe"})
    message = to_structured_event(event) if mode == "structured" else to_binary_event(event)
    headers = {**message.headers, **server.authorization()}
    response = server.client.post("/events", content=message.body, headers=headers)
    assert response.status_code == 202, response.text
    (request,) = receiver.wait_for(1)
    sent = json.loads(request.body)
    assert sent["id"] == "from-the-library"
    assert sent["subject"] == "Zürich & Köln"
    assert sent["data"] == {"id": "app-one", "name": "Größe"}


def test_a_webhook_created_by_the_command_line_is_matched_by_the_very_next_event(
    server: Server, receiver: Receiver, home: Home
) -> None:
    server.publish(cloud_event_body(id="before"))
    for number in range(3):
        path = f"/hook{number}"
        made = home.run(
            "create", f"hook{number}", "--store", server.path, "--url", receiver.url(path), "--event", APP_CREATED,
            "--secret", "generate", "-o", "json",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        server.publish(cloud_event_body(id=f"after-{number}"))
        (request,) = receiver.wait_for(1, path)
        assert json.loads(request.body)["id"] == f"after-{number}"
        verify_standard(request, json.loads(made.stdout)["secret"])


def test_a_changed_webhook_is_used_by_the_very_next_event(server: Server, receiver: Receiver, home: Home) -> None:
    server.create_webhook(name="moved", url=receiver.url("/old"))
    server.publish(cloud_event_body(id="1"))
    receiver.wait_for(1, "/old")
    done = home.run(
        "update", "moved", "--store", server.path, "--url", receiver.url("/new"), "--filter", 'id eq "wanted"'
    )
    assert done.returncode == 0, done.stderr
    other, wanted = cloud_event_body(id="2", data={"id": "other"}), cloud_event_body(id="3", data={"id": "wanted"})
    server.publish(b"[%s,%s]" % (other, wanted))
    assert [request.body for request in receiver.wait_for(1, "/new")] == [wanted]
    assert len(receiver.at("/old")) == 1


def test_only_webhooks_that_want_an_event_get_it(server: Server, receiver: Receiver) -> None:
    server.create_webhook(name="type", url=receiver.url("/type"), event_types=[APP_DELETED])
    server.create_webhook(name="off", url=receiver.url("/off"), enabled=False)
    server.create_webhook(name="filter", url=receiver.url("/filter"), filter='spaceId eq "elsewhere"')
    server.create_webhook(name="level", url=receiver.url("/level"), level="user", owner_id="nobody")
    server.create_webhook(name="renamed", url=receiver.url("/renamed"), event_types=["com.qlik.app.created"])
    server.create_webhook(name="plain", url=receiver.url("/plain"))
    server.publish(cloud_event_body())
    receiver.wait_for(1, "/plain")
    receiver.wait_for(1, "/renamed")
    server.wait_log("attempt", 2)
    assert server.pending() == 0
    assert {request.path for request in receiver.received} == {"/plain", "/renamed"}


def test_own_headers_are_sent_and_encrypted_ones_not_shown(server: Server, receiver: Receiver) -> None:
    webhook = server.create_webhook(
        url=receiver.url(),
        headers={"X-Team": "reports", "user-agent": "our-own/1"},
        encrypted_headers={"Authorization": "Bearer hidden-value"},
    )
    server.publish(cloud_event_body())
    (request,) = receiver.wait_for(1)
    assert request.headers["x-team"] == "reports"
    assert request.headers["authorization"] == "Bearer hidden-value"
    assert request.headers["user-agent"] == "our-own/1"
    assert [name.lower() for name in request.header_names].count("user-agent") == 1
    assert "qlik-signature" not in request.headers
    assert "webhook-signature" not in request.headers
    shown = server.last_attempt(webhook).request
    assert shown.headers["Authorization"] == OMITTED
    assert shown.headers["X-Team"] == "reports"
    assert shown.body.encode() == request.body


def test_conversion_to_cloud_events_is_signed_as_sent(server: Server, receiver: Receiver) -> None:
    server.create_webhook(url=receiver.url(), secret=STANDARD_SECRET, enable_cloud_event_delivery=True)
    server.publish(legacy_event_body())
    (request,) = receiver.wait_for(1)
    sent = json.loads(request.body)
    assert (sent["specversion"], sent["id"], sent["tenantid"]) == ("1.0", "event-one", "tenant-one")
    assert "eventId" not in sent
    verify_standard(request)
    verify_qlik(request)


def test_a_retry_has_the_same_id_and_body_and_a_new_timestamp(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(503, headers={"Retry-After": "1"}), Answer())
    server.create_webhook(url=receiver.url(), secret=STANDARD_SECRET)
    server.publish(AS_SENT)
    first, second = receiver.wait_for(2)
    assert first.body == second.body == AS_SENT
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    verify_standard(second)


def test_many_events_at_once_all_arrive_once(server: Server, receiver: Receiver) -> None:
    server.create_webhook(url=receiver.url())
    ids = [f"event-{number}" for number in range(400)]
    for start in range(0, len(ids), 100):
        bodies = [cloud_event_body(id=one) for one in ids[start : start + 100]]
        server.publish(b"[" + b",".join(bodies) + b"]")
    requests = receiver.wait_for(len(ids))
    assert sorted(json.loads(request.body)["id"] for request in requests) == sorted(ids)
    server.wait_log("attempt", len(ids), outcome="delivered")
    assert server.pending() == 0
    assert len(receiver.received) == len(ids)
