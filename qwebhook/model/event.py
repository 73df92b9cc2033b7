"""An event as it came in: what is needed to match and to deliver it, and its bytes untouched.

Three envelopes are read: Qlik's legacy one (`eventType`, `eventId`, `extensions`), CloudEvents 1.0 in structured
mode, and the hybrid of both. A binary-mode CloudEvent is rendered as structured JSON once, when it is accepted.
Sources: CloudEvents 1.0.2 core and JSON format; Qlik Cloud's event documentation for the legacy fields.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from qwebhook.model.errors import EventRejected

MAX_TYPE_LENGTH = 255
TEST_ID_PREFIX = "test-"
KEY_BYTES = 16
_EMPTY = msgspec.Raw(b"")


class _LegacyExtensions(msgspec.Struct, rename="camel", gc=False):
    tenant_id: str | None = None
    user_id: str | None = None
    owner_id: str | None = None
    space_id: str | None = None
    top_level_resource_id: str | None = None


class _Envelope(msgspec.Struct, gc=False):
    """Every field of the three envelopes that matching needs; the rest of the body is skipped, not parsed."""

    specversion: str | None = None
    id: str | None = None
    type: str | None = None
    source: str | None = None
    time: str | None = None
    tenantid: str | None = None
    userid: str | None = None
    ownerid: str | None = None
    spaceid: str | None = None
    toplevelresourceid: str | None = None
    eventId: str | None = None
    eventType: str | None = None
    eventTime: str | None = None
    extensions: _LegacyExtensions | None = None
    data: msgspec.Raw = _EMPTY


class _MatchedData(msgspec.Struct, gc=False):
    """The members of `data` that filters look at; of any type, since only strings can match."""

    id: Any = None
    status: Any = None
    attributes: Any = None


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event. Absent attributes are None; `legacy` means that the body is no CloudEvent.

    body: the JSON as it is stored and forwarded, bytes untouched. data: the raw slice of its `data`, maybe empty.
    """

    id: str
    type: str
    source: str
    body: bytes
    legacy: bool = False
    time: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    owner_id: str | None = None
    space_id: str | None = None
    top_level_resource_id: str | None = None
    data: msgspec.Raw = _EMPTY

    @property
    def key(self) -> bytes:
        """Sixteen bytes that two events share only if they are the same event.

        Qlik names an event by its tenant and id, wherever it was read; everyone else by source and id (CloudEvents
        1.0.2, "source + id is unique").
        """
        qlik = self.tenant_id is not None and is_qlik_source(self.source)
        scope = f"tenant\0{self.tenant_id}" if qlik else f"source\0{self.source}"
        return blake2b(f"{scope}\0{self.id}".encode(), digest_size=KEY_BYTES).digest()

    @property
    def resource_id(self) -> str | None:
        """The filter's `id`: `data.id` (older copies: `data.attributes.id`), else the top-level resource."""
        data = self._matched_data()
        for holder in (data.id, data.attributes.get("id") if isinstance(data.attributes, dict) else None):
            if isinstance(holder, str):
                return holder
        return self.top_level_resource_id

    @property
    def data_status(self) -> str | None:
        """The filter's `data.status`."""
        data = self._matched_data()
        nested = data.attributes.get("status") if isinstance(data.attributes, dict) else None
        for holder in (data.status, nested):
            if isinstance(holder, str):
                return holder
        return None

    def concerns(self, user: str) -> bool:
        """Whether the user triggered the event or owns what it is about."""
        return user in (self.user_id, self.owner_id)

    def _matched_data(self) -> _MatchedData:
        # Only webhooks with a filter get here, so nothing is decoded for the others.
        data = bytes(self.data)
        return _matched_data_decoder.decode(data) if data.startswith(b"{") else _MatchedData()


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_matched_data_decoder = msgspec.json.Decoder(_MatchedData)


def is_qlik_source(source: str) -> bool:
    """Whether a CloudEvents `source` is one of Qlik Cloud's own, such as `com.qlik/engine`."""
    return source.startswith(("com.qlik/", "com.qlik.")) or source == "com.qlik"


def read_event(body: bytes) -> Event:
    """The event in a JSON object of any of the three envelopes. Raises EventRejected."""
    try:
        envelope = _envelope_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise EventRejected(f"the event is malformed: {_reason(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventRejected(f"the event is not valid JSON: {_reason(error)}") from None
    if envelope.specversion is not None:
        if envelope.specversion != "1.0":
            raise EventRejected(
                f"specversion is {envelope.specversion!r}", "CloudEvents 1.0 and Qlik's legacy form are read"
            )
        return _cloud_event(envelope, body)
    if envelope.eventType is not None or envelope.eventId is not None:
        return _legacy_event(envelope, body)
    raise EventRejected(
        "the event has neither specversion nor eventType",
        "send a CloudEvents 1.0 event or one in Qlik's legacy form",
    )


def _cloud_event(envelope: _Envelope, body: bytes) -> Event:
    legacy = envelope.extensions or _NO_EXTENSIONS
    return Event(
        id=_required("id", envelope.id or envelope.eventId),
        type=_checked_type("type", envelope.type or envelope.eventType),
        source=_required("source", envelope.source),
        time=envelope.time or envelope.eventTime,
        tenant_id=envelope.tenantid or legacy.tenant_id,
        user_id=envelope.userid or legacy.user_id,
        owner_id=envelope.ownerid or legacy.owner_id,
        space_id=envelope.spaceid or legacy.space_id,
        top_level_resource_id=envelope.toplevelresourceid or legacy.top_level_resource_id,
        body=body,
        data=envelope.data,
    )


def _legacy_event(envelope: _Envelope, body: bytes) -> Event:
    extensions = envelope.extensions or _NO_EXTENSIONS
    return Event(
        id=_required("eventId", envelope.eventId),
        type=_checked_type("eventType", envelope.eventType),
        source=envelope.source or "",
        legacy=True,
        time=envelope.eventTime,
        tenant_id=extensions.tenant_id,
        user_id=extensions.user_id,
        owner_id=extensions.owner_id,
        space_id=extensions.space_id,
        top_level_resource_id=extensions.top_level_resource_id,
        body=body,
        data=envelope.data,
    )


_NO_EXTENSIONS = _LegacyExtensions()


def _required(name: str, value: str | None) -> str:
    if not value:
        raise EventRejected(f"the event has no {name}")
    return value


def _checked_type(name: str, value: str | None) -> str:
    checked = _required(name, value)
    if not is_well_formed_type(checked):
        raise EventRejected(f"{name} is not a well-formed event type: {checked[:80]!r}")
    return checked


def is_well_formed_type(name: str) -> bool:
    """Printable ASCII without spaces or commas (lists of types are comma-separated), at most 255 characters."""
    return 0 < len(name) <= MAX_TYPE_LENGTH and name.isascii() and name.isprintable() and not set(name) & {" ", ","}


def _reason(error: Exception) -> str:
    return str(error).replace("`", "'").removeprefix("JSON is malformed: ")
