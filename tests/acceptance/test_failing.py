"""What receivers and networks do wrong, and what the record says of it."""

from __future__ import annotations

import datetime
import ssl
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qwebhook.deliver.receiver_connection import KEPT_LIMIT
from qwebhook.model.delivery import Attempt
from qwebhook.model.errors import InvalidWebhook
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Answer, Receiver, free_port
from tests.builders import cloud_event_body


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def attempt(server: Server, url: str) -> Attempt:
    """How the first attempt at a URL ended."""
    kind = f"failing.{uuid.uuid4().hex}"
    webhook = server.create_webhook(url=url, event_types=[kind])
    server.publish(cloud_event_body(id=kind, type=kind))
    server.wait_log("attempt", type=kind)
    return server.last_attempt(webhook)


def test_16_kib_of_a_long_response_are_kept(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(500, body=b"0123456789abcdef" * 6400))
    response = attempt(server, receiver.url()).response
    assert response is not None
    assert response.body == "0123456789abcdef" * (KEPT_LIMIT // 16)
    assert KEPT_LIMIT == 16 << 10


@pytest.mark.parametrize(("status", "outcome"), [(200, "delivered"), (500, "retrying")])
def test_an_endless_response_is_cut_off_and_its_status_counts(
    server: Server, receiver: Receiver, status: int, outcome: str
) -> None:
    receiver.answers("/hook", Answer(status, endless=True))
    ended = attempt(server, receiver.url())
    assert ended.outcome == outcome
    assert ended.duration < 5000
    assert ended.response is not None
    assert ended.response.body == "x" * KEPT_LIMIT


def test_a_response_that_breaks_off_counts_by_its_status(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"))
    ended = attempt(server, receiver.url())
    assert ended.outcome == "delivered"
    assert ended.response is not None
    assert ended.response.body == "part"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        pytest.param(b"a\0b", "a\ufffdb", id="NUL"),
        pytest.param(b"\xff\xfe text", "\ufffd\ufffd text", id="not UTF-8"),
        pytest.param(bytes(range(128, 256)), "\ufffd" * 128, id="binary"),
        pytest.param("é".encode() * KEPT_LIMIT, "é" * (KEPT_LIMIT // 2), id="long and not ASCII"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_any_bytes_of_a_response_are_recorded_readably(
    server: Server, receiver: Receiver, body: bytes, kept: str
) -> None:
    receiver.answers("/hook", Answer(200, body=body))
    ended = attempt(server, receiver.url())
    assert ended.outcome == "delivered"
    assert ended.response is not None
    assert ended.response.body == kept


def test_odd_response_headers_are_recorded(server: Server, receiver: Receiver) -> None:
    raw = b"HTTP/1.1 202 \xffdd\r\nX-Bytes: caf\xe9 \xff\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Empty:\r\n"
    raw += b"Set-Cookie: a=b\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz"
    receiver.answers("/hook", Answer(raw=raw))
    ended = attempt(server, receiver.url())
    assert ended.outcome == "delivered"
    assert ended.response is not None
    assert ended.response.status_code == 202
    assert ended.response.headers["X-Bytes"] == "caf\xe9 \xff"
    assert ended.response.headers["X-Twice"] == "1, 2"
    assert ended.response.body == "xyz"


def test_cookies_are_not_sent_back(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(200, headers={"Set-Cookie": "session=1; Path=/"}))
    for _ in range(2):
        attempt(server, receiver.url())
    assert len(receiver.received) == 2
    assert all("cookie" not in request.headers for request in receiver.received)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"\x16\x03\x01garbage\r\n\r\n", id="garbage"),
        pytest.param(b"\xff\xfe\xfd\r\n\r\n", id="not UTF-8"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", id="half a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n", id="long header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 1000 + b"\r\n", id="many headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: \xff\xfe\r\n\r\n", id="length is no number"),
    ],
)
def test_an_answer_that_is_no_http_is_a_protocol_failure(server: Server, receiver: Receiver, answer: bytes) -> None:
    receiver.answers("/hook", Answer(raw=answer))
    ended = attempt(server, receiver.url())
    assert ended.outcome == "retrying"
    assert ended.reason.startswith("protocol: ")
    assert ended.reason.isprintable()
    assert len(ended.reason) < 300
    assert ended.response is None


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("127.0.0.1", "127.0.0.1 "),
        ("localhost", "a loopback address"),
        ("[::1]", "::1 "),
        ("0.0.0.0", "0.0.0.0 "),
        ("[::ffff:127.0.0.1]", "::ffff:"),  # the rest is spelt differently by different Pythons
    ],
)
def test_without_leave_no_loopback_address_is_connected_to(
    refusing: Server, receiver: Receiver, host: str, named: str
) -> None:
    ended = attempt(refusing, f"http://{host}:{receiver.port}/hook")
    assert ended.outcome == "retrying"
    assert receiver.received == []
    kind, _, words = ended.reason.partition(": ")
    assert kind == "address refused"
    assert named in words
    assert "--allow-network" in words


