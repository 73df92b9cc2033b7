"""One hypothesis profile for all tests: no time limit for an example, and few enough that a run takes seconds.

And Ctrl-C for those who are sent it: what a shell runs in the background ignores it, as does all that is started there.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

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
