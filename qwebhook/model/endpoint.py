"""A webhook as the delivery engine holds it, and the index that finds the webhooks of an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qwebhook.model import catalogue
from qwebhook.model.event import Event
from qwebhook.model.filter import Filter
from qwebhook.model.signature import Signer, TimedSecret
from qwebhook.model.webhook import RENDERED_SCHEMES, Webhook


class Endpoint:
    """One version of a webhook with its secrets decrypted, its filter compiled and its signing keys prepared.

    row: its number in the store. version: that of the store when the webhook was last changed.
    secrets: the current one first, then those in their grace period, each with its end. encrypted_headers: with their
    values.
    problem: why nothing can be sent to it, "" for nearly all. scheme, strict: those of
    the webhook. renders: whether a message is made of an event.
    """

    __slots__ = (
        "encrypted_headers",
        "filter",
        "problem",
        "renders",
        "row",
        "scheme",
        "signer",
        "strict",
        "subscribed",
        "version",
        "webhook",
    )

    def __init__(
        self,
        row: int,
        version: int,
        webhook: Webhook,
        secrets: Sequence[TimedSecret],
        encrypted_headers: dict[str, str],
        problem: str = "",
    ) -> None:
        self.row = row
        self.scheme = webhook.scheme
        self.strict = webhook.strict
        settings = webhook.qwebhook
        self.renders = settings.preset is not None or settings.template is not None or self.scheme in RENDERED_SCHEMES
        self.version = version
        self.webhook = webhook
        self.encrypted_headers = encrypted_headers
        self.problem = problem
        self.signer = Signer(secrets)
        self.filter = Filter(webhook.filter) if webhook.filter else None
        self.subscribed = {catalogue.canonical(name): name for name in webhook.event_types}

    def wants(self, event: Event) -> bool:
        """Whether an event of a subscribed type passes the level and the filter."""
        webhook = self.webhook
        if webhook.level == "user" and not event.concerns(webhook.owner_id or ""):
            return False
        return self.filter is None or self.filter.matches(event)


class EndpointIndex:
    """The endpoints by row, and the enabled ones by event type."""

    def __init__(self, endpoints: Iterable[Endpoint] = ()) -> None:
        self.by_row = {endpoint.row: endpoint for endpoint in endpoints}
        self._by_type: dict[str, list[Endpoint]] = {}
        for endpoint in sorted(self.by_row.values(), key=lambda endpoint: endpoint.row):
            if endpoint.webhook.enabled:
                for name in endpoint.subscribed:
                    self._by_type.setdefault(name, []).append(endpoint)

    def matching(self, event: Event) -> list[Endpoint]:
        """The enabled endpoints that want the event, in order of their rows."""
        candidates = self._by_type.get(catalogue.canonical(event.type))
        return [endpoint for endpoint in candidates if endpoint.wants(event)] if candidates else []
