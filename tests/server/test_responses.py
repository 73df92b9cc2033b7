"""Answers in the service's error shape, which tell a client what it can use and nothing of the store's troubles."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from qwebhook.deliver.writer import Overloaded
from qwebhook.model.errors import (
    BodyTooLarge,
    Conflict,
    EventRejected,
    Forbidden,
    NotAuthorised,
    NotFound,
    QwebhookError,
    StoreBusy,
    StoreFull,
    UnsupportedFormat,
)
from qwebhook.server.responses import MethodNotAllowed, answer, answer_error, error_body


def sent(coroutine_of: Any) -> tuple[int, dict[str, str], bytes]:
    """The status, header and body that a function sends."""
    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    asyncio.run(coroutine_of(send))
    start, body = messages
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


def test_an_answer_says_how_long_it_is() -> None:
    status, headers, body = sent(lambda send: answer(send, 202, b'{"a":1}'))
    assert (status, body) == (202, b'{"a":1}')
    assert headers == {"content-length": "7", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("error", "status", "extra"),
    [
        (EventRejected("why", "what to do"), 400, {}),
        (NotAuthorised("why"), 401, {"www-authenticate": "Bearer"}),
        (Forbidden("why"), 403, {}),
        (NotFound("why"), 404, {}),
        (MethodNotAllowed("/events", "GET", "POST"), 405, {"allow": "POST"}),
        (Conflict("why"), 409, {}),
        (BodyTooLarge("why"), 413, {}),
        (UnsupportedFormat("why"), 415, {}),
        (QwebhookError("why"), 500, {}),
        (StoreFull("why"), 503, {"retry-after": "10"}),
        (Overloaded("why"), 503, {"retry-after": "2"}),
    ],
)
def test_an_error_has_its_status_and_headers(error: QwebhookError, status: int, extra: dict[str, str]) -> None:
    got, headers, body = sent(lambda send: answer_error(send, error))
    assert got == status
    assert headers == {"content-length": str(len(body)), "content-type": "application/json"} | extra
    (entry,) = json.loads(body)["errors"]
    assert entry["code"] == error.code


def test_what_a_client_did_wrong_is_told_with_what_to_do() -> None:
    answered = json.loads(error_body(EventRejected("the event has no id", "give it one"), "trace"))
    assert answered["errors"] == [
        {"code": "QWH-INVALID-EVENT", "title": "the event has no id", "detail": "give it one"}
    ]
    assert "detail" not in json.loads(error_body(NotFound("there is none"), "trace"))["errors"][0]


@pytest.mark.parametrize("kind", [StoreFull, Overloaded, QwebhookError])
def test_of_the_servers_own_troubles_only_the_kind_is_told(kind: type[QwebhookError]) -> None:
    body = error_body(kind("no room at /var/secret/place", "free some"), "trace").decode()
    assert "secret" not in body
    assert "free some" not in body
    assert json.loads(body)["errors"][0]["title"]


@pytest.mark.parametrize(("kind", "seconds"), [(StoreFull, 10), (StoreBusy, 10), (Overloaded, 2)])
def test_what_cannot_be_taken_now_can_be_sent_again(kind: type[QwebhookError], seconds: int) -> None:
    (entry,) = json.loads(error_body(kind("locked: /var/secret/place", "free some"), "trace"))["errors"]
    assert entry["title"] == "The server cannot take this now"
    assert entry["detail"] == f"send it again later, in {seconds} seconds at the earliest"


def test_each_answer_can_be_traced() -> None:
    bodies = [sent(lambda send: answer_error(send, NotFound("x")))[2] for _ in range(2)]
    first, second = (json.loads(body)["traceId"] for body in bodies)
    assert len(first) == 32
    assert first != second
    assert json.loads(error_body(NotFound("x"), "trace"))["traceId"] == "trace"


def test_what_has_no_body_has_no_length() -> None:
    assert sent(lambda send: answer(send, 204, b"", ())) == (204, {}, b"")
