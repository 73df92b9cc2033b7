"""Before the disk or the queue is full, the server accepts nothing more; and it recovers by itself."""

from __future__ import annotations

import os
import shutil
import threading

import pytest

from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, until
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import cloud_event_body


def test_a_disk_that_fills_up(serve: Serve, home: Home, receiver: Receiver) -> None:
    free = shutil.disk_usage(home.folder).free
    if free < 1 << 30:
        pytest.skip("less than 1 GiB is free, so that others on this disk could decide the test")
    server = serve("--keep-free", free - (200 << 20))
    server.create_webhook(url=receiver.url())
    server.publish(cloud_event_body(id="1"))
    with (home.folder / "filling").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 400 << 20)
    try:
        server.wait_log("accepting nothing")
        refused = server.post(cloud_event_body(id="2"))
        assert refused.status_code == 503
        assert refused.json()["errors"][0]["code"] == "QWH-OVERLOADED"
        assert int(refused.headers["Retry-After"]) > 0
        ready = server.client.get("/readyz")
        assert (ready.status_code, "MiB are to stay free" in ready.text) == (503, True)
    finally:
        (home.folder / "filling").unlink()
    server.wait_log("accepting again")
    server.publish(cloud_event_body(id="2"))
    assert len(receiver.wait_for(2)) == 2


def test_a_queue_that_fills_up(serve: Serve, receiver: Receiver) -> None:
    released = threading.Event()
    receiver.answers("/hook", Answer(after=released))
    server = serve("--max-pending", 3)
    server.create_webhook(url=receiver.url())
    accepted: list[str] = []
    while (answer := server.post(cloud_event_body(id=str(len(accepted))))).status_code == 202:
        accepted += answer.json()["ids"]
        assert len(accepted) < 5000
    assert answer.status_code == 503
    assert server.wait_log("accepting nothing")["reason"].endswith("and 3 may be")
    released.set()
    server.wait_log("accepting again")
    assert len({one.headers["webhook-id"] for one in receiver.wait_for(len(accepted))}) == len(accepted)
    until(lambda: server.pending() == 0, "nothing is pending")
