"""`notify:NAME`: a message to one of the many services that Apprise knows, whose URL the operator has configured."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, unquote_plus

import msgspec

from qwebhook.deliver.daemon_threads import DaemonThreads
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.targets import settled
from qwebhook.model.delivery import Exchange, Failure, Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.render.body import body_of, escaping_of
from qwebhook.render.escaping import mentioning_nobody
from qwebhook.render.message import NO_NAMES, Names, message_of
from qwebhook.render.presets import PRESETS
from qwebhook.render.template import cached_template

INSTALL = "pip install 'qwebhook[notify]'"
TOTAL_SECONDS = 15.0
THREADS = 4  # of each service


class Notice(msgspec.Struct):
    """What a service is told."""

    title: str
    text: str


def prepare(endpoint: Endpoint, event_type: str, body: bytes, names: Names = NO_NAMES) -> PreparedRequest:
    """The message as `body`. event_type, body: the event's. Raises RenderFailed."""
    webhook = endpoint.webhook
    message = message_of(body, event_type, webhook, names)
    settings = webhook.qwebhook
    # Whom a template mentions is the operator's to say, and not the event's.
    if settings.template is not None and escaping_of(settings.template) == "none":
        text = cached_template(settings.template, "chat").render(message.variables())
    elif settings.template is not None or settings.preset is not None:
        text = mentioning_nobody(body_of(message, settings)[0].decode())
    else:
        text = mentioning_nobody(PRESETS["text"].body(message).decode())
    notice = Notice(message.title, text)
    return PreparedRequest(webhook.url, {}, {}, msgspec.json.encode(notice), method="NOTIFY")


class Notifier:
    """Tells services. For one event loop.

    services: their URLs by name, which are shown nowhere.
    """

    def __init__(self, services: Mapping[str, str], total: float = TOTAL_SECONDS) -> None:
        self._services = services
        self._total = total
        # Nobody can end a call of Apprise's: one that hangs holds up neither other services nor the end of the process.
        self._threads = {name: DaemonThreads("qwebhook-notify", THREADS) for name in services}

    async def send(self, prepared: PreparedRequest) -> Exchange:
        """Tell the service, and say what came of it."""
        name = prepared.url.partition(":")[2]
        url = self._services.get(name)
        if url is None:
            return settled(prepared, Settled("never", f"no service {name} is configured: [notify] in config.toml"))
        started_at, start = time.time_ns() // 1_000_000, time.perf_counter()
        result: Settled | Failure
        telling = asyncio.get_running_loop().run_in_executor(self._threads[name], _tell, name, url, prepared.body)
        try:
            result = await asyncio.wait_for(telling, self._total)
        except TimeoutError:
            result = Failure("timeout", f"no answer within {self._total:g} s")
        return settled(prepared, result, started_at, (time.perf_counter() - start) * 1000)


def _tell(name: str, url: str, body: bytes) -> Settled:
    try:
        import apprise
        from apprise.conversion import convert_between
    except ImportError:
        return Settled("never", f"notify needs a library: {INSTALL}")
    notice = msgspec.json.decode(body, type=Notice)
    # Nothing of an event is to be taken for a file or an address to attach, and no file is to be read for storage.
    asset = apprise.AppriseAsset(
        async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY, interpret_escapes=False
    )
    with _said_here() as said:
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            return Settled("never", f"the URL of {name} in [notify] is none that Apprise knows")
        try:
            # Not by `Apprise.notify`, which does the same on threads that all services share.
            wanted = service.resolve_format(apprise.NotifyFormat.TEXT)
            text = convert_between(apprise.NotifyFormat.TEXT, wanted, notice.text)  # type: ignore[no-untyped-call]
            done = service.notify(body=text, title=notice.title, body_format=wanted)
        except Exception as error:  # its plugins are many, and of many hands
            return Settled("again", f"{name} was not told: {type(error).__name__}")
    if done:
        return Settled("done", f"{name} was told")
    lines = _without_secrets("\n".join(said), url).strip().splitlines()
    return Settled("again", f"{name} was not told: {lines[-1][:200] if lines else 'Apprise does not say why'}")


@contextlib.contextmanager
def _said_here() -> Iterator[list[str]]:
    """What Apprise logs within the block, on this thread: what it says on others is of other services."""
    said: list[str] = []
    thread = threading.get_ident()

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                said.append(record.getMessage())

    handler, logger = Kept(logging.WARNING), logging.getLogger("apprise")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def _without_secrets(words: str, url: str) -> str:
    """Without any part of the URL, since nearly each may be a token."""
    parts = re.split(r"[/:@?&=,]+", url)
    for part in sorted({*parts, *map(unquote, parts), *map(unquote_plus, parts)}, key=len, reverse=True):
        if len(part) > 3:
            words = words.replace(part, "…")
    return words
