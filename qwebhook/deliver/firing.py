"""Test-fires: sending sample events straight to webhooks, and summing up what came of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from qwebhook.deliver.attempt import prepared_or_failed
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.targets import Targets
from qwebhook.model.delivery import Exchange, Reply, Settled, reason
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.event import Event

if TYPE_CHECKING:
    from qwebhook.render.message import Names

IN_FLIGHT = 64
SHOWN_BYTES = 2048


class FiredResponse(msgspec.Struct, rename="camel"):
    """The response of a shot; `body` is its start."""

    status_code: int
    headers: dict[str, str]
    body: str


class Shot(msgspec.Struct, rename="camel", kw_only=True):
    """One test event and what came of it. Times are milliseconds."""

    webhook_id: str
    name: str
    url: str
    event_type: str
    event_id: str
    ok: bool
    reason: str
    first_byte: float | None
    duration: float
    response: FiredResponse | None


class Percentiles(msgspec.Struct):
    """Of durations, in milliseconds."""

    minimum: float
    p50: float
    p90: float
    p99: float
    maximum: float


class Volley(msgspec.Struct, rename="camel", kw_only=True):
    """Several shots at one webhook. rate: shots a second. reasons: how often each came. Times are milliseconds."""

    webhook_id: str
    name: str
    url: str
    count: int
    failed: int
    rate: float
    first_byte: Percentiles | None
    duration: Percentiles
    reasons: dict[str, int]


class FiringPlan(msgspec.Struct):
    """What to fire. events: gives a new event for an endpoint. rate: shots a second, None: one after the other.

    expect: the status that counts as success, None: any 2xx. headers: to send along. names: finds them for the ids in
    an event, in its own time; None: they stay ids.
    """

    events: Callable[[Endpoint], Event]
    clock: Callable[[], int]
    count: int = 1
    rate: float | None = None
    expect: int | None = None
    headers: dict[str, str] = {}
    names: Callable[[Event], Names] | None = None


async def fire(targets: Targets, endpoints: Sequence[Endpoint], plan: FiringPlan) -> list[list[Shot]]:
    """Fire at every endpoint, side by side; the shots of each, in the order they were started."""
    return list(await asyncio.gather(*(_fire_at(targets, endpoint, plan) for endpoint in endpoints)))


async def _fire_at(targets: Targets, endpoint: Endpoint, plan: FiringPlan) -> list[Shot]:
    if plan.rate is None:
        return [await _shoot(targets, endpoint, plan) for _ in range(plan.count)]
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def shoot_in_slot() -> Shot:
        try:
            return await _shoot(targets, endpoint, plan)
        finally:
            slots.release()

    start = loop.time()
    shots: list[asyncio.Task[Shot]] = []
    for number in range(plan.count):
        await asyncio.sleep(max(start + number / plan.rate - loop.time(), 0))
        await slots.acquire()
        shots.append(asyncio.create_task(shoot_in_slot()))
    return list(await asyncio.gather(*shots))


async def _shoot(targets: Targets, endpoint: Endpoint, plan: FiringPlan) -> Shot:
    event = plan.events(endpoint)
    names = await asyncio.to_thread(plan.names, event) if plan.names is not None and endpoint.renders else None
    made = prepared_or_failed(endpoint, event.key, event.type, event.body, plan.clock(), True, names)
    if isinstance(made, PreparedRequest):
        made.headers.update(plan.headers)
        made = await targets.send(endpoint, made)
    return _judged(endpoint, event, made, plan.expect)


def _judged(endpoint: Endpoint, event: Event, exchange: Exchange, expect: int | None) -> Shot:
    result = exchange.result
    response = None
    if isinstance(result, Reply):
        body = result.body[:SHOWN_BYTES].decode("utf-8", "replace")
        response = FiredResponse(result.status, dict(result.headers), body)
    elif isinstance(result, Settled) and result.code is not None:
        response = FiredResponse(result.code, {}, result.output[:SHOWN_BYTES])
    made = shot(endpoint, event, reason(result), response, exchange.first_byte, exchange.duration, expect)
    if isinstance(result, Settled) and expect is None:
        made.ok = result.verdict == "done"
    return made


def shot(
    endpoint: Endpoint,
    event: Event,
    why: str,
    response: FiredResponse | None,
    first_byte: float | None,
    duration: float,
    expect: int | None,
) -> Shot:
    """The shot that ended so. why: as on record. expect: the status that counts as success, None: any 2xx."""
    ok = False
    if response is not None:
        ok = response.status_code == expect if expect is not None else 200 <= response.status_code < 300
        if not ok and expect is not None:
            why += f", {expect} was expected"
    return Shot(
        webhook_id=endpoint.webhook.id,
        name=endpoint.webhook.name,
        url=endpoint.webhook.url,
        event_type=event.type,
        event_id=event.id,
        ok=ok,
        reason=why,
        first_byte=_tenths(first_byte) if first_byte is not None else None,
        duration=_tenths(duration),
        response=response,
    )


def summed_up(shots: Sequence[Shot], seconds: float) -> Volley:
    """The figures of the shots at one webhook, which took so many seconds in all."""
    first_bytes = [shot.first_byte for shot in shots if shot.first_byte is not None]
    reasons: dict[str, int] = {}
    for shot in shots:
        reasons[shot.reason] = reasons.get(shot.reason, 0) + 1
    return Volley(
        webhook_id=shots[0].webhook_id,
        name=shots[0].name,
        url=shots[0].url,
        count=len(shots),
        failed=sum(not shot.ok for shot in shots),
        rate=round(len(shots) / seconds, 1) if seconds > 0 else 0.0,
        first_byte=percentiles(first_bytes) if first_bytes else None,
        duration=percentiles([shot.duration for shot in shots]),
        reasons=dict(sorted(reasons.items(), key=lambda entry: -entry[1])),
    )


def percentiles(values: Sequence[float]) -> Percentiles:
    """By nearest rank: each is a value that occurred."""
    ordered = sorted(values)

    def rank(share: float) -> float:
        return ordered[max(math.ceil(share * len(ordered)), 1) - 1]

    return Percentiles(ordered[0], rank(0.5), rank(0.9), rank(0.99), ordered[-1])


def _tenths(milliseconds: float) -> float:
    return round(milliseconds, 1)
