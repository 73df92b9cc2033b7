"""The HTTP server: uvicorn, for one socket, with the signals left to the process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import uvicorn

from qwebhook.server.application import Application
from qwebhook.server.protocol import HttpProtocol

# A connection that is not through its handshake is none yet, and nobody else ends it.
HANDSHAKE_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 75


class HttpServer(uvicorn.Server):
    """certificate, key: for TLS; None for none. behind_proxy: clients are whom the proxy names. drain: seconds for what
    is under way at the end. listening: set when it does.
    """

    def __init__(
        self,
        application: Application,
        *,
        certificate: Path | None,
        key: Path | None,
        behind_proxy: bool,
        drain: float,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=HttpProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=behind_proxy,
                forwarded_allow_ips="*" if behind_proxy else None,
                ssl_certfile=certificate,
                ssl_keyfile=key,
                backlog=2048,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(int(drain), 1),
            )
        )
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the one socket; uvicorn's own leaves a handshake a minute."""
        assert sockets is not None
        protocol = partial(HttpProtocol, config=self.config, server_state=self.server_state, app_state={})
        self.servers = [
            await asyncio.get_running_loop().create_server(
                protocol,
                sock=sockets[0],
                ssl=self.config.ssl,
                backlog=self.config.backlog,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self.config.ssl else None,
            )
        ]
        self.started = True
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are the process's."""
        yield
