"""From an item of a tenant's audit log to the event that its webhooks would have carried.

An item is legacy-shaped, but not quite what is pushed: it has an id of its own, and says whose it is (`tenantId`,
`userId`) beside `extensions` rather than in it. It is rendered once, as the legacy envelope: members in one order,
whatever order the tenant gave them in, and every value as the bytes it came in. Source: Qlik Cloud's audits API.
"""

from __future__ import annotations

import msgspec

from qwebhook.model.decoding import NOT_JSON, decoding_reason
from qwebhook.model.errors import EventRejected, InvalidInput
from qwebhook.model.event import Event, read_event
from qwebhook.model.timestamps import from_rfc3339

_ORDER = ("eventId", "eventTime", "eventType", "eventTypeVersion", "source", "contentType")
_LAST = ("extensions", "data")
# The log's own: its id of the item, and what belongs into the extensions.
_MOVED = ("tenantId", "userId")
_LEFT_OUT = ("id", "cloudEventsVersion", *_MOVED)
_VERSION = msgspec.Raw(b'"0.1"')
_EMPTY = (b"null", b'""')

_Members = dict[str, msgspec.Raw]
_members = msgspec.json.Decoder(_Members)
_extensions = msgspec.json.Decoder(_Members | None)


class _Glimpse(msgspec.Struct, gc=False):
    """What names an item, and its time; raw, since it may be anything."""

    id: msgspec.Raw = msgspec.Raw(b"")
    eventId: msgspec.Raw = msgspec.Raw(b"")
    eventTime: msgspec.Raw = msgspec.Raw(b"")
    time: msgspec.Raw = msgspec.Raw(b"")


_glimpse = msgspec.json.Decoder(_Glimpse)
_text = msgspec.json.Decoder(str)


def read_item(item: bytes) -> Event:
    """The event in an item (a JSON object). Raises EventRejected, for one without a type or an id, too."""
    try:
        item.decode()
        members = _members.decode(item)
    except NOT_JSON as error:
        raise EventRejected(f"the item is not a JSON object: {decoding_reason(error)}") from None
    # The legacy form is on its way out, and what replaces it needs nothing done to it.
    return read_event(item if "specversion" in members else _legacy(members))


def _legacy(members: _Members) -> bytes:
    try:
        extensions = _extensions.decode(members.get("extensions", b"null")) or {}
    except NOT_JSON:
        raise EventRejected("extensions is not an object") from None
    for name in _MOVED:
        if name in members and bytes(extensions.get(name, b"null")) in _EMPTY:
            extensions[name] = members[name]
    others = sorted(set(members) - {*_ORDER, *_LAST, *_LEFT_OUT})
    rendered: dict[str, object] = {"cloudEventsVersion": _VERSION}
    rendered |= {name: members[name] for name in (*_ORDER, *others) if name in members}
    rendered["extensions"] = dict(sorted(extensions.items()))
    if "data" in members:
        rendered["data"] = members["data"]
    return msgspec.json.encode(rendered)


def name_of(item: bytes) -> bytes:
    """What the item is known by, to notice it when it is read again: its eventId, else its id, else all of it."""
    glimpse = _glimpsed(item)
    name = bytes(glimpse.eventId)
    if name.startswith(b'"') and name not in _EMPTY:
        return name
    return b"id " + bytes(glimpse.id) if glimpse.id else b"item " + item


def time_of(item: bytes) -> int | None:
    """The item's eventTime (milliseconds since the epoch, in the tenant's time); None if it has none."""
    glimpse = _glimpsed(item)
    try:
        return from_rfc3339(_text.decode(glimpse.eventTime or glimpse.time))
    except (*NOT_JSON, InvalidInput, OverflowError):
        return None


def _glimpsed(item: bytes) -> _Glimpse:
    try:
        return _glimpse.decode(item)
    except NOT_JSON:
        return _Glimpse()
