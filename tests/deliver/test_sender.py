"""Sending: what a network or a receiver does wrong becomes a failure of some kind, and never an exception."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.deliver.failures import classified
from qwebhook.deliver.receiver_connection import KEPT_LIMIT, READ_LIMIT
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.sender import CONNECT_SECONDS, Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Failure, Reply, judge, reason

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEADERS = {"Content-Type": "application/json", "X-Key": "hidden"}
SHOWN = {"Content-Type": "application/json", "X-Key": "**OMITTED**"}


def exchange(
    serving: Serving, *, total: float = 5.0, allowed: tuple[str, ...] = ("loopback",), host: str = "127.0.0.1"
) -> Exchange:
    """Send one request to a server that does as `serving` says."""

    async def run() -> Exchange:
        server = await asyncio.start_server(serving, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = Sender(AddressPolicy(allowed), total)
        try:
            request = PreparedRequest(f"http://{host}:{port}/hook", HEADERS, SHOWN, b'{"a": 1}')
            return await asyncio.wait_for(sender.send(request), 15)
        finally:
            await sender.close()
            server.close()

    return asyncio.run(run())


def answering(answer: bytes, *, pause: float = 0.0) -> Serving:
    """Reads a request and writes bytes, the connection closed after them."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'{"a": 1}')
        await asyncio.sleep(pause)
        writer.write(answer)
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass

    return serve


def reply(answer: bytes) -> Reply:
    result = exchange(answering(answer)).result
    assert isinstance(result, Reply), result
    return result


def failure(serving: Serving, **settings: float) -> Failure:
    result = exchange(serving, **settings).result  # type: ignore[arg-type]
    assert isinstance(result, Failure), result
    return result


def test_an_exchange_has_the_shown_headers_and_its_times() -> None:
    got = exchange(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", pause=0.05))
    assert got.headers == SHOWN
    assert got.body == b'{"a": 1}'
    assert got.first_byte is not None
    assert 50 <= got.first_byte <= got.duration < 5000
    assert got.result == Reply(200, [("Content-Length", "2")], b"ok")


def test_what_is_hidden_of_a_request_is_hidden_of_an_answer_that_sends_it_back() -> None:
    got = reply(b'HTTP/1.1 400 Bad Request\r\nX-Got: key=hidden\r\nContent-Length: 18\r\n\r\n{"X-Key":"hidden"}')
    assert got.headers == [("X-Got", "key=**OMITTED**"), ("Content-Length", "18")]
    assert got.body == b'{"X-Key":"**OMITTED**"}'


def test_the_request_has_no_headers_but_those_given_and_what_http_needs() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    exchange(serve)
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "POST /hook HTTP/1.1"
    names = [line.partition(":")[0].lower() for line in lines[1:] if line]
    assert sorted(names) == ["content-length", "content-type", "host", "x-key"]


async def sent_by(url: str, headers: dict[str, str], times: int = 1) -> tuple[list[bytes], int, list[Exchange]]:
    """Send requests one after the other; their heads, the number of connections, and what came of them. The URL has
    `PORT` where the port goes."""
    heads: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            try:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                return
            await reader.readexactly(8)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sender = Sender(AddressPolicy(("loopback",)), 5.0)
    try:
        request = PreparedRequest(
            url.replace("PORT", str(server.sockets[0].getsockname()[1])), headers, SHOWN, b'{"a": 1}'
        )
        exchanges = [await sender.send(request) for _ in range(times)]
    finally:
        await sender.close()
        server.close()
    return heads, connections, exchanges


def test_connections_are_used_again() -> None:
    heads, connections, exchanges = asyncio.run(sent_by("http://127.0.0.1:PORT/", {}, times=3))
    assert (len(heads), connections) == (3, 1)
    assert all(isinstance(one.result, Reply) and one.result.body == b"ok" for one in exchanges)


def kept_alive_then(
    second: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], times: int = 2, pause: float = 0.0
) -> tuple[list[Exchange], list[int]]:
    """Send requests one after the other, with a pause between, to a receiver that answers the first one of each
    connection and then does something else; the exchanges, and how many requests each connection has carried.
    """
    carried: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(carried)
        carried.append(0)
        await reader.readuntil(b'{"a": 1}')
        carried[number] += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        try:
            await second(reader, writer)
            carried[number] += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def run() -> list[Exchange]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        sender = Sender(AddressPolicy(("loopback",)), 5.0)
        try:
            request = PreparedRequest(
                f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", HEADERS, SHOWN, b'{"a": 1}'
            )
            exchanges = []
            for _ in range(times):
                exchanges.append(await sender.send(request))
                await asyncio.sleep(pause)
            return exchanges
        finally:
            await sender.close()
            server.close()

    return asyncio.run(run()), carried


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_the_receiver_closes_as_we_send_on_it_is_no_failure(reset: bool) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'{"a": 1}')
        if reset:
            linger = struct.pack("ii", 1, 0)  # for no time: closing is resetting
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    exchanges, carried = kept_alive_then(close)
    assert [one.result for one in exchanges] == [Reply(200, [("Content-Length", "2")], b"ok")] * 2
    assert carried == [2, 1]


