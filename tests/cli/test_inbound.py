"""`inbound`: whose signatures let events in."""

from __future__ import annotations

import re

import httpx
import pytest

from qwebhook.model.signature import Signer
from tests.acceptance.processes import Server
from tests.builders import SECRET, STANDARD_SECRET, cloud_event_body
from tests.cli.world import Cli

KEYS = ["id", "name", "secrets", "createdAt", "createdByUserId"]
NOTE = (
    "qwebhook: for a tenant to push here, make a webhook there with this secret and the URL https://HOST/events, "
    "where `qwebhook serve` is reached from the internet\n"
)


def push(server: Server, secret: str) -> int:
    """The status of an event that is signed as Qlik signs."""
    body = cloud_event_body()
    signature = Signer([(secret, None)]).headers("", 0, body)["Qlik-Signature"]
    headers = {"Content-Type": "application/json", "Qlik-Signature": signature}
    return httpx.post(f"{server.url}/events", content=body, headers=headers, trust_env=False).status_code


class TestAdd:
    def test_one_with_two_secrets(self, cli: Cli) -> None:
        cli.environ["NEW"] = STANDARD_SECRET
        outcome = cli.ok("inbound", "add", "tenant", "--secret", SECRET, "--secret", "env:NEW", "-o", "json")
        assert list(outcome.json) == KEYS
        assert (outcome.json["name"], outcome.json["secrets"]) == ("tenant", 2)
        assert outcome.json["createdByUserId"] == "local:tester"
        assert outcome.err == NOTE
        assert SECRET not in outcome.out + outcome.err

    def test_a_generated_secret_is_shown_once(self, cli: Cli) -> None:
        outcome = cli.ok("inbound", "add", "one", "--secret", "generate", "--secret", SECRET, "-o", "json")
        assert list(outcome.json) == [*KEYS, "secret"]
        assert outcome.json["secret"].startswith("whsec_")
        assert outcome.err == NOTE
        outcome = cli.ok("inbound", "add", "two", "--secret", "generate")
        assert re.match(r"secret: whsec_\S+\n", outcome.err)
        assert "whsec_" not in outcome.out
        outcome = cli.ok("inbound", "add", "three", "--secret", "generate", "-q")
        assert re.fullmatch(r"secret: whsec_\S+\n", outcome.err)
        assert len(outcome.out.split()) == 1
        assert "whsec_" not in cli.ok("inbound", "list", "-o", "json").out

    def test_from_a_file_and_from_stdin(self, cli: Cli) -> None:
        file = cli.home / "secret.txt"
        file.write_text(SECRET + "\n")
        made = cli.ok(
            "inbound", "add", "x", "--secret", f"@{file}", "--secret", "-", "-o", "json", stdin=STANDARD_SECRET.encode()
        )
        assert made.json["secrets"] == 2

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["x"], 2, "no secret is given"),
            (["x", "--secret", "short"], 2, "secret"),
            (["x", "--secret", "generate", "--secret", "generate"], 2, "--secret generate is given twice"),
            (["x", "--secret", "env:NOT_SET"], 2, "the variable NOT_SET is not set"),
            (["there", "--secret", SECRET], 1, "'there'"),
            ([" ", "--secret", SECRET], 2, "name"),
        ],
    )
    def test_what_is_refused(self, cli: Cli, arguments: list[str], code: int, words: str) -> None:
        cli.ok("inbound", "add", "there", "--secret", SECRET)
        outcome = cli.run("inbound", "add", *arguments)
        assert outcome.code == code
        assert words in outcome.error
        assert len(cli.ok("inbound", "list", "-q").out.split()) == 1


class TestList:
    def test_by_name(self, cli: Cli) -> None:
        for name in ("b", "a"):
            cli.ok("inbound", "add", name, "--secret", SECRET)
        assert [one["name"] for one in cli.ok("inbound", "list", "-o", "json").json] == ["a", "b"]
        head, *lines = cli.ok("inbound", "list").out.splitlines()
        assert head.split() == ["ID", "NAME", "SECRETS", "CREATED", "BY"]
        assert [line.split()[1:3] for line in lines] == [["a", "1"], ["b", "1"]]

    def test_none_yet(self, cli: Cli) -> None:
        cli.create("x")
        assert cli.ok("inbound", "list") == (0, "", "qwebhook: no inbounds yet; `qwebhook inbound add` makes one\n")


class TestRemove:
    @pytest.fixture
    def two(self, cli: Cli) -> Cli:
        for name in ("a", "b"):
            cli.ok("inbound", "add", name, "--secret", SECRET)
        return cli

    def names(self, cli: Cli) -> list[str]:
        return [one["name"] for one in cli.ok("inbound", "list", "-o", "json").json]

    def test_by_name_and_by_id(self, two: Cli) -> None:
        identifier = two.ok("inbound", "list", "-o", "json").json[1]["id"]
        outcome = two.ok("inbound", "remove", "a", identifier, "--yes", "-o", "json")
        assert [list(one) for one in outcome.json] == [KEYS, KEYS]
        assert self.names(two) == []

    def test_it_asks_on_a_terminal_and_needs_yes_elsewhere(self, two: Cli) -> None:
        outcome = two.run("inbound", "remove", "a", terminal=True, stdin=b"n\n")
        assert outcome.code == 1
        assert outcome.err == "Remove the inbound a? [y/N] qwebhook: nothing was removed\n"
        assert two.run("inbound", "remove", "a").error == "inbound remove needs --yes where it cannot ask"
        assert self.names(two) == ["a", "b"]
        assert two.run("inbound", "remove", "a", "b", terminal=True, stdin=b"y\n").code == 0
        assert self.names(two) == []

    def test_one_that_is_missing_is_5_and_the_others_go_on(self, two: Cli) -> None:
        outcome = two.run("inbound", "remove", "x", "a", "--yes")
        assert outcome.code == 5
        assert (
            outcome.error
            == "there is no inbound with the id or name 'x'; the list has those there are (`qwebhook inbound list`)"
        )
        assert self.names(two) == ["b"]
        two.ok("inbound", "remove", "a", "b", "--yes", "--if-exists")
        assert self.names(two) == []


def test_a_running_server_goes_by_it(cli: Cli, server: Server) -> None:
    cli.ok("inbound", "add", "tenant", "--secret", SECRET, "--secret", STANDARD_SECRET)
    assert push(server, SECRET) == push(server, STANDARD_SECRET) == 202
    assert push(server, "another-secret-of-more-than-32-characters") == 401
