"""Between rows and the model: columns in, structs out."""

from __future__ import annotations

from typing import Any

import msgspec

from qwebhook.model.delivery import (
    Attempt,
    Dead,
    Delivered,
    Delivery,
    DeliveryProgress,
    DeliveryRequest,
    DeliveryResponse,
    Exchange,
    Gone,
    Reply,
    Settled,
)
from qwebhook.model.identifiers import row_id
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.webhook import Settings, Webhook

Row = tuple[Any, ...]
# The state of a delivery after its last attempt.
FINAL_STATES: dict[type[Any], str] = {Delivered: "delivered", Dead: "dead", Gone: "gone"}

_names = msgspec.json.Decoder(list[str])
_headers = msgspec.json.Decoder(dict[str, str])
_pairs = msgspec.json.Decoder(list[tuple[str, str]])
_settings = msgspec.json.Decoder(Settings)


def webhook_from(row: Row) -> Webhook:
    """A webhook from the `columns` query's columns (the first two are the row's number and its version)."""
    return Webhook(
        id=row[1],
        name=row[3],
        url=row[4],
        description=row[5],
        event_types=_names.decode(row[6]),
        filter=row[7],
        headers=_headers.decode(row[8]),
        encrypted_headers=_names.decode(row[9]),
        secret_key_added=bool(row[10]),
        enabled=bool(row[11]),
        level=row[12],
        owner_id=row[13],
        check_certificate_revocation=bool(row[14]),
        enable_cloud_event_delivery=bool(row[15]),
        origin=row[16],
        qwebhook=_settings.decode(row[17]),
        disabled_reason=row[18],
        disabled_reason_code=row[19],
        created_at=to_rfc3339(row[20]),
        created_by_user_id=row[21],
        updated_at=to_rfc3339(row[22]),
        updated_by_user_id=row[23],
    )


def columns_of(webhook: Webhook) -> dict[str, Any]:
    """The parameters that `insert` and `update` share."""
    return {
        "name": webhook.name,
        "url": webhook.url,
        "description": webhook.description,
        "event_types": json_text(webhook.event_types),
        "filter": webhook.filter,
        "headers": json_text(webhook.headers),
        "encrypted_header_names": json_text(webhook.encrypted_headers),
        "enabled": webhook.enabled,
        "level": webhook.level,
        "owner_id": webhook.owner_id,
        "check_certificate_revocation": webhook.check_certificate_revocation,
        "enable_cloud_event_delivery": webhook.enable_cloud_event_delivery,
        "settings": json_text(webhook.qwebhook),
    }


def delivery_from(row: Row, store: int) -> Delivery:
    """A delivery from the columns of history's `list`."""
    event_id = row_id("event", row[17], store, row[9]) if row[17] is not None else ""
    return Delivery(
        id=row_id("delivery", row[6], store, row[0]),
        webhook_id=row[1],
        event_type=row[2],
        status=row[3],
        status_message=row[10],
        triggered_at=to_rfc3339(row[6]),
        request=_request(row[11], row[12], row[13]),
        response=_response(row[14], row[15], row[16]),
        qwebhook=DeliveryProgress(
            state=row[4],
            attempts=row[5],
            event_id=event_id,
            next_attempt_at=to_rfc3339(row[7]) if row[7] is not None else None,
            test=bool(row[8]),
        ),
    )


def attempt_from(row: Row) -> Attempt:
    """An attempt from the columns of history's `attempts`."""
    return Attempt(
        number=row[0],
        started_at=to_rfc3339(row[1]),
        duration=row[2],
        first_byte=row[3],
        outcome=row[4],
        reason=row[5],
        request=_request(row[6], row[7], row[8]),
        response=_response(row[9], row[10], row[11]),
    )


def attempt_columns(
    sequence: int, number: int, exchange: Exchange, outcome: str, reason: str, *, with_body: bool
) -> tuple[Any, ...]:
    """The columns of an attempt in a batch. with_body: unless the request's body is the event's own."""
    result = exchange.result
    reply = result if isinstance(result, Reply) else None
    if isinstance(result, Settled) and result.code is not None:
        reply = Reply(result.code, [], result.output.encode())
    return (
        sequence * 64 + number,
        exchange.started_at,
        exchange.duration,
        exchange.first_byte,
        outcome,
        reason,
        exchange.url,
        json_text(exchange.headers),
        exchange.body.decode("utf-8", "replace") if with_body else None,
        reply.status if reply else None,
        json_text(reply.headers) if reply else None,
        _readable(reply.body) if reply else None,
    )


def _readable(body: bytes) -> str:
    """A response as text, whatever it is: records are for reading, and SQLite's text ends at a NUL for many tools."""
    return body.decode("utf-8", "replace").replace("\0", "\ufffd")


def _request(url: str, headers: str, body: str | None) -> DeliveryRequest:
    return DeliveryRequest(url=url, headers=_headers.decode(headers), body=body or "")


def _response(status: int | None, headers: str | None, body: str | None) -> DeliveryResponse | None:
    if status is None:
        return None
    folded: dict[str, str] = {}
    for name, value in _pairs.decode(headers or "[]"):
        # RFC 9110, section 5.2: several lines of one field are one list.
        folded[name] = f"{folded[name]}, {value}" if name in folded else value
    return DeliveryResponse(status_code=status, headers=folded, body=body or "")


def json_text(value: object) -> str:
    """The value as JSON for a text column."""
    return msgspec.json.encode(value).decode()
