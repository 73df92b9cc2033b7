"""Enabling and disabling webhooks, which differ in one word. Always by a patch: nothing else of them changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qwebhook.cli.results import Listing
from qwebhook.cli.selection import Outcomes, selected_webhooks
from qwebhook.cli.session import Session

if TYPE_CHECKING:
    from qwebhook.model.webhook import Webhook


def switch(
    session: Session,
    references: Sequence[str],
    everything: bool,
    filters: dict[str, Any],
    *,
    enabled: bool,
    discard: bool = False,
) -> Listing:
    """Enable or disable the webhooks that are named or selected; one that is so already stays as it is."""
    from qwebhook.cli.views import WEBHOOKS

    found, missing = selected_webhooks(session, references, everything, filters)
    outcomes = Outcomes(session, missing)
    for webhook in found:
        outcomes.attempt(webhook.name, partial(_switched, session, webhook, enabled, discard))
    return Listing(outcomes.done, WEBHOOKS, exit_code=outcomes.exit_code)


def _switched(session: Session, webhook: Webhook, enabled: bool, discard: bool) -> Webhook:
    from qwebhook.model.patch import replacements

    if webhook.enabled == enabled:
        return webhook
    store = session.open_store()
    if discard:
        # Before it is enabled, or a server could start what is to be dropped.
        dropped = store.discard_pending(webhook.id)
        session.note(f"{webhook.name}: dropped {dropped} pending {'delivery' if dropped == 1 else 'deliveries'}")
    return store.patch_webhook(webhook.id, replacements({"enabled": enabled}), session.user)
