"""One hypothesis profile for all tests: no time limit for an example, and few enough that a run takes seconds."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("qwebhook", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("qwebhook"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "qwebhook"))
