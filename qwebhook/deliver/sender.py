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
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.resolver import ThreadedResolver
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from yarl import URL

from qwebhook.deliver.daemon_threads import DaemonThreads
from qwebhook.deliver.redaction import without
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.revocation.verdict import NotVouchedFor
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Failure, FailureKind, Reply

if TYPE_CHECKING:
    from qwebhook.deliver.revocation.check import RevocationCheck

TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
READ_LIMIT = 64 << 10
KEPT_LIMIT = 16 << 10
# Of an answer's head, with the interim answers before it; and of all of an answer, with its framing and its trailers.
HEAD_LIMIT = 32 << 10
HEADER_COUNT_LIMIT = 100
RECEIVED_LIMIT = 8 * READ_LIMIT
# Answers before the final one: early hints are one or two, and progress comes every few seconds.
INTERIM_LIMIT = 20
# Names that are looked up at a time; each once, however many deliveries wait for it.
LOOKUPS = 128
# URLs whose route is remembered.
ROUTES_LIMIT = 1000


class AddressRefused(OSError):
    """The address may not be connected to. An OSError, so that aiohttp treats it as a failed connection."""


_TOO_LONG = f"the head of the answer is longer than {HEAD_LIMIT} bytes"


class _Unbearable(Exception):
    """An answer asks more of us than any answer may."""


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


