"""A server on loopback that does what a receiver should not.

    async with FaultServer(says(b"HTTP/1.1 200 OK\r\n", then=reset)) as server:
        ... send to server.port ...
        await server.emptied()

A fault is what happens on one connection; it ends when the client has left, or sooner. Real sockets, and real TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

PATIENCE = 15.0
DRIP_SECONDS = 0.05


class Peer:
    """One connection, from the server's side."""

    def __init__(self, server: FaultServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self.writer = writer

    async def request(self) -> None:
        """Read a request's head, and its body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        await self._reader.readexactly(length)

    async def begun(self) -> None:
        """Wait for the first byte, of a handshake or of a request."""
        await self._reader.readexactly(1)

    async def send(self, data: bytes) -> None:
        """Send, and wait as long as the client is slow to read. Raises ConnectionError when it has left."""
        self.writer.write(data)
        await self.writer.drain()

    async def left(self) -> None:
        """Wait until the client has left; what it sends is counted."""
        while data := await self._reader.read(1 << 16):
            self._server.received += len(data)


Fault = Callable[[Peer], Awaitable[None]]


async def hang(peer: Peer) -> None:
    """Keep the connection, and say no more."""
    await peer.left()


async def close(peer: Peer) -> None:
    """Close the connection, after what has been sent."""
    peer.writer.close()
    await peer.writer.wait_closed()


async def reset(peer: Peer) -> None:
    """Reset the connection: to linger for no time is to send RST instead of FIN."""
    linger = struct.pack("ii", 1, 0)
    peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    peer.writer.transport.abort()


def says(*parts: bytes, then: Fault = hang) -> Fault:
    """Reads a request and answers in parts."""

    async def fault(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            await peer.send(part)
        await then(peer)

    return fault


def says_at_once(*parts: bytes, then: Fault = hang) -> Fault:
    """Speaks as soon as the client has said anything, in whatever language."""

    async def fault(peer: Peer) -> None:
        await peer.begun()
        for part in parts:
            await peer.send(part)
        await then(peer)

    return fault


def repeats(start: bytes, part: bytes) -> Fault:
    """Reads a request and answers with a part over and over, as fast as it is read."""

    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.send(start)
        while True:
            await peer.send(part)

    return fault


def drips(start: bytes, part: bytes = b"x") -> Fault:
    """Reads a request and answers with a part now and then, for ever."""

    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.send(start)
        while True:
            await asyncio.sleep(DRIP_SECONDS)
            await peer.send(part)

    return fault


class FaultServer:
    """Meets every connection with the same fault. connections: how many came. received: bytes that `hang` read."""

    def __init__(self, fault: Fault, tls: ssl.SSLContext | None = None) -> None:
        self._fault = fault
        self._tls = tls
        self._open = 0
        self._changed = asyncio.Condition()
        self.connections = 0
        self.received = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0, ssl=self._tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self.emptied()

    async def emptied(self) -> None:
        """Wait until every client has left: that one does is part of how a fault ends."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: not self._open)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._fault(Peer(self, reader, writer))
        finally:
            writer.transport.abort()
            self._open -= 1
            async with self._changed:
                self._changed.notify_all()
