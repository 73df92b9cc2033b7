"""What an operator sees of a server: its state, its figures, its log, and who else may have the store."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from qwebhook import __version__
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Answer, Receiver, free_port
from tests.acceptance.test_failing import certificate
from tests.builders import APP_CREATED, STANDARD_SECRET, cloud_event, cloud_event_body, compact


def test_health_and_readiness_need_no_token(server: Server) -> None:
    healthy, ready = server.client.get("/healthz"), server.client.get("/readyz")
    assert (healthy.status_code, healthy.json()) == (200, {"status": "alive", "version": __version__})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_a_store_that_is_locked_makes_it_not_ready_and_events_are_refused_until_it_is_free(
    server: Server, receiver: Receiver
) -> None:
    server.create_webhook(url=receiver.url())
    body = cloud_event_body(id="refused")
    server.token()
    with closing(sqlite3.connect(server.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        refused = server.post(body)
        ready = server.client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["status"] == "not ready"
        assert server.client.get("/healthz").status_code == 200
        holder.execute("ROLLBACK")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["errors"][0]["title"]
    assert str(server.path) not in refused.text
    server.wait_log("store failed", level="error")
    assert until(lambda: server.client.get("/readyz").status_code == 200, "it is ready again")
    server.publish(body)
    receiver.wait_for(1)


def test_a_failing_receiver_does_not_make_it_unready(server: Server) -> None:
    server.create_webhook(url=f"http://127.0.0.1:{free_port()}/")
    server.publish(cloud_event_body())
    server.wait_log("attempt", outcome="retry")
    assert server.client.get("/readyz").status_code == 200


def test_metrics_tell_of_events_attempts_and_the_queue(server: Server, receiver: Receiver) -> None:
    receiver.answers("/bad", Answer(500))
    server.create_webhook(name="good", url=receiver.url("/good"))
    server.create_webhook(name="bad", url=receiver.url("/bad"))
    body = cloud_event_body(id="1")
    server.publish(body)
    server.publish(body)
    assert server.post(b"{}").status_code == 400
    server.wait_log("attempt", 2)
    metrics = server.metrics()
    expected = {
        "qwebhook_events_accepted_total": 1,
        "qwebhook_events_duplicate_total": 1,
        "qwebhook_requests_rejected_total": 1,
        "qwebhook_requests_refused_total": 0,
        "qwebhook_store_failures_total": 0,
        'qwebhook_attempts_total{outcome="delivered"}': 1,
        'qwebhook_attempts_total{outcome="retry"}': 1,
        'qwebhook_attempts_total{outcome="dead"}': 0,
        "qwebhook_attempt_seconds_count": 2,
        "qwebhook_delivery_seconds_count": 1,
        "qwebhook_queue_depth": 1,
        "qwebhook_attempts_in_flight": 0,
    }
    assert {name: metrics[name] for name in expected} == expected
    assert 0 <= metrics["qwebhook_oldest_pending_seconds"] < 30


def test_metrics_need_a_token(server: Server) -> None:
    response = server.client.get("/metrics")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["errors"][0]["code"] == "QWH-UNAUTHORISED"


def test_a_second_server_on_the_same_store_leaves_and_names_the_first(server: Server, home: Home) -> None:
    (home.folder / "link.db").symlink_to(server.path)
    for path in (server.path, home.folder / "link.db"):
        second = home.run("serve", "--store", path, "--port", "0")
        assert second.returncode == 6
        assert f"process {server.process.pid} at {server.url}" in second.stderr
        assert len(second.stderr.splitlines()) == 1
    assert server.client.get("/readyz").status_code == 200


def test_a_port_in_use(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = home.run("serve", "--store", home.folder / "store.db", "--port", port)
    assert done.returncode == 6
    assert str(port) in done.stderr
    assert "--port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_network_that_is_none(home: Home) -> None:
    done = home.run("serve", "--store", home.folder / "store.db", "--port", "0", "--allow-network", "everything")
    assert done.returncode == 2
    assert "everything" in done.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [("--retention", "is not a duration"), ("--drain", "is not a duration"), ("--keep-free", "is not a size")],
)
def test_an_option_that_cannot_be_read_is_named(home: Home, option: str, words: str) -> None:
    done = home.run("serve", "--store", home.folder / "store.db", "--port", "0", option, "much")
    assert done.returncode == 2
    assert f"{option} 'much' {words}" in done.stderr


def test_a_store_without_its_key(server: Server, home: Home) -> None:
    server.create_webhook(secret=STANDARD_SECRET)
    server.process.terminate()
    assert server.wait() == 0
    keys = [file for file in home.folder.iterdir() if "key" in file.name]
    assert len(keys) == 1
    keys[0].unlink()
    done = home.run("serve", "--store", server.path, "--port", "0")
    assert done.returncode == 6
    assert "key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written(home: Home) -> None:
    folder = home.folder / "closed"
    folder.mkdir(mode=0o500)
    done = home.run("serve", "--store", folder / "store.db", "--port", "0")
    assert done.returncode == 6


def test_events_put_straight_into_the_store_are_delivered(server: Server, receiver: Receiver, home: Home) -> None:
    server.create_webhook(url=receiver.url())
    bodies = [cloud_event_body(id="1"), cloud_event_body(id="2")]
    done = home.run("publish", "--store", server.path, stdin=b"\n".join(bodies), environ={})
    assert done.returncode == 0, done.stderr
    assert "no server" not in done.stderr
    requests = receiver.wait_for(2)
    assert sorted(request.body for request in requests) == bodies
    server.wait_log("attempt", 2, outcome="delivered")


def test_events_published_through_the_server_are_delivered(server: Server, receiver: Receiver, home: Home) -> None:
    server.create_webhook(url=receiver.url())
    body = cloud_event_body(id="1")
    done = home.run("publish", "--server", server.url, stdin=body, environ={"QWEBHOOK_TOKEN": server.token()})
    assert done.returncode == 0, done.stderr
    assert receiver.wait_for(1)[0].body == body
    refused = home.run("publish", "--server", server.url, stdin=body, environ={"QWEBHOOK_TOKEN": "wrong"})
    assert refused.returncode == 4


def test_what_was_published_without_a_server_is_delivered_when_one_starts(
    home: Home, serve: Serve, receiver: Receiver
) -> None:
    path = home.folder / "store.db"
    made = home.run("create", "hook", "--store", path, "--url", receiver.url(), "--event", APP_CREATED)
    assert made.returncode == 0, made.stderr
    assert "--allow-network" in made.stderr
    published = home.run("publish", "--store", path, stdin=cloud_event_body())
    assert published.returncode == 0
    assert "no server" in published.stderr
    serve(store=path)
    receiver.wait_for(1)


def test_the_log_has_one_json_line_for_each_attempt_and_no_secret(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook?key=in-the-url", Answer(503, headers={"Retry-After": "1"}), Answer())
    server.create_webhook(
        name="logged",
        url=receiver.url("/hook?key=in-the-url"),
        secret=STANDARD_SECRET,
        headers={"X-Plain": "plain-value"},
        encrypted_headers={"X-Hidden": "hidden-value"},
    )
    server.publish(compact(cloud_event(data={"id": "in-the-body"})))
    server.wait_log("attempt", 2)
    server.process.terminate()
    assert server.wait() == 0
    assert [json.loads(line) for line in server.lines] == server.log
    assert all({"time", "level", "what"} <= entry.keys() for entry in server.log)
    first, second = server.attempts()
    assert {key: first[key] for key in ("webhook", "type", "attempt", "outcome", "reason")} == {
        "webhook": "logged",
        "type": APP_CREATED,
        "attempt": 1,
        "outcome": "retry",
        "reason": "status 503",
    }
    assert first["next"] > first["time"]
    assert (second["attempt"], second["outcome"], second["delivery"]) == (2, "delivered", first["delivery"])
    text = "\n".join(server.lines)
    hidden = (STANDARD_SECRET, STANDARD_SECRET[6:], "in-the-url", "plain-value", "hidden-value", "in-the-body")
    assert [one for one in (*hidden, server.token()) if one in text] == []


def test_the_log_as_text(home: Home) -> None:
    process = subprocess.Popen(
        home.command("serve", "--store", home.folder / "store.db", "--port", "0", "--log-format", "text"),
        stderr=subprocess.PIPE,
        env=home.environ,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert " info listening url=http://127.0.0.1:" in line
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_tls_and_ipv6(serve: Serve, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    server = serve("--tls-cert", pem, "--tls-key", pem)
    assert server.url.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(pem))
    with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        headers = {"Content-Type": "application/json", **server.authorization()}
        assert client.post("/events", content=cloud_event_body(), headers=headers).status_code == 202


def test_listening_beyond_the_machine_without_tls_is_warned_of(serve: Serve) -> None:
    server = serve("--host", "0.0.0.0")
    assert any(entry["level"] == "warning" and "TLS" in entry["what"] for entry in server.log)


def test_an_idle_server_uses_hardly_any_time(server: Server) -> None:
    def used() -> float:
        fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    before = used()
    time.sleep(1)  # idleness is what is measured
    assert used() - before < 0.2


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")
def test_systemd_is_told_of_the_server_s_life(serve: Serve, home: Home) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(home.folder / "notify"))
        told.settimeout(20)
        home.environ |= {"NOTIFY_SOCKET": str(home.folder / "notify"), "WATCHDOG_USEC": "200000"}
        server = serve()
        assert told.recv(200) == b"READY=1"
        for _ in range(3):
            assert told.recv(200) == b"WATCHDOG=1\nSTATUS=accepting and delivering"
        server.signal(signal.SIGTERM)
        while told.recv(200) != b"STOPPING=1":
            pass
        assert server.wait() == 0
