"""The request of a delivery: its headers, its id, its body, and what of it may be shown."""

from __future__ import annotations

import json

import pytest

from qwebhook import __version__
from qwebhook.deliver.request import message_id, prepare, rendered
from qwebhook.model.signature import qlik_signature, verify_standard
from qwebhook.model.trace import Trace
from qwebhook.model.webhook import OMITTED, Settings
from tests.builders import (
    APP_CREATED,
    SECRET,
    STANDARD_SECRET,
    cloud_event_body,
    endpoint,
    event,
    hybrid_event_body,
    legacy_event_body,
    webhook,
)

NOW = 1_795_536_000_999
KEY = event().key
BODY = cloud_event_body()
RENAMED = "com.qlik.app.created"


def test_without_a_secret_there_is_no_signature() -> None:
    request = prepare(endpoint(), KEY, APP_CREATED, BODY, NOW)
    assert request.headers == {
        "Content-Type": "application/json",
        "User-Agent": f"qwebhook/{__version__}",
        "webhook-id": message_id(KEY, webhook().id),
        "webhook-timestamp": "1795536000",
    }
    assert request.shown == request.headers
    assert request.url == webhook().url
    assert request.body is BODY


def test_both_signatures_are_of_the_body_that_is_sent() -> None:
    converting = endpoint(webhook(enable_cloud_event_delivery=True), secrets=[SECRET])
    request = prepare(converting, KEY, APP_CREATED, legacy_event_body(), NOW)
    headers = request.headers
    assert request.body != legacy_event_body()
    assert headers["Qlik-Signature"] == qlik_signature(SECRET, request.body)
    signed = (headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"], request.body)
    assert verify_standard([SECRET], *signed, now=NOW / 1000) == ""


def test_in_rotation_both_secrets_sign_and_the_new_one_alone_signs_qliks_way() -> None:
    request = prepare(endpoint(secrets=[STANDARD_SECRET, SECRET]), KEY, APP_CREATED, BODY, NOW)
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    assert request.headers["Qlik-Signature"] == qlik_signature(STANDARD_SECRET, BODY)


def test_an_own_user_agent_replaces_ours_however_it_is_spelt() -> None:
    request = prepare(endpoint(webhook(headers={"uSER-aGENT": "mine/1"})), KEY, APP_CREATED, BODY, NOW)
    agents = {name: value for name, value in request.headers.items() if name.lower() == "user-agent"}
    assert agents == {"uSER-aGENT": "mine/1"}


def test_the_values_of_encrypted_headers_are_sent_and_not_shown() -> None:
    hiding = endpoint(
        webhook(headers={"X-Open": "open"}, encrypted_headers=["X-Key"]), encrypted_headers={"X-Key": "hidden"}
    )
    request = prepare(hiding, KEY, APP_CREATED, BODY, NOW)
    assert (request.headers["X-Key"], request.headers["X-Open"]) == ("hidden", "open")
    assert (request.shown["X-Key"], request.shown["X-Open"]) == (OMITTED, "open")
    assert "hidden" not in str(request.shown)
    assert request.shown.keys() == request.headers.keys()


def test_a_test_fire_is_marked() -> None:
    assert prepare(endpoint(), KEY, APP_CREATED, BODY, NOW, test=True).headers["qwebhook-test"] == "true"
    assert "qwebhook-test" not in prepare(endpoint(), KEY, APP_CREATED, BODY, NOW).headers


def test_the_name_that_a_receiver_consented_to_goes_along() -> None:
    consented = endpoint(webhook(qwebhook=Settings(request_origin="events.example.com")))
    request = prepare(consented, KEY, APP_CREATED, BODY, NOW)
    assert request.headers["WebHook-Request-Origin"] == request.shown["WebHook-Request-Origin"] == "events.example.com"


def test_an_id_is_one_for_each_event_and_webhook() -> None:
    identifier = message_id(KEY, "webhook-one")
    assert identifier == message_id(event().key, "webhook-one") == "msg_" + identifier[4:]
    assert identifier.isascii()
    assert "." not in identifier
    others = {message_id(KEY, "webhook-two"), message_id(event(id="other").key, "webhook-one")}
    assert len(others | {identifier}) == 3
    later = prepare(endpoint(), KEY, APP_CREATED, BODY, NOW + 86_400_000)
    assert later.headers["webhook-id"] == message_id(KEY, webhook().id)


def test_an_id_stays_the_same_from_version_to_version() -> None:
    """Receivers know what they have had by it, so that it must outlive an update."""
    assert message_id(bytes(16), "0193600b-0e9f-7000-8000-000000000001") == "msg_e5c90858942e6b52fae8e8ae28d1ae2c"


def test_bodies_go_out_as_they_came() -> None:
    for body in (BODY, legacy_event_body(), hybrid_event_body()):
        assert rendered(endpoint(), APP_CREATED, body)[0] is body
    converting = endpoint(webhook(enable_cloud_event_delivery=True))
    for body in (BODY, hybrid_event_body()):
        assert rendered(converting, APP_CREATED, body)[0] is body


def test_a_type_under_its_subscribed_name() -> None:
    subscribed = endpoint(webhook(event_types=[RENAMED], qwebhook=Settings(type_names="subscribed")))
    assert json.loads(rendered(subscribed, APP_CREATED, BODY)[0])["type"] == RENAMED
    legacy = json.loads(rendered(subscribed, APP_CREATED, legacy_event_body())[0])
    assert legacy["eventType"] == RENAMED
    assert "type" not in legacy
    hybrid = json.loads(rendered(subscribed, APP_CREATED, hybrid_event_body())[0])
    assert hybrid["type"] == hybrid["eventType"] == RENAMED
    as_is = cloud_event_body(type=RENAMED)
    assert rendered(subscribed, RENAMED, as_is)[0] is as_is
    assert rendered(endpoint(webhook(event_types=[RENAMED])), APP_CREATED, BODY)[0] is BODY


def test_converted_and_renamed_at_once() -> None:
    both = endpoint(
        webhook(event_types=[RENAMED], enable_cloud_event_delivery=True, qwebhook=Settings(type_names="subscribed"))
    )
    sent = json.loads(rendered(both, APP_CREATED, legacy_event_body())[0])
    assert (sent["specversion"], sent["type"]) == ("1.0", RENAMED)
    assert "eventType" not in sent


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def trace_of(**members: object) -> dict[str, str]:
    headers = prepare(endpoint(), bytes(16), APP_CREATED, cloud_event_body(**members), NOW).headers
    return {name: value for name, value in headers.items() if name.startswith("trace")}


def test_the_trace_of_an_event_goes_along() -> None:
    assert trace_of() == {}
    assert trace_of(traceparent=TRACE) == {"traceparent": TRACE}
    assert trace_of(traceparent=TRACE, tracestate="a=b") == {"traceparent": TRACE, "tracestate": "a=b"}
    own = endpoint(webhook(headers={"TraceParent": "mine"}))
    made = prepare(own, bytes(16), APP_CREATED, cloud_event_body(traceparent=TRACE), NOW)
    assert "traceparent" not in made.headers


@pytest.mark.parametrize("value", ["x", TRACE + "\r\nX: y", "ff" + TRACE[2:], 5, None, TRACE.upper()])
def test_what_is_no_trace_does_not(value: object) -> None:
    assert trace_of(traceparent=value) == {}
    assert trace_of(traceparent=TRACE, tracestate="a\r\nb") == {"traceparent": TRACE}
    assert trace_of(data={"traceparent": TRACE}) == {}


def test_the_trace_of_the_request_is_for_events_that_name_none() -> None:
    def given(**members: object) -> dict[str, str]:
        trace = Trace(OTHER_TRACE, "c=d")
        body = cloud_event_body(**members)
        made = prepare(endpoint(webhook()), bytes(16), APP_CREATED, body, NOW, trace=trace)
        assert made.body is body
        return {name: value for name, value in made.headers.items() if name.startswith("trace")}

    assert given() == given(traceparent="x", tracestate="a=b") == {"traceparent": OTHER_TRACE, "tracestate": "c=d"}
    assert given(traceparent=TRACE) == {"traceparent": TRACE}
    own = endpoint(webhook(headers={"TraceState": "mine"}))
    made = prepare(own, bytes(16), APP_CREATED, cloud_event_body(), NOW, trace=Trace(TRACE))
    assert "traceparent" not in made.headers
