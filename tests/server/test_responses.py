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
    answered = json.loads(error_body(EventRejected("the event has no id", "give it one")))
    assert answered["errors"] == [
        {"code": "QWH-INVALID-EVENT", "title": "the event has no id", "detail": "give it one"}
    ]
    assert "detail" not in json.loads(error_body(NotFound("there is none")))["errors"][0]


@pytest.mark.parametrize("kind", [StoreFull, Overloaded, QwebhookError])
def test_of_the_servers_own_troubles_only_the_kind_is_told(kind: type[QwebhookError]) -> None:
    body = error_body(kind("no room at /var/secret/place", "free some")).decode()
    assert "secret" not in body
    assert "free some" not in body
    assert json.loads(body)["errors"][0]["title"]


def test_each_answer_can_be_traced() -> None:
    first, second = (json.loads(error_body(NotFound("x")))["traceId"] for _ in range(2))
    assert len(first) == 32
    assert first != second
