"""Follows a page of the documentation as a reader does: its shell blocks in order, in one folder and an empty home.

What a fence says after its language tells what is done with it:

    ```sh               run; must end with 0
    ```sh background    started and left running, until it says that it listens
    ```sh skip          not run
    ```text output      what the block before printed, but for ids, times and ports; a line `…` stands for any lines
    ```text log         lines that a background block prints sooner or later
    ```sh node …        as without the word, but only by tests/node, since it needs Node.js
    ```sh slack …       the same, where something answers as Slack does

The ports that a page names are replaced by free ones.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
SERVE = ROOT / "docs" / "serve.md"
API = ROOT / "docs" / "api.md"
STORES = ROOT / "docs" / "stores.md"
PATIENCE = 15.0
# What a reader looks at again until it is there: such a block changes nothing. (`curl` without -X only reads.)
LOOKING = ("qwebhook deliveries", "qwebhook delivery", "qwebhook get", "curl -sS -H")
needs_a_shell = pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("bash") or not shutil.which("curl"), reason="needs bash and curl"
)

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)
_PORT = re.compile(r"(?<=--port )\d+")
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")
_VARYING = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\d+(\.\d+)? ms"), "<ms>"),
    (re.compile(r'(?<="traceId":")[0-9a-f]{32}'), "<trace>"),
    (re.compile(r"\bmsg_[0-9a-f]{32}\b"), "<message>"),
    (re.compile(r'(?<="webhook-timestamp": ")\d+'), "<seconds>"),
    (re.compile(r'(?<="webhook-signature": ")[^"]+'), "<signature>"),
    (re.compile(r'(?<="Qlik-Signature": ")[0-9a-f]{64}'), "<signature>"),
    (re.compile(r'(?<="Date": ")[^"]+'), "<date>"),
    (re.compile(r"\bPython/[\d.]+"), "Python/<version>"),
    (re.compile(r"\bqwebhook/\d[\w.]*"), "qwebhook/<version>"),
    (re.compile(r"(?m)^date: .*$"), "date: <date>"),
    (re.compile(r'(?<="version":)( ?)"[^"]+"'), r'\1"<version>"'),
    (re.compile(r'(?<="ms":)[\d.]+'), "<ms>"),
    (re.compile(r'(?<="pid":)\d+'), "<pid>"),
    (re.compile(r'(?<="store":")[^"]+'), "<store>"),
]


class Block(NamedTuple):
    """One fenced block. line: where its text begins in the page."""

    language: str
    tag: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2].strip(), found[3], text.count("\n", 0, found.start(3)) + 1)
        for found in _FENCE.finditer(text)
    ]


def block(page: Path, language: str, tag: str = "") -> Block:
    """The one block of its kind."""
    (only,) = (one for one in blocks(page) if (one.language, one.tag) == (language, tag))
    return only


def normalised(text: str) -> str:
    """The text without what differs from run to run, and with single spaces."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def agrees(documented: str, printed: str) -> bool:
    """Whether the page shows what was printed."""
    parts = normalised(documented).split("\n")
    pattern = "\n".join(r"(?s:.*?)" if part == "…" else re.escape(part) for part in parts)
    return re.fullmatch(pattern, normalised(printed)) is not None


class Background:
    """A process that was left running, with all that it prints."""

    def __init__(self, script: str, folder: Path, environ: dict[str, str]) -> None:
        # A session of its own, so that the shell and what it started can be ended together.
        self._process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.printed = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.printed += line

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern, self.printed)
            if found:
                return found
            assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.printed}"
            assert time.monotonic() < deadline, f"{pattern!r} did not come; it printed: {self.printed}"
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.join(PATIENCE)


class Reader:
    """Someone with an empty home who does what a page says. ports: those of the page, and the real ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, str] = {}
        self.running: list[Background] = []
        self.environ = {
            "HOME": str(folder),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._exports = folder / ".exports"

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in reversed(self.running):
            process.stop()

    def follow(self, page: Path, also: str = "") -> None:
        """Do everything that the page says, and compare what it shows. also: the word of blocks that need something."""
        ran: Block | None = None
        printed = ""
        for found in blocks(page):
            one = found._replace(tag=found.tag.removeprefix(also).strip())
            place = f"{page.name}, line {one.line}"
            if one.language == "sh" and one.tag == "background":
                self.start(one.text)
            elif one.language == "sh" and not one.tag:
                ran, printed = one, self.run(one.text, place)
            elif one.language == "text" and one.tag == "output":
                assert ran is not None
                self._compare(one, ran, printed, place)
            elif one.language == "text" and one.tag == "log":
                for line in self.real(one.text).splitlines():
                    self._logged(line, place)

    def run(self, script: str, place: str = "") -> str:
        """What a script prints, stderr included. What it exports stays for the next."""
        keep = f'[ ! -e "{self._exports}" ] || source "{self._exports}"\n'
        done = subprocess.run(
            ["bash", "-c", f'set -euo pipefail\n{keep}{self.real(script)}\nexport -p > "{self._exports}"'],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{place} ended with {done.returncode}: {done.stdout}"
        return done.stdout

    def start(self, script: str) -> None:
        """Leave a script running, and learn the port that it listens at instead of the one it names."""
        if "qwebhook serve" in script and "--port" not in script:
            script = script.replace("qwebhook serve", "qwebhook serve --port 8787")
        documented = _PORT.findall(script)
        process = Background(_PORT.sub("0", script), self.folder, self.environ)
        self.running.append(process)
        actual = process.wait_for(r"(?:listening|running)\b.*http://127\.0\.0\.1:(\d+)")[1]
        self.ports |= dict.fromkeys(documented, actual)

    def real(self, text: str) -> str:
        """The text with the real ports."""
        return _ADDRESS.sub(lambda found: f"127.0.0.1:{self.ports.get(found[1], found[1])}", text)

    def _compare(self, shown: Block, ran: Block, printed: str, place: str) -> None:
        deadline = time.monotonic() + PATIENCE
        looking = all(line.startswith(LOOKING) for line in ran.text.splitlines())
        while looking and not agrees(self.real(shown.text), printed) and time.monotonic() < deadline:
            time.sleep(0.2)
            printed = self.run(ran.text, place)
        assert agrees(self.real(shown.text), printed), f"{place} does not show what was printed:\n{printed}"

    def _logged(self, line: str, place: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not any(normalised(line) in normalised(process.printed) for process in self.running):
            assert time.monotonic() < deadline, f"{place}: {line!r} was not printed"
            time.sleep(0.02)
