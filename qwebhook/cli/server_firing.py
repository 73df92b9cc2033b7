"""Test-fires through the server that runs on a store: it sends them, and they are on record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from qwebhook.cli.firing import FiringOptions
from qwebhook.cli.interruption import sigterm_interrupts
from qwebhook.cli.server_answers import authorization, refusal
from qwebhook.cli.session import Session
from qwebhook.cli.settings import TOKEN_VARIABLE
from qwebhook.deliver.firing import SHOWN_BYTES, FiredResponse, Shot, shot
from qwebhook.model.delivery import Attempt, Delivery
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import NotFound, Unavailable
from qwebhook.model.event import Event
from qwebhook.model.identifiers import random_id
from qwebhook.model.webhook import Webhook
from qwebhook.store.location import is_loopback
from qwebhook.store.rest import RestStore
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.lock import holder_of

# Sends an event to a webhook; the record of its delivery, and of the one attempt.
Send = Callable[[Webhook, Event], Awaitable[tuple[Delivery, Attempt]]]

# Longer than the server gives a receiver.
TIMEOUT = 60.0
# What a server that listens at every address is reached at from the same machine.
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 the meaning of an address, not a binding


def fire_by_server(session: Session, endpoints: Sequence[Endpoint], options: FiringOptions) -> list[list[Shot]]:
    """Let the server fire at every endpoint, side by side; the shots of each, in the order they were started.

    Raises Unavailable if no server is alive on the store, NotAuthorised.
    """
    if session.is_remote:
        return asyncio.run(_fire(partial(_sent_there, session.open_server()), endpoints, options))
    store = session.open_database()
    url = _server_url(store.path)
    with sigterm_interrupts(), _token(session, store) as token:
        return asyncio.run(_fire_locally(store, url, token, endpoints, options))


def _server_url(store: Path) -> str:
    """Where the server that runs on the store is reached from this machine. Raises Unavailable."""
    holder = holder_of(store)
    if holder is None or not holder.url:
        raise Unavailable(
            f"no server is listening for the store {store}", "start `qwebhook serve`, or fire with --via direct"
        )
    parts = urlsplit(holder.url)
    host = _ANYWHERE.get(parts.hostname or "")
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}")) if host else holder.url


@contextmanager
def _token(session: Session, store: SqliteStore) -> Iterator[str]:
    """The token of the environment; else one that is made for the block, since who can open the store may do that."""
    given = session.environ.get(TOKEN_VARIABLE)
    if given:
        yield given
        return
    unique = random_id(session.now_ms, session.random(10))
    made, value = store.create_token(f"test-fire {unique}", "admin", session.user)
    try:
        yield value
    finally:
        store.revoke_token(made.id)


async def _fire_locally(
    store: SqliteStore, url: str, token: str, endpoints: Sequence[Endpoint], options: FiringOptions
) -> list[list[Shot]]:
    # The address comes from the lock of the store's own server. A certificate is for a name, hardly for a loopback
    # address; but nobody else is on the way to that, and no proxy either.
    loopback = is_loopback(urlsplit(url).hostname or "")
    client = httpx.AsyncClient(headers=authorization(token), timeout=TIMEOUT, verify=not loopback, trust_env=False)
    async with client:
        return await _fire(partial(_sent_locally, store, client, url), endpoints, options)


async def _fire(send: Send, endpoints: Sequence[Endpoint], options: FiringOptions) -> list[list[Shot]]:
    async def fire_at(endpoint: Endpoint) -> list[Shot]:
        return [await _shoot(send, endpoint, options) for _ in range(options.count)]

    return list(await asyncio.gather(*map(fire_at, endpoints)))


async def _shoot(send: Send, endpoint: Endpoint, options: FiringOptions) -> Shot:
    event = options.events.event(endpoint)
    delivery, attempt = await send(endpoint.webhook, event)
    response = None
    if delivery.response is not None:
        answer = delivery.response
        response = FiredResponse(answer.status_code, answer.headers, answer.body[:SHOWN_BYTES])
    return shot(
        endpoint, event, delivery.status_message, response, attempt.first_byte, attempt.duration, options.expect
    )


async def _sent_there(server: RestStore, webhook: Webhook, event: Event) -> tuple[Delivery, Attempt]:
    """By the server that is the store."""

    def send() -> tuple[Delivery, Attempt]:
        delivery = server.test_fire(webhook.id, event.body)
        return delivery, server.list_attempts(webhook.id, delivery.id)[-1]

    return await asyncio.to_thread(send)


async def _sent_locally(
    store: SqliteStore, client: httpx.AsyncClient, url: str, webhook: Webhook, event: Event
) -> tuple[Delivery, Attempt]:
    """By the server that runs on the store."""
    address = f"{url}/api/qwebhook/v1/webhooks/{webhook.id}/test-fire"
    try:
        answer = await client.post(address, json={"event": msgspec.json.decode(event.body)})
    except httpx.TimeoutException:
        raise Unavailable(f"{url} did not answer within {TIMEOUT:.0f} s") from None
    except httpx.HTTPError as error:
        raise Unavailable(f"{url} cannot be reached: {error}", "is `qwebhook serve` running there?") from None
    if answer.status_code == 201:
        delivery = msgspec.json.decode(answer.content, type=Delivery)
        return delivery, store.list_attempts(webhook.id, delivery.id)[-1]
    if answer.status_code == 404:
        raise NotFound(f"{url} does not know the webhook {webhook.name}", "has it just been deleted?")
    raise refusal(answer.status_code, answer.content, url, "admin")
