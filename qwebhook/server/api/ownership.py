"""Whose a webhook is, and what that allows.

Administrators see and do everything. A token of role `user` has a user, and that user has the webhooks of level `user`
that name it as their owner: these it sees, makes and changes, others do not exist for it. It cannot give one away, nor
make it the tenant's, and its targets are `https:` ones with a full name. Of a webhook with another target, which an
administrator has made for the user, what is sent there is the administrator's to say: a test-fire sends a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from qwebhook.model.errors import Forbidden, InvalidWebhook, NotFound
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Webhook, WebhookDraft, WebhookReplacement, is_full_name
from qwebhook.server.administration import Store
from qwebhook.store.contract import Token, WebhookQuery


def user_of(token: Token) -> str:
    """The user who acts; a token without one acts in its own name."""
    return token.user_id or f"token:{token.name}"


def is_confined(token: Token) -> bool:
    """Whether a token sees its user's webhooks only."""
    return token.role == "user"


def own_webhook(store: Store, token: Token, webhook_id: str) -> Webhook:
    """The webhook, if the token may see it. Raises NotFound, the same for what it may not see as for what is not."""
    try:
        webhook = store.get_webhook(webhook_id)
    except NotFound:
        webhook = None
    if webhook is None or (is_confined(token) and (webhook.level, webhook.owner_id) != ("user", token.user_id)):
        raise NotFound(f"there is no webhook {webhook_id[:80]}")
    return webhook


def confined(token: Token, query: WebhookQuery) -> WebhookQuery | None:
    """The query for those webhooks that the token may see; None if there can be none."""
    if not is_confined(token):
        return query
    if query.level == "tenant" or query.owner_id not in (None, token.user_id):
        return None
    return msgspec.structs.replace(query, level="user", owner_id=token.user_id)


def owned_draft(token: Token, draft: WebhookDraft, names_level: bool) -> WebhookDraft:
    """The draft with the owner and level that it gets if it names none. Raises Forbidden, InvalidWebhook."""
    owner = draft.owner_id or token.user_id
    if not is_confined(token):
        return msgspec.structs.replace(draft, owner_id=owner)
    level = draft.level if names_level else "user"
    _check_kept(token, "level", level)
    _check_kept(token, "ownerId", owner)
    _check_target(draft.url)
    return msgspec.structs.replace(draft, level=level, owner_id=owner)


def check_replacement(token: Token, webhook: Webhook, replacement: WebhookReplacement) -> None:
    """Refuse to give a webhook away. Raises Forbidden, InvalidWebhook."""
    if not is_confined(token):
        return
    _check_kept(token, "level", replacement.level or "user")
    _check_kept(token, "ownerId", replacement.owner_id or token.user_id)
    if replacement.url != webhook.url:
        _check_target(replacement.url)
    elif replacement.qwebhook not in (None, webhook.qwebhook):
        _check_settings(webhook)


def check_patch(token: Token, webhook: Webhook, operations: Sequence[PatchOperation]) -> None:
    """Refuse to give a webhook away. Raises Forbidden, InvalidWebhook."""
    if not is_confined(token):
        return
    for operation in operations:
        field = operation.path.removeprefix("/")
        if field in ("level", "ownerId"):
            _check_kept(token, field, operation.value)
        elif field == "url" and isinstance(operation.value, str):
            _check_target(operation.value)
        elif field.partition("/")[0] == "qwebhook":
            _check_settings(webhook)


def check_own_event(token: Token, webhook: Webhook) -> None:
    """Refuse to send an event of the caller's own making. Raises Forbidden."""
    if is_confined(token):
        _check_own_target(webhook, "a token of role user sends events of its own making to https: webhooks only")


def _check_settings(webhook: Webhook) -> None:
    _check_own_target(webhook, "qwebhook: a token of role user changes these settings of https: webhooks only")


def _check_own_target(webhook: Webhook, refusal: str) -> None:
    """A template, or an event, would be what a command reads; columns, or a key, what a file loses."""
    try:
        _check_target(webhook.url)
    except InvalidWebhook:
        raise Forbidden(refusal, "ask an administrator") from None


def _check_kept(token: Token, field: str, value: Any) -> None:
    if value != {"level": "user", "ownerId": token.user_id}[field]:
        raise Forbidden(
            f"{field}: a token of role user has webhooks of level user and of its own user only",
            "an administrator may make others, and give them to somebody else",
        )


def _check_target(url: str) -> None:
    """As the service has it: HTTPS, and a host by its full name."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise InvalidWebhook("url", "cannot be read") from None
    if parts.scheme != "https":
        raise InvalidWebhook("url", "is no https: URL", "other targets are for administrators")
    if not is_full_name(host):
        raise InvalidWebhook(
            "url", "names no host in full", "write https://HOST.DOMAIN; addresses are for administrators"
        )
