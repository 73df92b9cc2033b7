"""Faulty endpoints: each fault ends in an outcome of one kind, in time, with flat memory and the connection left."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import tracemalloc
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver import sender as sending
from qwebhook.deliver.receiver_connection import KEPT_LIMIT
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.sender import Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Reply, reason
from tests.deliver.certificates import Authority
from tests.deliver.faults import (
    PATIENCE,
    Fault,
    FaultServer,
    Peer,
    close,
    drips,
    hang,
    repeats,
    reset,
    says,
    says_at_once,
)

# What a fault that is waited out may take; others have all the time they want, and must not need it.
SHORT = 0.4
LONG = 10.0
# How late a busy machine may notice that the time is over.
LATE = 2.0
FLAT_BYTES = 8 << 20
# More than the kernel takes on both sides of a connection for a peer that does not read.
LARGE = bytes(24 << 20)

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(32 << 20))
BOMB_HEAD = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)


LONG_HEAD = "protocol: the head of the answer is longer than 32768 bytes"


@dataclass(frozen=True)
class Case:
    """A fault, and how `reason` begins for what comes of it. slow: it is only over when the time is.

    kept: the answer is whole, and the connection waits for the next request.
    """

    fault: Fault
    outcome: str
    slow: bool = False
    kept: bool = False


CASES = {
    "hangs before the head": Case(says(), "timeout: no answer within 0.4 s", slow=True),
    "hangs without having read": Case(hang, "timeout: no answer", slow=True),
    "hangs in the status line": Case(says(b"HTTP/1.1 20"), "timeout: no answer", slow=True),
    "hangs in the head": Case(says(OK + b"X-Half: "), "timeout: no answer", slow=True),
    "hangs after the head": Case(says(OK + b"Content-Length: 5\r\n\r\n"), "status 200", slow=True),
    "hangs in a chunk": Case(says(CHUNKED + b"5\r\nhal"), "status 200", slow=True),
    "hangs after an interim answer": Case(says(b"HTTP/1.1 102 Processing\r\n\r\n"), "timeout: no answer", slow=True),
    "drips a head": Case(drips(OK + b"X-Long: "), "timeout: no answer", slow=True),
    "drips headers": Case(drips(OK, b"A: b\r\n"), "timeout: no answer", slow=True),
    "drips interim answers": Case(drips(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), "timeout: no answer", slow=True),
    "drips a body": Case(drips(OK + b"\r\n"), "status 200", slow=True),
    "drips an error": Case(drips(b"HTTP/1.1 503 Busy\r\n\r\n"), "status 503", slow=True),
    "drips chunks": Case(drips(CHUNKED, b"1\r\na\r\n"), "status 200", slow=True),
    "resets before an answer": Case(says(then=reset), "connect: connection reset by peer"),
    "resets in the head": Case(says(OK + b"X-Half", then=reset), "connect: connection reset by peer"),
    "resets in the body": Case(says(OK + b"Content-Length: 5\r\n\r\nhal", then=reset), "status 200"),
    "closes without an answer": Case(says(then=close), "protocol: the connection was closed before an answer"),
    "closes in the head": Case(says(OK + b"X-Half", then=close), "protocol: the connection was closed before"),
    "closes after an interim answer": Case(says(b"HTTP/1.1 103 Early\r\n\r\n", then=close), "protocol: the connection"),
    "closes in the body": Case(says(OK + b"Content-Length: 5\r\n\r\nhal", then=close), "status 200"),
    "closes in a chunk": Case(says(CHUNKED + b"5\r\nhal", then=close), "status 200"),
    "endless body": Case(repeats(OK + b"\r\n", b"x" * 4096), "status 200"),
    "endless chunks": Case(repeats(CHUNKED, b"1\r\na\r\n" * 500), "status 200"),
    "endless chunk extension": Case(repeats(CHUNKED + b"5;", b"x" * 4096), "status 200"),
    "endless trailers": Case(repeats(CHUNKED + b"0\r\n", b"A: b\r\n" * 500), "status 200"),
    "endless trailer": Case(repeats(CHUNKED + b"0\r\nA: ", b"x" * 4096), "status 200"),
    "endless headers": Case(repeats(OK, b"A: b\r\n" * 500), "protocol: the answer has more than 100 headers"),
    "endless header": Case(repeats(OK + b"A: ", b"x" * 4096), LONG_HEAD),
    "endless header name": Case(repeats(OK, b"x" * 4096), LONG_HEAD),
    "endless status line": Case(repeats(b"HTTP/1.1 200 ", b"x" * 4096), LONG_HEAD),
    "endless space in a header": Case(repeats(OK + b"A:", b" " * 4096), LONG_HEAD),
    "endless empty lines": Case(repeats(b"", b"\r\n" * 2048), LONG_HEAD),
    "endless interim answers": Case(repeats(b"", b"HTTP/1.1 100 \r\n\r\n" * 200), "protocol: more than 20 interim"),
    "endless early hints": Case(
        repeats(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 100), "protocol: more than 20 interim answers"
    ),
    "endless answers": Case(repeats(b"", EMPTY * 100), "status 200"),
    "gzip bomb": Case(says(BOMB_HEAD + BOMB), "status 200", kept=True),
    "chunk size that is no number": Case(says(CHUNKED + b"zz\r\nabc\r\n"), "status 200"),
    "chunk of negative size": Case(says(CHUNKED + b"-1\r\nabc\r\n"), "status 200"),
    "chunk of enormous size": Case(says(CHUNKED + b"f" * 20 + b"\r\nabc\r\n"), "status 200"),
    "chunk longer than its size": Case(says(CHUNKED + b"2\r\nabcdef\r\n"), "status 200"),
    "chunked, it says": Case(says(CHUNKED + b"<html>"), "status 200"),
    # As if it had come in one packet with the head.
    "chunk size that is no number, later": Case(drips(CHUNKED, b"zz\r\n"), "status 200"),
    "an error that is chunked, it says": Case(
        says(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n<html>"), "status 500"
    ),
    "negative content length": Case(says(OK + b"Content-Length: -5\r\n\r\nhello"), "protocol: the answer is not HTTP"),
    "content length in words": Case(says(OK + b"Content-Length: five\r\n\r\nhello"), "protocol: the answer is not"),
    "enormous content length": Case(says(OK + b"Content-Length: %d\r\n\r\n" % 10**30), "protocol: the answer is not"),
    "two content lengths": Case(says(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), "protocol: the an"),
    "content length and chunks": Case(
        says(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "protocol: the answer is not"
    ),
    "content length too long": Case(says(OK + b"Content-Length: 9\r\n\r\nhello"), "status 200", slow=True),
    "content length too short": Case(says(OK + b"Content-Length: 2\r\n\r\nhello"), "status 200"),
    "body without leave": Case(says(b"HTTP/1.1 204 No Content\r\n\r\nhello"), "status 204"),
    "another protocol at once": Case(
        says(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello"), "status 101"
    ),
    "no status": Case(says(b"HTTP/1.1 000 Nothing\r\n\r\n"), "protocol: 000 is no status"),
    "HTTP/0.9": Case(says(b"<html>hello</html>\n", then=close), "protocol: the answer is not HTTP"),
    "HTTP/0.9, it says": Case(says(b"HTTP/0.9 200 OK\r\n\r\nhello", then=close), "status 200"),
    "HTTP/2": Case(says(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64"), "protocol: the answer is not HTTP"),
    "SSH": Case(says(b"SSH-2.0-OpenSSH_9.6\r\n"), "protocol: the answer is not HTTP"),
    "TLS where HTTP is spoken": Case(says_at_once(b"\x15\x03\x01\0\x02\x02\x16"), "protocol: the answer is not HTTP"),
}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(autouse=True)
def trusting(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The only authority that is trusted; to read those of the system for each test would take longer than the test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.file))
    return trusted


LOOPS = ("asyncio", "uvloop")


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    """The loop of commands, and that of `serve`."""
    if request.param == "asyncio":
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=pytest.importorskip("uvloop").new_event_loop)


def run(runner: asyncio.Runner, main: Coroutine[Any, Any, None]) -> None:
    with runner:
        runner.run(main)


@asynccontextmanager
async def sender(total: float = LONG) -> AsyncIterator[Sender]:
    one = Sender(AddressPolicy(("loopback",)), total)
    try:
        yield one
    finally:
        await one.close()


async def sent(by: Sender, port: int, scheme: str = "http", host: str = "127.0.0.1", body: bytes = b"{}") -> Exchange:
    request = PreparedRequest(f"{scheme}://{host}:{port}/hook", {}, {}, body)
    return await asyncio.wait_for(by.send(request), PATIENCE)


def in_time(exchange: Exchange, total: float) -> bool:
    return exchange.duration < (total + LATE) * 1000


# What takes its time is tried on one loop, that of `serve`.
@pytest.mark.parametrize(
    ("name", "runner"),
    [(name, loop) for name, case in CASES.items() for loop in LOOPS if not case.slow or loop == "uvloop"],
    indirect=["runner"],
)
def test_a_fault(name: str, runner: asyncio.Runner) -> None:
    case = CASES[name]
    total = SHORT if case.slow else LONG

    async def main() -> None:
        async with FaultServer(case.fault) as server, sender(total) as one:
            tracemalloc.start()
            try:
                exchange = await sent(one, server.port)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert reason(exchange.result).startswith(case.outcome)
            if case.slow:
                assert exchange.duration > SHORT * 900
                assert in_time(exchange, SHORT)
            else:
                assert exchange.duration < LONG * 1000 / 2
            assert peak < FLAT_BYTES
            if not case.kept:
                await server.emptied()
            assert server.connections == 1

    run(runner, main())


def test_a_gzip_bomb_is_kept_as_it_came() -> None:
    async def main() -> None:
        async with FaultServer(says(BOMB_HEAD + BOMB)) as server, sender() as one:
            result = (await sent(one, server.port)).result
            assert isinstance(result, Reply)
            assert (result.body, result.truncated) == (BOMB[:KEPT_LIMIT], True)

    asyncio.run(main())


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_an_answer_that_comes_byte_by_byte_and_untidily(end: bytes, runner: asyncio.Runner) -> None:
    head = b"HTTP/1.1 102 Processing", b"A: interim", b"", b"HTTP/1.1 201 ", b"Empty:", b"Latin: \xe9", b"B:b ", b"B: c"
    body = b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3 \r\nllo\r\n0\r\nTrailer: t\r\n\r\n"

    async def fault(peer: Peer) -> None:
        await peer.request()
        for byte in end.join([*head, body]):
            await peer.send(bytes([byte]))
        await hang(peer)

    async def main() -> None:
        async with FaultServer(fault) as server, sender() as one:
            result = (await sent(one, server.port)).result
            assert isinstance(result, Reply)
            assert (result.status, result.body, result.truncated) == (201, b"hello", False)
            headers = [("Empty", ""), ("Latin", "\xe9"), ("B", "b"), ("B", "c"), ("Transfer-Encoding", "chunked")]
            assert result.headers == headers

    run(runner, main())


def test_a_receiver_that_is_busy_before_it_is_asked(runner: asyncio.Runner) -> None:
    async def busy(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
        await close(peer)

    async def main() -> None:
        async with FaultServer(busy) as server, sender() as one:
            assert reason((await sent(one, server.port)).result).startswith("status 503")

    run(runner, main())


def test_what_came_before_it_was_asked_is_the_answer_once(runner: asyncio.Runner) -> None:
    async def busy_at_first(peer: Peer) -> None:
        if server.connections == 1:
            await peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await peer.request()
        await peer.send(EMPTY)
        await hang(peer)

    server = FaultServer(busy_at_first)

    async def main() -> None:
        async with server, sender() as one:
            results = [reason((await sent(one, server.port)).result) for _ in range(2)]
            assert results[1] == "status 200"
            assert results[0] in ("status 503", "status 200")  # whether it has come by then is a race

    run(runner, main())


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    async def main() -> None:
        async with FaultServer(says(EMPTY)) as elsewhere:
            location = b"Location: http://127.0.0.1:%d/\r\nRefresh: 0; url=/other\r\n" % elsewhere.port
            answer = b"HTTP/1.1 %d Go\r\n%sContent-Length: 0\r\n\r\n" % (status, location)
            async with FaultServer(says(answer)) as server, sender() as one:
                result = (await sent(one, server.port)).result
            assert reason(result) == f"status {status}: redirects are not followed"
            assert (server.connections, elsewhere.connections) == (1, 0)

    asyncio.run(main())


@pytest.mark.parametrize("answers", [b"", EMPTY])
def test_a_request_that_is_not_read_does_not_stay(answers: bytes, runner: asyncio.Runner) -> None:
    """What was not written when the exchange ended is dropped, and not kept with its connection until it is read."""

    async def main() -> None:
        over = asyncio.Event()

        async def unread(peer: Peer) -> None:
            await peer.send(answers)
            await over.wait()
            await hang(peer)

        async with FaultServer(unread) as server, sender(SHORT) as one:
            exchange = await sent(one, server.port, body=LARGE)
            assert reason(exchange.result).startswith("status 200" if answers else "timeout: no answer")
            assert in_time(exchange, SHORT)
            over.set()
            await server.emptied()
            assert server.received < len(LARGE)

    run(runner, main())


def test_a_flood_on_a_connection_that_is_kept_ends_it(runner: asyncio.Runner) -> None:
    async def main() -> None:
        idle = asyncio.Event()

        async def flood(peer: Peer) -> None:
            await peer.request()
            await peer.send(EMPTY)
            await idle.wait()
            while True:
                await peer.send(b"HTTP/1.1 204 \r\n\r\n" * 500)

        async with FaultServer(flood) as server, sender() as one:
            assert reason((await sent(one, server.port)).result) == "status 200"
            tracemalloc.start()
            try:
                idle.set()
                await server.emptied()
                assert tracemalloc.get_traced_memory()[1] < FLAT_BYTES
            finally:
                tracemalloc.stop()

    run(runner, main())


def test_a_port_that_refuses() -> None:
    async def main() -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            async with sender() as one:
                exchange = await sent(one, unheard.getsockname()[1])
        assert reason(exchange.result) == "connect: connection refused"

    asyncio.run(main())


def test_a_name_that_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def main() -> None:
        async with sender() as one:
            # The resolver of the machine would ask others.
            monkeypatch.setattr(socket, "getaddrinfo", unknown)
            exchange = await sent(one, 80, host="nowhere.invalid")
        assert reason(exchange.result) == "dns: name or service not known"

    asyncio.run(main())


def test_a_name_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hanging(*_: object, **__: object) -> None:
        over.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def main() -> None:
        try:
            async with sender(SHORT) as one:
                monkeypatch.setattr(socket, "getaddrinfo", hanging)
                exchange = await sent(one, 80, host="slow.invalid")
        finally:
            over.set()
        assert reason(exchange.result) == "timeout: no answer within 0.4 s"
        assert in_time(exchange, SHORT)

    asyncio.run(main())


def test_a_good_certificate(trusting: Authority, runner: asyncio.Runner) -> None:
    async def main() -> None:
        async with FaultServer(says(EMPTY), trusting.serving()) as server, sender() as one:
            assert reason((await sent(one, server.port, "https")).result) == "status 200"

    run(runner, main())


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ("expired", "certificate has expired"),
        ("wrong name", "IP address mismatch"),
        ("self-signed", "self-signed certificate"),
        ("unknown authority", "unable to get local issuer certificate"),
    ],
)
def test_a_bad_certificate(
    certificate: str, words: str, trusting: Authority, tmp_path: Path, runner: asyncio.Runner
) -> None:
    async def main() -> None:
        if certificate == "expired":
            serving = trusting.serving(expired=True)
        elif certificate == "wrong name":
            serving = trusting.serving(address="127.0.0.9")
        elif certificate == "self-signed":
            serving = Authority(tmp_path).serving_for_itself()
        else:
            serving = Authority(tmp_path).serving()
        async with FaultServer(says(EMPTY), serving) as server, sender() as one:
            exchange = await sent(one, server.port, "https")
            said = reason(exchange.result)
            assert said.startswith("tls: the certificate was not accepted: ")
            assert words in said
            await server.emptied()

    run(runner, main())


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (says_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "tls: wrong version number"),
        (says_at_once(b"SSH-2.0-OpenSSH_9.6\r\n"), "tls: wrong version number"),
        (says_at_once(b"\x15\x03\x01\0\x02\x02\x28"), "tls: "),  # an alert: the handshake fails
        (says_at_once(then=close), "tls: the connection was closed during the handshake"),
        (says_at_once(then=reset), "tls: the connection was closed during the handshake"),
    ],
    ids=["HTTP", "SSH", "alert", "close", "reset"],
)
def test_a_handshake_that_fails(fault: Fault, outcome: str, runner: asyncio.Runner) -> None:
    async def main() -> None:
        async with FaultServer(fault) as server, sender() as one:
            assert reason((await sent(one, server.port, "https")).result).startswith(outcome)
            await server.emptied()

    run(runner, main())


def test_a_handshake_that_hangs(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the time to connect, and with the time for all if that is shorter."""

    async def main() -> None:
        async with FaultServer(hang) as server, sender(SHORT) as one:
            exchange = await sent(one, server.port, "https")
            assert reason(exchange.result) == "timeout: no answer within 0.4 s"
            assert in_time(exchange, SHORT)
            await server.emptied()
        monkeypatch.setattr(sending, "CONNECT_SECONDS", SHORT)
        async with FaultServer(hang) as server, sender(LONG) as one:
            exchange = await sent(one, server.port, "https")
            assert reason(exchange.result) == "connect: no connection within 0.4 s"
            assert in_time(exchange, SHORT)
            await server.emptied()

    run(runner, main())


