"""What would be sent to a webhook, shown without sending it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from qwebhook.cli.event_names import EventNames
from qwebhook.deliver.targets import prepare
from qwebhook.model import catalogue
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.event import Event


class Preview(msgspec.Struct, kw_only=True, rename="camel"):
    """A request as it would be sent; the values of encrypted headers are omitted, and the body is shown parsed.

    matches: whether the webhook would get a real event like this one.
    """

    webhook_id: str
    matches: bool
    method: str
    url: str
    headers: dict[str, str]
    body: Any


def preview(
    endpoint: Endpoint,
    event: Event,
    now: int,
    *,
    test: bool,
    names: EventNames,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Preview:
    """The request that brings the event to the endpoint, signed at `now` (ms since the epoch).

    test: as a test-fire. names: for ids in the event. headers: to send along.
    """
    known = names.of(event) if endpoint.renders else None
    request = prepare(endpoint, event.key, event.type, event.body, now, test, known)
    return Preview(
        webhook_id=endpoint.webhook.id,
        matches=not held_back(endpoint, event),
        method=request.method,
        url=request.url,
        headers={**request.shown, **headers},
        body=_parsed(request.body),
    )


def _parsed(body: bytes) -> Any:
    """What a JSON body holds; the text of any other, as a template may give it."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode()


def held_back(endpoint: Endpoint, event: Event) -> list[str]:
    """Why the webhook would not get a real event like this one; empty if it would."""
    webhook = endpoint.webhook
    reasons = []
    if not webhook.enabled:
        reasons.append("it is disabled")
    if catalogue.canonical(event.type) not in endpoint.subscribed:
        reasons.append(f"it is not subscribed to {event.type}")
    if webhook.level == "user" and not event.concerns(webhook.owner_id or ""):
        reasons.append("it is of level user, and the event does not concern its owner")
    if endpoint.filter is not None and not endpoint.filter.matches(event):
        reasons.append("its filter keeps the event back")
    return reasons
