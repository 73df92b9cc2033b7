"""The body of a request, read up to the limit."""

from __future__ import annotations

from qwebhook.model.envelope import MAX_BODY
from qwebhook.model.errors import BodyTooLarge, UnsupportedFormat
from qwebhook.server.responses import Receive


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


async def read_body(receive: Receive, announced: int, hint: str) -> bytes:
    """The whole body.

    announced: its Content-Length, 0 if there is none. hint: what to do with a body over the limit.
    Raises BodyTooLarge, ClientGone.
    """
    if announced > MAX_BODY:
        raise too_large(hint)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY:
            raise too_large(hint)
        return body
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise too_large(hint)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def content_length(value: bytes) -> int:
    """The number in a Content-Length header; 0 for what is no number."""
    return int(value[:12]) if value.isdigit() else 0


def too_large(hint: str) -> BodyTooLarge:
    """The error for a body over the limit."""
    return BodyTooLarge(f"the body is larger than {MAX_BODY} bytes", hint)


def encoded(encoding: str) -> UnsupportedFormat:
    """The error for a body that is compressed, or encoded otherwise."""
    return UnsupportedFormat(f"content encoding {encoding!r} is not read", "send the body as it is")
