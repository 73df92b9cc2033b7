"""Lists in the service's shape: a page of things, and links to its neighbours."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from qwebhook.model.delivery import Attempt, Delivery
from qwebhook.model.errors import InvalidInput
from qwebhook.model.webhook import Webhook
from qwebhook.server.api.operation import Call
from qwebhook.store.contract import MAX_LIMIT, Inbound, Page, Statistics, Token, WebhookStatistics

_CURSORS = ("next", "prev")


class PageParameters(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="How many to show.")] = 20
    next: Annotated[str, Meta(description="The cursor of the page after this, from a `next` link.")] | None = None
    prev: Annotated[str, Meta(description="The cursor of the page before this, from a `prev` link.")] | None = None

    @property
    def cursor(self) -> str | None:
        """Raises InvalidInput."""
        if self.next and self.prev:
            raise InvalidInput("the query parameters next and prev are given both", "give one of them")
        return self.next or self.prev


class Link(msgspec.Struct):
    """href: an absolute address."""

    href: str


class Links(msgspec.Struct, kw_only=True, omit_defaults=True):
    """This page and its neighbours, of which there is none at the ends."""

    here: Link = msgspec.field(name="self")
    next: Link | None = None
    previous: Link | None = msgspec.field(default=None, name="prev")


class WebhookList(msgspec.Struct):
    """A page of webhooks."""

    data: list[Webhook]
    links: Links


class DeliveryList(msgspec.Struct):
    """A page of deliveries."""

    data: list[Delivery]
    links: Links


class StatisticsList(Statistics, kw_only=True, rename="camel"):
    """The figures of the store, and a page of those of its webhooks, in the order they were made."""

    data: list[WebhookStatistics]
    links: Links


class AttemptList(msgspec.Struct):
    """The attempts of a delivery, first to last."""

    data: list[Attempt]


class TokenList(msgspec.Struct):
    """All tokens, by name."""

    data: list[Token]


class InboundList(msgspec.Struct):
    """All inbounds, by name."""

    data: list[Inbound]


def links(call: Call[Any, Any], page: Page[Any]) -> Links:
    """The links of a page: the address asked, with the other query parameters as they were."""
    kept = [(name, text) for name, text in call.given if name not in _CURSORS]

    def link(*cursor: tuple[str, str]) -> Link:
        query = urlencode([*kept, *cursor])
        return Link(f"{call.here}?{query}" if query else call.here)

    return Links(
        here=link(*((name, text) for name, text in call.given if name in _CURSORS)),
        next=link(("next", page.next)) if page.next else None,
        previous=link(("prev", page.previous)) if page.previous else None,
    )
