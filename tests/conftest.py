"""One hypothesis profile for all tests: no time limit for an example, and few enough that a run takes seconds.

An end for those that wait for ever. And Ctrl-C for those who are sent it: what a shell runs in the background ignores
it, as does all that is started there.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# The longest takes half a minute by itself, and a minute and more beside others.
LONGEST_TEST = 180

settings.register_profile("qwebhook", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("qwebhook"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "qwebhook"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of tests with one id, processes that share them would run the last and count one."""
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"several tests have the id {', '.join(twice)}")


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """A test that waits for ever fails instead."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def too_long(*_: object) -> None:
        raise TimeoutError(f"the test took more than {LONGEST_TEST} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST_TEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
