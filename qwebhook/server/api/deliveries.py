"""The operations on deliveries: their history, and sending one by hand."""

from __future__ import annotations

import os
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from qwebhook.deliver import direct
from qwebhook.model import catalogue
from qwebhook.model.delivery import Delivery, Status
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidInput
from qwebhook.model.event import TEST_ID_PREFIX, Event, is_well_formed_type
from qwebhook.model.identifiers import random_id
from qwebhook.model.sample_events import settings_of_owner, trial_event
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.webhook import Webhook
from qwebhook.server.administration import Store
from qwebhook.server.api.lists import AttemptList, DeliveryList, PageParameters, links
from qwebhook.server.api.operation import Answer, Call, NoParameters
from qwebhook.server.api.ownership import check_own_event, is_confined, own_webhook
from qwebhook.store.contract import DeliveryQuery, DeliverySort, Page


class DeliveryParameters(PageParameters, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which deliveries, in which order."""

    event_type: str | None = None
    status: Annotated[Status, Meta(description="Of the latest attempt.")] | None = None
    sort: DeliverySort = "-triggeredAt"


class Firing(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The event of a test-fire: a sample of a type (of the first subscribed one, unless given), with this data if there
    is any; or a whole event. Either is changed by `set` (`PATH=VALUE`, such as `data.name=Sales`); its id begins with
    `test-`.
    """

    event_type: str | None = None
    data: Any = UNSET
    event: dict[str, Any] | None = None
    set: list[str] = []


async def list_deliveries(call: Call[DeliveryParameters, None]) -> Answer:
    def listed(store: Store) -> Page[Delivery]:
        webhook = own_webhook(store, call.token, call.path["id"])
        return store.list_deliveries(_query(call.query, webhook.id, is_confined(call.token)))

    page = await call.backend.store.read(listed)
    return Answer(200, DeliveryList(page.items, links(call, page)))


async def list_all(call: Call[DeliveryParameters, None]) -> Answer:
    page = await call.backend.store.read(lambda store: store.list_deliveries(_query(call.query, None)))
    return Answer(200, DeliveryList(page.items, links(call, page)))


def _query(asked: DeliveryParameters, webhook_id: str | None, own: bool = False) -> DeliveryQuery:
    return DeliveryQuery(
        webhook_id=webhook_id,
        event_type=asked.event_type,
        status=asked.status,
        own=own,
        sort=asked.sort,
        limit=asked.limit,
        cursor=asked.cursor,
    )


async def get(call: Call[NoParameters, None]) -> Answer:
    return Answer(200, await _delivery(call, call.path["deliveryId"]))


async def list_attempts(call: Call[NoParameters, None]) -> Answer:
    def listed(store: Store) -> AttemptList:
        webhook = own_webhook(store, call.token, call.path["id"])
        return AttemptList(store.list_attempts(webhook.id, call.path["deliveryId"], is_confined(call.token)))

    return Answer(200, await call.backend.store.read(listed))


async def resend(call: Call[NoParameters, None]) -> Answer:
    """One attempt, at once; the record is the answer, whatever came of it."""
    backend, webhook_id = call.backend, call.path["id"]
    await _delivery(call, call.path["deliveryId"])
    with backend.by_hand.one(call.token):
        made = await direct.resend(
            backend.writer.run, backend.targets, backend.clock, webhook_id, call.path["deliveryId"]
        )
    return Answer(201, await _delivery(call, made), changed=made)


async def test_fire(call: Call[NoParameters, Firing]) -> Answer:
    """As `resend`, with a new event."""
    backend = call.backend

    def opened(store: Store) -> Endpoint:
        return store.endpoint(own_webhook(store, call.token, call.path["id"]).id)

    endpoint = await backend.store.read(opened)
    if not _is_sample(call.body, endpoint.webhook):
        check_own_event(call.token, endpoint.webhook)
    event = _event(call.body, endpoint.webhook, backend.clock())
    with backend.by_hand.one(call.token):
        made = await direct.test_fire(backend.writer.run, backend.targets, backend.clock, endpoint, event)
    return Answer(201, await _delivery(call, made), changed=made)


def _event_type(firing: Firing, webhook: Webhook) -> str:
    return firing.event_type or next(iter(webhook.event_types), "")


def _is_sample(firing: Firing, webhook: Webhook) -> bool:
    """Whether all of the event is ours: even a type that is not known may be any text."""
    changed = firing.event is not None or firing.data is not UNSET or firing.set
    return not changed and catalogue.event_type(_event_type(firing, webhook)) is not None


def _event(firing: Firing, webhook: Webhook, now: int) -> Event:
    """Raises InvalidInput, EventRejected."""
    event_type = _event_type(firing, webhook)
    if not event_type:
        raise InvalidInput("eventType: is missing, and the webhook subscribes to none")
    if not is_well_formed_type(event_type):
        raise InvalidInput(f"eventType: {event_type[:80]!r} is not a well-formed event type")
    unique = random_id(now, os.urandom(10))
    if firing.event is None:
        settings = [*settings_of_owner(webhook), *firing.set]
        return trial_event(event_type, unique, to_rfc3339(now), firing.data, settings)
    if firing.data is not UNSET or firing.event_type is not None:
        raise InvalidInput("event: is a whole event, and goes with neither data nor eventType")
    if not {"specversion", "eventType"} & firing.event.keys():
        raise InvalidInput("event: has neither specversion nor eventType", "give what it holds as `data`")
    given = firing.event.get("id", firing.event.get("eventId"))
    if isinstance(given, str) and given.startswith(TEST_ID_PREFIX):
        unique = given.removeprefix(TEST_ID_PREFIX)
    return trial_event(event_type, unique, to_rfc3339(now), firing.event, firing.set)


async def _delivery(call: Call[Any, Any], delivery_id: str) -> Delivery:
    def got(store: Store) -> Delivery:
        webhook = own_webhook(store, call.token, call.path["id"])
        return store.get_delivery(webhook.id, delivery_id, is_confined(call.token))

    return await call.backend.store.read(got)
