"""uvicorn's HTTP protocol, with one write for one response and our errors.

It writes a response's head and its body apart, and uvloop hands each write to the kernel at once. For the short
answers that this server gives, that is two system calls, two packets and two wake-ups of the client where one would do.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qwebhook.model.errors import InvalidInput
from qwebhook.server.responses import error_body, trace_id


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol over a transport that joins what one turn of the event loop writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_CorkedTransport(transport, self.loop))  # type: ignore[arg-type]

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and never gets to the application, in the shape that all errors have."""
        body = error_body(InvalidInput("the request is not valid HTTP"), trace_id())
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class _CorkedTransport:
    """Holds writes back until the current turn of the loop is over; everything else goes straight through."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def _flush(self) -> None:
        if self._held:
            data, self._held = b"".join(self._held), []
            if not self._transport.is_closing():
                self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
