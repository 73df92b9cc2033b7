"""Every operation of the table, asked with every role and without a token."""

from __future__ import annotations

import re
from typing import get_args

import httpx
import pytest

from qwebhook.server.api.operation import Operation
from qwebhook.server.api.table import OPERATIONS
from qwebhook.store.contract import Role
from tests.acceptance.processes import Server
from tests.server.asking import UNKNOWN, Asking, right, wrong

EVERYBODY = None
ADMINS, USERS = {"admin"}, {"admin", "user"}
# Who may: a new operation has to be entered here, too.
SERVICE = {
    "listWebhooks": USERS,
    "createWebhook": USERS,
    "listEventTypes": USERS,
    "getWebhook": USERS,
    "replaceWebhook": USERS,
    "patchWebhook": USERS,
    "deleteWebhook": USERS,
    "listDeliveries": USERS,
    "getDelivery": USERS,
    "resendDelivery": USERS,
}
EXPECTED = {
    **SERVICE,
    **{f"{name}V1": roles for name, roles in SERVICE.items()},
    "getInformation": EVERYBODY,
    "getStatistics": ADMINS,
    "findWebhook": USERS,
    "rotateSecret": USERS,
    "testFire": USERS,
    "discardPending": USERS,
    "listAttempts": USERS,
    "listAllDeliveries": ADMINS,
    "replayEvents": USERS,
    "getReplayOutcome": USERS,
    "listTokens": ADMINS,
    "createToken": ADMINS,
    "revokeToken": ADMINS,
    "listInbounds": ADMINS,
    "createInbound": ADMINS,
    "removeInbound": ADMINS,
    "acceptEvents": {"admin", "publisher"},
    "askConsent": EVERYBODY,
    "isAlive": EVERYBODY,
    "isReady": EVERYBODY,
    "getMetrics": {"admin", "metrics"},
    "getDescription": EVERYBODY,
}
GUARDED = [operation for operation in OPERATIONS if EXPECTED.get(operation.id)]


def ask(server: Server, operation: Operation, token: str | None) -> httpx.Response:
    """The operation on things that are not there, with a body that holds nothing of use."""
    path = re.sub(r"\{\w+\}", UNKNOWN, operation.path)
    return Asking(server, token).ask(operation.method, path, {} if operation.body is not None else None)


def test_the_roles_of_every_operation_are_tested() -> None:
    assert sorted(operation.id for operation in OPERATIONS) == sorted(EXPECTED)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_without_a_token(server: Server, operation: Operation) -> None:
    answer = ask(server, operation, None)
    if EXPECTED[operation.id] is EVERYBODY:
        assert answer.status_code == 200
    else:
        wrong(answer, 401, "token")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)
def test_with_a_token_that_is_not_valid(server: Server, operation: Operation) -> None:
    wrong(ask(server, operation, "qwh_unknown"), 401, "not valid")


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)
def test_with_a_token_of_each_role(server: Server, operation: Operation, role: Role) -> None:
    answer = ask(server, operation, server.token(role))
    if role in (EXPECTED[operation.id] or ()):
        # What it asks for is not there, or it is not enough; but it is let in.
        assert answer.status_code in (200, 400, 404), answer.text
    else:
        wrong(answer, 403, role)


def test_a_credential_that_is_not_ours_does_not_matter_where_none_is_needed(server: Server) -> None:
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert server.client.get(path, headers={"Authorization": "Basic YTpi"}).status_code == 200


def test_information_tells_whose_a_token_is(server: Server, user: Asking, admin: Asking) -> None:
    path = "/api/qwebhook/v1/info"
    assert right(user.get(path))["role"] == "user"
    assert right(user.get(path))["userId"] == "user-one"
    assert right(admin.get(path))["role"] == "admin"
    assert "role" not in right(Asking(server, None).get(path))
    wrong(Asking(server, "qwh_unknown").get(path), 401)
