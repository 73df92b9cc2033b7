"""What systemd is told, over a real socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwebhook.server.systemd import STALLED, Systemd

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def test_it_is_told_over_its_socket(told: socket.socket) -> None:
    Systemd({"NOTIFY_SOCKET": told.getsockname()}).tell("READY=1", "STATUS=x")
    assert told.recv(100) == b"READY=1\nSTATUS=x"


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        try:
            listening.bind(f"\0qwebhook-test-{os.getpid()}")
        except OSError:
            pytest.skip("there are no abstract sockets here")
        Systemd({"NOTIFY_SOCKET": f"@qwebhook-test-{os.getpid()}"}).tell("READY=1")
        assert listening.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    Systemd({}).tell("READY=1")
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "none")}).tell("READY=1")
    assert Systemd({"WATCHDOG_USEC": "1000000"}).alive_every == 0


@pytest.mark.parametrize(("pid", "every"), [("", 0.5), ("ours", 0.5), ("1", 0.0)])
def test_the_watchdog_may_be_meant_for_another_process(pid: str, every: float) -> None:
    pid = str(os.getpid()) if pid == "ours" else pid
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": pid}
    assert Systemd(environ).alive_every == every


def test_it_is_told_that_we_live_unless_the_writer_hangs(told: socket.socket) -> None:
    troubles = ["", "the disk is full", STALLED, ""]

    async def trouble() -> str:
        if not troubles:
            raise asyncio.CancelledError
        return troubles.pop(0)

    async def run() -> None:
        systemd = Systemd({"NOTIFY_SOCKET": told.getsockname(), "WATCHDOG_USEC": "2000"})
        try:
            await systemd.keep_telling(trouble)
        except asyncio.CancelledError:
            return

    asyncio.run(run())
    told.setblocking(False)
    lines = [told.recv(200).decode() for _ in range(3)]
    assert lines == [
        "WATCHDOG=1\nSTATUS=accepting and delivering",
        "WATCHDOG=1\nSTATUS=the disk is full",
        "WATCHDOG=1\nSTATUS=accepting and delivering",
    ]
    with pytest.raises(BlockingIOError):
        told.recv(200)