class _Answer:
    """What has come of an answer so far.

    begun: whether it has, be it with an interim answer. code: 0 until the head is whole; headers and first_byte_at
    (`time.perf_counter` seconds) come with it. keep: how many bytes of the body are kept. size: of all of the body.
    """

    __slots__ = ("_kept", "begun", "code", "complete", "first_byte_at", "headers", "interim", "keep", "size")

    def __init__(self, keep: int) -> None:
        self.begun = False
        self.code = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.first_byte_at = 0.0
        self.interim = 0
        self.keep = keep
        self._kept: list[bytes] = []
        self.size = 0
        self.complete = False

    def add(self, part: bytes) -> None:
        """Take a part of the body."""
        if self.size < self.keep:
            self._kept.append(part[: self.keep - self.size])
        self.size += len(part)

    def reply(self) -> Reply:
        """The reply. The status decides, and it is here: a body that breaks off or never ends changes nothing."""
        # Latin-1 takes every byte (RFC 9110, section 5.5), so that no header can break its own record.
        headers = [(name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in self.headers]
        return Reply(self.code, headers, b"".join(self._kept), not self.complete or self.size > self.keep)


class _Protocol(ResponseHandler):
    """A connection in the connector's pool, which takes an answer as it arrives, and no more than may come.

    aiohttp's own parses answers into a queue of streams for readers who come later; that costs three times as much.
    used: whether an exchange has ended on it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.used = False
        self._answer: _Answer | None = None
        self._over: asyncio.Future[None]
        self._headers: list[tuple[bytes, bytes]] = []
        self._received = 0
        self._early = b""
        self._keep = True
        # llhttp, as in aiohttp, with the leniencies that it gives to servers.
        self._llhttp = HttpResponseParser(self)
        self._llhttp.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    @property
    def tls(self) -> ssl.SSLObject:
        """What came of the handshake. Raises ServerDisconnectedError if the connection has gone meanwhile."""
        if self.transport is None:
            raise aiohttp.ServerDisconnectedError
        connection: ssl.SSLObject = self.transport.get_extra_info("ssl_object")
        return connection

    @property
    def should_close(self) -> bool:
        """Whether the connection is not to be used again."""
        return self._answer is not None or not self._keep

    async def exchange(self, data: bytes, answer: _Answer, until: float) -> None:
        """Send the bytes of a request and take the answer. until: of the loop's clock.

        Raises OSError, ServerDisconnectedError, TimeoutError, HttpParserError, _Unbearable; what came till then is in
        the answer.
        """
        if self.transport is None:
            raise aiohttp.ServerDisconnectedError
        self._answer, self._over, self._received = answer, self._loop.create_future(), 0
        timer = self._loop.call_at(until, self._end, TimeoutError())
        try:
            self.transport.write(data)
            if self._early:
                # Nobody knows whether another is to come for this request, so that the connection is not used again.
                early, self._early = self._early, b""
                self.data_received(early)
                self._keep = False
            await self._over
        finally:
            timer.cancel()
            if not answer.complete or (self.transport is not None and self.transport.get_write_buffer_size()):
                # To close would be to write the rest first: for ever, if the receiver does not read it.
                self._keep = False
                self.abort()
            self.used = True

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            # On a new connection a receiver may say at once that it is busy. Later, it would be taken for the answer to
            # what is sent next.
            self._early += data
            if self.used or len(self._early) > HEAD_LIMIT:
                self.abort()
            return
        self._received += len(data)
        try:
            self._llhttp.feed_data(data)
        except HttpParserUpgrade:
            self._keep = False
        except HttpParserError as error:
            self._keep = False
            self._end(error.__context__ if isinstance(error.__context__, _Unbearable) else error)
            return
        if answer.complete:
            self._end()
        elif self._received > (max(RECEIVED_LIMIT, 2 * answer.keep) if answer.code else HEAD_LIMIT):
            self._end(_Unbearable(_TOO_LONG))

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        answer = self._answer
        if answer is not None:
            framed = any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in answer.headers)
            answer.complete = bool(answer.code and exc is None and not framed)
            self._end(exc or aiohttp.ServerDisconnectedError())

    def _end(self, error: BaseException | None = None) -> None:
        """The exchange is over. error: why there is no more of the answer than there is."""
        self._answer = None
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)

    # What the parser calls; what these raise ends it.

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.complete:
            raise _Unbearable("an answer to nothing")
        self._answer.begun = True
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) == HEADER_COUNT_LIMIT:
            raise _Unbearable(f"the answer has more than {HEADER_COUNT_LIMIT} headers")
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        answer, code = self._answer, self._llhttp.get_status_code()
        assert answer is not None
        # All of it may have come in one packet.
        if sum([len(name) + len(value) for name, value in self._headers]) > HEAD_LIMIT:
            raise _Unbearable(_TOO_LONG)
        if code < 100:
            raise _Unbearable(f"{code:03} is no status")
        if code < 200 and code != 101:
            answer.interim += 1
            if answer.interim > INTERIM_LIMIT:
                raise _Unbearable(f"more than {INTERIM_LIMIT} interim answers")
            return
        answer.first_byte_at = time.perf_counter()
        # Fields after the body, if there are any, are counted, and go nowhere.
        answer.code, answer.headers, self._headers = code, self._headers, []

    def on_body(self, part: bytes) -> None:
        answer = self._answer
        assert answer is not None
        answer.add(part)
        # More than is kept is read, so that the connection can be used again.
        if answer.size > max(READ_LIMIT, answer.keep):
            raise _Unbearable("the answer is longer than is read")

    def on_message_complete(self) -> None:
        answer = self._answer
        assert answer is not None
        if answer.code:
            answer.complete = True
            self._keep = self._keep and self._llhttp.should_keep_alive()


class Sender:
    """One connector for every delivery. To be made, used and closed within one event loop.

    It takes aiohttp's connector (pool, name resolution, TLS), writes the request itself and gives the answer to the
    parser as it comes: a `ClientSession` builds a request and a response object with cookies, redirects and middleware
    around each exchange, none of which a delivery has, and which cost three times what the exchange itself costs
    (`docs/performance.md`).

    policy: which addresses may be connected to. total: seconds for the whole exchange.
    """

    def __init__(self, policy: AddressPolicy, total: float = TOTAL_SECONDS) -> None:
        self._policy = policy
        self._total = total
        self._loop = asyncio.get_running_loop()
        self._timeout = aiohttp.ClientTimeout(connect=min(CONNECT_SECONDS, total), ceil_threshold=total + 1)
        self._connector = aiohttp.TCPConnector(
            resolver=_VettingResolver(policy),
            socket_factory=self._vetted_socket,
            limit=0,
            keepalive_timeout=60,
            ttl_dns_cache=30,
            ssl=ssl.create_default_context(),
            timeout_ceil_threshold=total + 1,
        )
        protocol: type[ResponseHandler] = _Protocol
        self._connector._factory = partial(protocol, loop=self._loop)
        self._route = lru_cache(ROUTES_LIMIT)(lambda url: _Route(url, self._loop))
        self._revocation: RevocationCheck | None = None

    def _vetted_socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        refusal = self._policy.refusal(address[0])
        if refusal:
            raise AddressRefused(refusal)
        return socket.socket(family, kind, protocol)

    async def send(self, request: PreparedRequest, keep: int = KEPT_LIMIT) -> Exchange:
        """Send, and say what came of it. keep: how many bytes of an answer's body are kept."""
        started_at = time.time_ns() // 1_000_000
        start = time.perf_counter()
        answer = _Answer(keep)
        result: Reply | Failure | None = None
        try:
            await self._exchange(request, answer, self._loop.time() + self._total)
        except Exception as error:
            if not answer.code:
                result = self._failure(error)
        if answer.code:
            result = answer.reply()
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
            first_byte=(answer.first_byte_at - start) * 1000 if answer.code else None,
        )

    async def _exchange(self, request: PreparedRequest, answer: _Answer, until: float) -> None:
        route = self._route(request.url)
        data = route.request(request.method, request.headers, request.body)
        checked = request.check_revocation and route.template.is_ssl()
        connection, protocol = await self._connect(route)
        used = protocol.used
        try:
            await self._converse(connection, protocol, data, answer, until, checked)
        except (aiohttp.ServerDisconnectedError, ConnectionError):
            if not used or answer.begun:
                raise
            # A receiver may close a connection that it kept open at any time, this very moment included, and is not at
            # fault (RFC 9112, section 9.3.1). Once more, then; it tells by `webhook-id` if it has had this after all.
            async with asyncio.timeout_at(until):
                connection, protocol = await self._connect(route, anew=True)
            await self._converse(connection, protocol, data, answer, until, checked)

    async def _converse(
        self, connection: Connection, protocol: _Protocol, data: bytes, answer: _Answer, until: float, checked: bool
    ) -> None:
        """Exchange a request for an answer; the connection is given back, or closed if it cannot be used again.

        checked: only if the receiver's certificate is not revoked.
        """
        try:
            if checked:
                # Each time, since the pool also has connections of webhooks that do not ask for it.
                await self._check_revocation(protocol, until)
            await protocol.exchange(data, answer, until)
        finally:
            connection.release()

    async def _check_revocation(self, protocol: _Protocol, until: float) -> None:
        """Raises NotVouchedFor unless the receiver's certificate is known not to be revoked."""
        # Most webhooks do not ask for it, and cryptography takes its time to import.
        from qwebhook.deliver.revocation.check import RevocationCheck, verified_chain

        if self._revocation is None:
            # Half of the time, so that there is some left for the answer.
            self._revocation = RevocationCheck(self.send, self._total / 2)
        try:
            async with asyncio.timeout_at(until):
                await self._revocation.check(verified_chain(protocol.tls))
        except BaseException:
            protocol.abort()
            raise

    async def _connect(self, route: _Route, *, anew: bool = False) -> tuple[Connection, _Protocol]:
        """A connection. anew: one that has not been used before."""
        while True:
            try:
                connection = await self._connector.connect(route.template, [], self._timeout)
            except TimeoutError:
                raise aiohttp.ConnectionTimeoutError from None
            protocol = connection.protocol
            assert isinstance(protocol, _Protocol)
            if not anew or not protocol.used:
                return connection, protocol
            connection.close()

    def _failure(self, error: Exception) -> Failure:
        kind, reason = _classified(error)
        if kind == "timeout" or (isinstance(error, aiohttp.ConnectionTimeoutError) and self._total < CONNECT_SECONDS):
            return Failure("timeout", f"no answer within {self._total:g} s")
        return Failure(kind, reason)

    async def close(self) -> None:
        """Close every connection."""
        if self._revocation is not None:
            await self._revocation.close()
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
    if isinstance(error, NotVouchedFor):
        return "tls", str(error)
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
    if isinstance(error, HttpParserError):
        return "protocol", f"the answer is not HTTP: {_words(error)}"
    return "protocol", _words(error)


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
