"""The webhooks of the tenant, and the seven operations on them that have nothing to do with deliveries.

Chosen where the facts are silent: `level` not given is `tenant` for administrators and `user` for others; PUT leaves
level and owner alone when they are not given; so does it with `enableCloudEventDelivery`; fields that are not set are
left out of what is read; a webhook is one's own by its owner, or where it has none, by its creator.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.tenant.access import ADMIN, User, need_admin
from tests.tenant.answers import NO_CONTENT, Answer, Json, Refused, json_answer
from tests.tenant.asking import Asked, one_of, sorting, whole_number
from tests.tenant.clock import Clock, written
from tests.tenant.event_types import EVENT_TYPES
from tests.tenant.paging import Key, Ordered, page
from tests.tenant.patching import patched
from tests.tenant.webhook_rules import LEVELS, ORIGINS, READ_ONLY, WRITTEN, check, check_given

if TYPE_CHECKING:
    from tests.tenant.tenant import Tenant

QUOTA = 150
_LIST_PARAMETERS = (
    *("name", "url", "enabled", "eventTypes", "level", "origins", "ownerId", "createdByUserId", "updatedByUserId"),
    *("sort", "limit", "next", "prev"),
)
_NOT_SHOWN = {"secret", "encryptedHeaders"}


@dataclass(frozen=True)
class Webhook:
    """fields: what a client writes, all of them, by the REST API's names. Times in milliseconds since the epoch."""

    serial: int
    id: str
    fields: Json
    origin: str
    created: int
    created_by: str
    updated: int
    updated_by: str
    disabled_reason: str = ""
    disabled_reason_code: str = ""

    @property
    def owner(self) -> str:
        return self.fields["ownerId"] or self.created_by

    def shown(self) -> Json:
        """As it is read: without what is secret, and without what is not set."""
        fields = {name: value for name, value in self.fields.items() if name not in _NOT_SHOWN}
        fields["encryptedHeaders"] = sorted(self.fields["encryptedHeaders"])
        fields["disabledReason"] = self.disabled_reason
        fields["disabledReasonCode"] = self.disabled_reason_code
        return {
            "id": self.id,
            **{name: value for name, value in fields.items() if value or isinstance(value, bool)},
            "origin": self.origin,
            "secretKeyAdded": self.fields["secret"] is not None,
            "createdAt": written(self.created),
            "createdByUserId": self.created_by,
            "updatedAt": written(self.updated),
            "updatedByUserId": self.updated_by,
        }


