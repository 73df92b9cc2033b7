"""A request that brings events, on its way from the parser to the acceptance and back without ASGI."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from uvicorn.server import ServerState

from qwebhook.model.envelope import MAX_BODY
from qwebhook.model.errors import QwebhookError
from qwebhook.server.acceptance import SMALLER, Acceptance, Admitted
from qwebhook.server.application import Application
from qwebhook.server.body import too_large
from qwebhook.server.responses import Headers, raw_answer, raw_error
from qwebhook.store.contract import Accepted

_log = logging.getLogger(__name__)


class Transport(Protocol):
    """Where the answer goes."""

    def is_closing(self) -> bool: ...

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class _NobodyWaits:
    def set(self) -> None:
        """Nobody is to be woken."""


class EventRequest:
    """One request. It stands in for uvicorn's `RequestResponseCycle`, and has what uvicorn's protocol looks at there.

    state: has the headers that every answer has. client: address and port. on_response: called when it is answered.
    """

    message_event = _NobodyWaits()

    def __init__(
        self,
        application: Application,
        transport: Transport,
        state: ServerState,
        client: tuple[str, int] | None,
        on_response: Callable[[], None],
    ) -> None:
        self._application = application
        self._acceptance: Acceptance = application.acceptance
        self._transport = transport
        self._state = state
        self._client = client
        self._on_response = on_response
        self._admitted: Admitted | None = None
        self._body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.keep_alive = True
        self.disconnected = False

    def begin(self, headers: Headers) -> None:
        """The head has come."""
        try:
            self._admitted = self._application.admit(headers)
        except Exception as error:
            self._fail(error)

    def add(self, part: bytes) -> None:
        """A part of the body has come."""
        if self._admitted is not None:
            self._body += part
            if len(self._body) > MAX_BODY:
                self._fail(too_large(SMALLER))

    def end(self) -> None:
        """The whole body has come."""
        self.more_body = False
        if self._admitted is None:
            return
        try:
            taken = self._acceptance.take(self._admitted, bytes(self._body))
        except Exception as error:
            self._fail(error)
        else:
            taken.add_done_callback(self._taken)

    def _taken(self, taken: asyncio.Future[list[Accepted]]) -> None:
        if taken.cancelled():
            self._transport.close()
            return
        error = taken.exception()
        if error is not None:
            self._fail(error)
        else:
            receipt = self._acceptance.receipt(taken.result())
            self._respond(raw_answer(202, receipt, self._state.default_headers, close=not self.keep_alive))

    def _fail(self, error: BaseException) -> None:
        self._admitted, self._body = None, bytearray()
        if not isinstance(error, QwebhookError):
            _log.error("unforeseen", exc_info=error)
            error = QwebhookError(f"unforeseen {type(error).__name__}")
        seconds = self._acceptance.refused(error, self._client)
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._refuse, error)
        else:
            self._refuse(error)

    def _refuse(self, error: QwebhookError) -> None:
        self._respond(raw_error(error, self._state.default_headers, close=not self.keep_alive))

    def _respond(self, answer: bytes) -> None:
        self.response_started = self.response_complete = True
        if self._transport.is_closing():
            return
        self._transport.send(answer)
        if not self.keep_alive:
            self._transport.close()
        self._on_response()
