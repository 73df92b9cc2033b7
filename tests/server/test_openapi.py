"""The OpenAPI document describes all there is, and what it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from qwebhook.server.api.openapi import document
from qwebhook.server.api.table import OPERATIONS
from tests.acceptance.processes import Server

DOCUMENT = document()
DESCRIBED = {
    (method.upper(), path): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def within(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from within(one)


def test_every_operation_is_described_once() -> None:
    assert sorted(DESCRIBED) == sorted((operation.method, operation.path) for operation in OPERATIONS)
    identifiers = [described["operationId"] for described in DESCRIBED.values()]
    assert len(set(identifiers)) == len(identifiers)


def test_what_is_referred_to_is_there() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    referred = {one["$ref"] for one in within(DOCUMENT) if "$ref" in one}
    assert referred <= {f"#/components/schemas/{name}" for name in schemas}
    required = {name for described in DESCRIBED.values() for one in described["security"] for name in one}
    assert required <= set(DOCUMENT["components"]["securitySchemes"])
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for described in DESCRIBED.values() for tag in described["tags"]} == tags


@pytest.mark.parametrize(("method", "path"), DESCRIBED, ids=lambda value: value)
def test_an_operation_is_described_completely(method: str, path: str) -> None:
    described = DESCRIBED[method, path]
    assert described["summary"]
    in_path = [one["name"] for one in described["parameters"] if one["in"] == "path"]
    assert in_path == re.findall(r"\{(\w+)\}", path)
    assert all("schema" in one for one in described["parameters"])
    assert all(response["description"] for response in described["responses"].values())
    assert ("401" in described["responses"]) is (described["security"] != [{}])
    assert ("requestBody" in described) is (method in ("PUT", "PATCH") or "415" in described["responses"])
    assert ("404" in described["responses"]) >= bool(in_path)


def test_parameters_are_as_they_are_read() -> None:
    parameters = {one["name"]: one for one in DESCRIBED["GET", "/api/core/webhooks"]["parameters"]}
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert parameters["name"]["schema"] == {"type": "string"}
    assert parameters["name"]["description"]
    assert parameters["enabled"]["schema"] == {"type": "boolean"}
    assert (parameters["eventTypes"]["style"], parameters["eventTypes"]["explode"]) == ("form", False)
    assert not any(one["required"] for one in parameters.values())
    (reference,) = DESCRIBED["GET", "/api/qwebhook/v1/webhooks/find"]["parameters"]
    assert reference["required"]


def test_the_older_prefix_is_deprecated() -> None:
    old = {path for (_, path), described in DESCRIBED.items() if described.get("deprecated")}
    assert old == {path for _, path in DESCRIBED if path.startswith("/api/v1/")}


def test_the_server_shows_it_to_everybody(server: Server) -> None:
    answer = server.client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.json()["paths"].keys() == DOCUMENT["paths"].keys()
