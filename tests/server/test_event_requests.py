"""`POST /events` on the wire: what goes straight to the acceptance, and what goes by ASGI, are answered alike."""

from __future__ import annotations

import http.client
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from qwebhook.model.envelope import MAX_BODY
from tests.acceptance.processes import PATIENCE, Server, until
from tests.builders import cloud_event_body
from tests.server.conftest import Serve


class Wire:
    """One connection, on which bytes are sent and answers read."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.socket = socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), PATIENCE)
        self._file = self.socket.makefile("rb")

    def request(
        self, body: bytes | None = None, *, token: str = "", line: str = "POST /events HTTP/1.1", **more: str
    ) -> bytes:
        body = cloud_event_body(id=uuid.uuid4().hex) if body is None else body
        fields = {
            "Host": "localhost",
            "Authorization": f"Bearer {token or self._server.token()}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        } | {name.replace("_", "-"): value for name, value in more.items()}
        return (
            "\r\n".join([line, *(f"{name}: {value}" for name, value in fields.items() if value), "", ""]).encode()
            + body
        )

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers and the body of the next answer."""
        _, status, _ = self._file.readline().split(b" ", 2)
        headers = http.client.parse_headers(self._file)
        return int(status), {k.lower(): v for k, v in headers.items()}, self._file.read(int(headers["content-length"]))

    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._file.read() == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextmanager
def wired(server: Server) -> Iterator[Wire]:
    wire = Wire(server)
    try:
        yield wire
    finally:
        wire.close()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with wired(server) as one:
        yield one


def test_one_after_the_other_on_one_connection(wire: Wire) -> None:
    for _ in range(3):
        wire.socket.sendall(wire.request())
        status, headers, _ = wire.answer()
        assert (status, headers["content-type"]) == (202, "application/json")
        assert "date" in headers


def test_in_one_packet_and_in_turn_with_others(wire: Wire) -> None:
    """The second and the third come before the first is on disk."""
    other = wire.request(b"", line="GET /healthz HTTP/1.1")
    refused = wire.request(token="nobody's")
    wire.socket.sendall(wire.request() + wire.request() + other + wire.request() + refused + wire.request(b"[]"))
    assert [wire.answer()[0] for _ in range(6)] == [202, 202, 200, 202, 401, 202]


def test_byte_by_byte(wire: Wire) -> None:
    for byte in wire.request():
        wire.socket.sendall(bytes([byte]))
    assert wire.answer()[0] == 202


def test_in_chunks(wire: Wire) -> None:
    body = cloud_event_body(id=uuid.uuid4().hex)
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    head = wire.request(b"", Content_Length="", Transfer_Encoding="chunked")
    wire.socket.sendall(head + chunks + wire.request())
    assert [wire.answer()[0] for _ in range(2)] == [202, 202]


def test_a_chunked_body_is_bounded_too(wire: Wire) -> None:
    head = wire.request(b"", Content_Length="", Transfer_Encoding="chunked")
    wire.socket.sendall(head + b"%x\r\n%b\r\n" % (MAX_BODY + 1, b" " * (MAX_BODY + 1)) + b"0\r\n\r\n" + wire.request())
    assert [wire.answer()[0] for _ in range(2)] == [413, 202]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"token": "nobody's"}, 401),
        ({"Authorization": ""}, 401),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
def test_who_is_refused_is_so_before_the_body_has_come(wire: Wire, given: dict[str, str], status: int) -> None:
    request = wire.request(**given)
    wire.socket.sendall(request[:-5])
    assert wire.answer()[0] == status
    wire.socket.sendall(request[-5:] + wire.request())
    assert wire.answer()[0] == 202


def test_a_body_that_is_announced_too_large_is_refused_unread(wire: Wire) -> None:
    wire.socket.sendall(wire.request(b"", Content_Length=str(MAX_BODY + 1)))
    assert wire.answer()[0] == 413


BAD_CHUNK = "POST /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"


@pytest.mark.parametrize("next_one", [BAD_CHUNK, "no HTTP\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost"])
def test_what_was_brought_is_answered_before_the_fault_of_the_next(wire: Wire, next_one: str) -> None:
    wire.socket.sendall(wire.request() + next_one.encode())
    if next_one.startswith("GET"):
        wire.socket.shutdown(socket.SHUT_WR)
    assert wire.answer()[0] == 202
    assert wire.ended()


def test_a_request_is_answered_once(wire: Wire) -> None:
    """Refused by its head, and then it is wrong besides."""
    head = wire.request(b"", Host="evil.example", Content_Length="", Transfer_Encoding="chunked")
    wire.socket.sendall(head)
    assert wire.answer()[0] == 421
    wire.socket.sendall(b"zz\r\n")
    assert wire.ended()


def test_a_signature_that_nothing_can_check_lets_no_body_in(wire: Wire) -> None:
    wire.socket.sendall(wire.request(Authorization="", webhook_signature="v1,x")[:-5])
    assert wire.answer()[0] == 401


def test_an_origin_that_is_none_is_refused(wire: Wire) -> None:
    wire.socket.sendall(wire.request(Origin="http://[x"))
    assert wire.answer()[0] == 403


def test_who_closes_after_it_is_told_so(wire: Wire) -> None:
    wire.socket.sendall(wire.request(Connection="close"))
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (202, "close")
    assert wire.ended()


def test_http_1_0_and_an_expectation_are_met(server: Server) -> None:
    with wired(server) as wire:
        wire.socket.sendall(wire.request(line="POST /events HTTP/1.0"))
        assert wire.answer()[0] == 202
        assert wire.ended()
    with wired(server) as wire:
        request = wire.request(Expect="100-continue")
        head, _, body = request.partition(b"\r\n\r\n")
        wire.socket.sendall(head + b"\r\n\r\n")
        assert wire.socket.recv(100).startswith(b"HTTP/1.1 100 Continue")
        wire.socket.sendall(body)
        assert wire.answer()[0] == 202


def test_who_leaves_before_the_answer_has_brought_its_event(serve: Serve) -> None:
    server = serve()
    with wired(server) as wire:
        wire.socket.sendall(wire.request())
    until(lambda: server.metrics()["qwebhook_events_accepted_total"] == 1, "it is accepted")


def test_behind_a_proxy_it_is_the_same(serve: Serve) -> None:
    server = serve("--behind-proxy")
    with wired(server) as wire:
        wire.socket.sendall(wire.request() + wire.request(token="nobody's", X_Forwarded_For="192.0.2.7"))
        assert [wire.answer()[0] for _ in range(2)] == [202, 401]
    assert server.wait_log("not let in")["address"] == "192.0.2.7"
