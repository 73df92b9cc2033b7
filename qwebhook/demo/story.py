"""What `qwebhook demo` tells: real processes, real HTTP, real signatures, and every command as it was run."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from qwebhook.demo.receiver import SECRET_VARIABLE
from qwebhook.model.errors import QwebhookError, Unavailable
from qwebhook.model.signature import generated_secret

EVENT_TYPES = ("com.qlik.v1.app.created", "com.qlik.v1.app.reload.finished", "com.qlik.v1.user.created")
FLAKY_TYPE = "com.qlik.v1.user.deleted"
PATIENCE = 12.0
STOP_SECONDS = 10.0


class Story:
    """One run of the demo. say: takes a line for the reader."""

    def __init__(self, say: Callable[[str], None], home: Path) -> None:
        self._say = say
        self._home = home
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QWEBHOOK_")},
            "HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "QWEBHOOK_CONFIG": str(home / "config.toml"),
        }

    def tell(self) -> None:
        """Run everything. Raises QwebhookError if something does not go as it should."""
        with contextlib.ExitStack() as stack:
            self._say("A store in a folder of its own, which is removed at the end:")
            self._say('$ cd "$(mktemp -d)"')
            self._export("QWEBHOOK_STORE", "demo.db")
            self._say("A secret, a receiver that checks signatures, and a webhook that points to it:")
            self._export(SECRET_VARIABLE, generated_secret(secrets.token_bytes(32)))
            receiver = stack.enter_context(self._process("python -m qwebhook.demo.receiver --port 0 &"))
            url = receiver.wait_for("listening on ").rpartition(" ")[2]
            events = " ".join(f"--event {name}" for name in EVENT_TYPES)
            self._run(f"qwebhook create announcements --url {url}/hook --secret env:{SECRET_VARIABLE} {events} -q")

            self._say("A server, and a token that may publish to it:")
            self._export("QWEBHOOK_TOKEN", self._run("qwebhook token create demo --role publisher", quiet=True))
            server = stack.enter_context(
                self._process("qwebhook serve --port 0 --allow-network loopback --log-format json &")
            )
            listening = msgspec.json.decode(server.wait_for('"what":"listening"'))
            self._say(f"  listening on {listening['url']}")
            publish = f"qwebhook publish --server {listening['url']}"

            self._say("Three events. Each is on disk before it is answered, then signed and delivered:")
            for name in EVENT_TYPES:
                self._run(f"qwebhook event-types {name} --sample | {publish}")
                self._arrived(receiver, name, "-> 200", "webhook-signature verified, Qlik-Signature verified")

            self._say("A receiver in trouble: it answers 503 twice and asks for patience. The event waits for it:")
            self._run(f"qwebhook create flaky --url {url}/flaky --secret env:{SECRET_VARIABLE} --event {FLAKY_TYPE} -q")
            self._run(f"qwebhook event-types {FLAKY_TYPE} --sample | {publish}")
            for answer in ("-> 503", "-> 503", "-> 200"):
                self._arrived(receiver, FLAKY_TYPE, answer, "verified")
            server.wait_for('"webhook":"flaky"', '"outcome":"delivered"')

            self._say("Everything is on record:")
            self._run("qwebhook deliveries")
            self._say("And any webhook can be tested, with a verdict and an exit code:")
            self._run("qwebhook test-fire announcements --allow-network loopback")
            self._arrived(receiver, EVENT_TYPES[0], "-> 200", "verified")
            self._say("Stopping the server with SIGTERM, and removing the demo's folder.")

    def _export(self, name: str, value: str) -> None:
        self._environment[name] = value
        self._say(f"$ export {name}={value}")

    def _run(self, command: str, quiet: bool = False) -> str:
        """Run a command line as a shell would, `|` included; what it printed."""
        self._say(f"$ {command}")
        output = b""
        for part in command.split(" | "):
            done = subprocess.run(
                _argv(part),
                input=output,
                capture_output=True,
                env=self._environment,
                cwd=self._home,
                timeout=60,
                check=False,
            )
            if done.returncode:
                raise QwebhookError(f"`{part}` ended with {done.returncode}: {done.stderr.decode().strip()}")
            output = done.stdout
        text = output.decode().strip()
        if not quiet:
            for line in text.splitlines():
                self._say(f"  {line}")
        return text

    @contextlib.contextmanager
    def _process(self, command: str) -> Iterator[_Background]:
        self._say(f"$ {command}")
        process = subprocess.Popen(
            _argv(command.removesuffix(" &")),
            env=self._environment,
            cwd=self._home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        background = _Background(process)
        try:
            yield background
        finally:
            background.stop()

    def _arrived(self, receiver: _Background, *wanted: str) -> None:
        self._say(f"  receiver: {receiver.wait_for(*wanted)}")


def _argv(command: str) -> list[str]:
    words = shlex.split(command)
    if words[0] == "qwebhook":
        return [sys.executable, "-m", *words]
    return [sys.executable, *words[1:]]


class _Background:
    """A process whose lines are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_for(self, *wanted: str) -> str:
        """The next line that holds all of the words. Raises Unavailable if none comes."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                line = None
            if line is None:
                seen = " / ".join(self._seen[-3:]) or "nothing"
                raise Unavailable(f"the demo waited for {' and '.join(wanted)!r} in vain; it saw: {seen}")
            self._seen.append(line)
            if all(word in line for word in wanted):
                return line

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(say: Callable[[str], None]) -> None:
    """Tell the story in a folder of its own, which is removed. Raises QwebhookError."""
    with tempfile.TemporaryDirectory(prefix="qwebhook-demo-") as home:
        Story(say, Path(home)).tell()
