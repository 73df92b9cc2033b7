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
# What has been told and has not changed is told again, so that a log that is turned over still has it.
TELL_AGAIN = 3600.0


class TenantWatch:
    """Looks now and then at the webhooks of a tenant that push to a server.

    public_url: the server's, without `/events`. monotonic: seconds.
    """

    def __init__(self, remote: Remote, public_url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = RestStore(remote)
        self._target = f"{public_url}/events"
        self._monotonic = monotonic
        self._due = monotonic()
        # When it was told that a webhook is disabled, by its id.
        self._told: dict[str, float] = {}

    def news(self) -> list[Webhook]:
        """If it is time to look again: those that are disabled, and those that were and are enabled again.

        One that stays disabled is among them once in `TELL_AGAIN` seconds. What cannot be looked at is not known.
        """
        now = self._monotonic()
        if now < self._due:
            return []
        self._due = now + LOOK_EVERY
        try:
            found = self._store.list_webhooks(WebhookQuery(url=self._target, limit=100)).items
        except QwebhookError:
            return []
        pushing = [webhook for webhook in found if webhook.url.rstrip("/") == self._target]
        told, disabled = self._told, [webhook for webhook in pushing if not webhook.enabled]
        again = [webhook for webhook in pushing if webhook.enabled and webhook.id in told]
        due = [webhook for webhook in disabled if now >= told.get(webhook.id, float("-inf")) + TELL_AGAIN]
        self._told = {webhook.id: now if webhook in due else told[webhook.id] for webhook in disabled}
        return [*due, *again]
