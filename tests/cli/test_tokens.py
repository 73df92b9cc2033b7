"""`token`: made once, listed without their values, revoked at once."""

from __future__ import annotations

import re
from contextlib import closing

import httpx
import pytest

from qwebhook.store.sqlite import SqliteStore
from tests.acceptance.processes import Server, until
from tests.cli.world import NOW, Cli

KEYS = ["id", "name", "role", "createdAt"]


@pytest.fixture
def two(cli: Cli) -> Cli:
    """A command line with the tokens `b` and `a`, of which only `a` was used."""
    cli.ok("token", "create", "b", "--role", "publisher")
    cli.ok("token", "create", "a", "--role", "user", "--user-id", "u1")
    with closing(SqliteStore.open(cli.store)) as store:
        (used,) = (token for token in store.list_tokens() if token.name == "a")
        store.note_token_use({used.id: int(NOW * 1000) - 7_300_000})
    return cli


def names(cli: Cli) -> list[str]:
    return [token["name"] for token in cli.ok("token", "list", "-o", "json").json]


class TestList:
    def test_by_name_and_without_their_values(self, two: Cli) -> None:
        first, second = two.ok("token", "list", "-o", "json").json
        assert list(first) == [*KEYS, "userId", "lastUsedAt"]
        assert list(second) == KEYS
        assert (first["name"], first["role"], first["userId"]) == ("a", "user", "u1")
        assert first["lastUsedAt"] == "2026-11-24T13:58:20.000Z"
        assert "qwh_" not in two.ok("token", "list").out

    def test_the_table(self, two: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        head, first, second = two.ok("token", "list").out.splitlines()
        assert head.split() == ["ID", "NAME", "ROLE", "USER", "CREATED", "LAST", "USED"]
        assert first.endswith("  2026-11-24T13:58:20.000Z")
        assert re.search(r"b +publisher +\S+Z$", second)
        monkeypatch.setenv("COLUMNS", "150")
        assert "2h ago" in two.ok("token", "list", terminal=True).out

    def test_none_yet(self, cli: Cli) -> None:
        cli.create("x")
        assert cli.ok("token", "list") == (0, "", "qwebhook: no tokens yet; `qwebhook token create` makes one\n")

    def test_a_use_is_written_down(self, cli: Cli, server: Server) -> None:
        value = cli.ok("token", "create", "m", "--role", "metrics").out.strip()
        assert "lastUsedAt" not in cli.ok("token", "list", "-o", "json").json[0]
        answer = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {value}"}, trust_env=False)
        assert answer.status_code == 200
        server.signal(15)
        server.wait()
        assert "lastUsedAt" in cli.ok("token", "list", "-o", "json").json[0]


class TestRevoke:
    def test_by_name_and_by_id(self, two: Cli) -> None:
        identifier = two.ok("token", "list", "-o", "json").json[1]["id"]
        outcome = two.ok("token", "revoke", "a", identifier, "--yes", "-o", "json")
        assert [token["name"] for token in outcome.json] == ["a", "b"]
        assert names(two) == []

    def test_it_asks_on_a_terminal_and_needs_yes_elsewhere(self, two: Cli) -> None:
        outcome = two.run("token", "revoke", "a", "b", terminal=True, stdin=b"\n")
        assert outcome.code == 1
        assert outcome.err == "Revoke 2 tokens (a, b)? [y/N] qwebhook: nothing was revoked\n"
        assert two.run("token", "revoke", "a").error == "token revoke needs --yes where it cannot ask"
        assert names(two) == ["a", "b"]
        assert two.run("token", "revoke", "a", terminal=True, stdin=b"y\n").code == 0
        assert names(two) == ["b"]

    def test_one_that_is_missing_is_5_and_the_others_go_on(self, two: Cli) -> None:
        outcome = two.run("token", "revoke", "x", "a", "--yes")
        assert outcome.code == 5
        assert (
            outcome.error
            == "there is no token with the id or name 'x'; the list has those there are (`qwebhook token list`)"
        )
        assert names(two) == ["b"]

    def test_twice_is_fine_if_one_says_so(self, two: Cli) -> None:
        two.ok("token", "revoke", "a", "--yes")
        assert two.run("token", "revoke", "a", "--yes").code == 5
        assert two.ok("token", "revoke", "a", "--yes", "--if-exists") == (0, "", "")

    def test_a_running_server_lets_it_in_no_more(self, cli: Cli, server: Server) -> None:
        value = cli.ok("token", "create", "m", "--role", "metrics").out.strip()

        def status() -> int:
            headers = {"Authorization": f"Bearer {value}"}
            return httpx.get(f"{server.url}/metrics", headers=headers, trust_env=False).status_code

        assert status() == 200
        cli.ok("token", "revoke", "m", "--yes")
        until(lambda: status() == 401, "the token is refused", timeout=2)