class Webhooks:
    """The webhooks, by id. quota: how many one user may create."""

    def __init__(self, lock: threading.RLock, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self.quota = QUOTA
        self.event_types = deepcopy(EVENT_TYPES)
        self.all: dict[str, Webhook] = {}
        self._made = 0

    def add(self, user_id: str = ADMIN, **fields: Any) -> Json:
        """A webhook without a request, valid as it comes: what it reads as. fields: by the REST API's names."""
        number = self._made + 1
        given = {"name": f"webhook {number}", "url": f"https://receiver.example.com/{number}", "level": "tenant"}
        given |= {"eventTypes": ["com.qlik.v1.app.created"]} | fields
        with self._lock:
            origin = given.pop("origin", "api")
            check(given)
            return self.make(_completed(given), origin, user_id).shown()

    def disable(self, webhook_id: str, reason: str, code: str) -> None:
        """As the service does after too many failures."""
        with self._lock:
            webhook = self.all[webhook_id]
            fields = webhook.fields | {"enabled": False}
            self.all[webhook_id] = replace(
                webhook, fields=fields, disabled_reason=reason, disabled_reason_code=code, updated=self._clock.now()
            )

    def secret_of(self, webhook_id: str) -> str | None:
        """What no request can read back."""
        secret: str | None = self.all[webhook_id].fields["secret"]
        return secret

    def make(self, fields: Json, origin: str, user_id: str) -> Webhook:
        """Keep a valid webhook."""
        self._made += 1
        now = self._clock.now()
        webhook = Webhook(self._made, str(uuid.uuid4()), fields, origin, now, user_id, now, user_id)
        self.all[webhook.id] = webhook
        return webhook

    def change(self, webhook: Webhook, fields: Json, user_id: str) -> Webhook:
        """Keep changed fields; one that is switched on again forgets why it was off."""
        changed = replace(webhook, fields=fields, updated=self._clock.now(), updated_by=user_id)
        if fields["enabled"]:
            changed = replace(changed, disabled_reason="", disabled_reason_code="")
        self.all[webhook.id] = changed
        return changed

    def seen(self, webhook_id: str, user: User) -> Webhook:
        """The webhook, if the user may know of it. Raises Refused (404)."""
        webhook = self.all.get(webhook_id)
        if webhook is None or not _may_see(user, webhook):
            raise Refused(404, "Not found", f"there is no webhook {webhook_id!r}")
        return webhook


def list_webhooks(tenant: Tenant, asked: Asked) -> Answer:
    given = asked.parameters(*_LIST_PARAMETERS)
    limit = whole_number(given.get("limit", "20"), "limit", 1, 100)
    field, descending = sorting(given.get("sort", "-createdAt"), "name", "url", "createdAt", "updatedAt")
    wanted = _wanted(given)

    def key(webhook: Webhook) -> Key:
        value = {"createdAt": webhook.created, "updatedAt": webhook.updated}.get(field)
        return (webhook.fields[field] if value is None else value, webhook.serial)

    seen = sorted((one for one in tenant.webhooks.all.values() if _may_see(asked.caller, one)), key=key)
    return page(asked, Ordered(seen, key, descending), limit, Webhook.shown, wanted)


def _wanted(given: dict[str, str]) -> Callable[[Webhook], bool]:
    """Whether a webhook is what the filters ask for."""
    if "enabled" in given:
        one_of(given["enabled"], "enabled", "true", "false")
    if "level" in given:
        one_of(given["level"], "level", *LEVELS)
    for origin in given["origins"].split(",") if "origins" in given else ():
        one_of(origin, "origins", *ORIGINS)

    def wanted(webhook: Webhook) -> bool:
        fields = webhook.fields
        tests: dict[str, Callable[[str], bool]] = {
            "name": lambda text: text.lower() in fields["name"].lower(),
            "url": lambda text: text.lower() in fields["url"].lower(),
            "enabled": lambda text: fields["enabled"] == (text == "true"),
            "eventTypes": lambda text: set(text.split(",")) <= set(fields["eventTypes"]),
            "level": lambda text: fields["level"] == text,
            "origins": lambda text: webhook.origin in text.split(","),
            "ownerId": lambda text: fields["ownerId"] == text,
            "createdByUserId": lambda text: webhook.created_by == text,
            "updatedByUserId": lambda text: webhook.updated_by == text,
        }
        return all(test(given[name]) for name, test in tests.items() if name in given)

    return wanted


def create_webhook(tenant: Tenant, asked: Asked) -> Answer:
    asked.parameters()
    body = asked.object()
    check_given(body, {*WRITTEN, "origin"})
    origin = body.pop("origin", "api")
    if origin not in ORIGINS:
        raise Refused(400, f"origin must be one of {', '.join(ORIGINS)}")
    check(body)
    body.setdefault("level", "tenant" if asked.caller.admin else "user")
    if body["level"] == "user":
        body.setdefault("ownerId", asked.caller.id)
    fields = _completed(body)
    _check_allowed(asked.caller, fields)
    webhooks = tenant.webhooks
    if sum(one.created_by == asked.caller.id for one in webhooks.all.values()) >= webhooks.quota:
        raise Refused(403, "Forbidden", f"a user may have {webhooks.quota} webhooks")
    return json_answer(webhooks.make(fields, origin, asked.caller.id).shown(), 201)


def list_event_types(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    return json_answer({"data": tenant.webhooks.event_types})


def get_webhook(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    return json_answer(tenant.webhooks.seen(asked.places["id"], asked.caller).shown())


def replace_webhook(tenant: Tenant, asked: Asked) -> Answer:
    asked.parameters()
    webhook = tenant.webhooks.seen(asked.places["id"], asked.caller)
    body = asked.object()
    if read_only := READ_ONLY & set(body):
        raise Refused(409, f"read-only: {', '.join(sorted(read_only))}")
    check_given(body, set(WRITTEN))
    check(body)
    for name in ("level", "ownerId", "enableCloudEventDelivery"):
        body.setdefault(name, webhook.fields[name])
    return json_answer(_changed(tenant, asked.caller, webhook, _completed(body)).shown())


def patch_webhook(tenant: Tenant, asked: Asked) -> Answer:
    asked.parameters()
    webhook = tenant.webhooks.seen(asked.places["id"], asked.caller)
    fields = patched(webhook.fields, asked.json(), asked.prefix)
    check(fields)
    if fields["level"] is None:
        raise Refused(400, "level is required")
    _changed(tenant, asked.caller, webhook, fields)
    return NO_CONTENT


def delete_webhook(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    del tenant.webhooks.all[tenant.webhooks.seen(asked.places["id"], asked.caller).id]
    return NO_CONTENT


def _changed(tenant: Tenant, user: User, webhook: Webhook, fields: Json) -> Webhook:
    """The webhook with valid fields, if they are allowed. Raises Refused (403)."""
    _check_allowed(user, fields)
    if webhook.fields["enableCloudEventDelivery"] and not fields["enableCloudEventDelivery"]:
        raise Refused(403, "Forbidden", "enableCloudEventDelivery cannot be turned off again")
    return tenant.webhooks.change(webhook, fields, user.id)


def _check_allowed(user: User, fields: Json) -> None:
    """Raises Refused (403)."""
    if fields["level"] == "tenant":
        need_admin(user, "a webhook of level tenant")
    if fields["ownerId"] not in (None, user.id):
        need_admin(user, "a webhook of another owner")


def _completed(fields: Json) -> Json:
    """With what is not given as it is by default."""
    return {name: deepcopy(absent) for name, (_, absent) in WRITTEN.items()} | fields


def _may_see(user: User, webhook: Webhook) -> bool:
    return user.admin or webhook.owner == user.id
