"""The tenant: what it holds, and the server that answers for it on a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from tests.tenant.access import Access
from tests.tenant.application import PREFIXES
from tests.tenant.audits import AuditLog
from tests.tenant.certificate import Certificate, make_certificate
from tests.tenant.clock import Clock
from tests.tenant.deliveries import Deliveries
from tests.tenant.directory import Directory
from tests.tenant.faults import Faults
from tests.tenant.gateway import Connection, Gateway
from tests.tenant.rate import Rate
from tests.tenant.request_log import RequestLog
from tests.tenant.webhooks import Webhooks

PATIENCE = 15.0


class Tenant:
    """A tenant; in a `with` block, or between `start` and `stop`, it answers. See the package for what it can be told.

    port: 0 for a free one, which it keeps. tls: a folder for a certificate of its own, to be reached by HTTPS;
    `ca_file` is then what a client must trust.
    """

    def __init__(self, port: int = 0, tls: Path | None = None) -> None:
        # One lock for everything: the operations run in it, and so does what a test does meanwhile.
        self.lock = threading.RLock()
        self.clock = Clock()
        self.access = Access(self.lock)
        self.webhooks = Webhooks(self.lock, self.clock)
        self.deliveries = Deliveries(self.lock, self.clock, self.webhooks)
        self.audits = AuditLog(self.lock, self.clock)
        self.directory = Directory()
        self.rate = Rate(self.lock)
        self.faults = Faults(self.lock)
        self.log = RequestLog(self.lock)
        self.prefixes = set(PREFIXES)
        self.key = self.access.new_key("admin")
        self.port = port
        self._certificate: Certificate | None = make_certificate(tls) if tls else None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority that signed its certificate."""
        assert self._certificate is not None, "the tenant has no certificate"
        return self._certificate.authority

    def start(self) -> None:
        """Listen; requests are taken from here on."""
        assert self._thread is None, "the tenant is running"
        listening = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.port = listening.getsockname()[1]
        self._server = _Server(self, self._certificate)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True, name="tenant")
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections; those that are open are ended. What the tenant holds stays."""
        assert self._server is not None and self._thread is not None, "the tenant is not running"
        self._server.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the tenant does not stop"
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self.stop()


class _Server(uvicorn.Server):
    """uvicorn, which neither wakes ten times a second nor waits for its clients when it is to stop."""

    def __init__(self, tenant: Tenant, certificate: Certificate | None) -> None:
        self._gateway = Gateway(tenant)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._closing = asyncio.Event()
        config = uvicorn.Config(
            self._gateway,
            http=Connection,
            interface="asgi3",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            # The gateway sets the date, by the tenant's clock.
            date_header=False,
            server_header=False,
            ssl_certfile=certificate.chain if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        super().__init__(config)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running.set()
        await self._closing.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self._gateway.connections.values()):
            connection.abort()
        await asyncio.gather(*self.server_state.tasks)

    def close(self) -> None:
        """From another thread: end what is open, and stop."""
        assert self._running.wait(PATIENCE), "the tenant did not start"
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._closing.set)
