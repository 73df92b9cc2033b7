"""`notify:NAME`: a message to one of the many services that Apprise knows, whose URL the operator has configured."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping

import msgspec

from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.targets import settled
from qwebhook.model.delivery import Exchange, Failure, Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.render.body import rendered_body
from qwebhook.render.message import NO_NAMES, Names, variables
from qwebhook.render.presets import preset_template

INSTALL = "pip install 'qwebhook[notify]'"
TOTAL_SECONDS = 15.0


class Message(msgspec.Struct):
    """What is told."""

    title: str
    text: str


def prepare(endpoint: Endpoint, event_type: str, body: bytes, names: Names = NO_NAMES) -> PreparedRequest:
    """The message as `body`. event_type, body: the event's. Raises RenderFailed."""
    webhook = endpoint.webhook
    given = variables(body, event_type, webhook, names)
    if webhook.qwebhook.preset is not None or webhook.qwebhook.template is not None:
        text = rendered_body(webhook, event_type, body, names)[0].decode()
    else:
        text = preset_template("text").render(given)
    message = Message(str(given["title"]), text)
    return PreparedRequest(webhook.url, {}, {}, msgspec.json.encode(message), method="NOTIFY")


async def send(prepared: PreparedRequest, services: Mapping[str, str]) -> Exchange:
    """Tell the service. services: their URLs by name, which are shown nowhere."""
    name = prepared.url.partition(":")[2]
    url = services.get(name)
    if url is None:
        return settled(prepared, Settled("never", f"no service {name} is configured: [notify] in config.toml"))
    started_at, start = time.time_ns() // 1_000_000, time.perf_counter()
    result: Settled | Failure
    try:
        result = await asyncio.wait_for(asyncio.to_thread(_tell, name, url, prepared.body), TOTAL_SECONDS)
    except TimeoutError:
        result = Failure("timeout", f"no answer within {TOTAL_SECONDS:g} s")
    return settled(prepared, result, started_at, (time.perf_counter() - start) * 1000)


def _tell(name: str, url: str, body: bytes) -> Settled:
    try:
        import apprise
    except ImportError:
        return Settled("never", f"notify needs a library: {INSTALL}")
    message = msgspec.json.decode(body, type=Message)
    # Nothing of an event is to be taken for a file or an address to attach, and no file is to be read for storage.
    asset = apprise.AppriseAsset(
        async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY, interpret_escapes=False
    )
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        return Settled("never", f"the URL of {name} in [notify] is none that Apprise knows")
    with apprise.LogCapture(level=apprise.logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        try:
            done = service.notify(body=message.text, title=message.title, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # its plugins are many, and of many hands
            return Settled("again", f"{name} was not told: {type(error).__name__}")
        words = _without_secrets(said.getvalue(), url)
    if done:
        return Settled("done", f"{name} was told")
    last = words.strip().splitlines()[-1][:200] if words.strip() else "Apprise does not say why"
    return Settled("again", f"{name} was not told: {last}")


def _without_secrets(words: str, url: str) -> str:
    """Without any part of the URL, since nearly each may be a token."""
    for part in sorted(set(re.split(r"[/:@?&=,]+", url)), key=len, reverse=True):
        if len(part) > 3:
            words = words.replace(part, "…")
    return words
