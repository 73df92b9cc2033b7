"""A real HTTP receiver on a free loopback port, that answers as a test has scripted it.

    receiver.answers("/hook", Answer(503, headers={"Retry-After": "1"}), Answer())

The answers of a path are given in order, the last of them for ever; a path without a script answers 200. Every
request that came in whole is kept, in order of arrival.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PATIENCE = 15.0


@dataclass
class Answer:
    """One answer.

    delay: seconds before it. after: it is given when this is set. hang: never answer. raw: bytes to write instead of an
    HTTP response. endless: a body that goes on until the client has enough.
    """

    status: int = 200
    body: bytes = b"thanks"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    after: threading.Event | None = None
    hang: bool = False
    raw: bytes | None = None
    endless: bool = False


@dataclass
class Received:
    """One request. at: seconds since the epoch. headers: names in lower case. header_names: as they were spelt."""

    path: str
    method: str
    headers: dict[str, str]
    header_names: list[str]
    body: bytes
    at: float


class Receiver:
    """The receiver; in a `with` block it listens."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.closed = threading.Event()
        self._changed = threading.Condition()
        self._scripts: dict[str, list[Answer]] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answers(self, path: str, *answers: Answer) -> None:
        """Script a path, from its next request on."""
        with self._changed:
            self._scripts[path] = list(answers)

    def at(self, path: str = "/hook") -> list[Received]:
        """What has come to a path."""
        with self._changed:
            return [one for one in self.received if one.path == path]

    def wait_for(self, count: int, path: str = "/hook", timeout: float = PATIENCE) -> list[Received]:
        """The requests of a path, once there are at least so many."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._at(path)) >= count, timeout)
            found = self._at(path)
        assert came, f"{len(found)} of {count} requests came to {path} within {timeout:g} s"
        return found

    def _at(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]

    def took(self, request: Received) -> Answer:
        """Keep a request; the answer to it."""
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()
            script = self._scripts.get(request.path)
            if not script:
                return Answer()
            return script.pop(0) if len(script) > 1 else script[0]


class _Server(ThreadingHTTPServer):
    receiver: Receiver
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the test's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            return
        pairs = self.headers.items()
        lower = {name.lower(): value for name, value in pairs}
        request = Received(self.path, self.command, lower, [name for name, _ in pairs], body, time.time())
        receiver = self.server.receiver
        answer = receiver.took(request)
        if answer.after is not None:
            answer.after.wait(PATIENCE)
        if answer.hang or answer.delay:
            receiver.closed.wait(PATIENCE * 4 if answer.hang else answer.delay)
        if answer.hang:
            self.close_connection = True
        elif answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
        else:
            self._respond(answer)

    do_GET = do_OPTIONS = do_POST

    def _respond(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.endless:
            self.end_headers()
            self.close_connection = True
            while not self.server.receiver.closed.is_set():
                self.wfile.write(b"x" * 8192)
                self.wfile.flush()
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
