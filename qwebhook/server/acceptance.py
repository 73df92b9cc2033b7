"""`/events`: events in, 202 when they are on disk; and the consent that a sender may ask for before.

It is the one route that every event takes: `event_request.py` has its steps called straight by the parser, without the
two thirds of a request's cost that ASGI is. What does not fit there, or comes by way of a proxy, comes as ASGI.
"""

from __future__ import annotations

import asyncio

import msgspec

from qwebhook.deliver.writer import Writer
from qwebhook.model.consent import REQUEST_ORIGIN, REQUEST_RATE, Consenting
from qwebhook.model.envelope import MAX_BODY, read_request
from qwebhook.model.errors import EventRejected, QwebhookError, Unavailable, WrongCredentials
from qwebhook.model.trace import TRACE_HEADERS, trace_in_headers
from qwebhook.server.access import Access
from qwebhook.server.body import ClientGone, content_length, encoded, read_body, too_large
from qwebhook.server.guard import FailedAttempts
from qwebhook.server.inbound import SIGNATURE_HEADERS, InboundSignatures, Signatures, signatures_in
from qwebhook.server.metrics import Metrics
from qwebhook.server.responses import Headers, MethodNotAllowed, Receive, Scope, Send, answer, answer_error
from qwebhook.server.shedding import Shedding
from qwebhook.store.contract import Accepted, Role

PATH = "/events"
ROLES: tuple[Role, ...] = ("admin", "publisher")
METHODS = "OPTIONS, POST"
SMALLER = "send the events in several requests"
_TRACING = frozenset(name.encode() for name in TRACE_HEADERS)  # as ASGI has them


class Receipt(msgspec.Struct):
    """The answer to accepted events. ids: one for each, in order; a duplicate's is the first one's."""

    accepted: int
    duplicates: int
    ids: list[str]


class Admitted(msgspec.Struct):
    """What a request's headers say of its body. length: as announced, 0 if it was not. signatures: to be checked over
    the body; None where a token has decided.
    """

    content_type: str = ""
    encoding: str = ""
    length: int = 0
    attributes: dict[str, str] = {}
    signatures: Signatures | None = None
    tracing: tuple[tuple[bytes, bytes], ...] = ()


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
            await self._answer(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._consent(scope, send)
        else:
            await answer_error(send, MethodNotAllowed(scope["path"], scope["method"], METHODS))

    def admit(self, headers: Headers) -> Admitted:
        """See by a request's headers whether it may bring events, before its body has come.

        Raises NotAuthorised, Forbidden, BodyTooLarge, Overloaded.
        """
        authorization: str | None = None
        admitted = Admitted()
        signing: dict[bytes, str] | None = None
        for name, value in headers:
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"content-type":
                admitted.content_type = value.decode("latin-1")
            elif name == b"content-length":
                admitted.length = content_length(value)
            elif name == b"content-encoding" and value.lower() != b"identity":
                admitted.encoding = value.decode("latin-1")
            elif name.startswith(b"ce-"):
                if not admitted.attributes:
                    admitted.attributes = {}
                admitted.attributes[name[3:].decode("latin-1")] = value.decode("latin-1")
            elif name in SIGNATURE_HEADERS:
                signing = signing or {}
                signing[name] = value.decode("latin-1")
            elif name in _TRACING:
                admitted.tracing = (*admitted.tracing, (name, value))
        # A token that was given decides alone: a wrong one is a mistake that a signature must not hide.
        if authorization is not None:
            self._access.require(authorization, ROLES)
        else:
            admitted.signatures = signatures_in(signing or {})
            self._inbound.expect()
        self._shedding.check()
        if admitted.length > MAX_BODY:
            raise too_large(SMALLER)
        return admitted

    def take(self, admitted: Admitted, body: bytes) -> asyncio.Future[list[Accepted]]:
        """Take the events of a whole request; done when they are on disk.

        Raises WrongCredentials, EventRejected, UnsupportedFormat, Overloaded at once, Unavailable later.
        """
        if admitted.signatures is not None:
            # Over the bytes as they came, and before anything looks into them.
            self._inbound.require(admitted.signatures, body)
        if admitted.encoding:
            raise encoded(admitted.encoding)
        events = read_request(admitted.content_type, admitted.attributes, body)
        if admitted.tracing and len(events) == 1:
            events = [msgspec.structs.replace(events[0], trace=trace_in_headers(admitted.tracing))]
        return self._writer.accept(events)

    def receipt(self, accepted: list[Accepted]) -> bytes:
        """The body of the answer for what was taken."""
        duplicates = sum([one.duplicate for one in accepted])
        self._metrics.accepted.inc(len(accepted) - duplicates)
        if duplicates:
            self._metrics.duplicates.inc(duplicates)
        return msgspec.json.encode(Receipt(len(accepted) - duplicates, duplicates, [one.id for one in accepted]))

    def refused(self, error: QwebhookError, client: tuple[str, int] | None) -> float:
        """Note that a request of a client (address and port) was refused; how many seconds its answer has to wait."""
        if isinstance(error, Unavailable):
            self._metrics.refused.inc()
        elif isinstance(error, EventRejected):
            self._metrics.rejected.inc()
        elif isinstance(error, WrongCredentials):
            return self._failed.note(client, PATH, error.message)
        return 0.0

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            admitted = self.admit(scope["headers"])
            body = await read_body(receive, admitted.length, SMALLER)
            accepted = await self.take(admitted, body)
        except ClientGone:
            return
        except QwebhookError as error:
            await asyncio.sleep(self.refused(error, scope.get("client")))
            await answer_error(send, error)
            return
        await answer(send, 202, self.receipt(accepted))

    async def _consent(self, scope: Scope, send: Send) -> None:
        """Answer a sender that asks whether it may deliver. It needs no token, and its callback is never called: an
        address from a stranger is not connected to.
        """
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin, rate = (given.get(name.lower().encode(), "") for name in (REQUEST_ORIGIN, REQUEST_RATE))
        headers = {"Allow": METHODS, **self._consenting.answer(origin.strip(), rate)}
        await answer(send, 200, b"", tuple((name.lower().encode(), value.encode()) for name, value in headers.items()))
