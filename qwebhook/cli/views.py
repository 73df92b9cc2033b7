"""How each kind of object is shown: the columns of its table, its identifier, its fields."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from qwebhook.cli.results import Column, View
from qwebhook.model.delivery import Delivery
from qwebhook.model.webhook import Webhook

if TYPE_CHECKING:
    from qwebhook.store.contract import Administration

WEBHOOKS = View(
    columns=[
        Column("ID", lambda webhook: webhook.id),
        Column("NAME", lambda webhook: webhook.name),
        Column("STATE", lambda webhook: "enabled" if webhook.enabled else "disabled", "status"),
        Column("LEVEL", lambda webhook: webhook.level, spare=True),
        Column("URL", lambda webhook: webhook.url),
        Column("EVENTS", lambda webhook: _shortened(webhook.event_types), spare=True),
        Column("CREATED", lambda webhook: webhook.created_at, "time", spare=True),
    ],
    identifier=lambda webhook: webhook.id,
    fields=Webhook.__struct_encode_fields__,
)
DELIVERIES = View(
    columns=[
        Column("ID", lambda delivery: delivery.id),
        Column("WEBHOOK", lambda delivery: delivery.webhook_id, spare=True),
        Column("EVENT", lambda delivery: delivery.event_type),
        Column("STATUS", lambda delivery: delivery.status, "status", spare=True),
        Column("STATE", lambda delivery: delivery.qwebhook.state, "status"),
        Column("ATTEMPTS", lambda delivery: delivery.qwebhook.attempts, "number", spare=True),
        Column("TRIGGERED", lambda delivery: delivery.triggered_at, "time"),
        Column("MESSAGE", lambda delivery: delivery.status_message),
    ],
    identifier=lambda delivery: delivery.id,
    fields=Delivery.__struct_encode_fields__,
)
# Of one webhook: without the column that would say the same in each line.
DELIVERIES_OF_WEBHOOK = View(
    columns=[column for column in DELIVERIES.columns if column.title != "WEBHOOK"],
    identifier=DELIVERIES.identifier,
    fields=DELIVERIES.fields,
)


def with_names(deliveries: View, store: Administration) -> View:
    """The view with the names of the webhooks in place of their ids, each looked up once."""

    @cache
    def name(webhook_id: str) -> str:
        return store.get_webhook(webhook_id).name

    columns = [
        column._replace(value=lambda delivery: name(delivery.webhook_id)) if column.title == "WEBHOOK" else column
        for column in deliveries.columns
    ]
    return deliveries._replace(columns=columns)


def _shortened(event_types: list[str]) -> str:
    """The first type, and how many more: a table is for finding a webhook, `get` for reading it."""
    more = len(event_types) - 1
    return event_types[0] + (f" +{more}" if more else "")
