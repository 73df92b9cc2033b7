"""Whether events can be accepted and delivered now. A failing endpoint does not matter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.errors import QwebhookError
from qwebhook.server.shedding import Shedding
from qwebhook.server.systemd import STALLED

if TYPE_CHECKING:
    from qwebhook.server.sources import Sources

READY_SECONDS = 2.0
RECHECK_SECONDS = 1.0


class Readiness:
    """Asks the writer, once a second at most. To be used within one event loop."""

    def __init__(self, writer: Writer, worker: Worker, shedding: Shedding, sources: Sources | None = None) -> None:
        self._writer = writer
        self._worker = worker
        self._shedding = shedding
        self._sources = sources
        self._checking: asyncio.Future[None] | None = None
        self._checked = 0.0

    async def trouble(self) -> str:
        """Why not; "" when all is well."""
        now = asyncio.get_running_loop().time()
        if self._checking is None or (self._checking.done() and now - self._checked > RECHECK_SECONDS):
            # One check for all who ask within a second: it writes, and asking needs no token.
            self._checked = now
            self._checking = asyncio.ensure_future(self._writer.run(lambda journal: journal.check_writable()))
        try:
            await asyncio.wait_for(asyncio.shield(self._checking), READY_SECONDS)
        except TimeoutError:
            return STALLED
        except QwebhookError as error:
            return f"the store cannot be written: {error.code}"
        if self._worker.stopping:
            return "the server is stopping"
        deaf = self._sources.deaf() if self._sources is not None else []
        return self._shedding.reason or (f"nothing is heard of {', '.join(deaf)}" if deaf else "")
