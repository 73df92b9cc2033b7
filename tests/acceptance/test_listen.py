"""`listen`: a tenant's events on the terminal and at a local address, without a store."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qwebhook.model.signature import verify_qlik, verify_standard
from tests.acceptance.processes import PATIENCE, Home
from tests.acceptance.receiver import Answer, Receiver, free_port
from tests.acceptance.test_sources import configure
from tests.builders import APP_CREATED, APP_DELETED
from tests.tenant import Tenant
from tests.tenant.faults import html, status

AUDITS = "*/audits*"


class Listener:
    """A `qwebhook listen`, whose output is read as it comes."""

    def __init__(self, home: Home, *options: object, ready: bool = True) -> None:
        self.process = subprocess.Popen(
            home.command("listen", "--context", "prod", *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=home.environ,
            cwd=home.folder,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        if ready:
            self.wait_for(lambda: any("ready: " in line for line in self.err), "ready")

    def _read(self, stream: object, lines: list[str]) -> None:
        for raw in stream:  # type: ignore[attr-defined]
            with self._changed:
                lines.append(raw.decode().rstrip("\n"))
                self._changed.notify_all()

    def wait_for(self, ready: Callable[[], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(ready, PATIENCE), f"no {what}: {self.out} {self.err}"

    def lines(self, count: int) -> list[str]:
        self.wait_for(lambda: len(self.out) >= count, f"{count} lines")
        return self.out

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stdout is not None and self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


Listen = Callable[..., Listener]


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def listen(home: Home, tenant: Tenant) -> Iterator[Listen]:
    configure(home, prod=(tenant.url, tenant.key))
    started: list[Listener] = []

    def start(*options: object, ready: bool = True) -> Listener:
        listener = Listener(home, *options, ready=ready)
        started.append(listener)
        return listener

    yield start
    for listener in started:
        listener.close()


def secret_file(home: Home) -> Path:
    return home.folder / "listen-secret"


def test_an_event_is_printed_in_one_line_and_forwarded_signed(
    listen: Listen, home: Home, tenant: Tenant, receiver: Receiver
) -> None:
    tenant.audits.add(event_id="before", at=datetime.now(UTC) - timedelta(seconds=10))
    listener = listen("--forward-to", receiver.url("/hook"))
    event = tenant.audits.add(data={"id": "a1"})
    (request,) = receiver.wait_for(1)
    (line,) = listener.lines(1)
    assert line.startswith(f"{event.item()['eventTime']}  {APP_CREATED}  {event.event_id}  status 200 in ")
    assert json.loads(request.body) == event.pushed("legacy")
    secret = secret_file(home).read_text().strip()
    assert verify_qlik([secret], request.body, request.headers["qlik-signature"])
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    assert not verify_standard([secret], *(request.headers[name] for name in names), request.body, time.time())
    assert listener.end() == 130
    assert len(listener.out) == 1
    assert secret not in "\n".join(listener.err)
    assert not any("Traceback" in line for line in listener.err)


def test_the_secret_stays_and_is_the_owner_s(listen: Listen, home: Home, tenant: Tenant, receiver: Receiver) -> None:
    listen("--forward-to", receiver.url("/hook")).end()
    first = secret_file(home).read_text()
    assert stat.S_IMODE(secret_file(home).stat().st_mode) == 0o600
    listen("--forward-to", receiver.url("/hook")).end()
    assert secret_file(home).read_text() == first


def test_a_secret_of_one_s_own(listen: Listen, home: Home, tenant: Tenant, receiver: Receiver) -> None:
    secret = "a-secret-of-more-than-thirty-two-characters"
    home.environ["HOOK_SECRET"] = secret
    listen("--forward-to", receiver.url("/hook"), "--secret", "env:HOOK_SECRET")
    tenant.audits.add()
    (request,) = receiver.wait_for(1)
    assert verify_qlik([secret], request.body, request.headers["qlik-signature"])
    assert not secret_file(home).exists()


def test_only_what_is_asked_for(listen: Listen, tenant: Tenant, receiver: Receiver) -> None:
    listener = listen("--forward-to", receiver.url("/hook"), "--event", "com.qlik.app.deleted", "--event", "com.acme.x")
    for kind in (APP_CREATED, APP_DELETED, "com.acme.x", "com.acme.y"):
        tenant.audits.add(kind)
    receiver.wait_for(2)
    assert [line.split()[1] for line in listener.lines(2)] == [APP_DELETED, "com.acme.x"]


def test_as_json_and_as_the_events_themselves(listen: Listen, tenant: Tenant, receiver: Receiver) -> None:
    # It says nothing when it is ready; as long as it is alone, every question is its own.
    ids = listen("-q", ready=False)
    tenant.log.wait_for(2, "GET", AUDITS, answered=True)
    as_json = listen("-o", "json", "--forward-to", receiver.url("/hook"), "--cloud-events")
    printed = listen("--print")
    event = tenant.audits.add(data={"id": "a\nb"})
    heard = json.loads(as_json.lines(1)[0])
    assert (heard["type"], heard["id"], heard["forwarded"]["ok"]) == (APP_CREATED, event.event_id, True)
    assert heard["event"]["specversion"] == "1.0"
    assert json.loads(printed.lines(1)[0]) == event.pushed("legacy")
    assert ids.lines(1) == [event.event_id]
    assert ids.err == []


def test_a_receiver_that_fails_is_told_of(listen: Listen, tenant: Tenant, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(500), Answer(200))
    listener = listen("--forward-to", receiver.url("/hook"))
    tenant.audits.add()
    assert "status 500" in listener.lines(1)[0]
    tenant.audits.add()
    assert "status 200" in listener.lines(2)[1]
    gone = listen("--forward-to", f"http://localhost:{free_port()}/")
    tenant.audits.add()
    assert "connection" in gone.lines(1)[0]


def test_it_reconnects_by_itself(listen: Listen, tenant: Tenant) -> None:
    listener = listen()
    tenant.stop()
    listener.wait_for(lambda: any("tried again" in line for line in listener.err), "warning")
    missed = [tenant.audits.add().event_id for _ in range(2)]
    tenant.start()
    listener.wait_for(lambda: any("reconnected" in line for line in listener.err), "reconnection")
    tenant.faults.inject(html(), path=AUDITS, times=2)
    listener.wait_for(lambda: sum("reconnected" in line for line in listener.err) == 2, "reconnection")
    missed.append(tenant.audits.add().event_id)
    assert [line.split()[2] for line in listener.lines(3)] == missed
    assert sum("tried again" in line for line in listener.err) == 2


def test_a_key_that_expires_ends_it(listen: Listen, tenant: Tenant) -> None:
    listener = listen()
    tenant.access.expire(tenant.key)
    assert listener.wait() == 4
    assert "prod" in listener.err[-1]
    assert tenant.key not in "\n".join(listener.err)


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [("expired", 4, "credentials"), ("html", 6, "web page"), ("stopped", 6, "cannot be reached"), ("none", 5, "audit")],
)
def test_it_is_not_ready_before_it_has_worked(
    listen: Listen, tenant: Tenant, trouble: str, code: int, words: str
) -> None:
    if trouble == "expired":
        tenant.access.expire(tenant.key)
    elif trouble == "html":
        tenant.faults.inject(html(), path=AUDITS, times=None)
    elif trouble == "none":
        tenant.faults.inject(status(404), path=AUDITS, times=None)
    else:
        tenant.stop()
    listener = listen(ready=False)
    assert listener.wait() == code, listener.err
    assert words in listener.err[-1]
    assert not any("ready: " in line for line in listener.err)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--forward-to", "localhost:3000"], "--forward-to"),
        (["--forward-to", "mailto:a@example.com"], "--forward-to"),
        (["--event", "two words"], "well-formed"),
        (["--secret", "short"], "characters"),
        (["-o", "csv"], "-o csv"),
        (["--print", "-o", "json"], "-o json"),
    ],
)
def test_what_cannot_be_used_is_refused(listen: Listen, options: list[str], words: str) -> None:
    listener = listen(*options, ready=False)
    assert listener.wait() == 2
    (line,) = listener.err
    assert words in line


def test_a_file_has_no_audit_log(home: Home) -> None:
    done = home.run("listen", "--store", home.folder / "a.db")
    assert done.returncode == 2
    assert "--context" in done.stderr


@pytest.mark.skipif(not shutil.which("head"), reason="needs head")
def test_who_has_enough_of_the_output_ends_it(home: Home, tenant: Tenant) -> None:
    configure(home, prod=(tenant.url, tenant.key))
    head = subprocess.Popen(["head", "-n", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    command = home.command("listen", "--context", "prod", "--print")
    listening = subprocess.Popen(command, stdout=head.stdin, env=home.environ, cwd=home.folder)
    assert head.stdin is not None and head.stdout is not None
    head.stdin.close()
    try:
        tenant.log.wait_for(2, "GET", AUDITS, answered=True)
        tenant.audits.add()
        assert json.loads(head.stdout.read())
        head.stdout.close()
        tenant.audits.add()
        assert listening.wait(PATIENCE) == 0
    finally:
        listening.kill()
        listening.wait()
        head.kill()
        head.wait()
