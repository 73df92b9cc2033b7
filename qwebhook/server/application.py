"""The ASGI application: which path goes where, and what becomes of errors."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from qwebhook.model.errors import NotFound, QwebhookError, WrongCredentials
from qwebhook.server.acceptance import PATH, Acceptance, Admitted
from qwebhook.server.api.operation import JSON, Backend
from qwebhook.server.api.routing import routes
from qwebhook.server.api.table import OPERATIONS
from qwebhook.server.guard import BrowserGuard, FailedAttempts
from qwebhook.server.log import Log
from qwebhook.server.responses import Headers, Receive, Scope, Send, answer_error, error_body, error_headers, trace_id


class Application:
    """Events go straight to the acceptance; everything else is routed."""

    def __init__(self, acceptance: Acceptance, backend: Backend, guard: BrowserGuard, failed: FailedAttempts) -> None:
        self.acceptance = acceptance
        self._guard = guard
        errors = _Errors(backend.log, failed)
        self._routed = Starlette(
            routes=routes(OPERATIONS, backend),
            exception_handlers={
                QwebhookError: errors.raised,
                HTTPException: errors.refused,
                Exception: errors.unforeseen,
            },
        )
        # A path with a slash too many is unknown, and no client is to repeat a request elsewhere.
        self._routed.router.redirect_slashes = False

    def admit(self, headers: Headers) -> Admitted:
        """Let a request that brings events in, without ASGI, by its headers. Raises QwebhookError."""
        self._guard.check(headers)
        return self.acceptance.admit(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            self._guard.check(scope["headers"])
        except QwebhookError as error:
            await answer_error(send, error)
            return
        if scope["type"] == "http" and scope["path"] == PATH:
            await self.acceptance(scope, receive, send)
        else:
            await self._routed(scope, receive, send)


class _Errors:
    """Makes answers of errors, and tells the log of those that are ours."""

    def __init__(self, log: Log, failed: FailedAttempts) -> None:
        self._log = log
        self._failed = failed

    async def raised(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, QwebhookError)
        trace = trace_id()
        if isinstance(error, WrongCredentials):
            await self._failed.slow(request.scope, error.message)
        if error.status >= 500:
            self._log.warning(
                "request failed",
                method=request.method,
                path=request.scope["path"],
                reason=error.message,
                hint=error.hint,
                trace=trace,
            )
        return Response(error_body(error, trace), error.status, error_headers(error), media_type=JSON)

    async def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await self.raised(request, NotFound(f"there is nothing at {request.scope['path']}"))

    async def unforeseen(self, request: Request, error: Exception) -> Response:
        return await self.raised(request, QwebhookError(f"unforeseen {type(error).__name__}"))
