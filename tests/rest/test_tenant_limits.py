"""What a tenant does not do or take is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from qwebhook.model.errors import (
    InvalidInput,
    InvalidWebhook,
)
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Settings, WebhookReplacement
from qwebhook.store.contract import StatisticsQuery, WebhookQuery
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.service import CORE, Known
from tests.builders import SECRET, USER, webhook_draft
from tests.rest.conftest import OpenStore
from tests.rest.observing import MISSING, Kept, asked
from tests.tenant import Tenant


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda store, _: store.discard_pending(MISSING), "nothing pending"),
        (lambda store, _: store.list_attempts(MISSING, MISSING), "one attempt"),
        (lambda store, _: store.statistics(), "no figures"),
        (lambda store, _: store.list_statistics(StatisticsQuery()), "no figures"),
        (lambda store, _: store.list_tokens(), "no tokens"),
        (lambda store, _: store.create_token("a", "admin", None), "no tokens"),
        (lambda store, _: store.revoke_token("a"), "no tokens"),
        (lambda store, _: store.list_inbounds(), "no inbounds"),
        (lambda store, _: store.create_inbound("a", [SECRET], USER), "no inbounds"),
        (lambda store, _: store.remove_inbound("a"), "no inbounds"),
        (lambda store, _: store.test_fire(MISSING, b"{}"), "no test events"),
        (lambda store, _: store.replay(MISSING, 0, 1), "no events to replay"),
        (lambda store, given: store.endpoint(given), "cannot be read back"),
    ],
)
def test_what_a_tenant_does_not_do_is_refused_with_what_to_do_instead(
    tenant: Tenant, open_store: OpenStore, call: Callable[[RestStore, str], object], words: str
) -> None:
    given = tenant.webhooks.add()
    store = open_store(Kept(Known(CORE, "tenant")))
    with pytest.raises(InvalidInput, match=words) as raised:
        call(store, given["id"])
    assert raised.value.hint
    assert [path for path in asked(tenant) if not path.endswith(given["id"])] == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://receiver.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": "https://0x7f.1/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": "mailto:a@example.com"}, "url"),
        ({"url": "https://[x/"}, "url"),
        ({"secret": "short"}, "secret"),
        ({"secret": "x" * 65}, "secret"),
        ({"qwebhook": Settings(ordering="strict")}, "qwebhook"),
        ({"qwebhook": Settings(rate_per_minute=5)}, "qwebhook"),
    ],
    ids=str,
)
def test_what_a_tenant_does_not_take_is_refused_before_it_is_sent(
    tenant: Tenant, open_store: OpenStore, fields: dict[str, Any], field: str
) -> None:
    store = open_store(Kept(Known(CORE, "tenant")))
    operations = replacements({name: msgspec.to_builtins(value) for name, value in fields.items()})
    replacement = WebhookReplacement(**({"name": "a", "url": "https://receiver.example.com/"} | fields))
    calls: list[Callable[[], object]] = [
        lambda: store.create_webhook(webhook_draft(**fields), USER),
        lambda: store.patch_webhook(MISSING, operations, USER),
        lambda: store.replace_webhook(MISSING, replacement, USER),
    ]
    for call in calls:
        with pytest.raises(InvalidWebhook) as raised:
            call()
        assert raised.value.field == field
        assert raised.value.hint
    assert asked(tenant) == []


@pytest.mark.parametrize("url", ["https://receiver.example.com", "https://a.example.com.:8443/x?y", "HTTPS://a.b/"])
def test_what_a_tenant_takes_is_sent(tenant: Tenant, store: RestStore, url: str) -> None:
    assert store.create_webhook(webhook_draft(url=url), USER).url == url


def test_text_that_is_not_unicode_is_refused(store: RestStore) -> None:
    with pytest.raises(InvalidInput):
        store.create_webhook(webhook_draft(name="\udcff"), USER)
    with pytest.raises(InvalidInput):
        store.list_webhooks(WebhookQuery(name="\udcff"))
