"""Sending one request: the only place that opens connections to where a webhook points.

A narrow seam: `send` takes a prepared request and gives back what came of it, and never raises for what a network or a
receiver can do. aiohttp lies behind it. Every address is vetted where the socket is made, on the very address that
is then connected to, so that no spelling of a host, no literal and no DNS answer that changes gets around it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from functools import lru_cache, partial
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from qwebhook.deliver.daemon_threads import DaemonThreads
from qwebhook.deliver.redaction import without
from qwebhook.deliver.request import PreparedRequest
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Failure, FailureKind, Reply

TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
READ_LIMIT = 64 << 10
KEPT_LIMIT = 16 << 10
HEADER_LINE_LIMIT = 8 << 10
HEADER_COUNT_LIMIT = 100
# Answers before the final one: early hints are one or two, and progress comes every few seconds.
INTERIM_LIMIT = 20
# What the parser is given at a time.
PART_LIMIT = 16 << 10
# Names that are looked up at a time; each once, however many deliveries wait for it.
LOOKUPS = 128
# URLs whose route is remembered.
ROUTES_LIMIT = 1000


class AddressRefused(OSError):
    """The address may not be connected to. An OSError, so that aiohttp treats it as a failed connection."""


class _Lookups:
    """Stands for the event loop in aiohttp's resolver, and looks names up on threads of our own.

    The loop has four or six for all names, so that as many that nobody answers for would delay every delivery.
    """

    def __init__(self) -> None:
        self._threads = DaemonThreads("qwebhook-dns", LOOKUPS)

    async def getaddrinfo(self, host: str, port: int, **hints: Any) -> Any:
        return await asyncio.wrap_future(self._threads.submit(socket.getaddrinfo, host, port, **hints))

    async def getnameinfo(self, address: Any, flags: int) -> Any:
        return await asyncio.wrap_future(self._threads.submit(socket.getnameinfo, address, flags))


class _VettingResolver(AbstractResolver):
    """Drops refused addresses from an answer, so that a host with an allowed one is reached at that one."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._resolver = ThreadedResolver(_Lookups())  # type: ignore[arg-type]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        answers = await self._resolver.resolve(host, port, family)
        refusals = [self._policy.refusal(answer["host"]) for answer in answers]
        allowed = [answer for answer, refusal in zip(answers, refusals, strict=True) if not refusal]
        if answers and not allowed:
            raise AddressRefused(refusals[0])
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


class _Protocol(ResponseHandler):
    """aiohttp's protocol, made proof against what comes after the head of an answer."""

    def data_received(self, data: bytes) -> None:
        # The head by itself: aiohttp drops an answer with whose body something is wrong if both came in one packet.
        start, end = 0, data.find(b"\r\n\r\n") + 4
        if end < 4:
            end = PART_LIMIT
        while True:
            super().data_received(data[start:end])
            # Answers are kept until somebody reads them, and nobody does while the connection waits in the pool.
            if len(self) > INTERIM_LIMIT:
                self.abort()
                return
            start, end = end, end + PART_LIMIT
            error = self.exception()
            if start >= len(data) or error is not None:
                break
        if error is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(error)  # or it would be waited for


class _Route:
    """What every request to one URL has in common.

    template: names the peer to the connector; never sent. head: the request line after the method, and the headers
    that follow from the URL, without `Authorization`, which stands in authorization if the URL has a user name.
    """

    __slots__ = ("authorization", "head", "template")

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.template = aiohttp.ClientRequest(
            "POST", URL(url), skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"), loop=loop
        )
        self.authorization = self.template.headers.get("Authorization")
        self.head = f" {self.template.url.raw_path_qs} HTTP/1.1\nHost: {self.template.headers['Host']}\n"

    def request(self, method: str, headers: dict[str, str], body: bytes) -> bytes:
        """The bytes of a request. Raises ValueError for a header that would be more than one line."""
        head = method + self.head + "".join([f"{name}: {value}\n" for name, value in headers.items()])
        if self.authorization and not any(name.lower() == "authorization" for name in headers):
            head += f"Authorization: {self.authorization}\n"
            count = len(headers) + 3
        else:
            count = len(headers) + 2
        if head.count("\n") != count or "\r" in head or "\0" in head:
            raise ValueError("a header holds a line break or a NUL")
        return f"{head}Content-Length: {len(body)}\n\n".replace("\n", "\r\n").encode() + body


