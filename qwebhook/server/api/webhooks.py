"""The operations on webhooks, and the list of event types."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
from msgspec import Meta

from qwebhook.model import catalogue
from qwebhook.model.errors import Ambiguous, InvalidPatch, NotFound
from qwebhook.model.patch import PatchOperation
from qwebhook.model.signature import GENERATED_BYTES, generated_secret
from qwebhook.model.webhook import Level, Origin, Webhook, WebhookDraft, WebhookReplacement
from qwebhook.server.administration import Store
from qwebhook.server.api.lists import PageParameters, WebhookList, links
from qwebhook.server.api.operation import Answer, Call, NoParameters
from qwebhook.server.api.ownership import (
    check_patch,
    check_replacement,
    confined,
    is_confined,
    own_webhook,
    owned_draft,
    user_of,
)
from qwebhook.store.contract import MAX_LIMIT, Page, Token, WebhookQuery, WebhookSort

# What the older prefix lets a patch change; the newer one adds /filter, /level, /ownerId and members of the headers.
V1_PATHS = (
    "/name",
    "/description",
    "/url",
    "/eventTypes",
    "/headers",
    "/enabled",
    "/secret",
    "/encryptedHeaders",
    "/enableCloudEventDelivery",
    "/qwebhook",
)
READ_ONLY = frozenset(Webhook.__struct_encode_fields__) - frozenset(WebhookReplacement.__struct_encode_fields__)
DAY_SECONDS = 86_400
YEAR_SECONDS = 365 * DAY_SECONDS


class WebhookParameters(PageParameters, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which webhooks, in which order."""

    name: Annotated[str, Meta(description="A part of the name, without regard to case.")] | None = None
    url: Annotated[str, Meta(description="A part of the URL, without regard to case.")] | None = None
    enabled: bool | None = None
    event_types: Annotated[list[str], Meta(description="All must be subscribed, under any of their names.")] = (
        msgspec.field(default_factory=list)
    )
    level: Level | None = None
    origins: Annotated[list[Origin], Meta(description="Any of them.")] = msgspec.field(default_factory=list)
    owner_id: str | None = None
    created_by_user_id: str | None = None
    updated_by_user_id: str | None = None
    sort: WebhookSort = "-createdAt"


class Reference(msgspec.Struct, forbid_unknown_fields=True):
    """What names one webhook."""

    reference: Annotated[str, Meta(description="An id, else an exact name, else an unambiguous prefix of an id.")]


class EventType(msgspec.Struct):
    """An event type that webhooks can subscribe to, and the levels of webhook that get it."""

    name: str
    title: str
    description: str
    category: str
    levels: list[Level]


class EventTypeList(msgspec.Struct):
    """All event types that are known; any well-formed type can be subscribed to."""

    data: list[EventType]


