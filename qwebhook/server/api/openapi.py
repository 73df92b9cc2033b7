"""The OpenAPI document, made of the table of operations and the types in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

from qwebhook import __version__
from qwebhook.server.api.operation import JSON, NoParameters, Operation
from qwebhook.server.api.table import OPERATIONS, OWN
from qwebhook.server.responses import ErrorAnswer

_REFERENCE = "#/components/schemas/{name}"
_DESCRIPTION = """\
`/api/core/webhooks` and `/api/v1/webhooks` are Qlik Cloud's webhook API, field for field; the latter is its older form.
What qwebhook adds lies under `/api/qwebhook/v1`, and in a webhook and a delivery under `qwebhook`.
"""
_ERRORS = {
    400: "Something that was given cannot be used; the title names it.",
    401: "There is no token, or it is not valid.",
    403: "The token's role does not allow this.",
    404: "There is no such thing, or the token may not see it.",
    409: "It exists already, it fits several things, or a read-only field was given.",
    413: "The body is larger than 1 MiB.",
    415: "The body is of a type that is not taken.",
    429: "The caller has as many under way as one may have; `Retry-After` says when to come back.",
    500: "A mistake in qwebhook.",
    503: "The server cannot take this now; `Retry-After` says when to come back.",
}


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    types = [kind for operation in OPERATIONS for kind in _types(operation)]
    schemas, components = msgspec.json.schema_components([ErrorAnswer, *types], ref_template=_REFERENCE)
    references = iter(schemas)
    error = next(references)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        own = [next(references) for _ in _types(operation)]
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, own, error)
    return {
        "openapi": "3.1.0",
        "info": {"title": "qwebhook", "version": __version__, "description": _DESCRIPTION},
        "tags": [
            {"name": "webhooks", "description": "Qlik Cloud's webhook API"},
            {"name": "webhooks v1", "description": "The same, in its older form"},
            {"name": "qwebhook", "description": "What qwebhook adds"},
            {"name": "server", "description": "Events coming in, and the state of the server"},
        ],
        "paths": paths,
        "components": {
            "schemas": {name: _plain(schema) for name, schema in components.items()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "From `qwebhook token create`"},
                "qlikSignature": _signature("Qlik-Signature", "Under the secret of an inbound"),
                "standardWebhooks": _signature(
                    "webhook-signature", "With `webhook-id` and `webhook-timestamp`, under the secret of an inbound"
                ),
            },
        },
    }


def _types(operation: Operation) -> list[Any]:
    """The types of an operation that have a schema: of its body, if it has one, and of its answers."""
    bodies = [] if operation.body is None else [operation.body]
    return bodies + [kind for kind in operation.answers.values() if kind is not None]


def _described(operation: Operation, schemas: list[dict[str, Any]], error: dict[str, Any]) -> dict[str, Any]:
    """One operation. schemas: of its `_types`. error: of the answers that tell of one."""
    remaining = iter(schemas)
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [_tag(operation)],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
    }
    if operation.deprecated:
        described["deprecated"] = True
    if operation.roles:
        described["description"] = f"Needs a token of role {' or '.join(operation.roles)}."
    described["security"] = _security(operation)
    if operation.body is not None:
        schema = next(remaining)
        described["requestBody"] = {
            "required": not operation.optional,
            "content": {media_type: {"schema": schema} for media_type in operation.media_types},
        }
    responses: dict[str, Any] = {}
    for status, kind in operation.answers.items():
        responses[str(status)] = _answer(kind, next(remaining) if kind is not None else None)
    for status in operation.error_statuses:
        responses[str(status)] = {"description": _ERRORS[status], "content": {JSON: {"schema": error}}}
    described["responses"] = responses
    return described


def _tag(operation: Operation) -> str:
    if operation.path.startswith(OWN):
        return "qwebhook"
    if operation.path.startswith("/api/"):
        return "webhooks v1" if operation.deprecated else "webhooks"
    return "server"


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if not operation.roles:
        return [{}] if operation.roles is None else [{}, {"token": []}]
    if operation.handler is None:  # what is let in by a signature, too
        return [{"token": []}, {"qlikSignature": []}, {"standardWebhooks": []}]
    return [{"token": []}]


def _signature(header: str, description: str) -> dict[str, str]:
    return {"type": "apiKey", "in": "header", "name": header, "description": description}


def _path_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            yield {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.query in (None, NoParameters):
        return
    _, components = msgspec.json.schema_components([operation.query], ref_template=_REFERENCE)
    (schema,) = components.values()
    for name, property_schema in schema["properties"].items():
        described = dict(_without_null(property_schema))
        parameter: dict[str, Any] = {"name": name, "in": "query", "required": name in schema["required"]}
        if "description" in described:
            parameter["description"] = described.pop("description")
        if described.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        yield parameter | {"schema": described}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter may be left out, but there is no null in a query."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] if choices else schema


def _answer(kind: Any, schema: dict[str, Any] | None) -> dict[str, Any]:
    if schema is None:
        return {"description": "Done"}
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    description = " ".join((kind.__doc__ or "").split()) if is_struct else "Done"
    return {"description": description, "content": {"text/plain" if kind is str else JSON: {"schema": schema}}}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its docstring in one piece."""
    if "description" not in schema:
        return schema
    return schema | {"description": " ".join(schema["description"].split())}
