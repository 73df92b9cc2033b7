"""The HTTP server itself: what uvicorn's own would not do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from qwebhook.server import http_server
from qwebhook.server.application import Application
from qwebhook.server.http_server import HttpServer
from tests.acceptance.test_operating import certificate
from tests.server.test_slow_clients import echo


def test_a_tls_handshake_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HANDSHAKE_SECONDS", 0.1)
    pem = certificate(tmp_path)

    async def main() -> None:
        server = HttpServer(cast("Application", echo), certificate=pem, key=pem, behind_proxy=False, drain=1)
        server.config.load()
        listening = server.config.bind_socket()
        running = asyncio.create_task(server.serve([listening]))
        await server.listening.wait()
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
        finally:
            server.should_exit = True
            await running

    asyncio.run(main())
