"""What tests of tenants look at: what is remembered, what was asked for, and whole lists."""

from __future__ import annotations

from typing import Any

import msgspec

from qwebhook.store.contract import WebhookQuery
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.service import Known
from tests.tenant import Tenant

MISSING = "0193600b-0e9f-7000-8000-00000000ffff"
INFO = "/api/qwebhook/v1/info"
CORE_WEBHOOKS, V1_WEBHOOKS = "/api/core/webhooks", "/api/v1/webhooks"


class Kept:
    """A memory that lasts as long as the test. known: what is remembered."""

    def __init__(self, known: Known | None = None) -> None:
        self.known = known or Known()

    def recall(self) -> Known:
        return self.known

    def remember(self, known: Known) -> None:
        self.known = known


def asked(tenant: Tenant, *methods: str) -> list[str]:
    """The paths that were asked for."""
    return [one.path for one in tenant.log.requests() if not methods or one.method in methods]


def names(store: RestStore, **query: Any) -> list[str]:
    """The names on all pages."""
    found: list[str] = []
    wanted: WebhookQuery | None = WebhookQuery(**query)
    while wanted is not None:
        page = store.list_webhooks(wanted)
        found += [webhook.name for webhook in page.items]
        wanted = msgspec.structs.replace(wanted, cursor=page.next) if page.next else None
    return found
