"""`/events`: events in, 202 when they are on disk; and the consent that a sender may ask for before.

Plain ASGI rather than a routed endpoint: it is the one route that every event takes, and routing costs as much again.
"""

from __future__ import annotations

import msgspec

from qwebhook.deliver.writer import Writer
from qwebhook.model.consent import REQUEST_ORIGIN, REQUEST_RATE, Consenting
from qwebhook.model.envelope import read_request
from qwebhook.model.errors import EventRejected, QwebhookError, Unavailable, UnsupportedFormat, WrongCredentials
from qwebhook.model.trace import TRACE_HEADERS, trace_in_headers
from qwebhook.server.access import Access
from qwebhook.server.body import ClientGone, content_length, read_body
from qwebhook.server.guard import FailedAttempts
from qwebhook.server.inbound import SIGNATURE_HEADERS, InboundSignatures, signatures_in
from qwebhook.server.metrics import Metrics
from qwebhook.server.responses import MethodNotAllowed, Receive, Scope, Send, answer, answer_error
from qwebhook.server.shedding import Shedding
from qwebhook.store.contract import Role

ROLES: tuple[Role, ...] = ("admin", "publisher")
METHODS = "OPTIONS, POST"
_TRACING = frozenset(name.encode() for name in TRACE_HEADERS)  # as ASGI has them


class Receipt(msgspec.Struct):
    """The answer to accepted events. ids: one for each, in order; a duplicate's is the first one's."""

    accepted: int
    duplicates: int
    ids: list[str]


class Acceptance:
    """The route of events coming in."""

    def __init__(
        self,
        writer: Writer,
        access: Access,
        inbound: InboundSignatures,
        failed: FailedAttempts,
        shedding: Shedding,
        metrics: Metrics,
        consenting: Consenting,
    ) -> None:
        self._writer = writer
        self._access = access
        self._inbound = inbound
        self._failed = failed
        self._shedding = shedding
        self._metrics = metrics
        self._consenting = consenting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "POST":
            await self._take(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._consent(scope, send)
        else:
            await answer_error(send, MethodNotAllowed(scope["path"], scope["method"], METHODS))

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            receipt = await self._accept(scope, receive)
        except ClientGone:
            return
        except QwebhookError as error:
            if isinstance(error, Unavailable):
                self._metrics.refused.inc()
            elif isinstance(error, EventRejected):
                self._metrics.rejected.inc()
            elif isinstance(error, WrongCredentials):
                await self._failed.slow(scope, error.message)
            await answer_error(send, error)
            return
        self._metrics.accepted.inc(receipt.accepted)
        if receipt.duplicates:
            self._metrics.duplicates.inc(receipt.duplicates)
        await answer(send, 202, msgspec.json.encode(receipt))

    async def _accept(self, scope: Scope, receive: Receive) -> Receipt:
        authorization: str | None = None
        content_type = encoding = ""
        length = 0
        attributes: dict[str, str] = {}
        signing: dict[bytes, str] = {}
        tracing: list[tuple[bytes, bytes]] = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"content-type":
                content_type = value.decode("latin-1")
            elif name == b"content-length":
                length = content_length(value)
            elif name == b"content-encoding" and value.lower() != b"identity":
                encoding = value.decode("latin-1")
            elif name.startswith(b"ce-"):
                attributes[name[3:].decode("latin-1")] = value.decode("latin-1")
            elif name in SIGNATURE_HEADERS:
                signing[name] = value.decode("latin-1")
            elif name in _TRACING:
                tracing.append((name, value))
        signatures = None
        # A token that was given decides alone: a wrong one is a mistake that a signature must not hide.
        if authorization is not None:
            self._access.require(authorization, ROLES)
        else:
            signatures = signatures_in(signing)
        self._shedding.check()
        body = await read_body(receive, length, "send the events in several requests")
        if signatures is not None:
            # Over the bytes as they came, and before anything looks into them.
            self._inbound.require(signatures, body)
        if encoding:
            raise UnsupportedFormat(f"content encoding {encoding!r} is not read", "send the body as it is")
        events = read_request(content_type, attributes, body)
        if tracing and len(events) == 1:
            events = [msgspec.structs.replace(events[0], trace=trace_in_headers(tracing))]
        accepted = await self._writer.accept(events)
        duplicates = sum(one.duplicate for one in accepted)
        return Receipt(len(accepted) - duplicates, duplicates, [one.id for one in accepted])

    async def _consent(self, scope: Scope, send: Send) -> None:
        """Answer a sender that asks whether it may deliver. It needs no token, and its callback is never called: an
        address from a stranger is not connected to.
        """
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin, rate = (given.get(name.lower().encode(), "") for name in (REQUEST_ORIGIN, REQUEST_RATE))
        headers = {"Allow": METHODS, **self._consenting.answer(origin.strip(), rate)}
        await answer(send, 200, b"", tuple((name.lower().encode(), value.encode()) for name, value in headers.items()))
