"""Webhooks behind a server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from qwebhook.model.catalogue import EventType
from qwebhook.model.errors import Ambiguous, NotFound
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.model.webhook import Webhook, WebhookDraft, WebhookReplacement
from qwebhook.store.contract import MAX_LIMIT, Page, WebhookQuery
from qwebhook.store.rest import tenant
from qwebhook.store.rest.answers import Answer
from qwebhook.store.rest.service import V1, Service, segment
from qwebhook.store.rest.shapes import ShownWebhook, written

_WEBHOOKS = "/webhooks"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Rotated(msgspec.Struct):
    webhook: ShownWebhook


class _Discarded(msgspec.Struct):
    discarded: int


class _ShownEventType(msgspec.Struct):
    name: str
    title: str | None = None
    description: str | None = None
    category: str | None = None
    levels: list[str] | None = None

    def read(self) -> EventType:
        levels = tuple(self.levels or ())
        return EventType(
            self.name, self.title or self.name, self.description or "", self.category or "", levels, "webhook"
        )


class _EventTypes(msgspec.Struct):
    data: list[_ShownEventType]


class Webhooks:
    """The webhooks' part of `Administration`, by a server's operations."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def page(self, query: WebhookQuery) -> Page[Webhook]:
        page = self._service.page(_WEBHOOKS, ShownWebhook, _parameters(query), query.cursor)
        return Page([shown.read() for shown in page.items], page.next, page.previous)

    def get(self, webhook_id: str) -> Webhook:
        answer = self._service.request("GET", _path(webhook_id))
        return self._read(answer)

    def find(self, reference: str) -> Webhook:
        if self._service.is_qwebhook:
            return self._found_there(reference)
        if _UUID.fullmatch(reference):
            answer = self._service.request("GET", _path(reference), expected=(400, 404))
            if answer.status == 200:
                return self._read(answer)
        return self._found_here(reference)

    def _found_there(self, reference: str) -> Webhook:
        segment(reference)
        answer = self._service.own("GET", f"{_WEBHOOKS}/find", query=[("reference", reference)])
        return self._read(answer)

    def _found_here(self, reference: str) -> Webhook:
        """By reading all that may be seen: a tenant finds none by its exact name, or by the beginning of its id."""
        everything = list(self.all())
        fitting = (
            [one for one in everything if one.id == reference],
            [one for one in everything if one.name == reference],
            [one for one in everything if reference and one.id.startswith(reference)],
        )
        found = next((some for some in fitting if some), [])
        if not found:
            raise NotFound(
                f"there is no webhook with the id or name {reference!r}",
                "the list has those there are (`qwebhook list`)",
            )
        if len(found) > 1:
            shown = ", ".join(one.id for one in found[:2]) + (", …" if len(found) > 2 else "")
            raise Ambiguous(f"{reference!r} fits several webhooks ({shown})", "name one by its id")
        return found[0]

    def all(self) -> Iterator[Webhook]:
        """All webhooks that may be seen."""
        query: WebhookQuery | None = WebhookQuery(limit=MAX_LIMIT)
        while query is not None:
            page = self.page(query)
            yield from page.items
            query = msgspec.structs.replace(query, cursor=page.next) if page.next else None

    def create(self, draft: WebhookDraft) -> Webhook:
        if not self._service.is_qwebhook:
            tenant.check_draft(draft)
        answer = self._service.request("POST", _WEBHOOKS, body=written(draft))
        return self._read(answer)

    def patch(self, webhook_id: str, operations: Sequence[PatchOperation]) -> Webhook:
        path = _path(webhook_id)
        if not self._service.is_qwebhook:
            tenant.check_patch(operations, older_prefix=self._service.prefix == V1)
        body = [_operation(one) for one in operations]
        # Whatever else it does, what it sets is set; only what has been removed cannot be removed again.
        repeatable = all(one.op != "remove" for one in operations)
        self._service.request("PATCH", path, body=body, repeatable=repeatable)
        return self.get(webhook_id)

    def replace(self, webhook_id: str, replacement: WebhookReplacement) -> Webhook:
        if not self._service.is_qwebhook:
            tenant.check_draft(replacement)
        answer = self._service.request("PUT", _path(webhook_id), body=written(replacement))
        return self._read(answer)

    def rotate_secret(self, webhook_id: str, secret: str, grace: int) -> Webhook:
        if self._service.is_qwebhook:
            # The last second counts in full.
            body = {"secret": secret, "graceSeconds": -(-grace // 1000)}
            answer = self._service.own("POST", f"{_path(webhook_id)}/rotate-secret", body=body)
            rotated: _Rotated = self._service.remote.decoded(answer, _Rotated)
            return rotated.webhook.read()
        if grace:
            raise tenant.not_offered(
                self._service.name,
                "signs with one secret at a time",
                "let the receiver take both, then rotate with a grace of 0",
            )
        return self.patch(webhook_id, replacements({"secret": secret}))

    def delete(self, webhook_id: str) -> None:
        answer = self._service.request("DELETE", _path(webhook_id), expected=(404,))
        if answer.status == 404 and not answer.repeated:
            raise self._service.remote.refusal(answer)

    def discard_pending(self, webhook_id: str) -> int:
        if not self._service.is_qwebhook:
            raise tenant.not_offered(self._service.name, "keeps nothing pending", "there is nothing to discard")
        answer = self._service.own("POST", f"{_path(webhook_id)}/discard")
        discarded: _Discarded = self._service.remote.decoded(answer, _Discarded)
        return discarded.discarded

    def event_types(self) -> list[EventType]:
        answer = self._service.request("GET", f"{_WEBHOOKS}/event-types")
        listed: _EventTypes = self._service.remote.decoded(answer, _EventTypes)
        return [one.read() for one in listed.data]

    def _read(self, answer: Answer) -> Webhook:
        shown: ShownWebhook = self._service.remote.decoded(answer, ShownWebhook)
        return shown.read()


def _path(webhook_id: str) -> str:
    return f"{_WEBHOOKS}/{segment(webhook_id)}"


def _parameters(query: WebhookQuery) -> list[tuple[str, str]]:
    """The query parameters of a list; what is as it is by default is left out, but for the limit."""
    given = {
        "name": query.name,
        "url": query.url,
        "enabled": None if query.enabled is None else "true" if query.enabled else "false",
        "eventTypes": ",".join(query.event_types) or None,
        "level": query.level,
        "origins": ",".join(query.origins) or None,
        "ownerId": query.owner_id,
        "createdByUserId": query.created_by_user_id,
        "updatedByUserId": query.updated_by_user_id,
        "sort": query.sort,
        "limit": str(query.limit),
    }
    return [(name, value) for name, value in given.items() if value is not None]


def _operation(operation: PatchOperation) -> dict[str, object]:
    """As it is sent: a `value` that is not set is left out."""
    sent: dict[str, object] = {"op": operation.op, "path": operation.path}
    return sent if operation.value is UNSET else sent | {"value": msgspec.to_builtins(operation.value)}
