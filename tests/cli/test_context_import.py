"""`qwebhook context import`: the vendor's contexts are taken over, and their file stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import Cli
from tests.tenant import Tenant


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    made = Cli(tmp_path)
    del made.environ["QWEBHOOK_STORE"]
    return made


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


def vendor_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def contexts(tenant: Tenant) -> str:
    return f"""\
contexts:
  prod:
    server: {tenant.url}/
    headers:
      Authorization: Bearer {tenant.key}
  oauth:
    server: {tenant.url}
    oauth-client-id: abc
  "odd name":
    server: {tenant.url}
  windows:
    server-type: windows
"""


@pytest.mark.parametrize("place", [".qlik/contexts.yml", "elsewhere/.qlik/contexts.yml", "elsewhere/contexts.yml"])
def test_they_are_taken_over_with_their_keys(cli: Cli, tenant: Tenant, place: str) -> None:
    file = vendor_file(cli.home / place, contexts(tenant))
    if place.startswith("elsewhere"):
        cli.environ["QLIK_CLI_USER_HOME_DIR"] = str(cli.home / "elsewhere")
    before = file.read_bytes()
    outcome = cli.ok("context", "import", "-o", "json")
    assert [(one["name"], one["store"]) for one in outcome.json] == [("prod", tenant.url)]
    assert file.read_bytes() == before
    told = outcome.err
    assert "warning: oauth is left out: it has no header Authorization" in told
    assert "warning: odd name is left out" in told
    assert "warning: windows is left out: it has no server" in told
    assert tenant.key not in outcome.out + told
    cli.ok("list", "--context", "prod")


def test_one_is_named(cli: Cli, tenant: Tenant) -> None:
    file = vendor_file(cli.home / "c.yml", contexts(tenant))
    assert cli.run("context", "import", "--from", file, "oauth").code == 2
    assert cli.run("context", "import", "--from", file, "nowhere").code == 5
    for _ in range(2):
        cli.ok("context", "import", "--from", file, "prod")
    cli.ok("context", "add", "prod", "/tmp/x.db", "--replace")
    again = cli.run("context", "import", "--from", file, "prod")
    assert (again.code, again.error) == (1, "there is another context 'prod' already; give --replace to replace it")
    cli.ok("context", "import", "--from", file, "prod", "--replace")


def test_no_file_names_the_places(cli: Cli) -> None:
    outcome = cli.run("context", "import")
    assert outcome.code == 5
    assert str(cli.home / ".qlik" / "contexts.yml") in outcome.error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("contexts:\n  a: {x: 'secret-key\n", "is not valid YAML at line"),
        ("contexts: [1]\n", "has no contexts"),
        ("", "has no contexts"),
        ("\x00", "is not valid YAML"),
        ("contexts:\n  a: {server: 2026-13-45}\n", "is not valid YAML"),
        ("contexts: " + "[" * 5000, "is not valid YAML"),
    ],
)
def test_a_file_of_another_kind(cli: Cli, text: str, words: str) -> None:
    vendor_file(cli.home / ".qlik" / "contexts.yml", text)
    outcome = cli.run("context", "import")
    assert outcome.code == 2
    assert words in outcome.error
    assert "secret-key" not in outcome.err


@pytest.mark.parametrize("key", ["", "two words", "env:HOME", "@/etc/hostname", "sch\u00fcssel"])
def test_what_cannot_be_a_key_is_left_out(cli: Cli, tenant: Tenant, key: str) -> None:
    # A file of another's must not have a file or a variable of the user's sent to the server that it names.
    text = f"contexts: {{a: {{server: '{tenant.url}', headers: {{authorization: 'Bearer {key}'}}}}}}\n"
    outcome = cli.ok("context", "import", "--from", vendor_file(cli.home / "c.yml", text))
    assert "a is left out: its header Authorization holds no key" in outcome.err
    assert not key or key not in outcome.err
    assert cli.ok("context", "list", "-q").out == ""
