"""One who uses the REST API over HTTP, and what every answer must look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.acceptance.processes import Server, until
from tests.builders import cloud_event_body

V1 = "/api/v1"
CORE = "/api/core"
PREFIXES = (V1, CORE)
OWN = "/api/qwebhook/v1"
Json = dict[str, Any]
_numbers = count(1)


def unique(stem: str = "w") -> str:
    """A name or an event type that no other test uses."""
    return f"{stem}.n{next(_numbers)}"


class Client:
    """Asks a server under one of the two prefixes, with a token or (None) without."""

    def __init__(self, server: Server, token: str | None, prefix: str = CORE) -> None:
        self.server = server
        self.prefix = prefix
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """path: below the prefix, or an absolute URL. body: an object to send as JSON; bytes as they are."""
        content: Json = {}
        if isinstance(body, bytes):
            content = {"content": body}
        elif body is not None:
            content = {"json": body}
        return self.server.client.request(
            method,
            path if "://" in path else self.prefix + path,
            params=params,
            headers={**self.headers, **(headers or {})},
            **content,
        )

    # The ten operations

    def webhooks(self, **filters: Any) -> httpx.Response:
        return self.request("GET", "/webhooks", params=filters)

    def create(self, body: Any) -> httpx.Response:
        return self.request("POST", "/webhooks", body)

    def event_types(self) -> httpx.Response:
        return self.request("GET", "/webhooks/event-types")

    def get(self, webhook: str) -> httpx.Response:
        return self.request("GET", f"/webhooks/{webhook}")

    def put(self, webhook: str, body: Any) -> httpx.Response:
        return self.request("PUT", f"/webhooks/{webhook}", body)

    def patch(self, webhook: str, *operations: Any) -> httpx.Response:
        return self.request("PATCH", f"/webhooks/{webhook}", list_of(operations))

    def delete(self, webhook: str) -> httpx.Response:
        return self.request("DELETE", f"/webhooks/{webhook}")

    def deliveries(self, webhook: str, **filters: Any) -> httpx.Response:
        return self.request("GET", f"/webhooks/{webhook}/deliveries", params=filters)

    def delivery(self, webhook: str, delivery: str) -> httpx.Response:
        return self.request("GET", f"/webhooks/{webhook}/deliveries/{delivery}")

    def resend(self, webhook: str, delivery: str) -> httpx.Response:
        return self.request("POST", f"/webhooks/{webhook}/deliveries/{delivery}/actions/resend")

    # What must succeed

    def made(self, **fields: Any) -> Json:
        """A new webhook for an event type of its own, unless the fields say otherwise."""
        return read(self.create(body(**fields)), 201)

    def now(self, webhook: str) -> Json:
        """The webhook as it is."""
        return read(self.get(webhook))

    def patched(self, webhook: str, *operations: Any) -> Json:
        """The webhook after a patch that must be taken."""
        empty(self.patch(webhook, *operations))
        return self.now(webhook)

    def all(self, path: str, **filters: Any) -> list[Json]:
        """Everything of a list, page after page."""
        return [item for page in self.pages(path, **filters) for item in page["data"]]

    def pages(self, path: str, **filters: Any) -> Iterator[Json]:
        """The pages of a list, each from the `next` link of the one before."""
        page = read(self.request("GET", path, params=filters))
        yield page
        while href := link(page, "next"):
            page = read(self.request("GET", href))
            yield page

    def delivered(self, webhook: Json, count: int = 1, **members: Any) -> list[Json]:
        """The webhook's deliveries, latest first, when `count` events more were published and came to record."""
        path = f"/webhooks/{webhook['id']}/deliveries"
        before = len(self.all(path, limit=100))
        for _ in range(count):
            event = {"type": webhook["eventTypes"][0], "id": unique("event")} | members
            self.server.publish(cloud_event_body(**event))

        def recorded() -> list[Json] | None:
            found = self.all(path, limit=100)
            return found if len(found) >= before + count else None

        return until(recorded, f"{count} deliveries on record") or []


def list_of(operations: tuple[Any, ...]) -> list[Any]:
    """JSON Patch operations, from objects or from (op, path) and (op, path, value)."""
    return [
        dict(zip(("op", "path", "value"), one, strict=False)) if isinstance(one, tuple) else one for one in operations
    ]


def body(**fields: Any) -> Json:
    """A valid body of a create; a field given as None is left out."""
    given = {"name": unique(), "url": "https://receiver.example.com/hook", "eventTypes": [unique("type")]} | fields
    return {name: value for name, value in given.items() if value is not None}


def read(response: httpx.Response, status: int = 200) -> Json:
    """The object of a successful answer."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    answer = response.json()
    assert isinstance(answer, dict)
    return answer


def empty(response: httpx.Response) -> None:
    """204, and nothing with it."""
    assert response.status_code == 204, response.text
    assert response.content == b""
    assert "content-type" not in response.headers


def error(response: httpx.Response, status: int) -> Json:
    """The one error of an answer in the service's shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    answer = response.json()
    assert set(answer) == {"errors", "traceId"}
    assert isinstance(answer["traceId"], str)
    assert answer["traceId"]
    (one,) = answer["errors"]
    assert {"code", "title"} <= set(one) <= {"code", "title", "detail"}
    assert all(isinstance(value, str) and value for value in one.values())
    return dict(one)


def names(found: Json, what: str) -> bool:
    """Whether an error says what it is about."""
    return what in found["title"] + found.get("detail", "")


def link(page: Json, relation: str) -> str | None:
    """The absolute address of a neighbouring page, or None at the end."""
    entry = page["links"].get(relation)
    if entry is None:
        assert relation not in page["links"], "a link that leads nowhere is left out"
        return None
    assert set(entry) == {"href"}
    href: str = entry["href"]
    assert urlsplit(href).scheme in ("http", "https")
    assert urlsplit(href).netloc
    return href


def query(href: str) -> dict[str, list[str]]:
    """The parameters of a link."""
    return parse_qs(urlsplit(href).query)
