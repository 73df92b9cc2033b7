"""`preview`, and `test-fire --dry-run`, which shows the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwebhook.model.signature import Signer
from tests.acceptance.receiver import Receiver
from tests.builders import SECRET
from tests.cli.world import Cli

KEYS = ["webhookId", "matches", "method", "url", "headers", "body"]
CREATED = "com.qlik.v1.app.created"
RELOADED = "com.qlik.v1.app.reload.finished"


@pytest.fixture
def made(cli: Cli) -> Cli:
    cli.create(
        "a", "--event", f"{CREATED},{RELOADED}", "--secret", SECRET, "--url", "https://e.example/hook?x=1",
        "--header", "X-Team=blue", "--encrypted-header", "Authorization=Bearer hidden",
    )  # fmt: skip
    return cli


def previewed(cli: Cli, *arguments: str, **settings: Any) -> dict[str, Any]:
    shown: dict[str, Any] = cli.ok("preview", "a", *arguments, "-o", "json", **settings).json
    return shown


def test_as_an_object(made: Cli) -> None:
    shown = previewed(made)
    assert list(shown) == KEYS
    assert (shown["method"], shown["url"], shown["matches"]) == ("POST", "https://e.example/hook?x=1", True)
    assert shown["headers"]["X-Team"] == "blue"
    assert shown["headers"]["Authorization"] == "**OMITTED**"
    assert shown["headers"]["webhook-signature"].startswith("v1,")
    assert len(shown["headers"]["Qlik-Signature"]) == 64
    assert "qwebhook-test" not in shown["headers"]
    assert shown["body"]["type"] == CREATED


def test_of_a_mail_for_a_person(cli: Cli) -> None:
    cli.create("m", "--url", "mailto:robin@example.com?subject=Hello", "--preset", "text")
    head, body = cli.ok("preview", "m").out.split("\n\n", 1)
    assert head.splitlines()[:3] == [
        "MAIL mailto:robin@example.com?subject=Hello",
        "To: robin@example.com",
        "Subject: Hello",
    ]
    assert "created the app" in body.splitlines()[0]
    assert ("Subject" in body, "\\r" in head + body) == (False, False)


def test_for_a_person(made: Cli) -> None:
    outcome = made.ok("preview", "a")
    head, body = outcome.out.split("\n\n")
    first, *headers = head.splitlines()
    assert first == "POST https://e.example/hook?x=1"
    assert headers[0] == "Content-Type: application/json"
    assert "Authorization: **OMITTED**" in headers
    assert json.loads(body)["type"] == CREATED
    assert body.startswith('{\n  "specversion": ')
    assert (outcome.err, "hidden" in outcome.out) == ("", False)
    assert made.ok("preview", "a", "-q").out.strip() == made.ok("get", "a", "-q").out.strip()


def test_the_signature_is_that_of_what_would_be_sent(made: Cli) -> None:
    event = b'{"specversion":"1.0","id":"1","type":"%s","source":"s","data":{}}' % CREATED.encode()
    shown = previewed(made, "--data", "-", stdin=event)
    sent = json.dumps(shown["body"], separators=(",", ":")).encode()
    identifier, seconds = shown["headers"]["webhook-id"], int(shown["headers"]["webhook-timestamp"])
    expected = Signer([(SECRET, None)]).headers(identifier, seconds, sent)
    assert expected.items() <= shown["headers"].items()
    assert seconds == int(made.now)


def test_the_event_is_what_the_options_say(made: Cli) -> None:
    shown = previewed(made, "--event", RELOADED, "--data", '{"status":"ok"}', "--set", "data.name=Sales")
    assert shown["body"]["type"] == RELOADED
    assert shown["body"]["data"] == {"status": "ok", "name": "Sales"}


@pytest.mark.parametrize(
    ("change", "arguments", "reason"),
    [
        (["--filter", 'spaceId eq "s1"'], [], "its filter keeps the event back"),
        (["--disabled"], [], "it is disabled"),
        ([], ["--event", "com.qlik.v1.user.created"], "it is not subscribed to com.qlik.v1.user.created"),
        (
            ["--level", "user", "--owner", "ann"],
            ["--set", "userid=ben", "--set", "ownerid=ben"],
            "it is of level user, and the event does not concern its owner",
        ),
    ],
)
def test_it_tells_when_the_webhook_would_not_get_it(
    made: Cli, change: list[str], arguments: list[str], reason: str
) -> None:
    if change:
        made.ok("update", "a", *change)
    outcome = made.ok("preview", "a", *arguments, "-o", "json")
    assert outcome.json["matches"] is False
    assert outcome.err == f"qwebhook: a would not get a real event like this: {reason}\n"
    fired = made.ok("test-fire", "a", *arguments, "--dry-run")
    assert (fired.err, fired.json[0]["matches"]) == (outcome.err, False)


def test_a_webhook_of_level_user_is_shown_an_event_of_its_owner(cli: Cli) -> None:
    cli.create("a", "--level", "user", "--owner", "ann")
    shown = previewed(cli)
    assert (shown["matches"], shown["body"]["userid"]) == (True, "ann")


def test_a_mistyped_type_is_a_warning(made: Cli) -> None:
    assert "did you mean com.qlik.v1.app.created?" in made.ok("preview", "a", "--event", "com.qlik.v1.app.creatd").err


def test_a_dry_run_of_a_test_fire_is_the_same_but_marked(made: Cli) -> None:
    ((fired,), shown) = made.ok("test-fire", "a", "--dry-run", "--header", "X-More=1").json, previewed(made)
    assert list(fired) == KEYS
    assert fired["headers"].pop("qwebhook-test") == "true"
    assert fired["headers"].pop("X-More") == "1"
    assert fired["headers"].keys() == shown["headers"].keys()


def test_a_dry_run_ends_with_the_exit_code_of_what_is_not_there(made: Cli) -> None:
    outcome = made.run("test-fire", "a", "nobody", "--dry-run")
    assert outcome.code == 5
    assert [list(one) for one in outcome.json] == [KEYS]
    assert "there is no webhook with the id or name 'nobody'" in outcome.error


def test_nothing_is_sent(cli: Cli, receiver: Receiver) -> None:
    cli.create("a", "--url", receiver.url())
    previewed(cli)
    assert receiver.at() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nobody"], 5, "there is no webhook with the id or name 'nobody'"),
        (["a", "--event", "a b"], 2, "--event 'a b' is not a well-formed event type"),
        (["a", "--data", "{"], 2, "--data is neither JSON nor a file"),
        (["a", "--data", "~no-such-user/event.json"], 2, "the home folder that ~no-such-user/event.json begins with"),
        (["a", "--names-from", ""], 2, "the name of the context is empty"),
        (["a", "--set", "x"], 2, "'x' is not PATH=VALUE"),
    ],
)
def test_what_is_refused(made: Cli, arguments: list[str], code: int, words: str) -> None:
    outcome = made.run("preview", *arguments)
    assert outcome.code == code
    assert words in outcome.error


def test_a_template_of_an_editor_of_windows(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "card.j2").write_bytes('\ufeff{"app": "{{ data.name }}"}\r\n'.encode())
    cli.create("b", "--event", CREATED, "--url", "https://e.example/hook", "--template", str(tmp_path / "card.j2"))
    shown = cli.ok("preview", "b", "--set", 'data.name=a"b', "-o", "json").json
    assert shown["headers"]["Content-Type"] == "application/json"
    assert shown["body"] == {"app": 'a"b'}
