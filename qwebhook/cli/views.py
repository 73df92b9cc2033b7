"""How each kind of object is shown: the columns of its table, its identifier, its fields."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from qwebhook.cli.results import Column, View
from qwebhook.model.delivery import Delivery
from qwebhook.model.errors import NotFound
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import Inbound, Token

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
TOKENS = View(
    columns=[
        Column("ID", lambda token: token.id, spare=True),
        Column("NAME", lambda token: token.name),
        Column("ROLE", lambda token: token.role),
        Column("USER", lambda token: token.user_id),
        Column("CREATED", lambda token: token.created_at, "time", spare=True),
        Column("LAST USED", lambda token: token.last_used_at, "time"),
    ],
    identifier=lambda token: token.id,
    fields=Token.__struct_encode_fields__,
)
INBOUNDS = View(
    columns=[
        Column("ID", lambda inbound: inbound.id, spare=True),
        Column("NAME", lambda inbound: inbound.name),
        Column("SECRETS", lambda inbound: inbound.secrets, "number"),
        Column("CREATED", lambda inbound: inbound.created_at, "time"),
        Column("BY", lambda inbound: inbound.created_by_user_id, spare=True),
    ],
    identifier=lambda inbound: inbound.id,
    fields=Inbound.__struct_encode_fields__,
)
# Of one webhook: without the column that would say the same in each line.
DELIVERIES_OF_WEBHOOK = View(
    columns=[column for column in DELIVERIES.columns if column.title != "WEBHOOK"],
    identifier=DELIVERIES.identifier,
    fields=DELIVERIES.fields,
)


def with_names(deliveries: View, store: Administration) -> View:
    """The view with the names of the webhooks in place of their ids, each looked up once. A deleted one has its id."""

    @cache
    def name(webhook_id: str) -> str:
        try:
            return store.get_webhook(webhook_id).name
        except NotFound:
            return webhook_id

    columns = [
        column._replace(value=lambda delivery: name(delivery.webhook_id)) if column.title == "WEBHOOK" else column
        for column in deliveries.columns
    ]
    return deliveries._replace(columns=columns)


def _shortened(event_types: list[str]) -> str:
    """The first type, and how many more: a table is for finding a webhook, `get` for reading it."""
    if not event_types:
        return ""
    more = len(event_types) - 1
    return event_types[0] + (f" +{more}" if more else "")
