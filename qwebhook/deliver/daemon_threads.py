"""Threads for calls that nobody can end: a name server or a tenant that does not answer holds up its caller alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
IDLE_SECONDS = 30.0


class DaemonThreads(Executor):
    """So many threads, made when they are needed. The end of the process does not wait for them.

    (`ThreadPoolExecutor` would, for as long as the slowest call lasts.)
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        # Threads that wait for a call, and calls that no thread has said to have taken.
        self._free = 0
        self._waiting = 0

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """The future of the call, which waits for a thread while all are busy.

        Raises RuntimeError if the system gives us none at all.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._waiting >= self._free and self._threads < self._limit:
                self._begin_thread()
            self._calls.put((future, partial(function, *arguments, **named)))
            self._waiting += 1
        return future

    def _begin_thread(self) -> None:
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads += 1

    def _work(self) -> None:
        while True:
            with self._lock:
                self._free += 1
            try:
                future, call = self._calls.get(timeout=IDLE_SECONDS)
            except Empty:
                with self._lock:
                    self._free -= 1
                    if not self._waiting:
                        self._threads -= 1
                        return
                continue
            with self._lock:
                self._free -= 1
                self._waiting -= 1
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
