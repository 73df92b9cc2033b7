"""What an operation is, what its handler is given, and what it gives back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from qwebhook.deliver.targets import Targets
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Clock, Writer
from qwebhook.model.errors import InvalidInput
from qwebhook.server.access import Access
from qwebhook.server.administration import ServedStore
from qwebhook.server.api.by_hand import Slots
from qwebhook.server.log import Log
from qwebhook.server.metrics import Metrics
from qwebhook.server.readiness import Readiness
from qwebhook.server.responses import Receive
from qwebhook.store.contract import Role, Token

Q = TypeVar("Q")
B = TypeVar("B")
JSON = "application/json"


class NoParameters(msgspec.Struct, forbid_unknown_fields=True):
    """No query parameters: any is refused."""


class Backend(msgspec.Struct, kw_only=True):
    """What handlers work with.

    public_url: how clients reach the server, without a slash at its end; "" means as the request says.
    webhook_limit: how many webhooks one user may have made; None: any number.
    """

    store: ServedStore
    writer: Writer
    worker: Worker
    targets: Targets
    access: Access
    readiness: Readiness
    metrics: Metrics
    log: Log
    clock: Clock
    public_url: str = ""
    webhook_limit: int | None = None
    by_hand: Slots = msgspec.field(default_factory=Slots)
    # One replay at a time, whoever asks: each takes its turns of the writer's thread.
    replaying: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)


class Call(msgspec.Struct, Generic[Q, B], kw_only=True):
    """One request, read and let in.

    path: the values of the path's parameters. here: the absolute address, without the query. given: the query
    parameters as they came. caller: None without a token, where none is needed. receive: gives, after the body, that
    the client has gone. fields: those that the body has.
    """

    backend: Backend
    path: Mapping[str, str]
    here: str
    given: Sequence[tuple[str, str]]
    caller: Token | None
    query: Q
    body: B
    receive: Receive
    fields: frozenset[str] = frozenset()

    @property
    def token(self) -> Token:
        """Of the caller; for operations that need one."""
        assert self.caller is not None
        return self.caller


class Answer(msgspec.Struct):
    """What an operation answers. value: made JSON of; with another media type, the bytes themselves.

    changed: the id of what was made, changed or removed, for the log; "" if nothing was.
    """

    status: int
    value: object = None
    changed: str = ""
    media_type: str = JSON


Handler = Callable[[Call[Any, Any]], Awaitable[Answer]]


def invalid_field(field: str, message: str) -> InvalidInput:
    """The error of a body that does not fit."""
    return InvalidInput(f"{field}: {message}")


class Operation(msgspec.Struct, frozen=True):
    """One row of the table.

    path: with parameters in braces. id: the OpenAPI document's `operationId`. roles: of the tokens that are let in; ():
    none is needed, but one that is shown must be good; None: none is looked at. answers: the type of the value by
    status, None for an answer without a body. handler: None for what is served apart from the table, and only described
    by it. query: None does not look at the query. body: the type of the JSON body, None if none is read; optional: it
    may be left out. media_types: those that are taken. read_only: fields that it must not have (409). invalid: makes
    the error of a body that does not fit. errors: statuses beyond those that follow from the rest.
    """

    method: str
    path: str
    id: str
    summary: str
    roles: tuple[Role, ...] | None
    answers: Mapping[int, Any]
    handler: Handler | None
    query: type[msgspec.Struct] | None = NoParameters
    body: Any = None
    optional: bool = False
    media_types: tuple[str, ...] = (JSON,)
    read_only: frozenset[str] = frozenset()
    invalid: Callable[[str, str], InvalidInput] = invalid_field
    errors: tuple[int, ...] = ()
    deprecated: bool = False

    @property
    def error_statuses(self) -> list[int]:
        """Every status of an answer in the error shape."""
        statuses = {500, 503, *self.errors}
        if self.roles is not None:
            statuses.add(401)
        if self.roles:
            statuses.add(403)
        if self.query is not None or self.body is not None:
            statuses.add(400)
        if self.body is not None:
            statuses |= {413, 415}
        if "{" in self.path:
            statuses.add(404)
        return sorted(statuses - self.answers.keys())


def under(
    prefix: str, operations: Sequence[Operation], id_suffix: str = "", deprecated: bool = False
) -> list[Operation]:
    """The operations at paths below a prefix."""
    return [
        msgspec.structs.replace(
            operation, path=prefix + operation.path, id=operation.id + id_suffix, deprecated=deprecated
        )
        for operation in operations
    ]
