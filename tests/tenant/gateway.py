"""Between the wire and the operations: logs each request, and lets the faults befall it that a test switched on."""

from __future__ import annotations

import asyncio
import socket
import struct
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.tenant.answers import Answer
from tests.tenant.application import answer
from tests.tenant.faults import Ending

if TYPE_CHECKING:
    from tests.tenant.tenant import Tenant


class Gateway:
    """The ASGI application.

    connections: of the clients that are connected, by their address; what an ASGI application does not get to see, and
    what it takes to break one off.
    """

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.connections: dict[Any, asyncio.Transport] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = Request(scope, receive)
        query = tuple(request.query_params.multi_items())
        body = await request.body()
        tenant = self.tenant
        logged = tenant.log.arrived(request.method, request.url.path, query, dict(request.headers))
        injected = tenant.faults.take(request.method, request.url.path)
        given, ending = Answer(500), Ending.WHOLE
        if injected is None or injected.takes_effect:
            with tenant.lock:
                given = answer(tenant, request, body, logged)
        if injected is not None:
            fault = injected.fault
            given, ending = fault.instead or given, fault.ending
            if fault.change is not None:
                given = fault.change(given)

        connection = self.connections.get(scope["client"])
        if connection is None:  # The client did not wait.
            return
        if ending is Ending.RESET:
            _reset(connection)
        if ending in (Ending.RESET, Ending.NEVER):
            await _gone(receive)
            return
        # Noted first, or a test that has its answer might not find it in the log.
        tenant.log.answered(logged, given.status)
        await send(self._head(given))
        if ending is Ending.CUT:
            await send({"type": "http.response.body", "body": given.body[: len(given.body) // 2], "more_body": True})
            connection.close()
            await _gone(receive)
            return
        await send({"type": "http.response.body", "body": given.body})

    def _head(self, given: Answer) -> dict[str, Any]:
        headers = [*given.headers, ("date", formatdate(self.tenant.clock.now() / 1000, usegmt=True))]
        # RFC 9110, section 8.6: none where there cannot be a body.
        if given.status != 204:
            headers.append(("content-length", str(len(given.body))))
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return {"type": "http.response.start", "status": given.status, "headers": encoded}


async def _gone(receive: Receive) -> None:
    """Until the client is, or its connection is ended here."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(connection: asyncio.Transport) -> None:
    # An end without lingering is sent as a reset.
    connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.abort()


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP, which tells the gateway of its connections."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does this only for sockets that name their protocol; without it the body waits 40 ms for the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.config.app.connections[self.client] = transport  # type: ignore[union-attr]

    def connection_lost(self, exc: Exception | None) -> None:
        self.config.app.connections.pop(self.client, None)  # type: ignore[union-attr]
        super().connection_lost(exc)
