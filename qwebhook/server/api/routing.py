"""From a request to its operation, and from what that gives to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.routing import Route

from qwebhook.server.api.operation import Answer, Backend, Call, Operation
from qwebhook.server.api.ownership import user_of
from qwebhook.server.api.reading import query_pairs, read_json, read_query
from qwebhook.server.body import ClientGone
from qwebhook.server.responses import MethodNotAllowed, Receive, Scope, Send, answer
from qwebhook.store.contract import Token


def routes(operations: Sequence[Operation], backend: Backend) -> list[Route]:
    """A route for each path of the operations, in their order: of two that fit a request, the first is taken."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        if operation.handler is not None:
            by_path.setdefault(operation.path, {})[operation.method] = operation
    return [Route(path, _Path(methods, backend)) for path, methods in by_path.items()]


class _Path:
    """All that one path takes, as an ASGI application. Errors are left to the application that it is part of."""

    def __init__(self, operations: dict[str, Operation], backend: Backend) -> None:
        self._operations = operations
        self._backend = backend
        self._allowed = ", ".join(operations).replace("GET", "GET, HEAD")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        operation = self._operations.get(method)
        if operation is None:
            raise MethodNotAllowed(scope["path"], scope["method"], self._allowed)
        try:
            result = await self._perform(operation, scope, receive)
        except ClientGone:
            return
        await _send(send, result)

    async def _perform(self, operation: Operation, scope: Scope, receive: Receive) -> Answer:
        caller = self._caller(operation, scope)
        given = query_pairs(scope) if operation.query is not None else []
        query = read_query(given, operation.query) if operation.query is not None else None
        body: Any = None
        fields: frozenset[str] = frozenset()
        if operation.body is not None:
            body, fields = await read_json(scope, receive, operation)
        call: Call[Any, Any] = Call(
            backend=self._backend,
            path=scope["path_params"],
            here=_address(scope, self._backend.public_url),
            given=given,
            caller=caller,
            query=query,
            body=body,
            receive=receive,
            fields=fields,
        )
        assert operation.handler is not None
        result = await operation.handler(call)
        if result.changed:
            by = user_of(call.token)
            self._backend.log.info("changed", operation=operation.id, id=result.changed, by=by, token=call.token.name)
        return result

    def _caller(self, operation: Operation, scope: Scope) -> Token | None:
        authorization = _header(scope, b"authorization")
        if operation.roles:
            return self._backend.access.require(authorization, operation.roles)
        if operation.roles is not None and authorization:
            return self._backend.access.holder(authorization)
        return None


async def _send(send: Send, result: Answer) -> None:
    # What is answered may hold a secret, or be another the next moment.
    headers: list[tuple[bytes, bytes]] = [(b"cache-control", b"no-store")]
    if result.value is None:
        await answer(send, result.status, b"", tuple(headers))
        return
    headers.append((b"content-type", result.media_type.encode()))
    body = result.value if isinstance(result.value, bytes) else msgspec.json.encode(result.value)
    await answer(send, result.status, body, tuple(headers))


def _header(scope: Scope, wanted: bytes) -> str:
    value: bytes = next((value for name, value in scope["headers"] if name == wanted), b"")
    return value.decode("latin-1")


def _address(scope: Scope, public_url: str) -> str:
    """The absolute address of the request without its query."""
    path = quote(scope["path"])
    if public_url:
        return public_url + path
    host = _header(scope, b"host")
    if not host:
        name, port = scope["server"]
        host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    return f"{scope['scheme']}://{host}{path}"
