"""uvicorn's HTTP protocol with one write for one response, our errors, and limits on what a client may take.

uvicorn reads a head of any size for as long as the client cares to send it. Here its size and the time for it, and for
the whole request, are bounded; so are the connections, of which an idle one makes room for a new one.

It also writes a response's head and its body apart, and uvloop hands each write to the kernel at once. For the short
answers that this server gives, that is two system calls, two packets and two wake-ups of the client where one would do.

And what brings events goes straight to the acceptance (`event_request.py`), since ASGI costs more than all the rest.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Iterable
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qwebhook.deliver.writer import Overloaded
from qwebhook.model.envelope import MAX_BODY
from qwebhook.model.errors import BodyTooLarge, InvalidInput, QwebhookError
from qwebhook.server.acceptance import PATH
from qwebhook.server.application import Application
from qwebhook.server.event_request import EventRequest
from qwebhook.server.responses import raw_error

CHECK_SECONDS = 1.0
# Requests that one client may have sent ahead of their answers.
AHEAD_LIMIT = 16
_EVENTS = PATH.encode()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one client may take.

    head, fields: bytes and number of the header fields; what clients send is a twentieth of it. request: bytes in all,
    with the framing, of which a chunk of one byte takes six. head_seconds: from the first byte, or the connection, to
    the end of the head; request_seconds: to the end of the request. stalled_seconds: how long a client may take nothing
    of its answer. connections: at a time, and never more than half of the files that the process may have open.
    """

    head: int = 32 << 10
    fields: int = 100
    request: int = 8 * MAX_BODY
    head_seconds: float = 10.0
    request_seconds: float = 60.0
    stalled_seconds: float = 60.0
    connections: int = 2000


class HeadTooLarge(InvalidInput):
    """The request line and the header fields are too many or too long."""

    status = 431
    code = "QWH-HEAD-TOO-LARGE"


class RequestTooSlow(InvalidInput):
    """The request did not arrive in time."""

    status = 408
    code = "QWH-TOO-SLOW"


