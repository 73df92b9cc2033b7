"""The presets: templates that come along, and what they are for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from qwebhook.render.template import Escaping, Template


class Preset(NamedTuple):
    """title: what it is for. media_type: of what it gives."""

    name: str
    title: str
    escaping: Escaping
    media_type: str


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("slack", "a message to Slack's incoming webhooks (Block Kit)", "json", "application/json"),
        Preset("teams", "an Adaptive Card for Microsoft Teams' workflows", "json", "application/json"),
        Preset("discord", "an embed for Discord's webhooks", "json", "application/json"),
        Preset("google-chat", "a card for Google Chat's webhooks", "json", "application/json"),
        Preset("text", "a sentence of plain text", "none", "text/plain; charset=utf-8"),
        Preset("html-mail", "an HTML mail", "html", "text/html; charset=utf-8"),
    )
}


@cache
def preset_template(name: str) -> Template:
    """The compiled template of a preset."""
    file = Path(__file__).parent / "presets" / f"{name}.j2"
    return Template(file.read_text(encoding="utf-8"), PRESETS[name].escaping)
