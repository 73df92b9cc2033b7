"""Claims for tests: `claim(3)` is the third delivery to webhook 1, due and triggered at NOW."""

from __future__ import annotations

from typing import Any

from qwebhook.store.contract import Claim
from tests.builders import APP_CREATED, cloud_event_body, event

NOW = 1_795_536_000_000


def claim(sequence: int = 1, **fields: Any) -> Claim:
    given: dict[str, Any] = {
        "webhook": 1,
        "due": NOW,
        "sequence": sequence,
        "attempt": 1,
        "event": sequence,
        "type": APP_CREATED,
        "key": event(id=str(sequence)).key,
        "body": cloud_event_body(id=str(sequence)),
        "triggered_at": NOW,
    }
    return Claim(**(given | fields))
