"""The body that a webhook's template or preset makes of an event, and whether it has a sound one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from qwebhook.model.errors import InvalidInput, InvalidWebhook
from qwebhook.model.mail import read_mailto
from qwebhook.model.sheet import is_template
from qwebhook.model.webhook import Settings, Webhook
from qwebhook.render.message import NO_NAMES, Message, Names, message_of
from qwebhook.render.presets import PRESETS

if TYPE_CHECKING:
    from qwebhook.render.template import Escaping, Template

_MEDIA_TYPES = {"json": "application/json", "none": "text/plain; charset=utf-8"}

_before_all = re.compile(r"(?>\s+|\{#.*?#\}|\{%.*?%\})*+", re.DOTALL).match


def check_rendering(url: str, settings: Settings) -> None:
    """Refuse a preset that is not there, and a template that cannot be compiled. Raises InvalidWebhook.

    url: the webhook's; that of a mail may hold templates.
    """
    if url[:7].lower() == "mailto:":
        target = read_mailto(url)
        for part in (*target.to, *target.cc, *target.bcc, target.subject):
            _check_template("url", part, "none")
    if settings.preset is not None and settings.preset not in PRESETS:
        raise InvalidWebhook("qwebhook.preset", f"is {settings.preset[:80]!r}", f"use {', '.join(PRESETS)}")
    for header, place in (settings.sheet.columns if settings.sheet is not None else {}).items():
        if is_template(place):
            _check_template(f"qwebhook.sheet.columns.{header}", place, "none")
    if settings.template is None:
        return
    if settings.preset is not None:
        raise InvalidWebhook("qwebhook.template", "is given beside a preset", "give one of them")
    _check_template("qwebhook.template", settings.template, escaping_of(settings.template))


def _check_template(field: str, source: str, escaping: Escaping) -> None:
    try:
        _template(source, escaping)
    except InvalidInput as error:
        raise InvalidWebhook(field, error.message.removeprefix("the template "), error.hint) from None


def _template(source: str, escaping: Escaping) -> Template:
    # The template engine takes longer to import than a short command may last, and presets do without it.
    from qwebhook.render.template import cached_template

    return cached_template(source, escaping)


def rendered_body(webhook: Webhook, event_type: str, body: bytes, names: Names = NO_NAMES) -> tuple[bytes, str]:
    """What is sent in place of the event, and its media type; for webhooks with a template or a preset.

    event_type, body: the event's. names: as for `message_of`. Raises RenderFailed.
    """
    return body_of(message_of(body, event_type, webhook, names), webhook.qwebhook)


def body_of(message: Message, settings: Settings) -> tuple[bytes, str]:
    """As `rendered_body`, of the message. settings: they have a template or a preset."""
    if settings.preset is not None:
        preset = PRESETS[settings.preset]
        return preset.body(message), preset.media_type
    source = settings.template or ""
    escaping = escaping_of(source)
    return _template(source, escaping).render(message.variables()).encode(), _MEDIA_TYPES[escaping]


def escaping_of(source: str) -> Literal["json", "none"]:
    """A template that begins as JSON does is one of JSON, and any other is one of plain text."""
    return "json" if beginning_of(source) in ("{", "[") else "none"


def beginning_of(source: str) -> str:
    """The first character that a template itself puts out, tags and comments aside; "" if a value comes first."""
    start = source[_before_all(source).end() :][:2]  # type: ignore[union-attr]
    return "" if start == "{{" else start[:1]
