"""Changes of a webhook: JSON Patch, in the subset of RFC 6902 that the service takes (`add`, `remove`, `replace`), and
the full replace.

Pure functions from a webhook and a change to a webhook; the result is validated whole, so that operations which only
together make sense (a new URL and the encrypted headers for it) pass together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from qwebhook.model.decoding import misfit
from qwebhook.model.errors import Forbidden, InvalidPatch, InvalidWebhook
from qwebhook.model.signature import check_secret
from qwebhook.model.webhook import Level, Settings, Webhook, WebhookReplacement, check_fields, check_headers

_FIELD_TYPES: dict[str, Any] = {
    "name": str,
    "description": str,
    "url": str,
    "eventTypes": list[str],
    "filter": str,
    "headers": dict[str, str],
    "encryptedHeaders": dict[str, str],
    "enabled": bool,
    "secret": str,
    "level": Level,
    "ownerId": str,
    "enableCloudEventDelivery": bool,
    "qwebhook": Settings,
}
# What a removed field becomes; fields not named here cannot be removed.
_REMOVED: dict[str, Any] = {
    "description": "",
    "filter": "",
    "headers": {},
    "encryptedHeaders": {},
    "secret": None,
    "ownerId": None,
    "qwebhook": Settings(),
}
_MAPS = ("headers", "encryptedHeaders")
_SETTINGS = "qwebhook"
_ATTRIBUTES = {
    "eventTypes": "event_types",
    "ownerId": "owner_id",
    "enableCloudEventDelivery": "enable_cloud_event_delivery",
}


class PatchOperation(msgspec.Struct, forbid_unknown_fields=True):
    """One operation; `value` is unset for `remove`."""

    op: Literal["add", "remove", "replace"]
    path: str
    value: Any = UNSET


class Patched(msgspec.Struct, kw_only=True):
    """The webhook after a change; what cannot be read back is UNSET where the change leaves it alone."""

    webhook: Webhook
    secret: str | UnsetType | None = UNSET
    encrypted_headers: dict[str, str] | UnsetType = UNSET


def replacements(fields: Mapping[str, Any]) -> list[PatchOperation]:
    """Operations that set the given fields (REST names)."""
    return [PatchOperation("replace", f"/{name}", value) for name, value in fields.items()]


def apply_patch(
    webhook: Webhook, operations: Sequence[PatchOperation], encrypted_headers: Callable[[], dict[str, str]]
) -> Patched:
    """The webhook with the operations applied in order, validated whole.

    encrypted_headers: gives the present values; called only when a single one of them changes.
    Raises InvalidPatch, InvalidWebhook, InvalidFilter, Forbidden.
    """
    changed: dict[str, Any] = {}
    for number, operation in enumerate(operations, start=1):
        try:
            _apply_one(webhook, changed, operation, encrypted_headers)
        except InvalidPatch as error:
            raise InvalidPatch(f"operation {number}: {error.message}", error.hint) from None

    secret = changed.pop("secret", UNSET)
    encrypted = changed.pop("encryptedHeaders", UNSET)
    result = msgspec.structs.replace(webhook, **{_ATTRIBUTES.get(name, name): value for name, value in changed.items()})
    if result.url != webhook.url and _kept(webhook, operations):
        raise InvalidWebhook(
            "encryptedHeaders",
            "must be given again or removed with a new url",
            "their values were meant for the old one",
        )
    return _checked(webhook, result, secret, encrypted)


def apply_replacement(webhook: Webhook, replacement: WebhookReplacement) -> Patched:
    """The webhook with everything that a client writes replaced, validated whole.

    Raises InvalidWebhook, InvalidFilter, Forbidden.
    """
    given = {name: getattr(replacement, name) for name in replacement.__struct_fields__}
    secret, encrypted = given.pop("secret"), given.pop("encrypted_headers")
    for name in ("level", "owner_id", "enable_cloud_event_delivery", "qwebhook"):
        if given[name] is None:
            del given[name]
    return _checked(webhook, msgspec.structs.replace(webhook, **given), secret, encrypted)


def _checked(
    before: Webhook, after: Webhook, secret: str | UnsetType | None, encrypted: dict[str, str] | UnsetType
) -> Patched:
    """The change, if the rules allow what comes of it. `after` lacks what follows from the secret and the headers."""
    if before.enable_cloud_event_delivery and not after.enable_cloud_event_delivery:
        raise Forbidden("enableCloudEventDelivery cannot be turned off again", "make a new webhook instead")
    result = after
    if isinstance(encrypted, dict):
        result = msgspec.structs.replace(result, encrypted_headers=sorted(encrypted))
    if secret is not UNSET:
        result = msgspec.structs.replace(result, secret_key_added=secret is not None)
    if result.enabled and not before.enabled:
        result = msgspec.structs.replace(result, disabled_reason=None, disabled_reason_code=None)
    if isinstance(secret, str):
        check_secret(secret)
    check_fields(result)
    values = encrypted if isinstance(encrypted, dict) else dict.fromkeys(result.encrypted_headers, "")
    check_headers("encryptedHeaders", values, taken=result.headers)
    return Patched(webhook=result, secret=secret, encrypted_headers=encrypted)


def _apply_one(
    webhook: Webhook,
    changed: dict[str, Any],
    operation: PatchOperation,
    encrypted_headers: Callable[[], dict[str, str]],
) -> None:
    if not operation.path.startswith("/"):
        raise InvalidPatch(f"path {operation.path!r} does not begin with '/'")
    field, *rest = (_unescaped(part) for part in operation.path[1:].split("/"))
    if field not in _FIELD_TYPES:
        raise InvalidPatch(f"path {operation.path!r} cannot be changed", f"use /{', /'.join(_FIELD_TYPES)}")
    if len(rest) > 1 or (rest and field not in _MAPS and not _is_setting(field, rest[0])):
        raise InvalidPatch(f"path {operation.path!r} does not exist")
    removing = operation.op == "remove"
    # Some clients send "value": null with every operation.
    if removing and operation.value not in (UNSET, None):
        raise InvalidPatch("'remove' takes no value")
    if not removing and operation.value is UNSET:
        raise InvalidPatch(f"{operation.op!r} needs a value")
    # null is how a webhook that was read shows a field that it does not have.
    removing = removing or (operation.value is None and not rest and field in _REMOVED)
    if not rest:
        changed[field] = _removed(field) if removing else _converted(field, _FIELD_TYPES[field], operation.value)
        return
    if field == _SETTINGS:
        changed[field] = _with_setting(changed.get(field, webhook.qwebhook), rest[0], operation)
        return
    if field not in changed:
        changed[field] = dict(webhook.headers) if field == "headers" else dict(encrypted_headers())
    _change_member(changed[field], field, rest[0], operation)


def _kept(webhook: Webhook, operations: Sequence[PatchOperation]) -> set[str]:
    """The encrypted headers, in lower case, that no operation gives again or removes."""
    kept = {name.lower() for name in webhook.encrypted_headers}
    for operation in operations:
        field, *rest = (_unescaped(part) for part in operation.path[1:].split("/"))
        if field == "encryptedHeaders":
            kept = kept - {rest[0].lower()} if rest else set()
    return kept


def _change_member(members: dict[str, str], field: str, name: str, operation: PatchOperation) -> None:
    present = next((one for one in members if one.lower() == name.lower()), None)
    if operation.op != "add" and present is None:
        raise InvalidPatch(f"there is no /{field}/{name}")
    if present is not None:
        del members[present]
    if operation.op != "remove":
        members[name] = _converted(f"{field}/{name}", str, operation.value)


def _is_setting(field: str, name: str) -> bool:
    return field == _SETTINGS and name in Settings.__struct_encode_fields__


def _with_setting(settings: Settings, name: str, operation: PatchOperation) -> Settings:
    """A setting always has a value: one that is removed is as it is by default."""
    members: dict[str, Any] = msgspec.to_builtins(settings)
    members.pop(name, None)
    if operation.op != "remove" and operation.value is not None:
        members[name] = operation.value
    converted: Settings = _converted(_SETTINGS, Settings, members)
    return converted


def _removed(field: str) -> Any:
    if field not in _REMOVED:
        raise InvalidPatch(f"/{field} cannot be removed")
    return copy(_REMOVED[field])


def _converted(field: str, wanted: Any, value: Any) -> Any:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise InvalidWebhook(*misfit(error, wanted, at=field)) from None


def _unescaped(part: str) -> str:
    """RFC 6901, section 4."""
    return part.replace("~1", "/").replace("~0", "~")
