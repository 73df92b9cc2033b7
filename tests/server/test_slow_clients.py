"""Clients that take more than their share: of the head, of time, of connections. Real sockets, small limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from qwebhook.server.body import ClientGone, read_body
from qwebhook.server.protocol import AHEAD_LIMIT, HttpProtocol, Limits, watch
from qwebhook.server.responses import Receive, Scope, Send, answer

PATIENCE = 10.0
HEAD = b"POST /events HTTP/1.1\r\nHost: localhost\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with how much came; a path names how many bytes of answer are wanted, or that none is to come."""
    try:
        body = await read_body(receive, 0, "send less")
    except ClientGone:
        return
    if scope["path"] == "/hold":
        await receive()  # that the client has gone
        return
    wanted = scope["path"].removeprefix("/bytes/")
    await answer(send, 200, b"x" * int(wanted) if wanted.isdigit() else b"%d" % len(body))


async def until(reached: Callable[[], bool]) -> None:
    """For what no event tells of; the test's own time is the limit."""
    while not reached():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


class Serving:
    """A server in this process. rest: every connection that is open."""

    def __init__(self, server: uvicorn.Server, port: int) -> None:
        self.open = server.server_state.connections
        self._port = port

    async def connect(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(sent)
        return reader, writer


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Serving]:
    protocol = type("Limited", (HttpProtocol,), {"limits": Limits(**limits)})
    server = uvicorn.Server(
        uvicorn.Config(echo, port=0, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    )
    config = server.config
    config.load()
    listening = config.bind_socket()
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve([listening]))
    await until(lambda: server.started)
    watching = asyncio.create_task(watch(server.server_state.connections, every=0.02))
    try:
        yield Serving(server, listening.getsockname()[1])
    finally:
        watching.cancel()
        server.should_exit = server.force_exit = True
        await running


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test in an event loop of its own, for so long at most."""

    def ran() -> None:
        asyncio.run(asyncio.wait_for(test(), PATIENCE))

    ran.__name__, ran.__doc__ = test.__name__, test.__doc__
    return ran


async def refusal(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of an answer that ends the connection."""
    raw = await reader.read()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["errors"][0]["code"]


async def refused_while_sending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes) -> bytes:
    """Send a piece again and again until the connection ends; the status line, or b"" where that was lost."""
    ended = asyncio.create_task(reader.read())
    while not ended.done():
        writer.write(piece)
        await asyncio.sleep(0.005)
    return ended.result()[:12] if ended.exception() is None else b""


@run
async def test_a_head_that_never_ends_is_ended() -> None:
    async with serving(head_seconds=0.1) as server:
        reader, _ = await server.connect(HEAD)
        assert await refusal(reader) == (408, "QWH-TOO-SLOW")


@run
async def test_a_connection_that_says_nothing_is_ended() -> None:
    async with serving(head_seconds=0.1) as server:
        reader, _ = await server.connect()
        assert (await refusal(reader))[0] == 408


@run
async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with serving(head_seconds=0.1) as server:
        reader, writer = await server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n0")
        writer.write(b"\r\n")
        assert (await refusal(reader))[0] == 408


@run
async def test_a_body_that_drips_is_ended() -> None:
    async with serving(head_seconds=5, request_seconds=0.2) as server:
        reader, writer = await server.connect(HEAD + b"Content-Length: 1000\r\n\r\n")
        assert await refused_while_sending(reader, writer, b"x") in (b"", b"HTTP/1.1 408")
        await until(lambda: not server.open)


@run
async def test_what_comes_in_time_is_answered_on_one_connection_again_and_again() -> None:
    async with serving(head_seconds=0.3, request_seconds=0.3) as server:
        reader, writer = await server.connect()
        for _ in range(5):
            writer.write(HEAD + b"Content-Length: 3\r\n\r\nab")
            await asyncio.sleep(0.1)
            writer.write(b"c")
            assert (await reader.readuntil(b"\r\n\r\n3")).startswith(b"HTTP/1.1 200")