def test_a_receiver_that_closes_after_each_answer_without_saying_so_gets_everything_once() -> None:
    async def close_sometime(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.001)
        raise ConnectionError

    exchanges, carried = kept_alive_then(close_sometime, times=200, pause=0.001)
    assert {reason(one.result) for one in exchanges} == {"status 200"}
    assert len(carried) == 200


def test_it_is_sent_again_once_only_and_on_a_connection_that_is_new() -> None:
    connections = 0

    async def run() -> list[Exchange]:
        nonlocal connections
        together = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b'{"a": 1}')
            if connections == 3:
                together.set()
            if connections <= 3:
                await together.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await reader.readuntil(b'{"a": 1}')
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        sender = Sender(AddressPolicy(("loopback",)), 5.0)
        try:
            port = server.sockets[0].getsockname()[1]
            request = PreparedRequest(f"http://127.0.0.1:{port}/", HEADERS, SHOWN, b'{"a": 1}')
            first = await asyncio.gather(*(sender.send(request) for _ in range(3)))
            return [*first, await sender.send(request)]
        finally:
            await sender.close()
            server.close()

    *first, last = asyncio.run(run())
    assert {reason(one.result) for one in first} == {"status 200"}
    assert last.result == Failure("protocol", "the connection was closed before an answer")
    assert connections == 4


def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'{"a": 1}')
        writer.write(b"HTTP/1.1 503 Serv")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    exchanges, carried = kept_alive_then(begin)
    assert exchanges[1].result == Failure("protocol", "the connection was closed before an answer")
    assert carried == [2]


def test_what_comes_unasked_is_not_taken_for_the_next_answer() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b'{"a": 1}')

    exchanges, carried = kept_alive_then(speak, pause=0.1)
    assert [reason(one.result) for one in exchanges] == ["status 200"] * 2
    assert carried == [1, 1]


def test_another_method() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def run() -> Exchange:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        sender = Sender(AddressPolicy(("loopback",)), 5.0)
        try:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a"
            return await sender.send(PreparedRequest(url, {}, {}, b"", method="OPTIONS"))
        finally:
            await sender.close()
            server.close()

    assert reason(asyncio.run(run()).result) == "status 200"
    assert heads[0].startswith(b"OPTIONS /a HTTP/1.1\r\nHost: ")


def test_a_url_is_sent_as_the_standards_want_it() -> None:
    heads, _, _ = asyncio.run(sent_by("http://127.0.0.1:PORT/a b/é?q=ü#part", {}))
    assert heads[0].startswith(b"POST /a%20b/%C3%A9?q=%C3%BC HTTP/1.1\r\nHost: 127.0.0.1:")


def test_the_user_of_a_url_is_sent_as_basic_authorization_unless_a_header_says_otherwise() -> None:
    url = "http://ann:s%20cret@127.0.0.1:PORT/"
    heads, _, _ = asyncio.run(sent_by(url, {}))
    assert b"\r\nAuthorization: Basic YW5uOnMgY3JldA==\r\n" in heads[0]
    heads, _, _ = asyncio.run(sent_by(url, {"authorization": "Bearer x"}))
    assert heads[0].lower().count(b"authorization:") == 1
    assert b"Bearer x" in heads[0]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b"])
@pytest.mark.parametrize("user", ["", "u:p@"])
def test_a_header_cannot_be_two(value: str, user: str) -> None:
    heads, connections, exchanges = asyncio.run(sent_by(f"http://{user}127.0.0.1:PORT/", {"X-Key": value}))
    assert (heads, connections) == ([], 0)
    assert exchanges[0].result == Failure("invalid", "the request cannot be made: a header holds a line break or a NUL")


def test_a_name_that_takes_long_to_connect_to_is_left_after_the_time_for_it() -> None:
    async def run() -> Exchange:
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):  # more than its backlog, so that the next one hangs
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        sender = Sender(AddressPolicy(("loopback",)), 0.3)
        try:
            return await sender.send(PreparedRequest(f"http://127.0.0.1:{full.getsockname()[1]}/", {}, {}, b""))
        finally:
            await sender.close()
            for one in (*waiting, full):
                one.close()

    assert asyncio.run(run()).result == Failure("timeout", "no answer within 0.3 s")


