"""Answers over ASGI, errors in the service's shape among them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from qwebhook.deliver.writer import Overloaded
from qwebhook.model.errors import InvalidInput, NotAuthorised, QwebhookError, Unavailable

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
# Names in lower case, and values, as they came.
Headers = Sequence[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


async def answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)) -> None:
    """One whole response."""
    # RFC 9110, section 8.6: none where there cannot be a body.
    length = ((b"content-length", b"%d" % len(body)),) if status != 204 else ()
    await send({"type": "http.response.start", "status": status, "headers": [*length, *headers]})
    await send({"type": "http.response.body", "body": body})


class MethodNotAllowed(QwebhookError):
    """The path is there, but not for this method. allowed: the methods that it is for, comma-separated."""

    status = 405
    code = "QWH-METHOD"

    def __init__(self, path: str, method: str, allowed: str) -> None:
        super().__init__(f"{path} does not take {method}", f"use {allowed}")
        self.allowed = allowed


class TooManyRequests(QwebhookError):
    """The caller has as much under way as one may have."""

    status = 429
    code = "QWH-TOO-MANY"


# What a client is told to wait: long enough for a full disk to be noticed, short enough for a burst to pass.
_RETRY_AFTER: dict[type[QwebhookError], str] = {TooManyRequests: "1", Overloaded: "2", Unavailable: "10"}


async def answer_error(send: Send, error: QwebhookError) -> None:
    """The error as `{"errors": [{code, title, detail?}], "traceId"}`, with its status."""
    headers = [(name.encode(), value.encode()) for name, value in error_headers(error).items()]
    await answer(send, error.status, error_body(error, trace_id()), (_JSON, *headers))


def raw_answer(status: int, body: bytes, headers: Headers = (), *, close: bool = False) -> bytes:
    """The bytes of a whole response with a JSON body. close: says that it is the last on its connection."""
    fields = b"".join([b"%b: %b\r\n" % field for field in headers])
    if close:
        fields += b"connection: close\r\n"
    return b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b" % (
        STATUS_LINE[status],
        len(body),
        fields,
        body,
    )


def raw_error(error: QwebhookError, headers: Headers, *, close: bool = False) -> bytes:
    """The bytes of a whole response that tells of an error. headers: besides those that the error has."""
    own = [(name.encode(), value.encode()) for name, value in error_headers(error).items()]
    return raw_answer(error.status, error_body(error, trace_id()), [*headers, *own], close=close)


def error_headers(error: QwebhookError) -> dict[str, str]:
    """What the header of an error's answer tells, besides the content type."""
    headers = {}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = error.allowed
    seconds = _retry_after(error)
    if seconds:
        headers["retry-after"] = seconds
    return headers


def _retry_after(error: QwebhookError) -> str:
    """The seconds after which the same may succeed; "" where time alone does not help."""
    return next((seconds for kind, seconds in _RETRY_AFTER.items() if isinstance(error, kind)), "")


class ErrorEntry(msgspec.Struct, omit_defaults=True):
    """What is wrong. code: stable, for programs. title: a sentence, for people. detail: what to do about it."""

    code: str
    title: str
    detail: str = ""


class ErrorAnswer(msgspec.Struct, rename="camel"):
    """The body of every answer that tells of an error. traceId: names this answer; in the
    server's log, too, if the mistake is the server's."""

    errors: list[ErrorEntry]
    trace_id: str


def trace_id() -> str:
    """A name for one answer."""
    return secrets.token_hex(16)


def error_body(error: QwebhookError, trace: str) -> bytes:
    """The service's error shape. Of the store's own troubles, nothing but their kind is told."""
    told = isinstance(error, InvalidInput | NotAuthorised) or error.status in (404, 405, 409, 429)
    entry = ErrorEntry(error.code, error.message if told else _TITLES.get(error.status, "Internal error"))
    seconds = _retry_after(error)
    if told and error.hint:
        entry.detail = error.hint
    elif seconds:
        entry.detail = f"send it again later, in {seconds} seconds at the earliest"
    return msgspec.json.encode(ErrorAnswer([entry], trace))


_TITLES = {500: "Internal error", 503: "The server cannot take this now"}
