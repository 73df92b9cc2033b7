"""Webhooks and deliveries as servers show them, read leniently: a tenant leaves out what is not set, and may say more
than is known. Nothing but an id, and a name and URL where there are some, is taken for granted.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from qwebhook.model.decoding import NOT_JSON
from qwebhook.model.delivery import (
    Delivery,
    DeliveryProgress,
    DeliveryRequest,
    DeliveryResponse,
    Status,
)
from qwebhook.model.webhook import Level, Origin, Settings, Webhook, WebhookDraft, WebhookReplacement


class ShownWebhook(msgspec.Struct, kw_only=True, rename="camel"):
    """A webhook; what is absent and what is null mean the same."""

    id: str
    name: str
    url: str
    description: str | None = None
    event_types: list[str] | None = None
    filter: str | None = None
    headers: dict[str, str] | None = None
    encrypted_headers: list[str] | None = None
    enabled: bool | None = None
    level: str | None = None
    owner_id: str | None = None
    check_certificate_revocation: bool | None = None
    enable_cloud_event_delivery: bool | None = None
    origin: str | None = None
    secret_key_added: bool | None = None
    created_at: str | None = None
    created_by_user_id: str | None = None
    updated_at: str | None = None
    updated_by_user_id: str | None = None
    disabled_reason: str | None = None
    disabled_reason_code: str | None = None
    qwebhook: Settings | None = None

    def read(self) -> Webhook:
        return Webhook(
            id=self.id,
            name=self.name,
            url=self.url,
            description=self.description or "",
            event_types=self.event_types or [],
            filter=self.filter or "",
            headers=self.headers or {},
            encrypted_headers=self.encrypted_headers or [],
            enabled=bool(self.enabled),
            # The service may come to know others: they are shown as they are.
            level=cast("Level", self.level or "tenant"),
            owner_id=self.owner_id or None,
            check_certificate_revocation=bool(self.check_certificate_revocation),
            enable_cloud_event_delivery=bool(self.enable_cloud_event_delivery),
            origin=cast("Origin", self.origin or "api"),
            secret_key_added=bool(self.secret_key_added),
            created_at=self.created_at or "",
            created_by_user_id=self.created_by_user_id or "",
            updated_at=self.updated_at or "",
            updated_by_user_id=self.updated_by_user_id or "",
            disabled_reason=self.disabled_reason or None,
            disabled_reason_code=self.disabled_reason_code or None,
            qwebhook=self.qwebhook or Settings(),
        )


class _ShownRequest(msgspec.Struct):
    url: str | None = None
    headers: dict[str, str] | None = None
    body: str | None = None


class _ShownResponse(msgspec.Struct, rename="camel"):
    status_code: int = 0
    headers: dict[str, str] | None = None
    body: str | None = None


class _EventOf(msgspec.Struct, rename="camel"):
    """The id of an event, in either envelope."""

    id: str | None = None
    event_id: str | None = None


class ShownDelivery(msgspec.Struct, kw_only=True, rename="camel"):
    """A delivery; of a tenant it has one attempt, and nothing under `qwebhook`."""

    id: str
    webhook_id: str | None = None
    event_type: str | None = None
    status: str | None = None
    status_message: str | None = None
    triggered_at: str | None = None
    request: _ShownRequest | None = None
    response: _ShownResponse | None = None
    qwebhook: DeliveryProgress | None = None

    def read(self, webhook_id: str = "") -> Delivery:
        """webhook_id: whose it is, if it does not say so."""
        request, response = self.request or _ShownRequest(), self.response
        body = request.body or ""
        return Delivery(
            id=self.id,
            webhook_id=self.webhook_id or webhook_id,
            event_type=self.event_type or "",
            status=cast("Status", self.status or "fail"),
            status_message=self.status_message or "",
            triggered_at=self.triggered_at or "",
            request=DeliveryRequest(url=request.url or "", headers=request.headers or {}, body=body),
            response=None
            if response is None
            else DeliveryResponse(
                status_code=response.status_code, headers=response.headers or {}, body=response.body or ""
            ),
            qwebhook=self.qwebhook
            or DeliveryProgress(
                state="delivered" if self.status == "success" else "dead", attempts=1, event_id=_event_id(body)
            ),
        )


def _event_id(body: str) -> str:
    try:
        event = msgspec.json.decode(body, type=_EventOf)
    except NOT_JSON:
        return ""
    return event.id or event.event_id or ""


def written(fields: WebhookDraft | WebhookReplacement) -> dict[str, Any]:
    """The body of a create or a replace. What is empty is left out, as it means the same; but settings that are given
    with a replace take the place of those that there are.
    """
    given: dict[str, Any] = msgspec.to_builtins(fields)
    body = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    if isinstance(fields, WebhookReplacement) and fields.qwebhook is not None:
        body["qwebhook"] = given["qwebhook"]
    return body
