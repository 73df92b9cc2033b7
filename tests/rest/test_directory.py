"""What a tenant says of users, spaces and apps, however much and however slowly it says it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qwebhook.deliver.names import THREADS, NameFinder
from qwebhook.model.errors import Unavailable
from qwebhook.store.rest.directory import LARGEST, LONGEST, TenantDirectory
from qwebhook.store.rest.remote import Remote
from tests.builders import APP_CREATED, cloud_event_body
from tests.rest.conftest import Connect
from tests.tenant.tenant import Tenant


def test_a_name_is_no_longer_than_can_be_kept_by_the_thousand(tenant: Tenant, remote: Remote) -> None:
    tenant.directory.add_app("a1", "x" * 500_000)
    tenant.directory.add_app("a2", "Sales")
    directory = TenantDirectory(remote)
    assert directory.look_up("app", "a1") == {"name": "x" * LONGEST}
    assert directory.look_up("app", "a2") == {"name": "Sales"}
    assert directory.look_up("app", "a3") == {}


class Dripping:
    """A server that answers as the id asked for says: `head`, `body` and `chunks` drip for ever, a byte at a time."""

    def __init__(self) -> None:
        self.url = ""
        self.dripping = 0
        self.over = threading.Event()


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    kept = Dripping()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kind = self.path.rpartition("/")[2].partition("-")[0]
            if kind == "head":
                self._drip(b"HTTP/1.1 200 OK\r\nX: ")
            elif kind == "body":
                self._drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
            elif kind == "chunks":
                self._drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
            elif kind == "large":
                self._answer(json.dumps({"name": "x" * LARGEST}).encode())
            elif kind == "endless":
                self._flood()
            else:
                self._answer(b'{"name": "Sales"}')

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _drip(self, start: bytes) -> None:
            kept.dripping += 1
            self.close_connection = True
            try:
                self.wfile.write(start)
                while not kept.over.wait(0.02):
                    self.wfile.write(b" ")
            except OSError:
                kept.dripping -= 1

        def _flood(self) -> None:
            self.close_connection = True
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                while not kept.over.is_set():
                    self.wfile.write(b" " * 65536)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    kept.over.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize("kind", ["head", "body", "chunks"])
@pytest.mark.parametrize("asked_before", [False, True])
def test_an_answer_that_drips_is_waited_for_no_longer_than_another(
    connect: Connect, dripping: Dripping, kind: str, asked_before: bool
) -> None:
    directory = TenantDirectory(connect(dripping.url), seconds=0.5)
    if asked_before:  # and so over a connection that is there
        assert directory.look_up("app", "a1") == {"name": "Sales"}
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"did not answer within 0\.5 s"):
        directory.look_up("app", kind)
    assert time.monotonic() - start < 3
    assert directory.look_up("app", "a1") == {"name": "Sales"}


@pytest.mark.parametrize("kind", ["large", "endless"])
def test_an_answer_that_is_too_large_is_not_read(connect: Connect, dripping: Dripping, kind: str) -> None:
    directory = TenantDirectory(connect(dripping.url))
    with pytest.raises(Unavailable, match="answers with more than 1 MiB"):
        directory.look_up("app", kind)
    assert directory.look_up("app", "a1") == {"name": "Sales"}


def test_answers_that_drip_hold_no_thread_for_long(connect: Connect, dripping: Dripping) -> None:
    directory = TenantDirectory(connect(dripping.url), seconds=0.5)

    async def run() -> None:
        finder = NameFinder(directory.look_up)
        body = {"userid": None, "spaceid": None, "toplevelresourceid": None}
        for number in range(THREADS):
            event = cloud_event_body(data={"appId": f"body-{number}"}, **body)
            await finder.of(APP_CREATED, event)
        await finder.of(APP_CREATED, event := cloud_event_body(data={"appId": "a1"}, **body))
        await asyncio.wait(list(finder._asked.values()), timeout=10)
        assert (await finder.of(APP_CREATED, event))["app"] == {"name": "Sales"}
        await finder.close()

    asyncio.run(asyncio.wait_for(run(), 30))
    deadline = time.monotonic() + 10
    while dripping.dripping:
        assert time.monotonic() < deadline, "a connection is still open"
        time.sleep(0.02)
