"""Node-RED as a user runs it, on a free loopback port and ended by its own pid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

MODULES = Path(__file__).with_name("node_modules")
# It loads some hundred files; a busy machine takes its time for that.
PATIENCE = 40.0


class NodeRed:
    """Runs a flow file of the folder; in a `with` block it listens, and its flow is started.

    The folder is its home too, so that it has no settings but its own defaults. path: that of the flow.
    """

    def __init__(self, folder: Path, flow: Path, secret: str, path: str = "/qwebhook") -> None:
        shutil.copy(flow, folder)
        self.path = path
        self.lines: list[str] = []
        self._port = 0
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [MODULES / ".bin" / "node-red", "--port", "0", "-D", "uiHost=127.0.0.1", "--no-telemetry", flow.name],
            cwd=folder,
            env={"HOME": str(folder), "PATH": os.environ.get("PATH", os.defpath), "WEBHOOK_SECRET": secret},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        try:
            self._port = int(self.wait_for(r"running at http://127\.0\.0\.1:(\d+)")[1])
            self.wait_for("Started flows")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self.path}"

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line that it prints with the pattern in it."""

        def found() -> re.Match[str] | None:
            return next((match for line in self.lines if (match := re.search(pattern, line))), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or not self._reader.is_alive(), PATIENCE)
            match = found()
        assert match, f"{pattern!r} was not printed:\n" + "\n".join(self.lines[-30:])
        return match

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()