def test_of_a_long_body_the_start_is_kept() -> None:
    body = bytes(range(256)) * 300
    got = reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert got.body == body[:KEPT_LIMIT]
    assert got.truncated
    whole = reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (KEPT_LIMIT, body[:KEPT_LIMIT]))
    assert whole == Reply(200, [("Content-Length", str(KEPT_LIMIT))], body[:KEPT_LIMIT], truncated=False)


def test_an_endless_body_is_left_soon() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b'{"a": 1}')
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while sent < 100 * READ_LIMIT:
                writer.write(b"x" * 4096)
                sent += 4096
                await writer.drain()
        except ConnectionError:
            pass

    got = exchange(serve)
    assert isinstance(got.result, Reply)
    assert (got.result.status, got.result.truncated) == (200, True)
    assert sent < 100 * READ_LIMIT


def test_a_body_that_comes_too_slowly_changes_nothing_of_the_status() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'{"a": 1}')
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await asyncio.sleep(10)

    got = exchange(serve, total=0.3)
    assert got.result == Reply(200, [("Content-Length", "9")], b"half", truncated=True)
    assert got.duration < 5000


def test_a_compressed_body_is_kept_as_it_came() -> None:
    got = reply(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
    assert got.body == b"nope"


def test_no_answer_in_time() -> None:
    got = failure(answering(b"HTTP/1.1 200 OK\r\n\r\n", pause=5), total=0.2)
    assert got == Failure("timeout", "no answer within 0.2 s")


def test_half_an_answer_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Half")
        await asyncio.sleep(5)

    assert failure(serve, total=0.2).kind == "timeout"


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 \xff\xfe\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"],
)
def test_an_answer_that_is_no_http(answer: bytes) -> None:
    assert failure(answering(answer)).kind == "protocol"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_that_is_not_allowed(host: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("connected to")

    got = exchange(serve, allowed=(), host=host).result
    assert isinstance(got, Failure)
    assert got.kind == "address refused"
    assert "--allow-network loopback" in got.reason


def test_an_interim_answer_is_not_the_answer() -> None:
    assert (
        reply(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").status
        == 201
    )


@given(
    start=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 ", b"HTTP/1.1 503 x\r\nRetry-After: "]),
    middle=st.binary(max_size=60),
    end=st.sampled_from([b"", b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"]),
)
def test_whatever_comes_can_be_judged_and_recorded(start: bytes, middle: bytes, end: bytes) -> None:
    got = exchange(answering(start + middle + end), total=1.0)
    judge(got.result, 1, 1_795_536_000_000, 0.5)
    msgspec.json.encode(reason(got.result))
    if isinstance(got.result, Reply):
        msgspec.json.encode(got.result.headers)
    else:
        assert "\n" not in reason(got.result)


KEY = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name not known")), "dns", "name not known"),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "")), "connect", "connection refused"),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.EHOSTUNREACH, "")), "connect", "no route to host"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "bad handshake")), "tls", "bad handshake"),
        (aiohttp.ClientConnectorCertificateError(KEY, ValueError("expired")), "tls", "expired"),
        (aiohttp.ConnectionTimeoutError(), "connect", "no connection within 5 s"),
        (aiohttp.SocketTimeoutError(), "timeout", ""),
        (TimeoutError(), "timeout", ""),
        (aiohttp.ServerDisconnectedError(), "protocol", "closed before an answer"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "connect", "reset"),
        (aiohttp.InvalidURL("http://"), "invalid", ""),
        (UnicodeEncodeError("idna", "x", 0, 1, "label too long"), "invalid", "label too long"),
        (aiohttp.ClientPayloadError("cut off"), "protocol", "cut off"),
    ],
)
def test_kinds_of_failure(error: Exception, kind: str, words: str) -> None:
    found, text = classified(error, CONNECT_SECONDS)
    assert found == kind
    assert words in text


def test_names_that_nobody_answers_for_delay_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real, answered = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host: str, port: int, **hints: int) -> object:
        if host.startswith("hangs"):
            answered.wait(30)
        return real("127.0.0.1", port, **hints)

    async def run() -> None:
        server = await asyncio.start_server(answering(b"HTTP/1.1 204 No Content\r\n\r\n"), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        sender = Sender(AddressPolicy(["loopback"]), 10.0)

        async def send(host: str) -> str:
            request = PreparedRequest(f"http://{host}.example:{port}/", HEADERS, SHOWN, b'{"a": 1}')
            return reason((await sender.send(request)).result)

        hanging = [asyncio.create_task(send(f"hangs{number}")) for number in range(100)]
        await asyncio.sleep(0)
        assert await send("answers") == "status 204"
        assert not any(task.done() for task in hanging)
        answered.set()
        assert set(await asyncio.gather(*hanging)) == {"status 204"}
        await sender.close()
        server.close()

    asyncio.run(run())