class _Incoming:
    """What has come of an answer so far. head: None until it is whole; times are `time.perf_counter` seconds."""

    __slots__ = ("complete", "first_byte_at", "head", "kept", "size")

    def __init__(self) -> None:
        self.head: RawResponseMessage | None = None
        self.first_byte_at = 0.0
        self.kept = b""
        self.size = 0
        self.complete = False

    def add(self, part: bytes) -> None:
        """Take a part of the body, of which the start of the whole is kept."""
        self.size += len(part)
        self.kept += part[: KEPT_LIMIT - len(self.kept)]

    def reply(self, head: RawResponseMessage) -> Reply:
        """The reply. The status decides, and it is here: a body that breaks off or never ends changes nothing."""
        # Latin-1 takes every byte (RFC 9110, section 5.5), so that no header can break its own record.
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.raw_headers]
        return Reply(head.code, headers, self.kept, not self.complete or self.size > KEPT_LIMIT)


class Sender:
    """One connector for every delivery. To be made, used and closed within one event loop.

    It takes aiohttp's connector (pool, name resolution, TLS) and its parser, and writes the request itself: a
    `ClientSession` builds a request and a response object with cookies, redirects and middleware around each exchange,
    none of which a delivery has, and which cost twice what the exchange itself costs (`docs/performance.md`).

    policy: which addresses may be connected to. total: seconds for the whole exchange.
    """

    def __init__(self, policy: AddressPolicy, total: float = TOTAL_SECONDS) -> None:
        self._policy = policy
        self._total = total
        self._timeout = aiohttp.ClientTimeout(connect=CONNECT_SECONDS, ceil_threshold=total + 1)
        self._connector = aiohttp.TCPConnector(
            resolver=_VettingResolver(policy),
            socket_factory=self._vetted_socket,
            limit=0,
            keepalive_timeout=60,
            ttl_dns_cache=30,
            ssl=ssl.create_default_context(),
            timeout_ceil_threshold=total + 1,
        )
        loop = asyncio.get_running_loop()
        protocol: type[ResponseHandler] = _Protocol
        self._connector._factory = partial(protocol, loop=loop)
        # Connections that have carried an exchange, while the connector keeps them.
        self._used: WeakSet[BaseProtocol] = WeakSet()
        self._route = lru_cache(ROUTES_LIMIT)(lambda url: _Route(url, loop))

    def _vetted_socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        refusal = self._policy.refusal(address[0])
        if refusal:
            raise AddressRefused(refusal)
        return socket.socket(family, kind, protocol)

    async def send(self, request: PreparedRequest) -> Exchange:
        """Send, and say what came of it."""
        started_at = time.time_ns() // 1_000_000
        start = time.perf_counter()
        incoming = _Incoming()
        result: Reply | Failure | None = None
        try:
            async with asyncio.timeout(self._total):
                await self._exchange(request, incoming)
        except Exception as error:
            if incoming.head is None:
                result = self._failure(error)
        if incoming.head is not None:
            result = incoming.reply(incoming.head)
            if request.shown is not request.headers:
                result = without(result, request.hidden)
        assert result is not None
        return Exchange(
            url=request.url,
            headers=request.shown,
            body=request.body,
            started_at=started_at,
            duration=(time.perf_counter() - start) * 1000,
            result=result,
            first_byte=(incoming.first_byte_at - start) * 1000 if incoming.head is not None else None,
        )

    async def _exchange(self, request: PreparedRequest, incoming: _Incoming) -> None:
        route = self._route(request.url)
        data = route.request(request.method, request.headers, request.body)
        connection, used = await self._connect(route)
        try:
            await self._converse(connection, data, incoming)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not used or incoming.head is not None or _had_begun_to_answer(error):
                raise
            # A receiver may close a connection that it kept open at any time, this very moment included, and is not at
            # fault (RFC 9112, section 9.3.1). Once more, then; it tells by `webhook-id` if it has had this after all.
            connection, _ = await self._connect(route, anew=True)
            await self._converse(connection, data, incoming)

    async def _converse(self, connection: Connection, data: bytes, incoming: _Incoming) -> None:
        """Send the bytes of a request and take the answer; the connection is given back or closed."""
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            connection.close()
            raise aiohttp.ServerDisconnectedError
        try:
            # A compressed body would be inflated into memory: none is asked for, and what comes is kept as it is.
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                read_bufsize=KEPT_LIMIT,
                max_line_size=HEADER_LINE_LIMIT,
                max_field_size=HEADER_LINE_LIMIT,
                max_headers=HEADER_COUNT_LIMIT,
            )
            transport.write(data)
            for _ in range(INTERIM_LIMIT + 1):
                head, body = await protocol.read()
                if not 100 <= head.code < 200 or head.code == 101:
                    break
            else:
                raise aiohttp.ClientPayloadError(f"more than {INTERIM_LIMIT} interim answers")
            incoming.first_byte_at = time.perf_counter()
            incoming.head = head
            if body.is_eof():
                # Nearly always: the whole answer came in one packet.
                incoming.add(body.read_nowait(READ_LIMIT))
                incoming.complete = body.at_eof()
            while not incoming.complete and incoming.size < READ_LIMIT:
                part = await body.read(READ_LIMIT - incoming.size)
                incoming.add(part)
                incoming.complete = not part
        finally:
            if not incoming.complete or transport.get_write_buffer_size():
                # To close would be to write the rest first: for ever, if the receiver does not read it.
                protocol.abort()
                connection.close()
            else:
                self._used.add(protocol)
                connection.release()

    async def _connect(self, route: _Route, *, anew: bool = False) -> tuple[Connection, bool]:
        """A connection, and whether it has been used before. anew: one that has not."""
        while True:
            try:
                connection = await self._connector.connect(route.template, [], self._timeout)
            except TimeoutError:
                raise aiohttp.ConnectionTimeoutError from None
            protocol = connection.protocol
            if protocol is None or protocol not in self._used:
                return connection, False
            # What came while nothing was asked would be taken for the answer to what is sent next.
            if not anew and not protocol.should_close:
                return connection, True
            connection.close()

    def _failure(self, error: Exception) -> Failure:
        kind, reason = _classified(error)
        if kind == "timeout":
            return Failure(kind, f"no answer within {self._total:g} s")
        return Failure(kind, reason)

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()


