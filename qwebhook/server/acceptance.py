"""`POST /events`: events in, 202 when they are on disk.

Plain ASGI rather than a routed endpoint: it is the one route that every event takes, and routing costs as much again.
"""

from __future__ import annotations

import msgspec

from qwebhook.deliver.writer import Writer
from qwebhook.model.envelope import MAX_BODY, read_request
from qwebhook.model.errors import BodyTooLarge, EventRejected, QwebhookError, Unavailable, UnsupportedFormat
from qwebhook.server.access import Access
from qwebhook.server.metrics import Metrics
from qwebhook.server.responses import Receive, Scope, Send, answer, answer_error
from qwebhook.store.contract import Role

ROLES: tuple[Role, ...] = ("admin", "publisher")


class Receipt(msgspec.Struct):
    """The answer to accepted events. ids: one for each, in order; a duplicate's is the first one's."""

    accepted: int
    duplicates: int
    ids: list[str]


class Acceptance:
    """The route of events coming in."""

    def __init__(self, writer: Writer, access: Access, metrics: Metrics) -> None:
        self._writer = writer
        self._access = access
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            receipt = await self._accept(scope, receive)
        except ClientGone:
            return
        except QwebhookError as error:
            if isinstance(error, Unavailable):
                self._metrics.refused.inc()
            elif isinstance(error, EventRejected):
                self._metrics.rejected.inc()
            await answer_error(send, error)
            return
        self._metrics.accepted.inc(receipt.accepted)
        if receipt.duplicates:
            self._metrics.duplicates.inc(receipt.duplicates)
        await answer(send, 202, msgspec.json.encode(receipt))

    async def _accept(self, scope: Scope, receive: Receive) -> Receipt:
        authorization = content_type = encoding = ""
        length = 0
        attributes: dict[str, str] = {}
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"content-type":
                content_type = value.decode("latin-1")
            elif name == b"content-length" and value.isdigit():
                length = int(value[:12])
            elif name == b"content-encoding" and value.lower() != b"identity":
                encoding = value.decode("latin-1")
            elif name.startswith(b"ce-"):
                attributes[name[3:].decode("latin-1")] = value.decode("latin-1")
        self._access.require(authorization, ROLES)
        if encoding:
            raise UnsupportedFormat(f"content encoding {encoding!r} is not read", "send the body as it is")
        if length > MAX_BODY:
            raise _too_large()
        events = read_request(content_type, attributes, await _body(receive))
        accepted = await self._writer.accept(events)
        duplicates = sum(one.duplicate for one in accepted)
        return Receipt(len(accepted) - duplicates, duplicates, [one.id for one in accepted])


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _too_large()
        return body
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise _too_large()
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {MAX_BODY} bytes", "send the events in several requests")
