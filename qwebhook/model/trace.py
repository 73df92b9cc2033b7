"""The trace that an event belongs to, as a request's headers and an event's own attributes name it.

Sources: W3C Trace Context, whose two headers these are; CloudEvents' distributed tracing extension, which has the same
two values in the event.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from qwebhook.model.decoding import NOT_JSON

TRACE_HEADERS = ("traceparent", "tracestate")
TRACESTATE_LIMIT = 512
# Zeros mean that there is no trace, and version ff is none.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Trace(msgspec.Struct, frozen=True, gc=False):
    """Both values, valid; tracestate "" where there is none."""

    traceparent: str
    tracestate: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that pass it on."""
        found = {"traceparent": self.traceparent}
        return found | {"tracestate": self.tracestate} if self.tracestate else found

    def __str__(self) -> str:
        """As it is kept: the values with a space between, which a traceparent cannot have."""
        return " ".join(self.headers.values())


class _Attributes(msgspec.Struct):
    traceparent: str = ""
    tracestate: str = ""


def kept_trace(text: str | None) -> Trace | None:
    """A trace as `str` made it."""
    return Trace(*text.split(" ", 1)) if text else None


def trace_in_headers(headers: Sequence[tuple[bytes, bytes]]) -> Trace | None:
    """The trace that a request names; None if it is not valid. headers: TRACE_HEADERS among those of the request."""
    parents, states = (
        [value.decode("latin-1") for name, value in headers if name == wanted.encode()] for wanted in TRACE_HEADERS
    )
    return _valid(parents[0], ",".join(states)) if len(parents) == 1 else None


def trace_in_event(body: bytes) -> Trace | None:
    """The trace that an event's attributes name; None if they name no valid one."""
    if b'"traceparent"' not in body:
        return None
    try:
        found = msgspec.json.decode(body, type=_Attributes)
    except NOT_JSON:
        return None
    return _valid(found.traceparent, found.tracestate)


def _valid(traceparent: str, tracestate: str) -> Trace | None:
    if not _TRACEPARENT.fullmatch(traceparent):
        return None
    usable = tracestate.isascii() and tracestate.isprintable() and len(tracestate) <= TRACESTATE_LIMIT
    return Trace(traceparent, tracestate.strip(" ") if usable else "")
