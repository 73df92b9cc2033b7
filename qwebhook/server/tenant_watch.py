"""Whether a tenant still pushes: it disables a webhook whose receiver fails for a while, and tells nobody."""

from __future__ import annotations

import time
from collections.abc import Callable

from qwebhook.model.errors import QwebhookError
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import WebhookQuery
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.remote import Remote

LOOK_EVERY = 300.0


class TenantWatch:
    """Looks now and then at the webhooks of a tenant that push to a server.

    public_url: the server's, without `/events`. monotonic: seconds.
    """

    def __init__(self, remote: Remote, public_url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = RestStore(remote)
        self._target = f"{public_url}/events"
        self._monotonic = monotonic
        self._due = monotonic()

    def disabled(self) -> list[Webhook]:
        """Those that the tenant has disabled, if it is time to look again. What cannot be looked at is not known."""
        if self._monotonic() < self._due:
            return []
        self._due = self._monotonic() + LOOK_EVERY
        try:
            found = self._store.list_webhooks(WebhookQuery(url=self._target, limit=100)).items
        except QwebhookError:
            return []
        return [
            webhook
            for webhook in found
            if webhook.url.rstrip("/") == self._target and not webhook.enabled and webhook.disabled_reason_code
        ]
