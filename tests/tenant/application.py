"""The operations of the tenant, and the way of a request that is answered as it should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import compile_path

from tests.tenant import audit_operations as audits
from tests.tenant import deliveries, directory, webhooks
from tests.tenant.access import NOBODY, grant_token
from tests.tenant.answers import Answer, Refused
from tests.tenant.asking import Asked
from tests.tenant.request_log import Logged

if TYPE_CHECKING:
    from tests.tenant.tenant import Tenant

Handler = Callable[["Tenant", Asked], Answer]
PREFIXES = ("core", "v1")
# The first that fits is taken: what has a name of its own stands before what takes any id.
_WEBHOOKS: list[tuple[str, str, Handler]] = [
    ("GET", "", webhooks.list_webhooks),
    ("POST", "", webhooks.create_webhook),
    ("GET", "/event-types", webhooks.list_event_types),
    ("GET", "/{id}", webhooks.get_webhook),
    ("PUT", "/{id}", webhooks.replace_webhook),
    ("PATCH", "/{id}", webhooks.patch_webhook),
    ("DELETE", "/{id}", webhooks.delete_webhook),
    ("GET", "/{id}/deliveries", deliveries.list_deliveries),
    ("GET", "/{id}/deliveries/{delivery}", deliveries.get_delivery),
    ("POST", "/{id}/deliveries/{delivery}/actions/resend", deliveries.resend_delivery),
]
_OTHERS: list[tuple[str, str, Handler]] = [
    ("GET", "/api/v1/audits", audits.list_audits),
    ("GET", "/api/v1/audits/archive", audits.list_archive),
    ("GET", "/api/v1/audits/types", audits.list_types),
    ("GET", "/api/v1/audits/sources", audits.list_sources),
    ("GET", "/api/v1/audits/settings", audits.get_settings),
    ("GET", "/api/v1/audits/{id}", audits.get_audit),
    ("GET", "/api/v1/users/me", directory.get_me),
    ("GET", "/api/v1/users/{id}", directory.get_user),
    ("GET", "/api/v1/spaces/{id}", directory.get_space),
    ("GET", "/api/v1/apps/{id}", directory.get_app),
]
_TOKEN: list[tuple[str, str, Handler]] = [("POST", "/oauth/token", grant_token)]


@dataclass(frozen=True)
class Operation:
    """prefix: of the webhooks' operations, which can be switched off; "" for others. open: asks for no credentials."""

    method: str
    path: re.Pattern[str]
    handler: Handler
    prefix: str = ""
    open: bool = False


def _operation(method: str, path: str, handler: Handler, prefix: str = "", open: bool = False) -> Operation:
    return Operation(method, compile_path(path)[0], handler, prefix, open)


OPERATIONS = [
    *(
        _operation(method, f"/api/{prefix}/webhooks{path}", handler, prefix)
        for prefix in PREFIXES
        for method, path, handler in _WEBHOOKS
    ),
    *(_operation(*other) for other in _OTHERS),
    *(_operation(*token, open=True) for token in _TOKEN),
]


def answer(tenant: Tenant, request: Request, body: bytes, logged: Logged) -> Answer:
    """Find the operation, let the caller in, and do it."""
    try:
        operation, places = _found(tenant, request.method, request.url.path)
        caller = NOBODY
        if not operation.open:
            caller = tenant.access.caller(request.headers.get("authorization", ""))
            logged.user_id = caller.id
            tenant.rate.take(caller.id, request.method)
        asked = Asked(
            origin=f"{request.url.scheme}://{request.url.netloc}",
            path=request.url.path,
            prefix=operation.prefix,
            places=places,
            query=logged.query,
            content_type=request.headers.get("content-type", ""),
            body=body,
            caller=caller,
        )
        return operation.handler(tenant, asked)
    except Refused as refused:
        return refused.answer


def _found(tenant: Tenant, method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The operation and what stands in its places. Raises Refused (404, 405)."""
    others: list[str] = []
    for operation in OPERATIONS:
        match = operation.path.match(path)
        if match is None or (operation.prefix and operation.prefix not in tenant.prefixes):
            continue
        if operation.method == method:
            return operation, match.groupdict()
        others.append(operation.method)
    if others:
        raise Refused(405, "Method not allowed", headers=(("allow", ", ".join(others)),))
    raise Refused(404, "Not found", f"there is nothing at {path}")