def _classified(error: Exception) -> tuple[FailureKind, str]:
    """Which kind of failure an exception is, and why in plain words."""
    cause: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            refused = _refusal(error)
            return ("address refused", refused) if refused else ("dns", _words(cause))
    refused = _refusal(error)
    if refused:
        return "address refused", refused
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "tls", f"the certificate was not accepted: {_words(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return "tls", _words(cause)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connect", f"no connection within {CONNECT_SECONDS:g} s"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "timeout", ""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(cause, ConnectionResetError):  # there was a connection, of which only the handshake is part
            return "tls", "the connection was closed during the handshake"
        return "connect", _words(cause)
    if isinstance(error, aiohttp.InvalidURL | ValueError | UnicodeError):
        return "invalid", f"the request cannot be made: {error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "protocol", "the connection was closed before an answer"
    if isinstance(error, OSError):
        return "connect", _words(error)
    if isinstance(error, HttpProcessingError):
        return "protocol", f"the answer is not HTTP: {error.message.partition(chr(10))[0].rstrip(':')}"
    return "protocol", _words(error)


def _had_begun_to_answer(error: aiohttp.ClientError) -> bool:
    # aiohttp puts here what it has of an answer, and a text if it has nothing.
    return not isinstance(getattr(error, "message", ""), str)


def _refusal(error: BaseException) -> str:
    """The refusal among an exception and its causes; "" if there is none."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, AddressRefused):
            return str(current)
        current = getattr(current, "os_error", None) or current.__cause__ or current.__context__
    return ""


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message or str(error)
    if isinstance(error, ssl.SSLError):  # its errno is one of OpenSSL's
        return (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return str(error.strerror).lower()
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__