@pytest.mark.parametrize(
    ("fault", "outcome", "slow"),
    [
        (says(), "timeout: no answer", True),
        (says(OK + b"Content-Length: 5\r\n\r\n"), "status 200", True),
        (says(then=close), "protocol: the connection was closed before an answer", False),
        (says(then=reset), "connect: connection reset by peer", False),
        (repeats(OK + b"\r\n", b"x" * 4096), "status 200", False),
    ],
    ids=["hangs before the head", "hangs after the head", "closes", "resets", "endless body"],
)
def test_a_fault_within_tls(
    fault: Fault, outcome: str, slow: bool, trusting: Authority, runner: asyncio.Runner
) -> None:
    async def main() -> None:
        total = SHORT if slow else LONG
        async with FaultServer(fault, trusting.serving()) as server, sender(total) as one:
            exchange = await sent(one, server.port, "https")
            assert reason(exchange.result).startswith(outcome)
            assert in_time(exchange, total)
            await server.emptied()

    run(runner, main())


def test_http_to_a_port_that_speaks_tls(trusting: Authority, runner: asyncio.Runner) -> None:
    async def main() -> None:
        async with FaultServer(says(EMPTY), trusting.serving()) as server, sender() as one:
            assert reason((await sent(one, server.port)).result).startswith("protocol: ")

    run(runner, main())
