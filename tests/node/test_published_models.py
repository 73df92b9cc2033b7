"""The presets' messages are what the receiving services' own libraries and published types say they may be.

Types refuse a member that is not known and a value of another type; the libraries add what types do not say: what a
version of Adaptive Cards has, and how long a text may be.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.node.node_red import MODULES
from tests.render.test_presets import messages, rendered

JUDGE = Path(__file__).with_name("judge.js")
PATIENCE = 50


class Published(NamedTuple):
    """A type of a package, and the part of a message that is of it."""

    package: str
    imported: str
    type: str
    part: Callable[[Any], Any]


PUBLISHED = {
    "teams": Published(
        "@microsoft/teams.cards", "IAdaptiveCard", "IAdaptiveCard", lambda message: message["attachments"][0]["content"]
    ),
    "discord": Published(
        "discord-api-types/v10",
        "RESTPostAPIWebhookWithTokenJSONBody",
        "RESTPostAPIWebhookWithTokenJSONBody",
        lambda message: message,
    ),
    "google-chat": Published("@googleapis/chat", "chat_v1", "chat_v1.Schema$Message", lambda message: message),
}


def all_messages(preset: str) -> list[Any]:
    return [json.loads(rendered(preset, event_type, body)) for event_type, body in messages()]


def changed(preset: str, old: str, new: str) -> Any:
    """A message with a mistake."""
    text = json.dumps(json.loads(rendered(preset, *messages()[0])))
    assert old in text
    return json.loads(text.replace(old, new, 1))


def typed(folder: Path, preset: str, given: list[Any]) -> str:
    """What the compiler of TypeScript finds wrong with messages. Each is a literal, which has no other members."""
    published = PUBLISHED[preset]
    (folder / "node_modules").symlink_to(MODULES, target_is_directory=True)
    lines = [
        f'import type {{ {published.imported} }} from "{published.package}";',
        f"export const all: {published.type}[] = [",
        *(f"{json.dumps(published.part(message))}," for message in given),
        "];",
    ]
    (folder / "messages.ts").write_text("\n".join(lines), encoding="utf-8")
    compiler = MODULES / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"]
    done = subprocess.run(
        ["node", compiler, *options, "messages.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode == 0) is not bool(done.stdout), done.stderr
    return done.stdout


def judged(preset: str, given: list[Any]) -> list[list[str]]:
    """What the service's library finds wrong with each message."""
    done = subprocess.run(
        ["node", JUDGE, preset], input=json.dumps(given), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("preset", PUBLISHED)
def test_every_message_is_of_the_published_type(preset: str, tmp_path: Path) -> None:
    assert typed(tmp_path, preset, all_messages(preset)) == ""


@pytest.mark.parametrize(
    ("preset", "old", "new", "words"),
    [
        ("teams", '"wrap"', '"wrapped"', "'\"wrapped\"' does not exist in type 'ITextBlock'"),
        ("teams", '"Bolder"', '"Boldest"', "'\"Boldest\"' is not assignable to type"),
        ("discord", '"footer"', '"foot"', "'\"foot\"' does not exist in type 'APIEmbed'"),
        ("google-chat", '"openLink"', '"open"', "'\"open\"' does not exist in type 'Schema$GoogleAppsCardV1OnClick'"),
    ],
)
def test_a_mistake_would_be_found_by_the_types(preset: str, old: str, new: str, words: str, tmp_path: Path) -> None:
    assert words in typed(tmp_path, preset, [changed(preset, old, new)])


@pytest.mark.parametrize("preset", ["teams", "discord"])
def test_every_message_is_taken_by_the_library(preset: str) -> None:
    given = all_messages(preset)
    assert judged(preset, given) == [[] for _ in given]


@pytest.mark.parametrize(
    ("preset", "old", "new", "words"),
    [
        ("teams", '"TextBlock"', '"Text"', 'Unknown element type "Text"'),
        ("teams", '"Medium"', '"Huge"', 'Invalid value "Huge" for property "size"'),
        ("teams", '{"type": "TextBlock"', '{"type": "Table"}, {"type": "TextBlock"', 'Unknown element type "Table"'),
        ("discord", '"title": "', '"title": "' + "x" * 256, "Invalid string length"),
    ],
)
def test_a_mistake_would_be_found_by_the_library(preset: str, old: str, new: str, words: str) -> None:
    (found,) = judged(preset, [changed(preset, old, new)])
    assert words in " ".join(found)