class HttpProtocol(HttpToolsProtocol):
    """One connection. Its requests are answered in their order; one that is wrong ends it, when those before it are
    answered.
    """

    limits = Limits()
    transport: Any
    connections: set[HttpProtocol]  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_CorkedTransport(transport, self.loop))  # type: ignore[arg-type]
        self._application = self.app if isinstance(self.app, Application) else None
        self._direct: EventRequest | None = None
        # What is to be answered, the oldest first; the newest may still be coming.
        self._unanswered: deque[Any] = deque()
        self._to_another_protocol = False
        self._deaf = False
        self._idle_since: float | None = None
        self._refusal: QwebhookError = InvalidInput("the request is not valid HTTP")
        self._in_head = True
        self._received = 0
        # When the request that is being read began; None between requests.
        self._since: float | None = self.loop.time()
        self._unsent = 0
        self._stalled_since: float | None = None
        if len(self.connections) > _most(self.limits.connections) and not self._make_room():
            self._refuse(Overloaded("there are too many connections", "try again in a few seconds"))

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._idle_since = None
        if self._since is None:
            self._since = self.loop.time()
        self._received += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
            return
        if self._since is None or self.transport.is_closing():
            return
        # What came along with the end of the request before is not counted: a packet more than the limit, at most.
        if self._in_head and self._received > self.limits.head:
            self._refuse(self._head_too_large())
        elif self._received > self.limits.request:
            self._refuse(BodyTooLarge(f"the body is larger than {MAX_BODY} bytes"))

    def _parse(self, data: bytes) -> None:
        """Raises HttpParserError."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Nobody has to take up the offer of another protocol (RFC 9110, section 7.8), but the parser takes what
            # follows for that, the body included. So it is given the same request again, without the offer.
            method = self.parser.get_method()
            lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
            lines += [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
            self._to_another_protocol = False
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self._parse(b"\r\n".join([*lines, b"", b""]) + data[upgrade.args[0] :])

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that sends no more after its events may wait for their answer; any other has gone."""
        waits = bool(self._unanswered) and isinstance(self._unanswered[0], EventRequest)
        if not (waits and self._end_after_answers()):
            self.transport.close()
        return self.transport.get_extra_info("sslcontext") is None  # with TLS, it closes by itself

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._direct = None
        self._in_head = True
        self._received = 0
        if self._since is None:
            self._since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Fields after the body are ignored (RFC 9110, section 6.5.1), or they would add to the head without end.
        if self._in_head:
            name = name.lower()
            self.headers.append((name, value))
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
        if size > self.limits.head or len(self.headers) > self.limits.fields:
            self._refusal = self._head_too_large()
            raise self._refusal  # the parser stops
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise self._refusal
            self._to_another_protocol = True
            return
        if len(self._unanswered) == AHEAD_LIMIT:
            self._refusal = InvalidInput(f"more than {AHEAD_LIMIT} requests are sent ahead of their answers")
            raise self._refusal
        self._in_head = False
        if self._application is not None and self._brings_events():
            self._direct = EventRequest(
                self._application, self.transport, self.server_state, self.client, self.on_response_complete
            )
            self.cycle = self._direct  # type: ignore[assignment]
            self._unanswered.append(self.cycle)
            self._direct.begin(self.headers)
            return
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def _brings_events(self) -> bool:
        """Whether the request is of the kind that needs no more than `EventRequest`: in turn, and without ado."""
        return (
            self.url == _EVENTS
            and self.parser.get_method() == b"POST"
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.flow.write_paused
            and not self._unanswered
        )

    def on_body(self, body: bytes) -> None:
        if self._to_another_protocol:
            return
        if self._direct is not None:
            self._direct.add(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._to_another_protocol:
            return
        self._since = None
        self._in_head = True
        if self._direct is not None:
            self._direct.end()
        else:
            super().on_message_complete()
        if not self._unanswered:  # it was refused before it was whole
            self._idle_since = self.loop.time()

    def on_response_complete(self) -> None:
        """See to the next request, if it is here. In place of uvicorn's timer for each, `check` ends what is idle."""
        self.server_state.total_requests += 1
        if self._unanswered:
            self._unanswered.popleft()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()

    def check(self, now: float) -> None:
        """End the connection if the client is too slow. now: of the event loop's clock, in seconds."""
        if self._since is not None:
            if self.flow.read_paused:
                self._since = now  # it is we who are slow
            elif now - self._since > (self.limits.head_seconds if self._in_head else self.limits.request_seconds):
                self._refuse(RequestTooSlow("the request did not arrive in time", "send it again"))
        elif self._idle_since is not None and now - self._idle_since > self.timeout_keep_alive:
            self.transport.close()
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self._unsent or self._stalled_since is None:
            self._stalled_since = now
        elif now - self._stalled_since > self.limits.stalled_seconds:
            self.transport.abort()
        self._unsent = unsent

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; False if all are busy."""
        idle = [
            (one._idle_since, one)
            for one in self.connections
            if one._idle_since is not None and not one.transport.is_closing()
        ]
        if not idle:
            return False
        min(idle, key=lambda pair: pair[0])[1].transport.close()
        return True

    def _head_too_large(self) -> HeadTooLarge:
        return HeadTooLarge(
            f"the request's head has more than {self.limits.head} bytes or {self.limits.fields} fields",
            "send fewer or shorter ones",
        )

    def _refuse(self, error: QwebhookError) -> None:
        """The request that is coming is wrong, and nothing after it can be read. It is told so, unless it has been
        answered already.
        """
        answered = not self._in_head and not self._unanswered
        if not self._end_after_answers():
            if not answered:
                self.transport.write(raw_error(error, self.server_state.default_headers, close=True))
            self.transport.close()

    def _end_after_answers(self) -> bool:
        """Take nothing more, and close when what came is answered; False if nothing is to be waited for."""
        self._deaf = True
        self._since = None
        whole = [one for one in self._unanswered if not one.more_body]
        if not whole:
            return False
        whole[-1].keep_alive = False
        self.pipeline = deque(entry for entry in self.pipeline if not entry[0].more_body)
        return True


def _most(connections: int) -> int:
    if sys.platform == "win32":
        return connections
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connections if files == resource.RLIM_INFINITY else min(connections, files // 2)


async def watch(connections: Iterable[Any], every: float = CHECK_SECONDS) -> None:
    """End connections of this protocol whose clients are too slow, for as long as the server lives.

    connections: all that are open, as they are at each moment. every: seconds.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(every)
        for connection in list(connections):
            connection.check(loop.time())


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

    def send(self, data: bytes) -> None:
        """Write at once, after what is held."""
        self._held.append(data)
        self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
