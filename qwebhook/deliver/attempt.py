"""One attempt: an event made into a request for an endpoint, and sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.targets import Targets, prepare
from qwebhook.model.delivery import Exchange, Failure, FailureKind
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import RenderFailed
from qwebhook.model.trace import Trace
from qwebhook.store.contract import Claim

if TYPE_CHECKING:
    from qwebhook.render.message import Names


async def attempt(
    targets: Targets,
    endpoint: Endpoint,
    key: bytes,
    event_type: str,
    body: bytes,
    now: int,
    test: bool = False,
    trace: Trace | None = None,
) -> Exchange:
    """Bring an event to an endpoint and say what came of it: a request that cannot be made is a failure like any other.

    key, event_type, body: the event's. now: milliseconds since the epoch. test: marks the request as a test-fire.
    trace: that of the request which brought the event.
    """
    names = await targets.names(event_type, body) if endpoint.renders else None
    prepared = prepared_or_failed(endpoint, key, event_type, body, now, test, names, trace)
    return prepared if isinstance(prepared, Exchange) else await targets.send(endpoint, prepared)


async def attempt_together(targets: Targets, endpoint: Endpoint, claims: Sequence[Claim], now: int) -> list[Exchange]:
    """What came of each of several deliveries to a spreadsheet, made in one go. now: milliseconds since the epoch."""
    names = await asyncio.gather(*(targets.names(claim.type, claim.body) for claim in claims))
    prepared = []
    for claim, known in zip(claims, names, strict=True):
        prepared.append(prepared_or_failed(endpoint, claim.key, claim.type, claim.body, now, False, known))
        await asyncio.sleep(0)  # thousands may wait, and other webhooks have their turn meanwhile
    sent = iter(await targets.write(endpoint, [one for one in prepared if isinstance(one, PreparedRequest)]))
    return [one if isinstance(one, Exchange) else next(sent) for one in prepared]


def prepared_or_failed(
    endpoint: Endpoint,
    key: bytes,
    event_type: str,
    body: bytes,
    now: int,
    test: bool,
    names: Names | None,
    trace: Trace | None = None,
) -> PreparedRequest | Exchange:
    """What is to be sent, or what came of it if it cannot be made. The arguments are those of `prepare`."""
    if endpoint.problem:
        return _unsent(endpoint, body, now, endpoint.problem)
    try:
        return prepare(endpoint, key, event_type, body, now, test, names, trace)
    except RenderFailed as error:
        return _unsent(endpoint, body, now, str(error), "template")
    except Exception as error:
        return _unsent(endpoint, body, now, f"the request cannot be made: {error}")


def _unsent(endpoint: Endpoint, body: bytes, now: int, reason: str, kind: FailureKind = "invalid") -> Exchange:
    return Exchange(endpoint.webhook.url, {}, body, now, 0.0, Failure(kind, reason))
