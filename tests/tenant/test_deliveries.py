"""The three operations on deliveries, and what the tenant pushes."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.acceptance.receiver import Answer, Receiver
from tests.tenant import Tenant
from tests.tenant.caller import WEBHOOKS, Caller, operation, refused

APP_CREATED = "com.qlik.v1.app.created"
RELOAD_FINISHED = "com.qlik.v1.app.reload.finished"
SECRET = "s" * 32


def test_deliveries_are_listed_and_kept_a_week(tenant: Tenant, admin: Caller) -> None:
    webhook, event = admin.made(encryptedHeaders={"X-Two": "2"}), tenant.audits.add(RELOAD_FINISHED)
    failed = tenant.deliveries.add(webhook["id"], event, 503)
    done = tenant.deliveries.add(webhook["id"], event, age=60)
    tenant.deliveries.add(webhook["id"], event, age=8 * 86_400)
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries"
    assert [one["id"] for one in admin.get(path)["data"]] == [failed["id"], done["id"]]
    assert [one["id"] for one in admin.get(path, sort="status")["data"]] == [failed["id"], done["id"]]
    assert admin.get(path, status="success", eventType=RELOAD_FINISHED)["data"] == [admin.get(f"{path}/{done['id']}")]
    assert admin.get(path, eventType=APP_CREATED)["data"] == []
    assert set(done) == {
        *("id", "webhookId", "eventType", "status", "statusMessage", "triggeredAt", "request", "response"),
    }
    assert done["request"]["headers"]["X-Two"] == "**OMITTED**"
    refused(admin.ask("GET", path, status="pending"), 400)
    refused(admin.ask("GET", f"{path}/missing"), 404)


def test_a_resend_is_201_whatever_came_of_it(tenant: Tenant, admin: Caller) -> None:
    webhook = admin.made()
    first = tenant.deliveries.add(webhook["id"], tenant.audits.add(), None)
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries"
    admin.patch(
        webhook, operation("replace", "/url", "https://moved.example.com/"), operation("add", "/secret", SECRET)
    )
    for status, code in (("success", 201), ("fail", 503)):
        tenant.deliveries.receivers_answer(code)
        response = admin.ask("POST", f"{path}/{first['id']}/actions/resend")
        assert response.status_code == 201
        again = response.json()
        assert (again["status"], again["response"]["statusCode"]) == (status, code)
        assert again["request"]["body"] == first["request"]["body"]
        assert again["request"]["url"] == "https://moved.example.com/"
        assert "Qlik-Signature" in again["request"]["headers"]
    tenant.deliveries.receivers_answer(None)
    again = admin.ask("POST", f"{path}/{first['id']}/actions/resend").json()
    assert again["status"] == "fail" and "response" not in again
    assert len(admin.get(path)["data"]) == 4
    refused(admin.ask("POST", f"{path}/missing/actions/resend"), 404)
    refused(admin.ask("POST", f"{path}/{first['id']}/actions/resend", {}), 400)


@pytest.mark.parametrize("envelope", ["hybrid", "legacy", "cloudevents"])
def test_it_pushes_once_signed(tenant: Tenant, admin: Caller, envelope: Any) -> None:
    webhook = admin.made(enabled=True, secret=SECRET, headers={"X-One": "1"}, encryptedHeaders={"X-Two": "2"})
    event = tenant.audits.add(extensions={"spaceId": "s1"})
    with Receiver() as receiver:
        receiver.answers("/hook", Answer(308, headers={"Location": "/elsewhere"}))
        record = tenant.deliveries.push(webhook["id"], event, receiver.url("/hook"), envelope)
        (got,) = receiver.received
    assert record is not None
    assert (record["status"], record["statusMessage"]) == ("fail", "redirects are forbidden 308")
    assert got.headers["qlik-signature"] == hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
    assert (got.headers["x-one"], got.headers["x-two"], got.headers["user-agent"]) == ("1", "2", "Qlik Webhook")
    body = json.loads(got.body)
    assert ("specversion" in body, "cloudEventsVersion" in body) == (envelope != "legacy", envelope != "cloudevents")
    assert body["data"] == event.data
    if envelope != "legacy":
        assert (body["id"], body["spaceid"], body["userid"]) == (event.event_id, "s1", "user-admin")
    if envelope != "cloudevents":
        assert (body["eventId"], body["extensions"]["spaceId"]) == (event.event_id, "s1")


def test_what_cannot_be_pushed_is_lost(tenant: Tenant, admin: Caller) -> None:
    webhook, event = admin.made(enabled=True), tenant.audits.add()
    with Receiver() as receiver:
        url = receiver.url()
    record = tenant.deliveries.push(webhook["id"], event, url)
    assert record is not None and record["status"] == "fail" and "response" not in record
    tenant.webhooks.disable(webhook["id"], "too many failures", "WEBHOOK-1")
    assert tenant.deliveries.push(webhook["id"], event, url) is None
