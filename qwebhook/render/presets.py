"""The presets: what they are for, and the body that each makes of a message.

They are code and no templates, since they need neither a sandbox nor a budget: what comes from an event is cut before
it gets into one.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple

import msgspec

from qwebhook.render.escaping import cut, markdown, slack
from qwebhook.render.message import Message

JSON = "application/json"


class Preset(NamedTuple):
    """title: what it is for. body: what it makes. media_type: of that."""

    name: str
    title: str
    body: Callable[[Message], bytes]
    media_type: str


def _slack(message: Message) -> bytes:
    # In plain text `*` and the like are no markup. An `&` becomes five characters, none of which may be cut off.
    text = slack(cut(message.text, 580))
    context = [_plain_text(slack(message.when or message.type), 500)]
    if message.link:
        context.append({"type": "mrkdwn", "text": f"<{message.link}|Open>"})
    return _json(
        {
            "text": text,
            "blocks": [
                {"type": "header", "text": _plain_text(message.title, 150)},
                {"type": "section", "text": _plain_text(text, 3000)},
                {"type": "context", "elements": context},
            ],
        }
    )


def _plain_text(text: str, length: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(text, length), "emoji": False}


def _teams(message: Message) -> bytes:
    text = cut(markdown(message.text), 2000)
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": text,
        "body": [
            _text_block(cut(markdown(message.title), 200), weight="Bolder", size="Medium"),
            _text_block(text),
            _text_block(cut(markdown(message.when or message.type), 300), isSubtle=True, size="Small"),
        ],
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": message.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return _json({"type": "message", "attachments": [attachment]})


def _text_block(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **style}


def _discord(message: Message) -> bytes:
    embed: dict[str, Any] = {
        "title": cut(message.title, 256),
        "description": cut(markdown(message.text), 4000),
        "footer": {"text": cut(message.when or message.type, 300)},
    }
    if message.link:
        embed["url"] = message.link
    return _json({"embeds": [embed], "allowed_mentions": {"parse": []}})


def _google_chat(message: Message) -> bytes:
    widgets: list[dict[str, Any]] = [{"textParagraph": {"text": cut(escape(message.text, quote=False), 3500)}}]
    if message.link:
        button = {"text": "Open", "onClick": {"openLink": {"url": message.link}}}
        widgets.append({"buttonList": {"buttons": [button]}})
    card = {
        "header": {"title": cut(message.title, 200), "subtitle": cut(message.when or message.type, 200)},
        "sections": [{"widgets": widgets}],
    }
    return _json({"cardsV2": [{"cardId": cut(str(message.event["id"] or "event"), 60), "card": card}]})


def _text(message: Message) -> bytes:
    when = f"\nWhen: {message.when}\n" if message.when else ""
    link = f"\n{message.link}\n" if message.link else ""
    return f"{message.text}\n{when}{link}".encode()


def _html_mail(message: Message) -> bytes:
    title, text, when = escape(message.title), escape(message.text), escape(message.when or message.type)
    link = ""
    if message.link:
        anchor = f'<a href="{escape(message.link)}" style="color:#006580">Open</a>'
        link = f'<tr><td style="padding:0 24px 20px">{anchor}</td></tr>\n'
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="margin:0;padding:24px;background:#f4f5f7;font-family:Arial,Helvetica,sans-serif;color:#1f2933">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td align="center">
<table role="presentation" width="560" cellpadding="0" cellspacing="0" border="0" \
style="max-width:560px;background:#ffffff;border:1px solid #e1e4e8">
<tr><td style="padding:20px 24px;font-size:18px;font-weight:bold;border-bottom:1px solid #e1e4e8">{title}</td></tr>
<tr><td style="padding:20px 24px;font-size:15px;line-height:22px">{text}.</td></tr>
{link}<tr><td style="padding:12px 24px;font-size:12px;color:#6b7280;border-top:1px solid #e1e4e8">{when}</td></tr>
</table>
</td></tr></table>
</body>
</html>
""".encode()


def _json(made: dict[str, Any]) -> bytes:
    return msgspec.json.encode(made)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("slack", "a message to Slack's incoming webhooks (Block Kit)", _slack, JSON),
        Preset("teams", "an Adaptive Card for Microsoft Teams' workflows", _teams, JSON),
        Preset("discord", "an embed for Discord's webhooks", _discord, JSON),
        Preset("google-chat", "a card for Google Chat's webhooks", _google_chat, JSON),
        Preset("text", "a sentence of plain text", _text, "text/plain; charset=utf-8"),
        Preset("html-mail", "an HTML mail", _html_mail, "text/html; charset=utf-8"),
    )
}
