"""The OpenAPI document is valid, has every operation, and is true of the running server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from schemathesis import checks

from qwebhook.server.api.openapi import document
from tests.acceptance.processes import Home, Server
from tests.api.client import PREFIXES, Client, Json, read
from tests.api.test_operations import OPERATIONS

SUCCESS = {
    "list": "200",
    "create": "201",
    "event types": "200",
    "get": "200",
    "update": "200",
    "patch": "204",
    "delete": "204",
    "list deliveries": "200",
    "get delivery": "200",
    "resend": "201",
}
ERRORS = {name: {"400", "401", "403", "404", "500", "503"} for name in OPERATIONS} | {
    "list": {"400", "401", "403", "500", "503"},
    "create": {"400", "401", "403", "500", "503"},
    "event types": {"401", "500", "503"},
    "resend": {"401", "404", "500", "503"},
}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody else uses: what is sent to it is random. Its store may fill up."""
    server = Server(Home(tmp_path_factory.mktemp("described")), "--webhook-limit", 1_000_000)
    yield server
    server.close()


@pytest.fixture(scope="module")
def served(described: Server) -> Json:
    """The document as the server gives it, to anyone."""
    return read(described.client.get("/openapi.json"))


# Fixed examples: no randomness, no memory of former runs, and few enough.
SETTINGS = {
    "request-timeout": 10.0,
    "generation": {"max-examples": 20, "deterministic": True, "database": "none"},
    "checks": {
        # That a token is needed, and whose, is for the tests of roles.
        "ignored_auth": {"enabled": False},
        # A schema cannot say what a filter is, or that one field needs another.
        "positive_data_acceptance": {"enabled": False},
    },
    # At the limits of its arrays a question has a hundred million numbers: minutes of making it, and a 413.
    "operations": [{"include-operation-id": "getReplayOutcome", "phases": {"coverage": {"enabled": False}}}],
}
schema = schemathesis.openapi.from_dict(document(), config=schemathesis.Config.from_dict(SETTINGS))


def shape(path: str) -> str:
    """A path whatever its parameters are called."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def test_it_is_openapi_3_1(served: Json) -> None:
    assert served["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(served).validate()


def test_its_schemas_are_valid(served: Json) -> None:
    """OpenAPI's own schema does not look into those of the bodies."""
    for one in served["components"]["schemas"].values():
        jsonschema_rs.meta.validate(one)


def test_its_references_lead_somewhere_and_nothing_is_left_over(served: Json) -> None:
    used = set(references(served))
    for reference in used:
        found: Any = served
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    sections = served["components"]
    kept = {f"#/components/{section}/{name}" for section in sections for name in sections[section]}
    assert {one for one in kept if "/securitySchemes/" not in one} == used


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in a value."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_it_has_the_ten_operations(served: Json, prefix: str, name: str) -> None:
    method, path = OPERATIONS[name]
    (item,) = (item for listed, item in served["paths"].items() if shape(listed) == shape(prefix + path))
    responses = set(item[method.lower()]["responses"])
    assert {status for status in responses if status < "300"} == {SUCCESS[name]}
    assert responses >= ERRORS[name] | {SUCCESS[name]}


def test_it_has_the_rest_of_the_server(served: Json) -> None:
    assert {"/events", "/healthz", "/readyz", "/metrics"} <= served["paths"].keys()
    assert [path for path in served["paths"] if path.startswith("/api/qwebhook/v1/")]


def test_the_older_prefix_is_deprecated(served: Json) -> None:
    for path, item in served["paths"].items():
        for operation in item.values():
            assert operation.get("deprecated", False) is path.startswith("/api/v1/"), path


def test_operations_have_names_of_their_own(served: Json) -> None:
    identifiers = [operation["operationId"] for item in served["paths"].values() for operation in item.values()]
    assert len(identifiers) == len(set(identifiers))


def test_the_examination_knows_the_document_that_is_served(served: Json) -> None:
    assert served == document()


# pytest 9.2 makes ids of the function's name and the parameters, and schemathesis puts the operation into the name only
# where there are parameters: without one the tests of all operations have one id, and pytest-xdist runs one of them.
as_role = pytest.mark.parametrize("role", ["admin"])


@schema.parametrize()
@as_role
def test_the_server_does_what_it_says(case: schemathesis.Case[Any], described: Server, role: str) -> None:
    """No 5xx, and no status, content type or body that is not described; what breaks the description is refused."""
    # In a URL a null is written as an empty text is, which may be allowed.
    alike = None in (case.query or {}).values()
    excluded = [checks.negative_data_rejection] if alike else []
    case.call_and_validate(described.url, headers=described.authorization(role), excluded_checks=excluded)


@pytest.fixture(scope="module")
def existing(described: Server) -> tuple[str, str]:
    """The ids of a webhook and of a delivery of it."""
    client = Client(described, described.token("admin"))
    webhook = client.made(url="http://127.0.0.1:1/", enabled=True)
    return webhook["id"], client.delivered(webhook)[0]["id"]


# The older prefix has the same handlers.
@schema.include(path_regex=r"/webhooks/\{id\}").exclude(path_regex="^/api/v1/").parametrize()
@as_role
def test_it_does_so_with_what_is_there(
    case: schemathesis.Case[Any], described: Server, existing: tuple[str, str], role: str
) -> None:
    """Random ids end in 404; these do not. What is changed or deleted is a webhook of its own."""
    webhook, delivery = existing
    if case.method in ("PUT", "PATCH", "DELETE"):
        webhook = Client(described, described.token("admin")).made()["id"]
    present = {"id": webhook, "deliveryId": delivery}
    case.path_parameters = {name: present[name] for name in case.path_parameters}
    case.call_and_validate(
        described.url,
        headers=described.authorization(role),
        # The other checks ask what became of the id that was made up.
        checks=[
            checks.not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
        ],
    )
