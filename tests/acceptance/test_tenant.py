"""The commands against a tenant as a user has one: the stand-in, and a real one where the environment names it.

    QWEBHOOK_TEST_TENANT=https://acme.eu.qlikcloud.com QWEBHOOK_TEST_KEY=… pytest tests/acceptance/test_tenant.py

What it makes there has a name of its own, points nowhere, and is deleted again; nothing else of the tenant is touched.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import Home
from tests.tenant import Tenant

URL_VARIABLE, KEY_VARIABLE = "QWEBHOOK_TEST_TENANT", "QWEBHOOK_TEST_KEY"
TYPE = "com.qlik.v1.app.created"
SECRET = "a-secret-of-more-than-32-characters"


class Account:
    """A home with the tenant as its current context, and a name for what is made there."""

    def __init__(self, home: Home, url: str, key: str) -> None:
        self.home = home
        self.name = f"qwebhook test {uuid.uuid4().hex[:12]}"
        self.ok("context", "add", "tenant", url, "--use", stdin=key.encode())

    def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        done = self.home.run(*arguments, stdin=stdin, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def ok(self, *arguments: str, stdin: bytes = b"") -> Any:
        """What a command that must succeed prints as JSON."""
        code, out, error = self.run(*arguments, "-o", "json", stdin=stdin)
        assert code == 0, error
        return json.loads(out)


@pytest.fixture(params=["stand-in", "real"])
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    if request.param == "stand-in":
        with Tenant() as tenant:
            yield Account(Home(tmp_path), tenant.url, tenant.key)
        return
    url, key = os.environ.get(URL_VARIABLE), os.environ.get(KEY_VARIABLE)
    if not url or not key:
        pytest.skip(f"{URL_VARIABLE} and {KEY_VARIABLE} name no tenant")
    account = Account(Home(tmp_path), url, key)
    yield account
    account.run("delete", account.name, "--yes", "--if-exists")


def test_the_life_of_a_webhook(account: Account) -> None:
    made = account.ok(
        "create", account.name, "--url", "https://receiver.example.com/hook", "--event", TYPE, "--disabled",
        "--secret", SECRET, "--header", "X-Team=bi", "--encrypted-header", "X-Key=hidden",
    )  # fmt: skip
    assert (made["enabled"], made["secretKeyAdded"], made["encryptedHeaders"]) == (False, True, ["X-Key"])
    assert account.ok("get", account.name)["id"] == made["id"]
    assert [one["id"] for one in account.ok("list", "--name", account.name)] == [made["id"]]
    changed = account.ok("update", account.name, "--description", "changed", "--remove-header", "X-Team")
    assert (changed["description"], changed["headers"], changed["secretKeyAdded"]) == ("changed", {}, True)
    assert account.ok("rotate-secret", account.name, "--grace", "0")["secretKeyAdded"] is True
    assert account.ok("deliveries", account.name) == []
    for verb, enabled in (("enable", True), ("disable", False)):
        assert [one["enabled"] for one in account.ok(verb, account.name)] == [enabled]
    account.ok("delete", account.name, "--yes")
    assert account.run("get", account.name)[0] == 5


def test_event_types(account: Account) -> None:
    assert TYPE in {one["name"] for one in account.ok("event-types")}


def test_what_a_tenant_does_not_take_is_not_sent(account: Account) -> None:
    code, _, error = account.run("create", account.name, "--url", "http://receiver.example.com/", "--event", TYPE)
    assert (code, "is no https: URL" in error) == (2, True)
    assert account.ok("list", "--name", account.name) == []


def test_a_wrong_key(account: Account) -> None:
    url = account.ok("context", "show")[1]["value"]
    code, _, error = account.run("context", "add", "wrong", url, stdin=b"not-a-key")
    assert code == 4, error
    assert "not-a-key" not in error
