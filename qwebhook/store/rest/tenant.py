"""What a Qlik Cloud tenant takes and does: the rest is refused before anything is sent, with what to do instead.

Only what is published of the service's rules is held against a webhook here; the service itself has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from qwebhook.model.errors import InvalidInput, InvalidPatch, InvalidWebhook
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Settings, WebhookDraft, WebhookReplacement, is_full_name

SECRET_LENGTHS = (32, 64)
# What only the newer prefix changes.
_CORE_ONLY = ("filter", "level", "ownerId")
_MAPS = ("headers", "encryptedHeaders")
_ELSEWHERE = "use a store of qwebhook's: a file, or `qwebhook serve`"


def not_offered(server: str, what: str, instead: str) -> InvalidInput:
    """The error for what a tenant does not do. what: completes "a tenant …"."""
    return InvalidInput(f"{server} is a tenant, and a tenant {what}", instead)


def check_draft(draft: WebhookDraft | WebhookReplacement) -> None:
    """Raises InvalidWebhook."""
    _check_settings(draft.qwebhook)
    _check_url(draft.url)
    if draft.secret is not None:
        _check_secret(draft.secret)


def check_patch(operations: Sequence[PatchOperation], older_prefix: bool) -> None:
    """older_prefix: whether the tenant has no newer one, which takes more. Raises InvalidWebhook, InvalidPatch."""
    for number, operation in enumerate(operations, start=1):
        field, _, member = operation.path.removeprefix("/").partition("/")
        if field == "qwebhook":
            raise _no_settings()
        if older_prefix and (field in _CORE_ONLY or (member and field in _MAPS)):
            whole = f"give /{field} as a whole" if member else "make a new webhook instead"
            raise InvalidPatch(f"operation {number}: a tenant with the older API cannot change {operation.path}", whole)
        if operation.op != "remove" and field == "url" and isinstance(operation.value, str):
            _check_url(operation.value)
        if operation.op != "remove" and field == "secret" and isinstance(operation.value, str):
            _check_secret(operation.value)


def _check_settings(settings: Settings | None) -> None:
    if settings is not None and settings != Settings():
        raise _no_settings()


def _no_settings() -> InvalidWebhook:
    words = "a tenant knows neither ordering nor type names, concurrency, rates, handshakes or templates"
    return InvalidWebhook("qwebhook", words, _ELSEWHERE)


def _check_secret(secret: str) -> None:
    least, most = SECRET_LENGTHS
    if not least <= len(secret) <= most:
        raise InvalidWebhook("secret", f"has {len(secret)} characters", f"a tenant takes {least} to {most}")


def _check_url(url: Any) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidWebhook("url", "cannot be read", "write https://HOST.DOMAIN/PATH") from None
    if parts.scheme.lower() != "https":
        raise InvalidWebhook(
            "url", "is no https: URL, and a tenant delivers to no other", f"name an https: URL, or {_ELSEWHERE}"
        )
    if not is_full_name(host):
        raise InvalidWebhook(
            "url",
            "names no host in full, and a tenant delivers to such hosts only",
            f"write https://HOST.DOMAIN, or {_ELSEWHERE}",
        )
