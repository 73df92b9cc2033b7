"""What systemd is told: that the server is ready, stopping, and alive (sd_notify(3)).

Nothing is told, and nothing costs anything, where systemd has not asked for it by `NOTIFY_SOCKET`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

STALLED = "the writer is stalled"


class Systemd:
    """The way to systemd. environ: the process's."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        meant = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        interval = environ.get("WATCHDOG_USEC", "") if meant and address else ""
        # Half of the time after which systemd takes the process for dead, in seconds; 0 for no watchdog.
        self.alive_every = int(interval) / 2_000_000 if interval.isdigit() else 0.0

    def tell(self, *lines: str) -> None:
        """Such as `READY=1`. What cannot be told is not: it must not stop the server."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.settimeout(1.0)
            way.sendto("\n".join(lines).encode(), self._address)

    async def keep_telling(self, trouble: Callable[[], Awaitable[str]]) -> None:
        """Tell that the server is alive, for as long as it is: its loop turns and its writer writes.

        trouble: says what is wrong, "" for nothing. Only a writer that hangs is a reason to start anew.
        """
        while self.alive_every:
            words = await trouble()
            if words != STALLED:
                self.tell("WATCHDOG=1", f"STATUS={words or 'accepting and delivering'}")
            await asyncio.sleep(self.alive_every)
