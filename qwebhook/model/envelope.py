"""From a request to events, and from one envelope to another.

Bytes are kept: a structured or legacy body as it came, an element of an array as its own slice. What has to be
rendered (a binary-mode event; a legacy event for a webhook that wants CloudEvents; a type under its subscribed
name) is rendered here. Sources: CloudEvents HTTP binding 1.0.2, sections 3.1 to 3.3; JSON batch format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from qwebhook.model.decoding import NOT_JSON, decoding_reason
from qwebhook.model.errors import EventRejected, UnsupportedFormat
from qwebhook.model.event import Event, read_event

MAX_BODY = 1 << 20
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON = "application/json"
_TAKEN = f"send {JSON}, {STRUCTURED}, {BATCH}, or ce- headers with JSON data"
# Legacy extensions of these names are left out: the CloudEvents members mean something else.
_NOT_EXTENSIONS = ("data", "time")
# What items of the audit log have beside their extensions.
_OF_AUDIT_ITEMS = ("tenantId", "userId")
_NOTHING = (b"null", b'""')
_INTEGER = re.compile(rb"-?\d{1,10}")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')

_slices = msgspec.json.Decoder(list[msgspec.Raw])


def read_request(content_type: str, attributes: Mapping[str, str], body: bytes) -> list[Event]:
    """The events of one HTTP request, in order.

    content_type: the header, maybe "". attributes: the `ce-` headers, lower-case names without `ce-`.
    Raises EventRejected (400) and UnsupportedFormat (415).
    """
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if parameters:
        check_charset(content_type)
    if media_type == STRUCTURED:
        return [read_event(body)]
    if media_type == BATCH:
        return read_array(body)
    if "specversion" in attributes:
        return [_read_binary(content_type.strip(), media_type, attributes, body)]
    if media_type == JSON:
        return read_array(body) if body.lstrip()[:1] == b"[" else [read_event(body)]
    given = f"content type {content_type!r} is not one that carries events" if content_type else "no content type"
    raise UnsupportedFormat(given, _TAKEN)


def check_charset(content_type: str) -> None:
    """Refuse another charset than JSON's, if the header names one. Raises UnsupportedFormat."""
    parameters = content_type.partition(";")[2].lower()
    if "charset" in parameters and "utf-8" not in parameters:
        raise UnsupportedFormat(f"the charset of {content_type!r} is not UTF-8", "send UTF-8")


def read_array(body: bytes) -> list[Event]:
    """The events of a JSON array, each with its own raw slice as its body. Raises EventRejected."""
    try:
        slices = _slices.decode(body)
    except NOT_JSON as error:
        raise EventRejected(f"the body is not a JSON array of events: {decoding_reason(error)}") from None
    events = []
    for position, part in enumerate(slices):
        try:
            events.append(read_event(bytes(part)))
        except EventRejected as error:
            raise type(error)(f"event {position + 1} of {len(slices)}: {error.message}", error.hint) from None
    return events


def read_text(text: bytes) -> list[bytes]:
    """The raw JSON objects of a file: one JSON object, an array of them, or one on each line (NDJSON).

    Raises EventRejected.
    """
    stripped = text.strip()
    if stripped.startswith(b"["):
        try:
            return [bytes(part) for part in _slices.decode(stripped)]
        except NOT_JSON as error:
            raise EventRejected(f"the input is not a JSON array: {decoding_reason(error)}") from None
    try:
        msgspec.json.decode(stripped, type=msgspec.Raw)
    except NOT_JSON:
        lines = [line.strip() for line in stripped.split(b"\n")]
        return [line for line in lines if line]
    return [stripped]


def _read_binary(content_type: str, media_type: str, attributes: Mapping[str, str], body: bytes) -> Event:
    if media_type and media_type != JSON and not media_type.endswith("+json"):
        raise UnsupportedFormat(f"data of type {media_type!r} is not JSON", "send JSON data")
    members: dict[str, Any] = {"specversion": ""}
    for name, value in attributes.items():
        if not name.isascii() or not name.isalnum() or name == "data":
            raise EventRejected(f"ce-{name} is not the name of a CloudEvents attribute", "use letters and digits")
        members[name] = _header_decoded(name, value)
    if media_type:
        members["datacontenttype"] = content_type
    if body.strip():
        try:
            # Decoding to Raw checks the syntax (but not that strings are UTF-8) and keeps the bytes.
            body.decode()
            members["data"] = msgspec.json.decode(body, type=msgspec.Raw)
        except NOT_JSON as error:
            raise UnsupportedFormat(f"the data is not JSON: {decoding_reason(error)}", "send JSON data") from None
    return read_event(msgspec.json.encode(members))


def _header_decoded(name: str, value: str) -> str:
    """CloudEvents HTTP binding, section 3.1.3.2: a quoted string is unquoted first, then percent-encoding is undone."""
    if _QUOTED.fullmatch(value):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeError:
        raise EventRejected(f"ce-{name} is not percent-encoded UTF-8") from None


def as_cloud_event(event: Event) -> bytes:
    """A legacy event's body as CloudEvents 1.0; any other body as it is.

    `data` keeps its bytes; the legacy fields that CloudEvents has no name for are left out.
    """
    if not event.legacy:
        return event.body
    legacy: dict[str, msgspec.Raw] = msgspec.json.decode(event.body, type=dict[str, msgspec.Raw])
    members: dict[str, Any] = {"specversion": "1.0", "id": event.id, "type": event.type}
    members["source"] = event.source
    if event.time:
        members["time"] = event.time
    members["datacontenttype"] = JSON
    for name, value in _legacy_extensions(legacy):
        members.setdefault(name, value)
    if "data" in legacy:
        members["data"] = legacy["data"]
    return msgspec.json.encode(members)


def _legacy_extensions(legacy: Mapping[str, msgspec.Raw]) -> Iterable[tuple[str, msgspec.Raw | str]]:
    extensions = {}
    if "eventTypeVersion" in legacy:
        extensions["eventTypeVersion"] = legacy["eventTypeVersion"]
    if "extensions" in legacy:
        extensions |= msgspec.json.decode(legacy["extensions"], type=dict[str, msgspec.Raw] | None) or {}
    for name in _OF_AUDIT_ITEMS:
        if name in legacy and bytes(extensions.get(name, b"null")) in _NOTHING:
            extensions[name] = legacy[name]
    for name, raw in extensions.items():
        lower, value = name.lower(), bytes(raw)
        if not lower.isascii() or not lower.isalnum() or lower in _NOT_EXTENSIONS or value in _NOTHING:
            continue
        yield lower, raw if _is_attribute(value) else value.decode()


def _is_attribute(value: bytes) -> bool:
    """Whether JSON is what CloudEvents attributes may be: a string, a boolean, an integer of 32 bits.

    Anything else is rendered as a string that holds the JSON, as Qlik does it (`authclaims`).
    """
    if value.startswith(b'"') or value in (b"true", b"false"):
        return True
    return _INTEGER.fullmatch(value) is not None and -(2**31) <= int(value) < 2**31


def with_type(body: bytes, name: str) -> bytes:
    """The body with its type (under whichever of the two field names it has) replaced, in its old place."""
    members: dict[str, msgspec.Raw] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    replacement = msgspec.Raw(msgspec.json.encode(name))
    for field in ("type", "eventType"):
        if field in members:
            members[field] = replacement
    return msgspec.json.encode(members)
