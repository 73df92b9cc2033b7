"""How a server ends, gently and not, and what the next one on the same store does."""

from __future__ import annotations

import http.client
import itertools
import json
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from qwebhook.deliver.lane import MOST_CONCURRENCY
from qwebhook.model.webhook import Settings
from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import cloud_event_body

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")


def publish(server: Server, *ids: str) -> None:
    for one in ids:
        server.publish(cloud_event_body(id=one))


def ids_at(receiver: Receiver, path: str = "/hook") -> list[str]:
    return [json.loads(request.body)["id"] for request in receiver.at(path)]


def test_sigterm_waits_for_what_is_in_flight(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(delay=1.0))
    webhook = server.create_webhook(url=receiver.url())
    publish(server, "1", "2", "3")
    receiver.wait_for(3)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert server.log[-1] | {"pending": 0, "broken_off": 0, "what": "stopped"} == server.log[-1]
    assert [one.status for one in server.deliveries(webhook)] == ["success"] * 3
    assert len(server.attempts(outcome="delivered")) == 3


def test_after_sigterm_nothing_is_started_and_nothing_is_lost(server: Server, receiver: Receiver) -> None:
    go = threading.Event()
    receiver.answers("/hook", Answer(after=go), Answer())
    server.create_webhook(url=receiver.url(), qwebhook=Settings(ordering="strict"))
    publish(server, "1", "2", "3")
    receiver.wait_for(1)
    server.signal(signal.SIGTERM)
    server.wait_log("stopping")
    go.set()
    assert server.wait() == 0
    assert server.log[-1]["pending"] == server.pending() == 2
    assert ids_at(receiver) == ["1"]
    server.restart()
    receiver.wait_for(3)
    server.wait_log("attempt", 3)
    assert ids_at(receiver) == ["1", "2", "3"]
    assert server.pending() == 0


def test_after_the_deadline_what_is_in_flight_is_broken_off_and_sent_at_the_next_start(
    serve: Serve, receiver: Receiver
) -> None:
    server = serve("--drain", "300ms")
    receiver.answers("/hook", Answer(hang=True), Answer())
    server.create_webhook(url=receiver.url())
    publish(server, "1")
    receiver.wait_for(1)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert (server.log[-1]["pending"], server.log[-1]["broken_off"]) == (1, 1)
    server.restart()
    receiver.wait_for(2)
    server.wait_log("attempt", outcome="delivered", attempt=1)


def test_sigint_stops_in_the_same_way_and_says_so_with_its_exit_code(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(delay=0.3))
    server.create_webhook(url=receiver.url())
    publish(server, "1")
    receiver.wait_for(1)
    server.signal(signal.SIGINT)
    assert server.wait() == 130
    assert len(server.attempts(outcome="delivered")) == 1
    assert server.pending() == 0


@pytest.mark.parametrize(("second", "code"), [(signal.SIGTERM, 1), (signal.SIGINT, 130)])
def test_a_second_signal_leaves_at_once(server: Server, receiver: Receiver, second: signal.Signals, code: int) -> None:
    receiver.answers("/hook", Answer(hang=True), Answer())
    server.create_webhook(url=receiver.url())
    publish(server, "1")
    receiver.wait_for(1)
    server.signal(signal.SIGTERM)
    server.wait_log("stopping")
    start = time.monotonic()
    server.signal(second)
    assert server.wait() == code
    assert time.monotonic() - start < 5
    server.restart()
    assert len(receiver.wait_for(2)) == 2
    server.wait_log("attempt", outcome="delivered")


def test_while_it_stops_no_event_gets_a_202_that_is_not_kept(serve: Serve, receiver: Receiver) -> None:
    server = serve()
    receiver.answers("/slow", Answer(delay=1.0))
    server.create_webhook(url=receiver.url("/slow"), event_types=["slow"])
    server.create_webhook(url=receiver.url())
    server.publish(cloud_event_body(id="slow", type="slow"))
    receiver.wait_for(1, "/slow")
    load = Load(server)
    load.wait_for(20)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    accepted = load.stop()
    server.restart()
    until(lambda: server.pending() == 0, "everything is delivered")
    assert set(accepted) <= set(ids_at(receiver))


def test_a_retry_is_taken_up_after_a_restart_and_not_before_its_time(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(503, headers={"Retry-After": "3"}), Answer())
    webhook = server.create_webhook(url=receiver.url())
    publish(server, "1")
    server.wait_log("attempt", outcome="retry")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    server.restart()
    first, second = receiver.wait_for(2)
    assert 3.0 <= second.at - first.at < 6
    server.wait_log("attempt", attempt=2, outcome="delivered")
    (delivery,) = server.deliveries(webhook)
    assert (delivery.status, delivery.qwebhook.attempts) == ("success", 2)


# Killed


class Load:
    """Threads that post events, one after the other, until the server is gone; it knows what got a 202."""

    _numbers = itertools.count()

    def __init__(self, server: Server, threads: int = 4) -> None:
        self._netloc = urlsplit(server.url).netloc
        self._headers = {**server.authorization(), "Content-Type": "application/json"}
        self._accepted: list[str] = []
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._post, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _post(self) -> None:
        connection = http.client.HTTPConnection(self._netloc, timeout=10)
        while not self._ending.is_set():
            one = f"load-{next(self._numbers)}"
            try:
                connection.request("POST", "/events", cloud_event_body(id=one), self._headers)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                break
            if response.status == 202:
                with self._changed:
                    self._accepted.append(one)
                    self._changed.notify_all()
        connection.close()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._accepted) >= count, 20), len(self._accepted)

    def stop(self) -> list[str]:
        """End the threads; the ids of the events that got a 202."""
        self._ending.set()
        for thread in self._threads:
            thread.join(15)
            assert not thread.is_alive()
        return self._accepted


def test_killed_under_load_it_loses_nothing_and_repeats_no_more_than_was_in_flight(
    server: Server, receiver: Receiver
) -> None:
    paths = [f"/hook{number}" for number in range(4)]
    for path in paths:
        receiver.answers(path, Answer(delay=0.01))
        server.create_webhook(name=path, url=receiver.url(path))
    accepted: list[str] = []
    in_flight = 0
    for killed_after in (60, 150, 240):
        load = Load(server)
        load.wait_for(killed_after)
        server.process.kill()
        server.wait()
        accepted += load.stop()
        # What had been sent when the process ended, and what of it is known to be on disk.
        unsettled = len(receiver.received) - len(server.attempts()) - in_flight
        assert 0 <= unsettled <= len(paths) * MOST_CONCURRENCY
        in_flight += unsettled
        with closing(sqlite3.connect(server.path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        server.restart()
    until(lambda: server.pending() == 0, "everything is delivered")
    repeated = 0
    for path in paths:
        counts = Counter(ids_at(receiver, path))
        assert [one for one in accepted if not counts[one]] == []
        repeated += sum(count - 1 for count in counts.values())
    assert repeated <= in_flight
    assert len(accepted) >= 450
    with closing(sqlite3.connect(server.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
