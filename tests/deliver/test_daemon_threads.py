"""Threads that hold nothing up."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from qwebhook.deliver.daemon_threads import DaemonThreads


def test_calls_run_side_by_side_up_to_the_limit() -> None:
    threads = DaemonThreads("test", 3)
    gate, lock, running, most = threading.Event(), threading.Lock(), [0], [0]

    def call(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        assert gate.wait(10)
        with lock:
            running[0] -= 1
        return number

    futures = [threads.submit(call, number) for number in range(10)]
    gate.set()
    assert [future.result(10) for future in futures] == list(range(10))
    assert most[0] <= 3


def test_an_error_is_the_caller_s() -> None:
    with pytest.raises(ZeroDivisionError):
        DaemonThreads("test", 1).submit(lambda: 1 / 0).result(10)


def test_a_call_that_never_ends_does_not_hold_up_the_process() -> None:
    program = (
        "import threading; from qwebhook.deliver.daemon_threads import DaemonThreads\n"
        "begun = threading.Event()\n"
        "DaemonThreads('test', 1).submit(lambda: (begun.set(), threading.Event().wait()))\n"
        "assert begun.wait(10)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=30, check=False).returncode == 0


def test_a_thread_that_cannot_be_had_is_none_of_those_that_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads, done = DaemonThreads("test", 2), []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for _ in range(3):
            with pytest.raises(RuntimeError):
                threads.submit(done.append, "never")
    gate = threading.Event()
    first = threads.submit(gate.wait, 10)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        waits = threads.submit(lambda: "after the first")
    gate.set()
    assert first.result(10)
    assert waits.result(10) == "after the first"
    assert done == []
