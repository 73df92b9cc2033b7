"""A live `qwebhook serve` as a store: administered by the REST client, with its database in sight."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from qwebhook.model.endpoint import Endpoint
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Webhook, WebhookDraft, WebhookReplacement
from qwebhook.store.contract import WebhookQuery
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from tests.acceptance.processes import Home, Server

# What a server calls those who act with a token that names no user.
BY_TOKEN = "token:"


class ServedDriver:
    """The one server of a run, emptied for each test."""

    def __init__(self, folder: Path) -> None:
        self._server = _server()
        self._opened: list[Callable[[], None]] = []

    def make(self) -> ServedStore:
        database = self._server.store
        while found := database.list_webhooks(WebhookQuery(limit=100)).items:
            for webhook in found:
                database.delete_webhook(webhook.id)
        return self.open()

    def open(self) -> ServedStore:
        store = ServedStore(self._server)
        self._opened.append(store.close)
        return store

    def close(self) -> None:
        for close in self._opened:
            close()


class ServedStore(RestStore):
    """A server knows who acts by the token that is shown: there is one for each.

    What no server gives out, the secrets of an endpoint, is looked at in the database behind it.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._actors: dict[str, RestStore] = {}
        super().__init__(_remote(server, server.token("admin")))

    def create_webhook(self, draft: WebhookDraft, by: str, limit: int | None = None) -> Webhook:
        return self._as(by).create_webhook(draft, by, limit)

    def patch_webhook(self, webhook_id: str, operations: Sequence[PatchOperation], by: str) -> Webhook:
        return self._as(by).patch_webhook(webhook_id, operations, by)

    def replace_webhook(self, webhook_id: str, replacement: WebhookReplacement, by: str) -> Webhook:
        return self._as(by).replace_webhook(webhook_id, replacement, by)

    def rotate_secret(self, webhook_id: str, secret: str, grace: int, by: str) -> Webhook:
        return self._as(by).rotate_secret(webhook_id, secret, grace, by)

    def endpoint(self, webhook_id: str) -> Endpoint:
        return self._server.store.endpoint(webhook_id)

    def close(self) -> None:
        for actor in self._actors.values():
            actor.close()
        super().close()

    def _as(self, user: str) -> RestStore:
        if user not in self._actors:
            assert user.startswith(BY_TOKEN)
            self._actors[user] = RestStore(_remote(self._server, _token(user.removeprefix(BY_TOKEN))))
        return self._actors[user]


def _remote(server: Server, token: str) -> Remote:
    return Remote(server.url, BearerKey(token, "give a valid token"))


@cache
def _server() -> Server:
    """Started by the test that needs it first."""
    return Server(Home(Path(tempfile.mkdtemp())), "--webhook-limit", 0)


def end_server() -> None:
    """End the server, if any test has needed it."""
    if _server.cache_info().currsize:
        server = _server()
        server.close()
        shutil.rmtree(server.home.folder)
        # Tests of other folders may come between: whoever needs one then starts another.
        _server.cache_clear()
        _token.cache_clear()


@cache
def _token(name: str) -> str:
    """The value of an administrator's token of that name."""
    server = _server()
    with closing(RestStore(_remote(server, server.token("admin")))) as store:
        return store.create_token(name, "admin", None)[1]
