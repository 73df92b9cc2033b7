"""The ASGI application: which path goes where."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qwebhook import __version__
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.errors import NotFound, QwebhookError
from qwebhook.server.acceptance import Acceptance
from qwebhook.server.access import Access
from qwebhook.server.metrics import Metrics
from qwebhook.server.responses import (
    MethodNotAllowed,
    Receive,
    Scope,
    Send,
    answer_error,
    error_body,
    error_headers,
)
from qwebhook.store.contract import Journal

READY_SECONDS = 2.0
RECHECK_SECONDS = 1.0


class Application:
    """Events go straight to the acceptance; everything else is routed.

    observed: a journal of its own for reading figures, so that counting a long queue does not hold the writer.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        writer: Writer,
        worker: Worker,
        access: Access,
        metrics: Metrics,
        observed: Journal,
        clock: Callable[[], int],
    ) -> None:
        self._acceptance = acceptance
        self._writer = writer
        self._worker = worker
        self._access = access
        self._metrics = metrics
        self._observed = observed
        self._clock = clock
        self._observing = asyncio.Lock()
        self._checking: asyncio.Future[None] | None = None
        self._checked = 0.0
        self._routed = Starlette(
            routes=[
                Route("/healthz", self._healthy),
                Route("/readyz", self._ready),
                Route("/metrics", self._figures),
            ],
            exception_handlers={QwebhookError: _failed, HTTPException: _refused, Exception: _broken},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == "/events":
            if scope["method"] == "POST":
                await self._acceptance(scope, receive, send)
            else:
                await answer_error(send, MethodNotAllowed("/events", scope["method"], "POST"))
            return
        await self._routed(scope, receive, send)

    async def _healthy(self, _: Request) -> Response:
        return _json(200, {"status": "alive", "version": __version__})

    async def _ready(self, _: Request) -> Response:
        """Whether events can be accepted and delivered now. A failing endpoint does not matter."""
        now = asyncio.get_running_loop().time()
        if self._checking is None or (self._checking.done() and now - self._checked > RECHECK_SECONDS):
            # One check for all who ask within a second: it writes, and asking needs no token.
            self._checked = now
            self._checking = asyncio.ensure_future(self._writer.run(lambda journal: journal.check_writable()))
        try:
            await asyncio.wait_for(asyncio.shield(self._checking), READY_SECONDS)
        except TimeoutError:
            return _json(503, {"status": "not ready", "reason": "the writer is stalled"})
        except QwebhookError as error:
            return _json(503, {"status": "not ready", "reason": f"the store cannot be written: {error.code}"})
        if self._worker.stopping:
            return _json(503, {"status": "not ready", "reason": "the server is stopping"})
        return _json(200, {"status": "ready"})

    async def _figures(self, request: Request) -> Response:
        self._access.require(request.headers.get("authorization", ""), ("metrics", "admin"))
        async with self._observing:
            depth, oldest = await asyncio.to_thread(self._observed.pending)
        self._metrics.queue_depth.set(depth)
        self._metrics.oldest_pending_seconds.set(0 if oldest is None else max(self._clock() - oldest, 0) / 1000)
        self._metrics.in_flight.set(self._worker.in_flight)
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


Handler = Callable[[Request, Exception], Awaitable[Response]]


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, QwebhookError)
    return Response(error_body(error), error.status, error_headers(error), media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET")
        return await _failed(request, MethodNotAllowed(request.url.path, request.method, allowed))
    return await _failed(request, NotFound(f"there is nothing at {request.url.path}"))


async def _broken(request: Request, _: Exception) -> Response:
    return await _failed(request, QwebhookError("internal error"))
