"""An event as it came in: what is needed to match and to deliver it, and its bytes untouched.

Three envelopes are read: Qlik's legacy one (`eventType`, `eventId`, `extensions`), CloudEvents 1.0 in structured
mode, and the hybrid of both. A binary-mode CloudEvent is rendered as structured JSON once, when it is accepted.
Sources: CloudEvents 1.0.2 core and JSON format; Qlik Cloud's event documentation for the legacy fields.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from qwebhook.model.decoding import NOT_JSON, decoding_reason
from qwebhook.model.errors import EventRejected
from qwebhook.model.trace import Trace

MAX_TYPE_LENGTH = 255
TEST_ID_PREFIX = "test-"
KEY_BYTES = 16
_EMPTY = msgspec.Raw(b"")
# What a CloudEvents extension attribute may be.
_Scalar = str | int | bool | None


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
    tenantid: _Scalar = None
    userid: _Scalar = None
    ownerid: _Scalar = None
    spaceid: _Scalar = None
    toplevelresourceid: _Scalar = None
    eventId: str | None = None
    eventType: str | None = None
    eventTime: str | None = None
    tenantId: _Scalar = None
    userId: _Scalar = None
    extensions: _LegacyExtensions | _Scalar = None
    data: msgspec.Raw = _EMPTY


class _MatchedData(msgspec.Struct, gc=False):
    """The members of `data` that filters look at; raw, since they may be anything and only strings can match."""

    id: msgspec.Raw = _EMPTY
    status: msgspec.Raw = _EMPTY
    attributes: msgspec.Raw = _EMPTY


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event. Absent attributes are None; `legacy` means that the body is no CloudEvent.

    body: the JSON as it is stored and forwarded, bytes untouched. data: the raw slice of its `data`, maybe empty.
    trace: that of the request it came with; one among its own attributes goes before.
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
    trace: Trace | None = None

    @property
    def key(self) -> bytes:
        """Sixteen bytes that two events share only if they are the same event.

        Qlik names an event by its tenant and id, wherever it was read; everyone else by source and id (CloudEvents
        1.0.2, "source + id is unique").
        """
        qlik = bool(self.tenant_id) and is_qlik_source(self.source)
        scope = f"tenant\0{self.tenant_id}" if qlik else f"source\0{self.source}"
        # The length marks where the scope ends, whatever characters it has.
        return blake2b(f"{len(scope)}\0{scope}{self.id}".encode(), digest_size=KEY_BYTES).digest()

    @property
    def resource_id(self) -> str | None:
        """The filter's `id`: `data.id` (older copies: `data.attributes.id`), else the top-level resource."""
        found = self._text_in_data("id")
        return self.top_level_resource_id if found is None else found

    @property
    def data_status(self) -> str | None:
        """The filter's `data.status`."""
        return self._text_in_data("status")

    def concerns(self, user: str) -> bool:
        """Whether the user triggered the event or owns what it is about."""
        return bool(user) and user in (self.user_id, self.owner_id)

    def _text_in_data(self, name: str) -> str | None:
        # Only webhooks with a filter get here, so nothing is decoded for the others.
        data = _matched_data(self.data)
        value = bytes(getattr(data, name))
        if not value.startswith(b'"'):
            value = bytes(getattr(_matched_data(data.attributes), name))
        return _text_decoder.decode(value) if value.startswith(b'"') else None


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_matched_data_decoder = msgspec.json.Decoder(_MatchedData)
_text_decoder = msgspec.json.Decoder(str)


def _matched_data(raw: msgspec.Raw) -> _MatchedData:
    value = bytes(raw)
    try:
        return _matched_data_decoder.decode(value) if value.startswith(b"{") else _MatchedData()
    except RecursionError:  # nested nearly too deeply to be read, and looked into further down the stack
        return _MatchedData()


def is_qlik_source(source: str) -> bool:
    """Whether a CloudEvents `source` is one of Qlik Cloud's own, such as `com.qlik/engine`."""
    return source.startswith(("com.qlik/", "com.qlik.")) or source == "com.qlik"


def read_event(body: bytes) -> Event:
    """The event in a JSON object of any of the three envelopes. Raises EventRejected."""
    try:
        # msgspec does not look into the strings that it skips.
        body.decode()
        envelope = _envelope_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise EventRejected(f"the event is malformed: {decoding_reason(error)}") from None
    except NOT_JSON as error:
        raise EventRejected(f"the event is not valid JSON: {decoding_reason(error)}") from None
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
    # A CloudEvent that is no hybrid may have an attribute of that name.
    legacy = envelope.extensions if isinstance(envelope.extensions, _LegacyExtensions) else _NO_EXTENSIONS
    return Event(
        id=_required("id", envelope.id or envelope.eventId),
        type=_checked_type("type", envelope.type or envelope.eventType),
        source=_required("source", envelope.source),
        time=envelope.time or envelope.eventTime,
        tenant_id=_text(envelope.tenantid) or legacy.tenant_id,
        user_id=_text(envelope.userid) or legacy.user_id,
        owner_id=_text(envelope.ownerid) or legacy.owner_id,
        space_id=_text(envelope.spaceid) or legacy.space_id,
        top_level_resource_id=_text(envelope.toplevelresourceid) or legacy.top_level_resource_id,
        body=body,
        data=envelope.data,
    )


def _legacy_event(envelope: _Envelope, body: bytes) -> Event:
    extensions = _NO_EXTENSIONS if envelope.extensions is None else envelope.extensions
    if not isinstance(extensions, _LegacyExtensions):
        raise EventRejected("extensions is not an object")
    return Event(
        id=_required("eventId", envelope.eventId),
        type=_checked_type("eventType", envelope.eventType),
        # The oldest legacy events have none, and CloudEvents demand one. Only Qlik sends this envelope.
        source=envelope.source or "com.qlik",
        legacy=True,
        time=envelope.eventTime,
        # Items of the audit log say beside their extensions whose they are.
        tenant_id=extensions.tenant_id or _text(envelope.tenantId),
        user_id=extensions.user_id or _text(envelope.userId),
        owner_id=extensions.owner_id,
        space_id=extensions.space_id,
        top_level_resource_id=extensions.top_level_resource_id,
        body=body,
        data=envelope.data,
    )


_NO_EXTENSIONS = _LegacyExtensions()


def _text(value: _Scalar) -> str | None:
    """An attribute in its string form (CloudEvents 1.0.2, section "Type System")."""
    return value if value is None or isinstance(value, str) else str(value).lower()


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
