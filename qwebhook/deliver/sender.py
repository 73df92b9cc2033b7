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
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from qwebhook.deliver.request import PreparedRequest
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Failure, FailureKind, Reply

TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
READ_LIMIT = 64 << 10
KEPT_LIMIT = 16 << 10
HEADER_LINE_LIMIT = 8 << 10
HEADER_COUNT_LIMIT = 100


class AddressRefused(OSError):
    """The address may not be connected to. An OSError, so that aiohttp treats it as a failed connection."""


class _VettingResolver(AbstractResolver):
    """Drops refused addresses from an answer, so that a host with an allowed one is reached at that one."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._resolver = ThreadedResolver()

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


class Sender:
    """One session for every delivery. To be made, used and closed within one event loop.

    allowed: see AddressPolicy. total: seconds for the whole exchange.
    """

    def __init__(self, policy: AddressPolicy, total: float = TOTAL_SECONDS) -> None:
        self._policy = policy
        self._total = total
        connector = aiohttp.TCPConnector(
            resolver=_VettingResolver(policy),
            socket_factory=self._vetted_socket,
            limit=0,
            keepalive_timeout=60,
            ttl_dns_cache=30,
            ssl=ssl.create_default_context(),
            timeout_ceil_threshold=total + 1,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            # A compressed body would be inflated into memory: none is asked for, and what comes is kept as it is.
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding"),
            timeout=aiohttp.ClientTimeout(total=total, connect=CONNECT_SECONDS, ceil_threshold=total + 1),
            read_bufsize=KEPT_LIMIT,
            max_line_size=HEADER_LINE_LIMIT,
            max_field_size=HEADER_LINE_LIMIT,
            max_headers=HEADER_COUNT_LIMIT,
            trust_env=False,
        )

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
        first_byte: float | None = None
        result: Reply | Failure
        try:
            response = await self._session.post(
                request.url, data=request.body, headers=request.headers, allow_redirects=False
            )
            first_byte = (time.perf_counter() - start) * 1000
            result = await self._reply(response)
        except Exception as error:
            result = self._failure(error)
        duration = (time.perf_counter() - start) * 1000
        return Exchange(
            url=request.url,
            headers=request.shown,
            body=request.body,
            started_at=started_at,
            duration=duration,
            result=result,
            first_byte=first_byte,
        )

    async def _reply(self, response: aiohttp.ClientResponse) -> Reply:
        """The reply. The status decides, and it is here: a body that breaks off or never ends changes nothing."""
        kept = bytearray()
        size = 0
        complete = False
        try:
            if response.content.is_eof():
                # Nearly always: the whole answer came in one packet.
                part = response.content.read_nowait(READ_LIMIT)
                kept, size, complete = bytearray(part[:KEPT_LIMIT]), len(part), response.content.at_eof()
            while not complete and size < READ_LIMIT:
                part = await response.content.read(READ_LIMIT - size)
                if not part:
                    complete = True
                    break
                size += len(part)
                kept += part[: KEPT_LIMIT - len(kept)]
        except (aiohttp.ClientError, TimeoutError):
            pass
        finally:
            if complete:
                response.release()
            else:
                response.close()
        # Latin-1 takes every byte (RFC 9110, section 5.5), so that no header can break its own record.
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
        return Reply(response.status, headers, bytes(kept), not complete or size > KEPT_LIMIT)

    def _failure(self, error: Exception) -> Failure:
        kind, reason = _classified(error)
        if kind == "timeout":
            return Failure(kind, f"no answer within {self._total:g} s")
        return Failure(kind, reason)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


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
        return "connect", _words(cause)
    if isinstance(error, aiohttp.InvalidURL | ValueError | UnicodeError):
        return "invalid", f"the request cannot be made: {error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "protocol", "the connection was closed before an answer"
    if isinstance(error, OSError):
        return "connect", _words(error)
    if isinstance(error, aiohttp.ClientResponseError):
        return (
            "protocol",
            f"the answer is not HTTP: {error.message.splitlines()[0].rstrip(':') if error.message else error}",
        )
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
