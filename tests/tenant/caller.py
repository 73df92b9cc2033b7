"""One who asks the stand-in over HTTP, for its own tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from tests.tenant.answers import Json
from tests.tenant.tenant import Tenant

WEBHOOKS = "/api/core/webhooks"
OLDER_WEBHOOKS = "/api/v1/webhooks"
AUDITS = "/api/v1/audits"


class Caller:
    """Asks with a key, by default the administrator's; None for nothing at all."""

    def __init__(self, client: httpx.Client, tenant: Tenant, key: str | None = "") -> None:
        self.client = client
        self.tenant = tenant
        self.key = tenant.key if key == "" else key

    def with_key(self, key: str | None) -> Caller:
        return Caller(self.client, self.tenant, key)

    def ask(self, method: str, path: str, body: Any = None, **query: object) -> httpx.Response:
        """path: below the tenant's address, or an absolute one, whose own query stays."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        content = None if body is None else json.dumps(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        url = path if "://" in path else self.tenant.url + path
        params = {name: str(value) for name, value in query.items()} or None
        return self.client.request(method, url, content=content, headers=headers, params=params)

    def get(self, path: str, **query: object) -> Json:
        """What is there; it must be."""
        response = self.ask("GET", path, **query)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def pages(self, path: str, **query: object) -> Iterator[Json]:
        """The pages of a list, each by the `next` link of the one before."""
        page = self.get(path, **query)
        yield page
        while following := page["links"].get("next"):
            page = self.get(following["href"])
            yield page

    def create(self, path: str = WEBHOOKS, **fields: Any) -> httpx.Response:
        """A webhook, valid as it comes; a field given as None is left out."""
        given = {"name": "reports", "url": "https://receiver.example.com/hook"} | fields
        return self.ask("POST", path, {name: value for name, value in given.items() if value is not None})

    def made(self, **fields: Any) -> Json:
        """A new webhook that must be taken."""
        response = self.create(**fields)
        assert response.status_code == 201, response.text
        webhook: Json = response.json()
        return webhook

    def patch(self, webhook: Json, *operations: Json, path: str = WEBHOOKS) -> httpx.Response:
        return self.ask("PATCH", f"{path}/{webhook['id']}", list(operations))

    def now(self, webhook: Json) -> Json:
        """The webhook as it is."""
        return self.get(f"{WEBHOOKS}/{webhook['id']}")


def refused(response: httpx.Response, status: int) -> str:
    """An error in the service's shape: what it says."""
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert set(answer) == {"errors", "traceId"}
    (error,) = answer["errors"]
    assert {"code", "title"} <= set(error) <= {"code", "title", "detail"}
    return f"{error['title']} {error.get('detail', '')}"


def operation(op: str, path: str, value: Any = None) -> Json:
    """One of a patch."""
    return {"op": op, "path": path} | ({} if op == "remove" else {"value": value})
