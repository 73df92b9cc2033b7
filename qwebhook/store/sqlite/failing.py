"""Webhooks whose latest attempts failed: since when, how often, and those that have for too long."""

from __future__ import annotations

import msgspec

from qwebhook.model.delivery import Gone, failed_for_too_long, reason
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.timestamps import humanised, to_rfc3339
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import Recording
from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.webhooks import Webhooks

_SQL = queries("failing")
DISABLER = "qwebhook"


class Failing:
    """Which they are is kept in memory, so that a success costs nothing where nothing failed. To be used within
    transactions; those who undo one have to look again.
    """

    def __init__(self, connection: Connection, webhooks: Webhooks) -> None:
        self._connection = connection
        self._webhooks = webhooks
        self._rows: set[int] = set()

    def __contains__(self, webhook: int) -> bool:
        """Whether the attempts of a webhook's row fail."""
        return webhook in self._rows

    def look(self) -> None:
        """Take up what the store has."""
        self._rows = {row for (row,) in self._connection.execute(_SQL["failing"])}

    def end(self, webhook: int) -> None:
        """Note a success."""
        if webhook in self._rows:
            self._rows.discard(webhook)
            self._connection.execute(_SQL["clear_failing"], (webhook,))

    def note(self, recording: Recording, endpoint: Endpoint, now: int) -> Webhook | None:
        """Note a failure; the webhook, if that was enough to disable it."""
        if not endpoint.webhook.enabled:
            return None
        since, failures = self._connection.execute(_SQL["note_failure"], (endpoint.row, now)).fetchone()
        self._rows.add(endpoint.row)
        if isinstance(recording.outcome, Gone):
            code, text = "gone", "the receiver answered 410 Gone"
        elif failed_for_too_long(since, failures, now):
            length = humanised((now - since) / 1000)
            latest = reason(recording.exchange.result)
            code, text = "failing", f"all {failures} attempts in {length} failed; the latest: {latest}"
        else:
            return None
        webhook = msgspec.structs.replace(
            endpoint.webhook,
            enabled=False,
            disabled_reason=text,
            disabled_reason_code=code,
            updated_at=to_rfc3339(now),
            updated_by_user_id=DISABLER,
        )
        self._webhooks.update(endpoint.row, webhook, now, DISABLER)
        return webhook
