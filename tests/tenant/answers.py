"""What the tenant answers, and errors in the service's shape.

No list of error codes is published: those given here tell nothing but the status.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import msgspec

Json = dict[str, Any]
JSON = ("content-type", "application/json")


@dataclass(frozen=True)
class Answer:
    """One whole response. headers: without `date` and `content-length`, which are set when it is sent."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value), (JSON,))


def error_answer(status: int, title: str, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """`{"errors": [{code, title, detail?}], "traceId"}`."""
    error = {"code": f"HTTP-{status}", "title": title} | ({"detail": detail} if detail else {})
    body = msgspec.json.encode({"errors": [error], "traceId": uuid.uuid4().hex})
    return Answer(status, body, (JSON, *headers))


NO_CONTENT = Answer(204)


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, title: str, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(title)
        self.answer = error_answer(status, title, detail, headers)