class Rotation(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A new secret: this one, or one that is generated. Meanwhile the present one signs, too."""

    secret: str | None = None
    grace_seconds: Annotated[int, Meta(ge=0, le=YEAR_SECONDS)] = DAY_SECONDS


class Rotated(msgspec.Struct):
    """The new secret, which is not shown again, and the webhook."""

    secret: str
    webhook: Webhook


class Discarded(msgspec.Struct):
    """How many deliveries were cancelled."""

    discarded: int


async def list_webhooks(call: Call[WebhookParameters, None]) -> Answer:
    asked = call.query
    query = WebhookQuery(
        name=asked.name,
        url=asked.url,
        enabled=asked.enabled,
        event_types=asked.event_types,
        level=asked.level,
        origins=asked.origins,
        owner_id=asked.owner_id,
        created_by_user_id=asked.created_by_user_id,
        updated_by_user_id=asked.updated_by_user_id,
        sort=asked.sort,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    visible = confined(call.token, query)
    page: Page[Webhook] = Page([])
    if visible is not None:
        page = await call.backend.store.read(lambda store: store.list_webhooks(visible))
    return Answer(200, WebhookList(page.items, links(call, page)))


async def create(call: Call[NoParameters, WebhookDraft]) -> Answer:
    draft = owned_draft(call.token, call.body, "level" in call.fields)
    by, limit = user_of(call.token), call.backend.webhook_limit
    webhook = await call.backend.store.change(lambda store: store.create_webhook(draft, by, limit))
    return Answer(201, webhook, changed=webhook.id)


async def event_types(_: Call[NoParameters, None]) -> Answer:
    listed = [
        EventType(one.name, one.title, one.description, one.category, list(one.levels))  # type: ignore[arg-type]
        for one in catalogue.event_types()
    ]
    return Answer(200, EventTypeList(listed))


async def get(call: Call[NoParameters, None]) -> Answer:
    return Answer(200, await call.backend.store.read(lambda store: own_webhook(store, call.token, call.path["id"])))


async def find(call: Call[Reference, None]) -> Answer:
    reference, token = call.query.reference, call.token

    def found(store: Store) -> Webhook:
        return _find_own(store, token, reference) if is_confined(token) else store.find_webhook(reference)

    return Answer(200, await call.backend.store.read(found))


async def replace(call: Call[NoParameters, WebhookReplacement]) -> Answer:
    def replaced(store: Store) -> Webhook:
        webhook = own_webhook(store, call.token, call.path["id"])
        check_replacement(call.token, webhook, call.body)
        return store.replace_webhook(webhook.id, call.body, user_of(call.token))

    webhook = await call.backend.store.change(replaced)
    return Answer(200, webhook, changed=webhook.id)


async def patch(call: Call[NoParameters, list[PatchOperation]]) -> Answer:
    def patched(store: Store) -> Webhook:
        webhook = own_webhook(store, call.token, call.path["id"])
        check_patch(call.token, webhook, call.body)
        return store.patch_webhook(webhook.id, call.body, user_of(call.token))

    webhook = await call.backend.store.change(patched)
    return Answer(204, changed=webhook.id)


async def patch_v1(call: Call[NoParameters, list[PatchOperation]]) -> Answer:
    for number, operation in enumerate(call.body, start=1):
        if operation.path not in V1_PATHS:
            raise InvalidPatch(
                f"operation {number}: path {operation.path[:80]!r} cannot be changed here",
                f"use one of {', '.join(V1_PATHS)}, or /api/core/webhooks, which takes more",
            )
    return await patch(call)


async def delete(call: Call[NoParameters, None]) -> Answer:
    def deleted(store: Store) -> str:
        webhook = own_webhook(store, call.token, call.path["id"])
        store.delete_webhook(webhook.id)
        return webhook.id

    return Answer(204, changed=await call.backend.store.change(deleted))


async def rotate_secret(call: Call[NoParameters, Rotation]) -> Answer:
    given = call.body.secret
    secret = generated_secret(os.urandom(GENERATED_BYTES)) if given is None else given

    def rotated(store: Store) -> Webhook:
        webhook = own_webhook(store, call.token, call.path["id"])
        return store.rotate_secret(webhook.id, secret, call.body.grace_seconds * 1000, user_of(call.token))

    webhook = await call.backend.store.change(rotated)
    return Answer(200, Rotated(secret, webhook), changed=webhook.id)


async def discard(call: Call[NoParameters, None]) -> Answer:
    def discarded(store: Store) -> int:
        return store.discard_pending(own_webhook(store, call.token, call.path["id"]).id)

    return Answer(200, Discarded(await call.backend.store.change(discarded)), changed=call.path["id"])


def invalid_operation(path: str, words: str) -> InvalidPatch:
    """The error of a patch that does not fit, such as `[0].op is 'move'`."""
    return InvalidPatch(f"{path} {words}", "send a JSON Patch: an array of operations with op, path and value")


def own_webhooks(store: Store, token: Token, enabled: bool | None = None) -> list[Webhook]:
    """Every webhook that the token may see, in the order they were made."""
    query = confined(token, WebhookQuery(enabled=enabled, sort="createdAt", limit=MAX_LIMIT))
    found: list[Webhook] = []
    while query is not None:
        page = store.list_webhooks(query)
        found += page.items
        query = msgspec.structs.replace(query, cursor=page.next) if page.next else None
    return found


def _find_own(store: Store, token: Token, reference: str) -> Webhook:
    """As `Administration.find_webhook`, among the webhooks that the token may see: others make nothing ambiguous."""
    visible = own_webhooks(store, token)
    fitting = (
        [one for one in visible if one.id == reference],
        [one for one in visible if one.name == reference],
        [one for one in visible if reference and one.id.startswith(reference)],
    )
    found = next((some for some in fitting if some), [])
    if len(found) > 1:
        raise Ambiguous(f"{reference[:80]!r} fits several webhooks", "name one by its id")
    if not found:
        raise NotFound(f"there is no webhook with the id or name {reference[:80]!r}")
    return found[0]
