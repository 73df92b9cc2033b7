"""`rotate-secret`: the new secret, who sees it, and what signs until when."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from qwebhook.model.timestamps import from_rfc3339
from tests.acceptance.receiver import Receiver
from tests.builders import SECRET, STANDARD_SECRET
from tests.cli.world import ROOT, Cli, process_environ

HOUR = 3_600_000
BOTH = re.compile(r"qwebhook: both secrets sign until (\S+) \(for (\w+)\), then the new one alone\n")


@pytest.fixture
def signed(cli: Cli, receiver: Receiver) -> Cli:
    """A command line in real time, as the verifier is, with webhook `a`, which signs and points to the receiver."""
    cli.now = time.time()
    cli.create("a", "--url", receiver.url(), "--secret", STANDARD_SECRET)
    return cli


def headers_of_a_fire(cli: Cli, receiver: Receiver) -> tuple[dict[str, str], bytes]:
    cli.ok("test-fire", "a", "--allow-network", "loopback")
    request = receiver.at()[-1]
    return request.headers, request.body


def signs(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Verifier(secret).verify(body, headers)
    except Exception:
        return False
    return True


def test_a_new_one_is_generated_and_both_sign(signed: Cli, receiver: Receiver) -> None:
    outcome = signed.ok("rotate-secret", "a", "-o", "json")
    new = outcome.json["secret"]
    assert new.startswith("whsec_")
    headers, body = headers_of_a_fire(signed, receiver)
    assert len(headers["webhook-signature"].split()) == 2
    assert signs(new, headers, body)
    assert signs(STANDARD_SECRET, headers, body)
    verified = signed.ok(
        "verify", "--secret", new, "--header", f"Qlik-Signature: {headers['qlik-signature']}", stdin=body
    )
    assert verified.code == 0


def test_the_secret_is_shown_once(signed: Cli) -> None:
    for options in ([], ["-q"]):
        outcome = signed.ok("rotate-secret", "a", *options)
        assert len(re.findall(r"(?m)^secret: whsec_\S+$", outcome.err)) == 1
        assert "whsec_" not in outcome.out
    outcome = signed.ok("rotate-secret", "a", "-o", "json")
    assert "whsec_" not in outcome.err
    assert "whsec_" not in signed.ok("get", "a", "-o", "json").out


def test_one_that_is_given_is_not_shown(signed: Cli, receiver: Receiver) -> None:
    file = signed.home / "secret.txt"
    file.write_text(SECRET + "\n")
    outcome = signed.ok("rotate-secret", "a", "--secret", f"@{file}", "-o", "json")
    assert SECRET not in outcome.out + outcome.err
    assert "secret" not in outcome.json
    headers, body = headers_of_a_fire(signed, receiver)
    signed.ok("verify", "--secret", SECRET, "--header", f"Qlik-Signature: {headers['qlik-signature']}", stdin=body)


@pytest.mark.parametrize(
    ("options", "length", "grace"), [([], "1d", 24 * HOUR), (["--grace", "90m"], "1h30m", 1.5 * HOUR)]
)
def test_it_says_until_when_both_sign(signed: Cli, options: list[str], length: str, grace: float) -> None:
    outcome = signed.ok("rotate-secret", "a", *options, "-o", "json")
    said = BOTH.fullmatch(outcome.err)
    assert said is not None, outcome.err
    made: dict[str, Any] = outcome.json
    assert said[1] == made["bothSignUntil"]
    assert said[2] == length
    assert from_rfc3339(made["bothSignUntil"]) - from_rfc3339(made["updatedAt"]) == grace


def test_without_grace_the_new_one_signs_alone(signed: Cli, receiver: Receiver) -> None:
    outcome = signed.ok("rotate-secret", "a", "--grace", "0", "-o", "json")
    assert outcome.err == "qwebhook: the secret before it signs no more\n"
    assert "bothSignUntil" not in outcome.json
    headers, body = headers_of_a_fire(signed, receiver)
    assert len(headers["webhook-signature"].split()) == 1
    assert signs(outcome.json["secret"], headers, body)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_secret_that_nobody_could_see_is_a_failure(cli: Cli) -> None:
    cli.create("a")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "qwebhook", "rotate-secret", "a"],
            stdout=subprocess.PIPE,
            stderr=writing,
            cwd=ROOT,
            env=process_environ(cli.environ),
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_webhook_without_a_secret_gets_its_first(cli: Cli) -> None:
    cli.create("a")
    outcome = cli.ok("rotate-secret", "a", "-o", "json")
    assert outcome.json["secretKeyAdded"] is True
    assert outcome.err == "qwebhook: a had no secret; its deliveries are signed from now on\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["a", "--secret", "short"], 2, "secret"),
        (["a", "--grace", "soon"], 2, "--grace 'soon' is not a duration"),
        (["a", "--grace", "366d"], 2, "--grace 366d is more than a year"),
        (["a", "--secret", "env:NOT_SET"], 2, "the variable NOT_SET is not set"),
        (["nobody"], 5, "there is no webhook with the id or name 'nobody'"),
    ],
)
def test_what_is_refused(signed: Cli, receiver: Receiver, arguments: list[str], code: int, words: str) -> None:
    outcome = signed.run("rotate-secret", *arguments)
    assert outcome.code == code
    assert words in outcome.error
    headers, body = headers_of_a_fire(signed, receiver)
    assert signs(STANDARD_SECRET, headers, body)