@run
async def test_idle_between_requests_is_no_offence() -> None:
    async with serving(head_seconds=0.05, request_seconds=0.05) as server:
        reader, writer = await server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n0")
        await asyncio.sleep(0.2)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "rest",
    [
        b"".join(b"X-%d: a\r\n" % number for number in range(30)) + b"\r\n",  # a few too many
        b"X: " + b"a" * 4090 + b"\r\n\r\n",  # just too long
    ],
)
def test_a_head_that_is_too_large_is_refused(rest: bytes) -> None:
    async def refused() -> None:
        async with serving(head=4096, fields=20) as server:
            reader, _ = await server.connect(HEAD + rest)
            assert await refusal(reader) == (431, "QWH-HEAD-TOO-LARGE")

    run(refused)()


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (HEAD + b"X: ", b"a" * 500, b"431"),  # a value without end
        (HEAD, b"X: a\r\n" * 100, b"431"),  # fields without end
        (b"GET /", b"a" * 500, b"431"),  # a path without end
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a=", b"b" * 500, b"413"),  # a chunk that never begins
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", b"X: a\r\n" * 100, b"413"),
    ],
)
def test_what_never_ends_is_refused(start: bytes, piece: bytes, status: bytes) -> None:
    async def refused() -> None:
        async with serving(head=4096, request=10_000) as server:
            reader, writer = await server.connect(start)
            assert await refused_while_sending(reader, writer, piece) in (b"", b"HTTP/1.1 " + status)
            await until(lambda: not server.open)

    run(refused)()


@run
async def test_fields_after_the_body_are_ignored() -> None:
    async with serving() as server:
        chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nHost: evil\r\n\r\n"
        reader, _ = await server.connect(chunked)
        assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200")


@run
async def test_who_does_not_take_the_answer_is_left() -> None:
    async with serving(stalled_seconds=0.2) as server:
        _, writer = await server.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: bool(server.open))
        await until(lambda: not server.open)


@run
async def test_an_idle_connection_makes_room_for_a_new_one() -> None:
    async with serving(connections=3) as server:
        idle = []
        for _ in range(3):
            reader, _ = await server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n0")
            idle.append(reader)
        reader, _ = await server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        assert await idle[0].read() == b""


@run
async def test_where_all_are_busy_a_new_connection_is_told_to_come_back() -> None:
    async with serving(connections=2) as server:
        busy = [await server.connect(HEAD) for _ in range(2)]
        await until(lambda: len(server.open) == 2)
        reader, _ = await server.connect()
        raw = await reader.read()
        assert raw.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2" in raw
        assert all(not reader.at_eof() for reader, _ in busy)


@run
async def test_a_request_that_is_worked_on_does_not_get_the_answer_of_the_next() -> None:
    async with serving(head=4096) as server:
        reader, writer = await server.connect(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        writer.write(b"G" * 5000)
        await until(lambda: all(one._deaf for one in server.open))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.1)
        writer.transport.abort()
        await until(lambda: not server.open)


@run
async def test_one_that_was_refused_before_it_was_whole_makes_room_too() -> None:
    async with serving(connections=2, head=200) as server:
        readers = []
        for _ in range(2):
            reader, writer = await server.connect(HEAD + b"Content-Length: 3\r\n\r\n")
            readers.append(reader)
            writer.write(b"abc")
            await reader.readuntil(b"\r\n\r\n3")
        reader, _ = await server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")


@run
async def test_how_many_requests_are_sent_ahead_is_bounded() -> None:
    async with serving() as server:
        reader, _ = await server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        raw = await reader.read()
        assert raw.count(b"HTTP/1.1 200") == AHEAD_LIMIT
        assert raw.count(b"HTTP/1.1") == AHEAD_LIMIT
        await until(lambda: not server.open)


@pytest.mark.parametrize("whole", [True, False])
def test_an_offer_of_another_protocol_is_not_taken_up(whole: bool) -> None:
    async def ignored() -> None:
        async with serving() as server:
            offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
            hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
            head = HEAD + offer + b"Content-Length: %d\r\n\r\n" % len(hidden)
            reader, writer = await server.connect(head + (hidden if whole else b""))
            if not whole:
                await until(lambda: bool(server.open))
                await asyncio.sleep(0.05)
                writer.write(hidden)
            assert (await reader.readuntil(b"%d" % len(hidden))).startswith(b"HTTP/1.1 200")
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await reader.readuntil(b"\r\n\r\n0")
            assert answer.count(b"HTTP/1.1") == 1

    run(ignored)()


@run
async def test_nothing_is_tunnelled() -> None:
    async with serving() as server:
        reader, _ = await server.connect(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        assert await refusal(reader) == (400, "QWH-INVALID")
