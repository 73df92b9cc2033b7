"""One who asks the REST API, and what is expected of the answers."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from tests.acceptance.processes import Server

CORE, V1, OWN = "/api/core", "/api/v1", "/api/qwebhook/v1"
UNKNOWN = "01a20eae-3f12-7188-8000-000000000001"


class Asking:
    """With a token, or (None) without."""

    def __init__(self, server: Server, token: str | None) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.server.client.request(method, path, json=json, headers=headers, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.ask("POST", path, json, **more)

    def put(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.ask("PUT", path, json, **more)

    def patch(self, path: str, *operations: dict[str, Any], **more: Any) -> httpx.Response:
        return self.ask("PATCH", path, list(operations), **more)

    def delete(self, path: str) -> httpx.Response:
        return self.ask("DELETE", path)

    def made(self, **fields: Any) -> dict[str, Any]:
        """A new webhook, for an event type of its own unless the fields say otherwise."""
        return right(self.post(f"{CORE}/webhooks", draft(**fields)), 201)

    def now(self, identifier: str) -> dict[str, Any]:
        """The webhook as it is."""
        return right(self.get(f"{CORE}/webhooks/{identifier}"))


def draft(**fields: Any) -> dict[str, Any]:
    """The body of a create; fields given as None are left out."""
    given = {"name": "reports", "url": "https://receiver.example.com/hook", "eventTypes": [unique()], **fields}
    return {name: value for name, value in given.items() if value is not None}


def unique() -> str:
    """A name, or an event type, that nobody else has."""
    return f"test.{uuid.uuid4().hex}"


def change(path: str, value: Any, op: str = "replace") -> dict[str, Any]:
    """One operation of a patch."""
    return {"op": op, "path": path, "value": value}


def right(answer: httpx.Response, status: int = 200) -> Any:
    """What an answer holds that must be of that status."""
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def wrong(answer: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    """The one error of an answer that must be of that status; its text has the words."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"errors", "traceId"}
    (error,) = answer.json()["errors"]
    for word in words:
        assert word in error["title"] + " " + error.get("detail", "")
    return dict(error)
