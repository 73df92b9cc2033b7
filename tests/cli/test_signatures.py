"""`sign`, `verify` and `token`."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TextIO

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from qwebhook.cli.inputs import read_secret
from qwebhook.cli.session import Session
from qwebhook.store.sqlite import SqliteStore
from tests.cli.world import NOW, Cli, Stream

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
OTHER = "another-secret-of-thirty-three-ch"
BODY = b'{"a": 1}\n'


@pytest.fixture
def body(cli: Cli) -> Path:
    path = cli.home / "body.json"
    path.write_bytes(BODY)
    return path


def headers(cli: Cli, body: Path, *options: str) -> list[str]:
    """The signature headers as options of `verify`."""
    lines = cli.ok("sign", body, *(options or ("--secret", SECRET))).out.splitlines()
    return [word for line in lines for word in ("--header", line)]


def test_a_secret_is_never_typed_in_sight(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TextIO | None] = []

    def hidden(prompt: str, stream: TextIO | None) -> str:
        asked.append(stream)
        return SECRET

    monkeypatch.setattr("getpass.getpass", hidden)
    for stderr in (Stream(), Stream(terminal=True)):
        session = Session(stdin=Stream(b"seen\n", terminal=True), stderr=stderr, environ=cli.environ)
        assert read_secret(session, "-") == SECRET
        assert asked.pop() is (stderr if stderr.terminal else None)


class TestSign:
    def test_both_schemes_over_the_very_bytes(self, cli: Cli, body: Path) -> None:
        signed = cli.ok(
            "sign", body, "--secret", SECRET, "--id", "msg-1", "--timestamp", "1700000000", "-o", "json"
        ).json
        assert list(signed) == ["webhook-id", "webhook-timestamp", "webhook-signature", "Qlik-Signature"]
        assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("msg-1", "1700000000")
        assert signed["Qlik-Signature"] == hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()

    def test_an_independent_verifier_agrees(self, cli: Cli, body: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import time

        cli.now = time.time()
        signed = cli.ok("sign", body, "--secret", SECRET, "-o", "json").json
        Verifier(SECRET).verify(BODY.decode(), signed)

    def test_now_and_a_new_id_unless_given(self, cli: Cli, body: Path) -> None:
        first, second = (cli.ok("sign", body, "--secret", SECRET, "-o", "json").json for _ in range(2))
        assert first["webhook-timestamp"] == str(int(NOW))
        assert first["webhook-id"] != second["webhook-id"]

    def test_the_body_may_come_from_stdin(self, cli: Cli, body: Path) -> None:
        options = ["--secret", SECRET, "--id", "1"]
        assert cli.ok("sign", *options, stdin=BODY).out == cli.ok("sign", body, *options).out

    def test_a_webhooks_own_secret(self, cli: Cli, body: Path) -> None:
        cli.create("x", "--secret", SECRET)
        cli.create("bare")
        assert headers(cli, body, "--webhook", "x", "--id", "1") == headers(cli, body, "--secret", SECRET, "--id", "1")
        outcome = cli.run("sign", body, "--webhook", "bare")
        assert outcome.code == 2
        assert "the webhook bare has no secret" in outcome.error

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ([], "no secret, or two"),
            (["--secret", SECRET, "--webhook", "x"], "no secret, or two"),
            (["--secret", ""], "--secret is empty"),
            (["--secret", SECRET, "--id", "a\nb"], "--id is not printable ASCII"),
            (["--secret", "-"], "stdin cannot be both --secret and FILE"),
        ],
    )
    def test_what_is_refused(self, cli: Cli, options: list[str], words: str) -> None:
        outcome = cli.run("sign", *options, stdin=b"x")
        assert outcome.code == 2
        assert words in outcome.error


class TestVerify:
    def verify(self, cli: Cli, body: Path, *options: str, code: int = 0) -> str:
        outcome = cli.run("verify", body, *options)
        assert outcome.code == code, outcome
        return outcome.out or outcome.error

    def test_what_was_signed_holds(self, cli: Cli, body: Path) -> None:
        assert self.verify(cli, body, *headers(cli, body), "--secret", SECRET) == (
            "Qlik-Signature: holds\nwebhook-signature: holds\n"
        )

    def test_any_of_several_secrets_is_enough(self, cli: Cli, body: Path) -> None:
        self.verify(cli, body, *headers(cli, body), "--secret", OTHER, "--secret", SECRET)

    def test_header_names_are_read_without_regard_to_case(self, cli: Cli, body: Path) -> None:
        given = [word.replace("Qlik-Signature", "QLIK-signature") for word in headers(cli, body)]
        self.verify(cli, body, *given, "--secret", SECRET)

    def test_another_secret_or_body_fails(self, cli: Cli, body: Path) -> None:
        given = headers(cli, body)
        out = self.verify(cli, body, *given, "--secret", OTHER, code=1)
        assert out.count("the signature does not fit the body and the secret") == 2
        body.write_bytes(BODY.strip())
        self.verify(cli, body, *given, "--secret", SECRET, code=1)

    def test_one_bad_signature_is_enough_to_fail(self, cli: Cli, body: Path) -> None:
        given = headers(cli, body)
        given[-1] = "Qlik-Signature: " + "0" * 64
        outcome = cli.run("verify", body, *given, "--secret", SECRET, "-o", "json")
        assert outcome.code == 1
        assert outcome.json == {
            "valid": False,
            "signatures": [
                {
                    "header": "Qlik-Signature",
                    "valid": False,
                    "reason": "the signature does not fit the body and the secret",
                },
                {"header": "webhook-signature", "valid": True, "reason": None},
            ],
        }

    def test_an_old_one_fails_unless_tolerated(self, cli: Cli, body: Path) -> None:
        given = headers(cli, body)
        cli.now += 600
        assert "600 s old" in self.verify(cli, body, *given, "--secret", SECRET, code=1)
        self.verify(cli, body, *given, "--secret", SECRET, "--tolerance", "15m")
        self.verify(cli, body, *given, "--secret", SECRET, "--tolerance", "0")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ([], "--secret is missing"),
            (["--secret", SECRET], "there is no signature to check"),
            (
                ["--secret", SECRET, "--header", "webhook-signature: v1,x"],
                "webhook-id and webhook-timestamp are missing",
            ),
            (["--secret", SECRET, "--header", "nothing"], "--header number 1 is not 'NAME: VALUE'"),
            (["--secret", SECRET, "--tolerance", "soon", "--header", "a: b"], "--tolerance 'soon' is not a duration"),
            (["--secret", "", "--header", "Qlik-Signature: x"], "--secret is empty"),
        ],
    )
    def test_what_cannot_be_checked_is_a_usage_error(
        self, cli: Cli, body: Path, options: list[str], words: str
    ) -> None:
        assert words in self.verify(cli, body, *options, code=2)


class TestToken:
    def test_only_the_token_is_on_stdout(self, cli: Cli) -> None:
        outcome = cli.ok("token", "create", "ci", "--role", "publisher")
        assert outcome.err == ""
        value = outcome.out.removesuffix("\n")
        store = SqliteStore.open(cli.store)
        tokens = store.tokens_by_digest()
        store.close()
        assert tokens[hashlib.sha256(value.encode()).digest()].name == "ci"

    def test_json_has_the_rest_as_well(self, cli: Cli) -> None:
        made = cli.ok("token", "create", "ann", "--role", "user", "--user-id", "u1", "-o", "json").json
        assert list(made) == ["id", "name", "role", "createdAt", "userId", "token"]

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["x"], 2, "missing option '--role'"),
            (["x", "--role", "root"], 2, "--role 'root' is not one of admin, user, publisher, metrics"),
            (["x", "--role", "user"], 2, "a token of role user needs the user's id"),
            (["taken", "--role", "admin"], 1, "there is a token named 'taken' already"),
        ],
    )
    def test_what_is_refused(self, cli: Cli, arguments: list[str], code: int, words: str) -> None:
        cli.ok("token", "create", "taken", "--role", "admin")
        outcome = cli.run("token", "create", *arguments)
        assert outcome.code == code
        assert words in outcome.error