@pytest.mark.parametrize("host", ["0x7f000001", "0x7F.1"])
def test_other_spellings_of_an_address_do_not_get_around_that(refusing: Server, receiver: Receiver, host: str) -> None:
    ended = attempt(refusing, f"http://{host}:{receiver.port}/hook")
    assert ended.outcome == "retrying"
    assert receiver.received == []
    assert ended.reason.partition(": ")[0] in ("address refused", "dns")


@pytest.mark.parametrize("host", ["2130706433", "127.1", "017700000001"])
def test_what_never_gets_anywhere_is_refused_at_once(refusing: Server, host: str) -> None:
    with pytest.raises(InvalidWebhook, match=r"write 127\.0\.0\.1"):
        refusing.create_webhook(url=f"http://{host}/hook", event_types=["failing.spelt"])


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may not deliver to loopback addresses."""
    server = Server(Home(tmp_path_factory.mktemp("refusing")), loopback=False)
    yield server
    server.close()


def test_a_cidr_lets_in_no_more_than_it_says(serve: Serve, receiver: Receiver) -> None:
    server = serve("--allow-network", "127.0.0.2/32", loopback=False)
    assert attempt(server, receiver.url()).reason.startswith("address refused: 127.0.0.1 ")


def test_the_environment_can_allow_a_network(home: Home, serve: Serve, receiver: Receiver) -> None:
    home.environ["QWEBHOOK_ALLOW_NETWORK"] = "loopback"
    assert attempt(serve(loopback=False), receiver.url()).outcome == "delivered"


def test_proxies_of_the_environment_are_not_used(home: Home, serve: Serve, receiver: Receiver) -> None:
    home.environ["http_proxy"] = home.environ["HTTP_PROXY"] = f"http://127.0.0.1:{free_port()}"
    assert attempt(serve(), receiver.url()).outcome == "delivered"


def test_a_refused_connection(server: Server) -> None:
    port = free_port()
    assert attempt(server, f"http://127.0.0.1:{port}/").reason == "connect: connection refused"


def test_a_host_that_does_not_resolve(server: Server) -> None:
    ended = attempt(server, "http://x.invalid/")
    assert ended.outcome == "retrying"
    assert ended.reason.startswith("dns: ")


def test_plain_http_where_tls_is_wanted(server: Server, receiver: Receiver) -> None:
    ended = attempt(server, receiver.url().replace("http://", "https://"))
    kind, _, words = ended.reason.partition(": ")
    assert kind == "tls"
    # OpenSSL's words differ from version to version; they are not those of the system's error of the same number.
    assert "not permitted" not in words


def test_a_self_signed_certificate(server: Server, self_signed: int) -> None:
    ended = attempt(server, f"https://127.0.0.1:{self_signed}/")
    assert ended.outcome == "retrying"
    assert ended.reason.startswith("tls: ")
    assert "certificate" in ended.reason


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that turns away is what is wanted."""


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[int]:
    """The port of a TLS server whose certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    server = _Quiet(("127.0.0.1", 0), _Taking)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def certificate(folder: Path) -> Path:
    """A file with a key and its own certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file
