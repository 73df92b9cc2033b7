"""The request of a delivery: what is sent, and what of it may be shown."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from qwebhook import __version__
from qwebhook.model import catalogue
from qwebhook.model.consent import REQUEST_ORIGIN
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.envelope import as_cloud_event, with_type
from qwebhook.model.event import read_event
from qwebhook.model.trace import TRACE_HEADERS, Trace, trace_in_event
from qwebhook.model.webhook import OMITTED

if TYPE_CHECKING:
    from qwebhook.render.message import Names

USER_AGENT = f"qwebhook/{__version__}"
TEST_HEADER = "qwebhook-test"
JSON = "application/json"


class PreparedRequest(msgspec.Struct, frozen=True, gc=False):
    """One request, signed where it is a delivery.

    shown: the headers for records and logs, without the values of encrypted ones. check_revocation: it is only sent if
    the receiver's certificate is known not to be revoked.
    """

    url: str
    headers: dict[str, str]
    shown: dict[str, str]
    body: bytes
    method: str = "POST"
    check_revocation: bool = False

    @property
    def hidden(self) -> list[str]:
        """The values that may not be shown."""
        return [value for name, value in self.headers.items() if self.shown.get(name) != value]


def message_id(key: bytes, webhook_id: str) -> str:
    """The `webhook-id` of an event at a webhook: the same for every attempt, resend and replay.

    key: the event's (`Event.key`).
    """
    return "msg_" + blake2b(key + webhook_id.encode(), digest_size=16).hexdigest()


def prepare(
    endpoint: Endpoint,
    key: bytes,
    event_type: str,
    body: bytes,
    now: int,
    test: bool = False,
    names: Names | None = None,
    trace: Trace | None = None,
) -> PreparedRequest:
    """The request that brings an event to an endpoint, signed at `now` (ms since the epoch).

    key, event_type, body: the event's. test: marks the request as a test-fire. names: for ids in it.
    trace: that of the request which brought the event, for one that names none itself.
    """
    webhook = endpoint.webhook
    event_body = body
    body, media_type = rendered(endpoint, event_type, body, names)
    identifier, seconds = message_id(key, webhook.id), now // 1000
    headers = {"Content-Type": media_type, "User-Agent": USER_AGENT}
    if webhook.headers or endpoint.encrypted_headers:
        own = {**webhook.headers, **endpoint.encrypted_headers}
        lower = {name.lower() for name in own}
        headers = {name: value for name, value in headers.items() if name.lower() not in lower} | own
    headers["webhook-id"] = identifier
    headers["webhook-timestamp"] = str(seconds)
    if webhook.qwebhook.request_origin is not None:
        headers[REQUEST_ORIGIN] = webhook.qwebhook.request_origin
    if test:
        headers[TEST_HEADER] = "true"
    trace = trace_in_event(event_body) or trace
    if trace is not None and not any(name.lower() in TRACE_HEADERS for name in headers):
        headers |= trace.headers
    headers |= endpoint.signer.headers(identifier, seconds, body)
    shown = headers
    if endpoint.encrypted_headers:
        shown = {**headers, **dict.fromkeys(endpoint.encrypted_headers, OMITTED)}
    return PreparedRequest(webhook.url, headers, shown, body, check_revocation=webhook.check_certificate_revocation)


def rendered(endpoint: Endpoint, event_type: str, body: bytes, names: Names | None = None) -> tuple[bytes, str]:
    """The body as this endpoint wants it, the very same object where it wants it as it came; and its media type.

    Raises RenderFailed.
    """
    webhook = endpoint.webhook
    if webhook.enable_cloud_event_delivery:
        body = _converted(body)
    if webhook.qwebhook.type_names == "subscribed":
        name = endpoint.subscribed.get(catalogue.canonical(event_type), event_type)
        if name != event_type:
            body = with_type(body, name)
    if webhook.qwebhook.preset is not None or webhook.qwebhook.template is not None:
        # Most webhooks have neither, and nor does most of what imports this.
        from qwebhook.render.body import rendered_body

        return rendered_body(webhook, event_type, body, names or {})
    return body, JSON


def _converted(body: bytes) -> bytes:
    event = read_event(body)
    return as_cloud_event(event) if event.legacy else body
