"""A webhook made with `--check-certificate-revocation` sends nothing to a receiver whose certificate was revoked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.x509 import ocsp

from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import APP_CREATED, cloud_event_body
from tests.deliver.faults import FaultServer, hang, says
from tests.deliver.revocations import Authorities

REVOKED = "tls: the certificate was revoked on 2026-01-02 (key compromise)"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
T = TypeVar("T")


def authorities(home: Home, receiver: Receiver, folder: Path) -> Authorities:
    """Trusted by what runs in the home; the receiver answers for them that all is well."""
    made = Authorities(folder, receiver.url(""))
    home.environ["SSL_CERT_FILE"] = str(made.file)
    receiver.answers("/ocsp", Answer(body=made.ocsp()))
    receiver.answers("/crl-authority", Answer(body=made.crl(issuer=made.root)))
    return made


def beside(server: FaultServer, act: Callable[[str], T]) -> T:
    """What is done at the server's URL while it serves. That a request failed is seen from what it received."""

    async def main() -> T:
        async with server:
            done = await asyncio.to_thread(act, f"https://127.0.0.1:{server.port}/hook")
            if server.received == 0:
                await server.emptied()
            return done

    return asyncio.run(main())


def test_a_test_fire(home: Home, receiver: Receiver, tmp_path: Path) -> None:
    made = authorities(home, receiver, tmp_path)

    def fire(url: str) -> tuple[int, str]:
        options = ("--event", APP_CREATED, "--check-certificate-revocation", "-q")
        identifier = home.run("create", "checked", "--url", url, *options).stdout.strip()
        done = home.run("test-fire", identifier, "--allow-network", "loopback", "-o", "json")
        return done.returncode, json.loads(done.stdout)[0]["reason"]

    assert beside(FaultServer(says(OK), made.serving()), fire) == (0, "status 200")
    receiver.answers("/ocsp", Answer(body=made.ocsp(ocsp.OCSPCertStatus.REVOKED)))
    server = FaultServer(hang, made.serving())
    assert beside(server, fire) == (7, REVOKED)
    assert (server.connections, server.received) == (1, 0)


def test_a_server(home: Home, receiver: Receiver, tmp_path: Path, serve: Serve) -> None:
    made = authorities(home, receiver, tmp_path)
    receiver.answers("/ocsp", Answer(body=made.ocsp(ocsp.OCSPCertStatus.REVOKED)))
    running = serve()

    def deliver(url: str) -> None:
        running.create_webhook(name="checked", url=url, event_types=["a.kind"], check_certificate_revocation=True)
        running.create_webhook(name="unchecked", url=url, event_types=["other.kind"])
        running.publish(cloud_event_body(id="1", type="other.kind"))
        assert running.wait_log("attempt", webhook="unchecked")["outcome"] == "delivered"
        assert receiver.at("/ocsp") == []
        running.publish(cloud_event_body(id="2", type="a.kind"))
        attempt = running.wait_log("attempt", webhook="checked")
        assert (attempt["outcome"], attempt["reason"]) == ("retry", REVOKED)

    beside(FaultServer(says(OK), made.serving()), deliver)
    assert len(receiver.at("/ocsp")) == 1
