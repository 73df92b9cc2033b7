"""A connection to a receiver, and the answer that comes on it: parsed as it arrives, and no more than may come."""

from __future__ import annotations

import asyncio
import ssl
import time

import aiohttp
from aiohttp.client_proto import ResponseHandler
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from qwebhook.model.delivery import Reply

READ_LIMIT = 64 << 10
KEPT_LIMIT = 16 << 10
# Of an answer's head, with the interim answers before it; and of all of an answer, with its framing and its trailers.
HEAD_LIMIT = 32 << 10
HEADER_COUNT_LIMIT = 100
RECEIVED_LIMIT = 8 * READ_LIMIT
# Answers before the final one: early hints are one or two, and progress comes every few seconds.
INTERIM_LIMIT = 20
_TOO_LONG = f"the head of the answer is longer than {HEAD_LIMIT} bytes"


class Unbearable(Exception):
    """An answer asks more of us than any answer may."""


class Answer:
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


class ReceiverConnection(ResponseHandler):
    """A connection in the connector's pool, which takes an answer as it arrives, and no more than may come.

    aiohttp's own parses answers into a queue of streams for readers who come later; that costs three times as much.
    used: whether an exchange has ended on it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.used = False
        self._answer: Answer | None = None
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

    async def exchange(self, data: bytes, answer: Answer, until: float) -> None:
        """Send the bytes of a request and take the answer. until: of the loop's clock.

        Raises OSError, ServerDisconnectedError, TimeoutError, HttpParserError, Unbearable; what came till then is in
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
            self._end(error.__context__ if isinstance(error.__context__, Unbearable) else error)
            return
        if answer.complete:
            self._end()
        elif self._received > (max(RECEIVED_LIMIT, 2 * answer.keep) if answer.code else HEAD_LIMIT):
            self._end(Unbearable(_TOO_LONG))

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
            raise Unbearable("an answer to nothing")
        self._answer.begun = True
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) == HEADER_COUNT_LIMIT:
            raise Unbearable(f"the answer has more than {HEADER_COUNT_LIMIT} headers")
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        answer, code = self._answer, self._llhttp.get_status_code()
        assert answer is not None
        # All of it may have come in one packet.
        if sum([len(name) + len(value) for name, value in self._headers]) > HEAD_LIMIT:
            raise Unbearable(_TOO_LONG)
        if code < 100:
            raise Unbearable(f"{code:03} is no status")
        if code < 200 and code != 101:
            answer.interim += 1
            if answer.interim > INTERIM_LIMIT:
                raise Unbearable(f"more than {INTERIM_LIMIT} interim answers")
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
            raise Unbearable("the answer is longer than is read")

    def on_message_complete(self) -> None:
        answer = self._answer
        assert answer is not None
        if answer.code:
            answer.complete = True
            self._keep = self._keep and self._llhttp.should_keep_alive()
