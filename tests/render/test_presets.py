"""The presets, for every type of the catalogue and for whatever else comes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from qwebhook.model import catalogue
from qwebhook.model.webhook import Settings
from qwebhook.render.message import message_of
from qwebhook.render.presets import PRESETS
from tests.builders import legacy_event_body, webhook

TEXTS = Path(__file__).with_name("texts.txt")
TENANT = "https://acme.eu.qlikcloud.com"
TYPES = [listed.name for listed in catalogue.event_types()]
HOSTILE = '"}],"x":[{"<!channel> @everyone <at>All</at> <users/all> **b** [a](http://e.example) </b>\\\n\u2028'
WEBHOOK = webhook(qwebhook=Settings(tenant_url=TENANT))


def sample(event_type: str, **data: Any) -> bytes:
    made = catalogue.sample(event_type, event_id="e1", time="2026-11-27T16:00:00Z")
    made["data"] |= data
    return json.dumps(made).encode()


def rendered(preset: str, event_type: str, body: bytes) -> str:
    return PRESETS[preset].body(message_of(body, event_type, WEBHOOK)).decode()


def messages() -> list[tuple[str, bytes]]:
    """Every type, a type that nobody knows, and hostile data."""
    unknown = {"specversion": "1.0", "id": "1", "source": "shop", "type": "com.example.order_paid", "data": 5}
    hostile = sample("com.qlik.v1.app.created", name=HOSTILE, id=HOSTILE)
    return [
        *((event_type, sample(event_type)) for event_type in TYPES),
        ("com.example.order_paid", json.dumps(unknown).encode()),
        ("com.qlik.v1.app.created", hostile),
        ("com.qlik.v1.user.created", sample("com.qlik.v1.user.created", name="n" * 100_000)),
    ]


@pytest.mark.parametrize(("event_type", "body"), messages())
def test_slack(event_type: str, body: bytes) -> None:
    message = json.loads(rendered("slack", event_type, body))
    assert set(message) == {"text", "blocks"}
    assert 0 < len(message["text"]) <= 3000
    for given in message["blocks"]:
        block = Block.parse(given)
        assert block is not None
        block.validate_json()  # Slack's own limits and required members
        assert block.to_dict() == given
    assert not re.search(r"<[!@#]", json.dumps(message))
    # What comes from an event is in plain text, where `*` and the like are no markup.
    formatted = re.findall(r'"type": "mrkdwn", "text": "([^"]*)"', json.dumps(message))
    assert all(re.fullmatch(rf"<{TENANT}[\w/-]*\|Open>", text) for text in formatted)


@pytest.mark.parametrize(("event_type", "body"), messages())
def test_teams(event_type: str, body: bytes) -> None:
    message = json.loads(rendered("teams", event_type, body))
    (attachment,) = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    for block in card["body"]:
        assert set(block) <= {"type", "text", "wrap", "weight", "size", "isSubtle"}
        assert block["type"] == "TextBlock"
        assert block["text"]
        assert not re.search(r"(?<!\\)[\[\]*<]", block["text"])
    assert not re.search(r"(?<!\\)[\[\]*<]", card["fallbackText"])  # which may hold markup, too
    assert set(card) <= {
        "$schema",
        "type",
        "version",
        "fallbackText",
        "body",
        "actions",
    }  # without `msteams`, no mention
    for action in card.get("actions", []):
        assert (action["type"], action["url"].startswith(TENANT)) == ("Action.OpenUrl", True)
    assert len(json.dumps(message)) < 28_000


@pytest.mark.parametrize(("event_type", "body"), messages())
def test_discord(event_type: str, body: bytes) -> None:
    message = json.loads(rendered("discord", event_type, body))
    assert message["allowed_mentions"] == {"parse": []}
    (embed,) = message["embeds"]
    assert set(embed) <= {"title", "description", "url", "footer"}
    assert len(embed["title"]) <= 256
    assert 0 < len(embed["description"]) <= 4096


@pytest.mark.parametrize(("event_type", "body"), messages())
def test_google_chat(event_type: str, body: bytes) -> None:
    message = json.loads(rendered("google-chat", event_type, body))
    assert set(message) == {"cardsV2"}  # in its `text` a name could mention everybody
    (section,) = message["cardsV2"][0]["card"]["sections"]
    assert "<" not in section["widgets"][0]["textParagraph"]["text"]
    assert len(json.dumps(message)) < 32_000


@pytest.mark.parametrize(("event_type", "body"), messages())
def test_html_and_text(event_type: str, body: bytes) -> None:
    page = rendered("html-mail", event_type, body)
    assert re.findall(r"<(\w+)", page).count("table") == 2
    assert "<!channel" not in page
    assert "src=" not in page  # nothing is fetched by whoever reads it
    text = rendered("text", event_type, body)
    assert text.strip()
    assert len(text.splitlines()) <= 6


def test_every_type_has_a_text_of_its_own() -> None:
    """`python -m tests.render.test_presets` writes the file anew; read what it changes."""
    assert TEXTS.read_text(encoding="utf-8") == all_texts()


def all_texts() -> str:
    lines = []
    for event_type in TYPES:
        told = message_of(sample(event_type), event_type, WEBHOOK)
        lines.append(f"{event_type}\n  {told.title}: {told.text}\n  {told.link or 'no link'}\n")
    return "\n".join(lines)


def test_a_renamed_type_has_the_same_text() -> None:
    renamed = message_of(sample("com.qlik.v1.app.created"), "com.qlik.app.created", WEBHOOK)
    assert renamed.text.endswith("created the app Sales overview")


def test_both_envelopes_are_read_alike() -> None:
    told = message_of(legacy_event_body(), "com.qlik.v1.app.created", WEBHOOK)
    assert told.event["id"]
    assert told.event["userid"]
    assert told.who.startswith("User ")
    assert told.event["type"] == "com.qlik.v1.app.created"


@pytest.mark.parametrize("data", [None, 5, "text", [], ["a"], {"name": ""}, {"name": 5}])
def test_any_data_has_a_text(data: Any) -> None:
    body = json.dumps({"specversion": "1.0", "id": "e1", "source": "s", "type": "com.example.paid", "data": data})
    told = message_of(body.encode(), "com.example.paid", WEBHOOK)
    assert told.text == "Example paid: e1"
    for preset in PRESETS:
        assert PRESETS[preset].body(told)


def test_an_escape_is_whole_where_slack_s_text_is_cut() -> None:
    body = sample("com.qlik.app.softdeleted", name="&" * 300, purgeAt="&" * 300)
    body = body.replace(json.loads(body)["userid"].encode(), b"&" * 300)
    message = json.loads(rendered("slack", "com.qlik.app.softdeleted", body))
    for text in (message["text"], message["blocks"][1]["text"]["text"]):
        assert 1500 < len(text) <= 3000
        assert re.fullmatch(r"(&amp;|[^&])*…", text)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a\x00b\x1b[1m", "ab[1m"),
        ("\u202eelas", "elas"),
        ("\x00 \n", "unknown"),
        ("👨\u200d👩 \u200fא", "👨\u200d👩 \u200fא"),
    ],
)
def test_what_nobody_sees_is_left_out(name: str, what: str) -> None:
    assert message_of(sample("com.qlik.v1.app.created", name=name), "com.qlik.v1.app.created", WEBHOOK).what == what


@pytest.mark.parametrize(
    ("time", "when"),
    [("2026-11-27T16:00:00Z", "2026-11-27T16:00:00Z"), ("a\n" * 300_000, "a " * 99 + "a…"), (" ", ""), (None, "")],
)
def test_a_time_is_a_line_whatever_it_says(time: str | None, when: str) -> None:
    """Nobody has looked at it when an event comes in."""
    body = json.dumps({"specversion": "1.0", "id": "e1", "source": "s", "type": "com.example.paid", "time": time})
    told = message_of(body.encode(), "com.example.paid", WEBHOOK)
    assert told.when == when
    for preset in PRESETS.values():
        assert len(preset.body(told)) < 3000


@pytest.mark.parametrize("identifier", ["../../evil", "a b", "x" * 100, 5, "a?b", "javascript:1"])
def test_only_an_id_gets_into_a_link(identifier: Any) -> None:
    body = json.loads(sample("com.qlik.v1.app.created", id=identifier))
    body["toplevelresourceid"] = identifier
    assert message_of(json.dumps(body).encode(), "com.qlik.v1.app.created", WEBHOOK).link == ""
    assert message_of(sample("com.qlik.v1.app.created"), "com.qlik.v1.app.created", webhook()).link == ""


if __name__ == "__main__":
    TEXTS.write_text(all_texts(), encoding="utf-8")
