"""Attempts outside the queue: resends and test-fires, made at once and written down as deliveries of their own.

Nobody waits in the queue because of them, no rate holds them back, and their failures disable nothing.
"""

from __future__ import annotations

from qwebhook.deliver.attempt import attempt
from qwebhook.deliver.targets import Targets
from qwebhook.deliver.writer import Clock, Run
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.event import Event
from qwebhook.store.contract import DirectAttempt


async def resend(run: Run, targets: Targets, clock: Clock, webhook_id: str, delivery_id: str) -> str:
    """Send again what a delivery sent, to the webhook's present URL with its present headers and secret.

    The id of the new delivery, whatever came of it. The event has the `webhook-id` that it always had.
    clock: milliseconds since the epoch. Raises NotFound, also when the event is not kept any longer.
    """
    original = await run(lambda journal: journal.original(webhook_id, delivery_id))
    endpoint = original.endpoint
    exchange = await attempt(
        targets, endpoint, original.key, original.type, original.body, clock(), original.test, original.trace
    )
    made = DirectAttempt(endpoint.row, original.event, original.type, exchange, original.test)
    return await run(lambda journal: journal.record_direct(made))


async def test_fire(run: Run, targets: Targets, clock: Clock, endpoint: Endpoint, event: Event) -> str:
    """Send a test event to an endpoint, whether it is enabled and wants such events or not.

    The id of the delivery, whatever came of it. clock: milliseconds since the epoch.
    """
    exchange = await attempt(targets, endpoint, event.key, event.type, event.body, clock(), test=True)
    made = DirectAttempt(endpoint.row, 0, event.type, exchange, test=True)
    return await run(lambda journal: journal.record_direct(made))
