"""The server that is killed, and the commands beside it: processes of their own, ended by their own pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from soak.clock import Clock

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 60.0
LISTENING = '"what":"listening"'


class Home:
    """A folder with a clock and a store, and the environment of what runs on it. store: its folder, if another."""

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        self.folder = folder
        self.store = (store or folder) / "store.db"
        self.clock = Clock(folder / "clock")
        self.environ = {
            "HOME": str(folder),
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            "QWEBHOOK_STORE": str(self.store),
        }

    def arguments(self, words: Sequence[str]) -> list[str]:
        """The command line of a command, with the home's clock."""
        return [sys.executable, "-m", "soak.clock", str(self.clock.path), *words]

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command to its end: the exit code, what it printed, and what it said about it."""
        process = await asyncio.create_subprocess_exec(
            *self.arguments(words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environ,
            cwd=self.folder,
        )
        try:
            out, error = await asyncio.wait_for(process.communicate(), PATIENCE)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        assert process.returncode is not None
        return process.returncode, out.decode().strip(), error.decode().strip()


class Server:
    """`qwebhook serve` on the home's store, started as often as it is ended.

    up: set while it listens. said: its log, by what each line is of. lines: the latest ones but for attempts.
    """

    def __init__(self, home: Home, *options: str) -> None:
        self._home = home
        self._options = options
        self.up = asyncio.Event()
        self.url = ""
        self.said: Counter[str] = Counter()
        self.lines: deque[str] = deque(maxlen=40)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def spawn(self) -> None:
        """Start it; see `listening` for when it has."""
        words = ("serve", "--port", "0", "--allow-network", "loopback", "--log-format", "json", *self._options)
        self._process = await asyncio.create_subprocess_exec(
            *self._home.arguments(words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
            env=self._home.environ,
            cwd=self._home.folder,
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for raw in process.stderr:
            line = raw.decode().rstrip("\n")
            what = re.search(r'"what":"([^"]*)"', line)
            self.said[what[1] if what else "without form"] += 1
            if what and what[1] == "attempt":
                continue
            self.lines.append(line)
            if LISTENING in line:
                self.url = json.loads(line)["url"]
                self.up.set()

    async def listening(self) -> None:
        """Until it listens. Raises RuntimeError with its last words if it ends instead, or takes too long."""
        assert self._reading is not None
        waiting = asyncio.create_task(self.up.wait())
        await asyncio.wait({waiting, self._reading}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self.up.is_set():
            raise RuntimeError("the server does not start by itself:\n" + "\n".join(self.lines))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended without having been told to."""
        return self._process is None or self._process.returncode is not None

    async def end(self, how: signal.Signals | None = None) -> int:
        """End it by a signal, or at once, and wait until it has ended; its exit code."""
        assert self._process is not None
        assert self._reading is not None
        self.up.clear()
        # Not by the process object: that looks first whether it has ended, and takes the exit code from asyncio's own
        # waiting then.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, how or signal.SIGKILL)
        try:
            code = await asyncio.wait_for(self._process.wait(), PATIENCE)
        except TimeoutError:
            self._process.kill()
            code = await self._process.wait()
        await self._reading
        return code

    def resident(self) -> int:
        """Bytes of memory that it has now; 0 where that cannot be told."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) << 10 if found else 0


def stop(pid: int) -> None:
    """Stop a process where it is, as a power loss does; until every thread of it stands still."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + PATIENCE
    while any(_state(task) not in "Tt" for task in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {pid} does not stop")
        time.sleep(0.001)  # nothing tells of it but the parent's wait, which the event loop has


def _state(task: Path) -> str:
    return (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
