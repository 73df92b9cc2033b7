"""`create --handshake`: a webhook is made only if its receiver consents."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from qwebhook.cli.session import Session
from qwebhook.deliver.handshake import ask_consent
from qwebhook.deliver.sender import Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.consent import is_origin
from qwebhook.model.errors import InvalidInput
from qwebhook.model.webhook import WebhookDraft, check_draft


def with_consent(
    session: Session, draft: WebhookDraft, origin: str | None, rate: int | None, allow_network: Sequence[str]
) -> WebhookDraft:
    """The draft as its receiver consents to it: under which name events come, and how many a minute.

    origin: our name, the machine's for None. rate: deliveries a minute to ask for, the draft's own limit for None.
    Raises InvalidInput, NoConsent.
    """
    name = origin if origin is not None else _machine()
    wanted = rate if rate is not None else draft.qwebhook.rate_per_minute
    asking = _with_settings(draft, name, wanted)
    check_draft(asking)
    policy = AddressPolicy(session.allowed_networks(allow_network))
    allowed = asyncio.run(_ask(policy, asking, name, wanted))
    limited = "" if allowed is None else f", {allowed} a minute at most, which qwebhook.ratePerMinute sees to"
    session.note(f"{urlsplit(draft.url).hostname} consents to deliveries from {name}{limited}")
    return _with_settings(draft, name, allowed)


async def _ask(policy: AddressPolicy, draft: WebhookDraft, origin: str, rate: int | None) -> int | None:
    sender = Sender(policy)
    try:
        return await ask_consent(sender, draft.url, origin, rate, draft.check_certificate_revocation)
    finally:
        await sender.close()


def _with_settings(draft: WebhookDraft, origin: str, rate: int | None) -> WebhookDraft:
    settings = msgspec.structs.replace(draft.qwebhook, request_origin=origin, rate_per_minute=rate)
    return msgspec.structs.replace(draft, qwebhook=settings)


def _machine() -> str:
    name = socket.gethostname()
    if not is_origin(name):
        raise InvalidInput("this machine's name is no DNS name to ask for consent under", "give --handshake-origin")
    return name
