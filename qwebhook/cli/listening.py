"""Listening to a tenant: its events, as they appear in its audit log, shown and forwarded to one address.

There is no store: what happens while nobody listens is not made up for.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Literal

import msgspec

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.printable import printable
from qwebhook.cli.session import Session
from qwebhook.deliver.request import prepare
from qwebhook.deliver.sender import Sender
from qwebhook.model import catalogue
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Reply, reason
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidInput, NotAuthorised, QwebhookError
from qwebhook.model.event import Event
from qwebhook.model.signature import GENERATED_BYTES, check_secret, generated_secret
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.webhook import Webhook
from qwebhook.source.audit_log import AuditLog
from qwebhook.source.following import follow
from qwebhook.source.pace import ReadingPace, RequestRate, Stopping
from qwebhook.source.tail import Step, Tail
from qwebhook.store.rest.remote import Remote

SECRET_NAME = "listen-secret"  # noqa: S105 the name of a file
# The same for every run, so that an event has the same `webhook-id` when it is forwarded again.
LISTENER = "listen"
# Without a store, only what is remembered is known again.
REMEMBERED = 200_000
Shown = Literal["lines", "json", "events", "ids"]


class Forwarded(msgspec.Struct, rename="camel"):
    """What came of forwarding an event. duration: milliseconds."""

    url: str
    ok: bool
    reason: str
    duration: float


class Heard(msgspec.Struct, rename="camel"):
    """An event that was heard. event: as it was forwarded, or would have been."""

    time: str | None
    type: str
    id: str
    forwarded: Forwarded | None
    event: msgspec.Raw


class ListeningPlan(msgspec.Struct, kw_only=True):
    """What to listen to, and what to do with it. endpoint: where it is forwarded to. forward: whether it is.

    remote: the way to the tenant, whose waits end with `stopping`.
    """

    remote: Remote
    stopping: Stopping
    endpoint: Endpoint
    forward: bool
    policy: AddressPolicy
    shown: Shown


def endpoint_for(url: str, secret: str, event_types: list[str], cloud_events: bool, now: int) -> Endpoint:
    """The endpoint that `listen` forwards to, which is in no store."""
    at = to_rfc3339(now)
    webhook = Webhook(
        id=LISTENER,
        name=LISTENER,
        url=url,
        description="",
        event_types=event_types,
        filter="",
        headers={},
        encrypted_headers=[],
        enabled=True,
        level="tenant",
        owner_id=None,
        check_certificate_revocation=False,
        enable_cloud_event_delivery=cloud_events,
        origin="api",
        secret_key_added=True,
        created_at=at,
        created_by_user_id=LISTENER,
        updated_at=at,
        updated_by_user_id=LISTENER,
    )
    return Endpoint(0, 0, webhook, [(secret, None)], {})


def stable_secret(session: Session) -> tuple[str, Path]:
    """The secret that every run signs with, and the file beside the configuration that keeps it; made when missing.

    Raises InvalidInput for a file that cannot be used.
    """
    path = session.settings.user_config.with_name(SECRET_NAME)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Of two that start at once, one makes it.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(generated_secret(session.random(GENERATED_BYTES)) + "\n")
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not text"
        raise InvalidInput(f"the secret in {path} cannot be used: {words}", "give one with --secret") from None
    try:
        check_secret(secret)
    except InvalidInput:
        raise InvalidInput(f"{path} holds no secret that can be used", "delete it, and a new one is made") from None
    return secret, path


def listen(session: Session, plan: ListeningPlan) -> int:
    """Listen until Ctrl-C, or until the tenant refuses the credentials. Raises what ends it."""
    asyncio.run(_listen(session, plan))
    return ExitCode.DONE


async def _listen(session: Session, plan: ListeningPlan) -> None:
    loop = asyncio.get_running_loop()
    sender = Sender(plan.policy)
    listener = _Listener(session, plan, sender)
    audits = AuditLog(plan.remote, RequestRate(plan.stopping.sleep).wait)
    tail = Tail(audits, None, remembered=REMEMBERED)
    ended: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        error: BaseException | None = None
        try:
            follow(tail, listener, plan.stopping, ReadingPace())
        except BaseException as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, ended, error)

    threading.Thread(target=run, name="qwebhook-listen", daemon=True).start()
    try:
        await ended
    finally:
        plan.stopping.stop()
        await sender.close()


def _settle(ended: asyncio.Future[None], error: BaseException | None) -> None:
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)


class _Listener:
    """`Follower` that shows and forwards."""

    def __init__(self, session: Session, plan: ListeningPlan, sender: Sender) -> None:
        self._session = session
        self._plan = plan
        self._sender = sender
        self._loop = asyncio.get_running_loop()
        self._ready = False
        self._in_trouble = False

    def take(self, step: Step) -> None:
        """See Follower.take."""
        for skip in step.skips:
            self._session.note(f"passed over an item of the audit log ({skip.name}): {skip.reason}")
        if step.events:
            asyncio.run_coroutine_threadsafe(self._hear(step.events), self._loop).result()

    def caught_up(self) -> None:
        """See Follower.caught_up."""
        if not self._ready:
            self._ready = True
            self._session.note(f"ready: listening to the audit log of {self._plan.remote.name}; Ctrl-C ends it")
        elif self._in_trouble:
            self._session.note("reconnected")
        self._in_trouble = False

    def failed(self, error: QwebhookError) -> None:
        """See Follower.failed."""
        # Before it has ever worked, it is more likely wrong than away; and a key does not become valid again.
        if not self._ready or isinstance(error, NotAuthorised):
            raise error
        if not self._in_trouble:
            self._session.warn(f"{error.message}; it is tried again until it works")
        self._in_trouble = True

    async def _hear(self, events: list[Event]) -> None:
        endpoint = self._plan.endpoint
        for event in events:
            if endpoint.subscribed and catalogue.canonical(event.type) not in endpoint.subscribed:
                continue
            request = prepare(endpoint, event.key, event.type, event.body, self._session.now_ms)
            forwarded = None
            if self._plan.forward:
                forwarded = _forwarded(await self._sender.send(request))
                if not forwarded.ok and self._plan.shown in ("events", "ids"):
                    self._session.warn(f"{event.id} was not forwarded: {forwarded.reason}")
            self._show(Heard(event.time, event.type, event.id, forwarded, msgspec.Raw(request.body)))

    def _show(self, heard: Heard) -> None:
        shown = self._plan.shown
        if shown == "json":
            line = msgspec.json.encode(heard).decode()
        elif shown == "events":
            line = bytes(heard.event).decode().replace("\n", " ").replace("\r", " ")
        elif shown == "ids":
            line = printable(heard.id)
        else:
            line = f"{heard.time or '-'}  {heard.type}  {printable(heard.id)}"
            if heard.forwarded is not None:
                line += f"  {printable(heard.forwarded.reason)} in {heard.forwarded.duration:.1f} ms"
        self._session.stdout.write(line + "\n")
        # Whoever reads it is waiting for it.
        self._session.stdout.flush()


def _forwarded(exchange: Exchange) -> Forwarded:
    result = exchange.result
    ok = isinstance(result, Reply) and 200 <= result.status < 300
    return Forwarded(exchange.url, ok, reason(result), round(exchange.duration, 1))
