"""Webhooks and events for tests: complete and valid as they come, changed by naming what differs.

    webhook_draft(url="http://127.0.0.1:9000/")        what a client writes on create
    webhook(enabled=False)                             what it reads
    endpoint(webhook(filter='id eq "a"'))              what the delivery engine holds
    cloud_event_body(id="1", data={"id": "a"})         bytes of one event, in each of the three envelopes
    legacy_event_body(eventId="1", extensions={})
    hybrid_event_body(id="1")
    event(type="com.qlik.v1.app.deleted")              an event that has been read

In the bodies a member given as None is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from qwebhook.model.endpoint import Endpoint
from qwebhook.model.event import Event, read_event
from qwebhook.model.webhook import Webhook, WebhookDraft

APP_CREATED = "com.qlik.v1.app.created"
APP_DELETED = "com.qlik.v1.app.deleted"
RELOAD_FINISHED = "com.qlik.v1.app.reload.finished"
SECRET = "a-secret-that-is-thirty-nine-characters"
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
URL = "https://receiver.example.com/hook"
TENANT = "tenant-one"
USER = "user-one"
OWNER = "owner-one"
SPACE = "space-one"
APP = "app-one"
TIME = "2026-11-24T16:18:59Z"


def webhook_draft(**fields: Any) -> WebhookDraft:
    """An enabled webhook of the tenant for one event type, without a secret. Fields have Python's names."""
    given: dict[str, Any] = {"name": "reports", "url": URL, "event_types": [APP_CREATED], "enabled": True}
    return WebhookDraft(**(given | fields))


def webhook(**fields: Any) -> Webhook:
    """A webhook as it is read, the same one as that of `webhook_draft`."""
    given: dict[str, Any] = {
        "id": "0193600b-0e9f-7000-8000-000000000001",
        "name": "reports",
        "url": URL,
        "description": "",
        "event_types": [APP_CREATED],
        "filter": "",
        "headers": {},
        "encrypted_headers": [],
        "enabled": True,
        "level": "tenant",
        "owner_id": None,
        "check_certificate_revocation": False,
        "enable_cloud_event_delivery": False,
        "origin": "api",
        "secret_key_added": False,
        "created_at": "2026-11-24T16:00:00.000Z",
        "created_by_user_id": USER,
        "updated_at": "2026-11-24T16:00:00.000Z",
        "updated_by_user_id": USER,
    }
    return Webhook(**(given | fields))


def endpoint(
    of: Webhook | None = None,
    row: int = 1,
    version: int = 1,
    secrets: Sequence[str] = (),
    encrypted_headers: dict[str, str] | None = None,
) -> Endpoint:
    """An endpoint of the webhook, or of `webhook()`."""
    return Endpoint(row, version, of or webhook(), [(secret, None) for secret in secrets], encrypted_headers or {})


def cloud_event(**members: Any) -> dict[str, Any]:
    """A CloudEvents 1.0 event of Qlik's, as an object."""
    given = {
        "specversion": "1.0",
        "id": "event-one",
        "source": "com.qlik/engine",
        "type": APP_CREATED,
        "time": TIME,
        "datacontenttype": "application/json",
        "tenantid": TENANT,
        "userid": USER,
        "ownerid": OWNER,
        "spaceid": SPACE,
        "toplevelresourceid": APP,
        "data": {"id": APP, "name": "Sales"},
    }
    return _without_none(given | members)


def legacy_event(**members: Any) -> dict[str, Any]:
    """The same event in Qlik's older envelope."""
    given = {
        "cloudEventsVersion": "0.1",
        "eventId": "event-one",
        "eventTime": TIME,
        "eventType": APP_CREATED,
        "eventTypeVersion": "1.0.0",
        "source": "com.qlik/engine",
        "contentType": "application/json",
        "extensions": {
            "tenantId": TENANT,
            "userId": USER,
            "ownerId": OWNER,
            "spaceId": SPACE,
            "topLevelResourceId": APP,
        },
        "data": {"id": APP, "name": "Sales"},
    }
    return _without_none(given | members)


def hybrid_event(**members: Any) -> dict[str, Any]:
    """The same event with the fields of both envelopes; members are set in addition to, or in place of, them."""
    return _without_none(legacy_event() | cloud_event() | members)


def cloud_event_body(**members: Any) -> bytes:
    """`cloud_event` as compact JSON."""
    return compact(cloud_event(**members))


def legacy_event_body(**members: Any) -> bytes:
    """`legacy_event` as compact JSON."""
    return compact(legacy_event(**members))


def hybrid_event_body(**members: Any) -> bytes:
    """`hybrid_event` as compact JSON."""
    return compact(hybrid_event(**members))


def event(**members: Any) -> Event:
    """The event of `cloud_event_body`, read."""
    return read_event(cloud_event_body(**members))


def compact(value: Any) -> bytes:
    """JSON without spaces, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
