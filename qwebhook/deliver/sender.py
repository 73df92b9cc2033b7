"""Sending one request: the only place that opens connections to where a webhook points.

A narrow seam: `send` takes a prepared request and gives back what came of it, and never raises for what a network or a
receiver can do. aiohttp lies behind it. Every address is vetted where the socket is made, on the very address that
is then connected to, so that no spelling of a host, no literal and no DNS answer that changes gets around it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from qwebhook.deliver.failures import classified
from qwebhook.deliver.receiver_connection import KEPT_LIMIT, Answer, ReceiverConnection
from qwebhook.deliver.redaction import without
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.vetting import AddressRefused, VettingResolver
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Failure, Reply

if TYPE_CHECKING:
    from qwebhook.deliver.revocation.check import RevocationCheck

TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
# URLs whose route is remembered.
ROUTES_LIMIT = 1000


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
            resolver=VettingResolver(policy),
            socket_factory=self._vetted_socket,
            limit=0,
            keepalive_timeout=60,
            ttl_dns_cache=30,
            ssl=ssl.create_default_context(),
            timeout_ceil_threshold=total + 1,
        )
        protocol: type[ResponseHandler] = ReceiverConnection
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
        answer = Answer(keep)
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

    async def _exchange(self, request: PreparedRequest, answer: Answer, until: float) -> None:
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
        self,
        connection: Connection,
        protocol: ReceiverConnection,
        data: bytes,
        answer: Answer,
        until: float,
        checked: bool,
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

    async def _check_revocation(self, protocol: ReceiverConnection, until: float) -> None:
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

    async def _connect(self, route: _Route, *, anew: bool = False) -> tuple[Connection, ReceiverConnection]:
        """A connection. anew: one that has not been used before."""
        while True:
            try:
                connection = await self._connector.connect(route.template, [], self._timeout)
            except TimeoutError:
                raise aiohttp.ConnectionTimeoutError from None
            protocol = connection.protocol
            assert isinstance(protocol, ReceiverConnection)
            if not anew or not protocol.used:
                return connection, protocol
            connection.close()

    def _failure(self, error: Exception) -> Failure:
        kind, reason = classified(error, CONNECT_SECONDS)
        if kind == "timeout" or (isinstance(error, aiohttp.ConnectionTimeoutError) and self._total < CONNECT_SECONDS):
            return Failure("timeout", f"no answer within {self._total:g} s")
        return Failure(kind, reason)

    async def close(self) -> None:
        """Close every connection."""
        if self._revocation is not None:
            await self._revocation.close()
        await self._connector.close()
