"""The records of deliveries, what makes them, and the three operations on them.

The tenant delivers to public addresses only, so it delivers nothing by itself. A test tells it to push an event to a
loopback address, which is one attempt with the webhook's headers and signature; and what resends come to.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from tests.tenant.answers import Answer, Json, Refused, json_answer
from tests.tenant.asking import Asked, one_of, sorting, whole_number
from tests.tenant.audits import Event
from tests.tenant.clock import DAY, Clock, written
from tests.tenant.paging import CURSORS, Key, Ordered, page
from tests.tenant.webhooks import Webhook, Webhooks

if TYPE_CHECKING:
    from tests.tenant.tenant import Tenant

Status = Literal["success", "fail"]
Envelope = Literal["hybrid", "legacy", "cloudevents"]
KEPT = 7 * DAY
OMITTED = "**OMITTED**"
UNANSWERED = "connection refused"
PATIENCE = 15.0
_PARAMETERS = ("eventType", "status", "sort", "limit", *CURSORS)


class Outcome(msgspec.Struct, frozen=True, rename="camel"):
    """What came back from a receiver."""

    status_code: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Delivery:
    """body: the payload, which a resend sends again. triggered: milliseconds since the epoch."""

    serial: int
    id: str
    webhook_id: str
    event_type: str
    status: Status
    message: str
    triggered: int
    url: str
    headers: Mapping[str, str]
    body: str
    outcome: Outcome | None

    def shown(self) -> Json:
        return {
            "id": self.id,
            "webhookId": self.webhook_id,
            "eventType": self.event_type,
            "status": self.status,
            "statusMessage": self.message,
            "triggeredAt": written(self.triggered),
            "request": {"url": self.url, "headers": self.headers, "body": self.body},
            **({} if self.outcome is None else {"response": self.outcome}),
        }


class Deliveries:
    """The records, in order of their making."""

    def __init__(self, lock: threading.RLock, clock: Clock, webhooks: Webhooks) -> None:
        self._lock = lock
        self._clock = clock
        self._webhooks = webhooks
        self.records: list[Delivery] = []
        self._answers: int | None = 200

    def add(self, webhook_id: str, event: Event, status_code: int | None = 200, age: float = 0.0) -> Json:
        """A record without a delivery: what it reads as.

        status_code: what the receiver answered; None where it did not. age: seconds since it was triggered.
        """
        with self._lock:
            webhook = self._webhooks.all[webhook_id]
            body = msgspec.json.encode(event.pushed("hybrid")).decode()
            return self._record(webhook, event.type or "", body, _outcome(status_code), UNANSWERED, age).shown()

    def receivers_answer(self, status_code: int | None) -> None:
        """What comes of resends from now on; None where there is no answer. 200 until then."""
        with self._lock:
            self._answers = status_code

    def push(self, webhook_id: str, event: Event, to: str, envelope: Envelope = "hybrid") -> Json | None:
        """Send an event once, as the service would to the webhook's own URL: the record, or None if it is disabled.

        to: a loopback URL. envelope: a webhook with enableCloudEventDelivery gets CloudEvents whatever is said here.
        """
        with self._lock:
            webhook = self._webhooks.all[webhook_id]
        if not webhook.fields["enabled"]:
            return None
        if webhook.fields["enableCloudEventDelivery"]:
            envelope = "cloudevents"
        body = msgspec.json.encode(event.pushed(envelope))
        try:
            outcome, trouble = _post(to, body, _sent_headers(webhook, body)), ""
        except (OSError, http.client.HTTPException) as error:
            outcome, trouble = None, str(error) or type(error).__name__
        with self._lock:
            return self._record(webhook, event.type or "", body.decode(), outcome, trouble).shown()

    def resend(self, webhook: Webhook, original: Delivery) -> Delivery:
        """A new record: the same payload with the webhook's present URL, headers and secret."""
        return self._record(webhook, original.event_type, original.body, _outcome(self._answers), UNANSWERED)

    def _record(
        self,
        webhook: Webhook,
        event_type: str,
        body: str,
        outcome: Outcome | None,
        trouble: str,
        age: float = 0.0,
    ) -> Delivery:
        """trouble: what is said where there is no outcome."""
        headers = _sent_headers(webhook, body.encode()) | dict.fromkeys(webhook.fields["encryptedHeaders"], OMITTED)
        delivery = Delivery(
            serial=len(self.records) + 1,
            id=str(uuid.uuid4()),
            webhook_id=webhook.id,
            event_type=event_type,
            status="success" if outcome and 200 <= outcome.status_code < 300 else "fail",
            message=trouble if outcome is None else _message(outcome.status_code),
            triggered=self._clock.now() - int(age * 1000),
            url=webhook.fields["url"],
            headers=headers,
            body=body,
            outcome=outcome,
        )
        self.records.append(delivery)
        return delivery

    def of(self, webhook: Webhook) -> list[Delivery]:
        """Those of a webhook that are still kept."""
        oldest = self._clock.now() - KEPT
        return [one for one in self.records if one.webhook_id == webhook.id and one.triggered >= oldest]


def _outcome(status_code: int | None) -> Outcome | None:
    return None if status_code is None else Outcome(status_code, {"Content-Type": "text/plain"}, "received")


def _message(status_code: int) -> str:
    if 300 <= status_code < 400:
        return f"redirects are forbidden {status_code}"
    return f"{status_code} {http.client.responses.get(status_code, '')}".strip()


def _sent_headers(webhook: Webhook, body: bytes) -> dict[str, str]:
    """What the service sends with a body."""
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip", "User-Agent": "Qlik Webhook"}
    headers |= webhook.fields["headers"] | webhook.fields["encryptedHeaders"]
    secret = webhook.fields["secret"]
    if secret is not None:
        headers["Qlik-Signature"] = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return headers


def _post(to: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """One request, redirects not followed. Raises OSError, HTTPException."""
    parts = urlsplit(to)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        return Outcome(response.status, dict(response.getheaders()), response.read().decode(errors="replace"))
    finally:
        connection.close()


def list_deliveries(tenant: Tenant, asked: Asked) -> Answer:
    webhook = tenant.webhooks.seen(asked.places["id"], asked.caller)
    given = asked.parameters(*_PARAMETERS)
    limit = whole_number(given.get("limit", "20"), "limit", 1, 100)
    field, descending = sorting(given.get("sort", "-triggeredAt"), "status", "triggeredAt")
    if "status" in given:
        one_of(given["status"], "status", "success", "fail")

    def key(one: Delivery) -> Key:
        return (one.status if field == "status" else one.triggered, one.serial)

    def wanted(one: Delivery) -> bool:
        asked_for = (given.get("eventType", one.event_type), given.get("status", one.status))
        return asked_for == (one.event_type, one.status)

    kept = sorted(tenant.deliveries.of(webhook), key=key)
    return page(asked, Ordered(kept, key, descending), limit, Delivery.shown, wanted)


def get_delivery(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    webhook = tenant.webhooks.seen(asked.places["id"], asked.caller)
    return json_answer(_found(tenant, webhook, asked).shown())


def resend_delivery(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    webhook = tenant.webhooks.seen(asked.places["id"], asked.caller)
    return json_answer(tenant.deliveries.resend(webhook, _found(tenant, webhook, asked)).shown(), 201)


def _found(tenant: Tenant, webhook: Webhook, asked: Asked) -> Delivery:
    for one in tenant.deliveries.of(webhook):
        if one.id == asked.places["delivery"]:
            return one
    raise Refused(404, "Not found", f"there is no delivery {asked.places['delivery']!r}")
