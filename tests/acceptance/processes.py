"""The program as a user runs it: processes of their own, in a home of their own, ended by their own pid."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import httpx

from qwebhook.model.delivery import Attempt, Delivery
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import DeliveryQuery, Role
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER, webhook_draft

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 15.0
T = TypeVar("T")


def until(ready: Callable[[], T], what: str, timeout: float = PATIENCE) -> T:
    """The first true answer. For what no event tells of, such as a row in a file; everything else is awaited."""
    deadline = time.monotonic() + timeout
    while True:
        value = ready()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.01)


class Home:
    """A user's home and the environment of what runs in it; nothing of the test's own environment matters there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "HOME": str(folder),
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "qwebhook", *map(str, arguments)]

    def run(
        self, *arguments: object, stdin: bytes = b"", timeout: float = 30, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, and say what came of it."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env=self.environ | dict(environ or {}),
            cwd=self.folder,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


class Server:
    """`qwebhook serve` on one store; its log is read as it is written.

    The store is administered through a connection of the test's own, as another process does it.
    """

    def __init__(self, home: Home, *options: object, store: Path | None = None, loopback: bool = True) -> None:
        self.home = home
        self.path = store or home.folder / "store.db"
        self.options = (*(("--allow-network", "loopback") if loopback else ()), *options)
        self.lines: list[str] = []
        self.log: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._store: SqliteStore | None = None
        self._tokens: dict[Role, str] = {}
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            self.home.command("serve", "--store", self.path, "--port", "0", "--log-format", "json", *self.options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.home.environ,
            cwd=self.home.folder,
        )
        start = len(self.log)
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        self.url = str(self.wait_log("listening", start=start)["url"])
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for raw in process.stderr:
            line = raw.decode().rstrip("\n")
            with self._changed:
                self.lines.append(line)
                if line.startswith("{"):
                    self.log.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_log(self, what: str, count: int = 1, start: int = 0, **fields: Any) -> dict[str, Any]:
        """The `count`-th line of that kind with those fields, once it is written."""
        wanted = {"what": what, **fields}

        def found() -> list[dict[str, Any]]:
            return [entry for entry in self.log[start:] if wanted.items() <= entry.items()]

        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while len(found()) < count and time.monotonic() < deadline and self._reader.is_alive():
                self._changed.wait(0.2)
            entries = found()
        assert len(entries) >= count, f"no {wanted} in the log:\n" + "\n".join(self.lines[-30:])
        return entries[count - 1]

    def attempts(self, **fields: Any) -> list[dict[str, Any]]:
        """The attempts that the log tells of."""
        with self._changed:
            return [entry for entry in self.log if {"what": "attempt", **fields}.items() <= entry.items()]

    # The store

    @property
    def store(self) -> SqliteStore:
        if self._store is None:
            self._store = SqliteStore.open(self.path)
        return self._store

    def create_webhook(self, **fields: Any) -> Webhook:
        return self.store.create_webhook(webhook_draft(**fields), USER)

    def token(self, role: Role = "publisher") -> str:
        """The value of a token of that role, the same one each time."""
        if role not in self._tokens:
            user = USER if role == "user" else None
            self._tokens[role] = self.store.create_token(f"test-{role}", role, user)[1]
        return self._tokens[role]

    def authorization(self, role: Role = "publisher") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role)}"}

    def pending(self) -> int:
        """How many deliveries are pending in the file."""
        with closing(sqlite3.connect(self.path)) as database:
            count: int = database.execute("SELECT count(*) FROM pending").fetchone()[0]
        return count

    def deliveries(self, webhook: Webhook) -> list[Delivery]:
        return self.store.list_deliveries(DeliveryQuery(webhook_id=webhook.id, sort="triggeredAt", limit=100)).items

    def last_attempt(self, webhook: Webhook) -> Attempt:
        """The latest attempt of the webhook's only delivery, once it is on record."""
        delivery = until(lambda: self.deliveries(webhook), "a delivery on record")[0]
        return self.store.list_attempts(webhook.id, delivery.id)[-1]

    # Over HTTP

    def post(self, body: bytes, content_type: str = "application/json", **headers: str) -> httpx.Response:
        """`POST /events` as a publisher."""
        given = {"Content-Type": content_type, **self.authorization(), **headers}
        return self.client.post("/events", content=body, headers=given)

    def publish(self, body: bytes, content_type: str = "application/json", **headers: str) -> list[str]:
        """The ids of events that must be taken."""
        response = self.post(body, content_type, **headers)
        assert response.status_code == 202, response.text
        ids: list[str] = response.json()["ids"]
        return ids

    def metrics(self) -> dict[str, float]:
        """The samples of `/metrics` by their names and labels."""
        response = self.client.get("/metrics", headers=self.authorization("metrics"))
        assert response.status_code == 200, response.text
        lines = [line for line in response.text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    # Its end

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """The exit code, when it has ended and its log is read to the end."""
        code = self.process.wait(timeout)
        self._reader.join(PATIENCE)
        self.client.close()
        return code

    def restart(self) -> None:
        """Start again on the same store, after it has ended."""
        self.wait()
        self._start()

    def close(self) -> None:
        """End it, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        if self._store is not None:
            self._store.close()
