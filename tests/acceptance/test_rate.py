"""A webhook's rate, as its receiver sees it. How it is spaced to the millisecond is tested without real time."""

from __future__ import annotations

import json
from itertools import pairwise

from qwebhook.model.webhook import Settings
from tests.acceptance.processes import Server
from tests.acceptance.receiver import Receiver
from tests.builders import cloud_event_body

RATE = 1200
COUNT = 12


def test_deliveries_come_evenly_and_in_order_and_another_webhook_is_not_held_up(
    server: Server, receiver: Receiver
) -> None:
    # One at a time: on a busy machine, the receiver may see to two that come together the other way round.
    settings = Settings(rate_per_minute=RATE, concurrency=1)
    server.create_webhook(name="limited", url=receiver.url("/limited"), qwebhook=settings)
    server.create_webhook(name="free", url=receiver.url("/free"))
    server.publish(b"[%s]" % b",".join(cloud_event_body(id=str(number)) for number in range(COUNT)))
    limited = receiver.wait_for(COUNT, "/limited")
    assert [json.loads(one.body)["id"] for one in limited] == [str(number) for number in range(COUNT)]
    # A busy machine lets some come late, and then closer together than they were sent.
    assert limited[-1].at - limited[0].at >= (COUNT - 1) * 60 / RATE * 0.6
    assert sum(later.at - earlier.at > 0.02 for earlier, later in pairwise(limited)) >= COUNT // 3
    free = receiver.at("/free")
    assert len(free) == COUNT
    assert free[-1].at < limited[-1].at
