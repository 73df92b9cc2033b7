"""One attempt: an event made into a request for an endpoint, and sent."""

from __future__ import annotations

from qwebhook.deliver.targets import Targets, prepare
from qwebhook.model.delivery import Exchange, Failure, FailureKind
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import RenderFailed


async def attempt(
    targets: Targets, endpoint: Endpoint, key: bytes, event_type: str, body: bytes, now: int, test: bool = False
) -> Exchange:
    """Bring an event to an endpoint and say what came of it: a request that cannot be made is a failure like any other.

    key, event_type, body: the event's. now: milliseconds since the epoch. test: marks the request as a test-fire.
    """
    if endpoint.problem:
        return _unsent(endpoint, body, now, endpoint.problem)
    try:
        request = prepare(endpoint, key, event_type, body, now, test)
    except RenderFailed as error:
        return _unsent(endpoint, body, now, str(error), "template")
    except Exception as error:
        return _unsent(endpoint, body, now, f"the request cannot be made: {error}")
    return await targets.send(endpoint, request)


def _unsent(endpoint: Endpoint, body: bytes, now: int, reason: str, kind: FailureKind = "invalid") -> Exchange:
    return Exchange(endpoint.webhook.url, {}, body, now, 0.0, Failure(kind, reason))
