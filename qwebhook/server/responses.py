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
_RETRY_AFTER = {Overloaded: "2", Unavailable: "10"}


async def answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)) -> None:
    """One whole response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


class MethodNotAllowed(QwebhookError):
    """The path is there, but not for this method. allowed: the methods that it is for, comma-separated."""

    status = 405
    code = "QWH-METHOD"

    def __init__(self, path: str, method: str, allowed: str) -> None:
        super().__init__(f"{path} does not take {method}", f"use {allowed}")
        self.allowed = allowed


async def answer_error(send: Send, error: QwebhookError) -> None:
    """The error as `{"errors": [{code, title, detail?}], "traceId"}`, with its status."""
    headers = [(name.encode(), value.encode()) for name, value in error_headers(error).items()]
    await answer(send, error.status, error_body(error), (_JSON, *headers))


def error_headers(error: QwebhookError) -> dict[str, str]:
    """What the header of an error's answer tells, besides the content type."""
    headers = {}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = error.allowed
    for kind, seconds in _RETRY_AFTER.items():
        if isinstance(error, kind):
            headers["retry-after"] = seconds
            break
    return headers


def error_body(error: QwebhookError) -> bytes:
    """The service's error shape. Of the store's own troubles, nothing but their kind is told."""
    told = isinstance(error, InvalidInput | NotAuthorised) or error.status in (404, 405, 409)
    title = error.message if told else _TITLES.get(error.status, "Internal error")
    entry = {"code": error.code, "title": title}
    if told and error.hint:
        entry["detail"] = error.hint
    return msgspec.json.encode({"errors": [entry], "traceId": secrets.token_hex(16)})


_TITLES = {500: "Internal error", 503: "The server cannot take this now"}
