"""Answers over ASGI, errors in the service's shape among them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from qwebhook.deliver.writer import Overloaded
from qwebhook.model.errors import InvalidInput, NotAuthorised, QwebhookError, Unavailable

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
# What a sender is told to wait: long enough for a full disk to be noticed, short enough for a burst to pass.
_RETRY_AFTER = {Overloaded: b"2", Unavailable: b"10"}


async def answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)) -> None:
    """One whole response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def answer_error(send: Send, error: QwebhookError) -> None:
    """The error as `{"errors": [{code, title, detail?}], "traceId"}`, with its status."""
    headers = [_JSON]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    for kind, seconds in _RETRY_AFTER.items():
        if isinstance(error, kind):
            headers.append((b"retry-after", seconds))
            break
    await answer(send, error.status, error_body(error), tuple(headers))


def error_body(error: QwebhookError) -> bytes:
    """The service's error shape. Of the store's own troubles, nothing but their kind is told."""
    told = isinstance(error, InvalidInput | NotAuthorised) or error.status in (404, 405, 409)
    title = error.message if told else _TITLES.get(error.status, "Internal error")
    entry = {"code": error.code, "title": title}
    if told and error.hint:
        entry["detail"] = error.hint
    return msgspec.json.encode({"errors": [entry], "traceId": secrets.token_hex(16)})


_TITLES = {500: "Internal error", 503: "The server cannot take this now"}
