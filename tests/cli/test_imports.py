"""What commands import: someone waits for every module, so heavy ones are loaded where they are needed only."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.world import ROOT, Cli, asking, process_environ
from tests.tenant import Tenant

# Runs the program as the console script does, and tells which modules are loaded at its end.
RUN = """
import json, sys
from qwebhook.__main__ import main
sys.argv = ["qwebhook", *sys.argv[1:]]
code = main()
print("MODULES", json.dumps(sorted(sys.modules)), file=sys.stderr)
raise SystemExit(code)
"""
HEAVY = {"rich", "httpx", "aiohttp", "cryptography", "asyncio", "yaml", "starlette", "uvicorn", "platformdirs"}


def loaded(cli: Cli, *arguments: str, **environ: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        cwd=ROOT,
        env=process_environ({**cli.environ, **environ}),
        timeout=60,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("MODULES "))
    return set(json.loads(line.removeprefix("MODULES ")))


@pytest.mark.parametrize("arguments", [["version"], ["--version"], ["--help"], ["list", "--help"]])
def test_what_needs_no_store_loads_none_of_it(cli: Cli, arguments: list[str]) -> None:
    assert not loaded(cli, *arguments) & (HEAVY | {"msgspec", "sqlite3", "tomllib"})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="platformdirs is used elsewhere")
@pytest.mark.parametrize(
    "arguments",
    [
        ["list"], ["list", "-o", "json"], ["list", "-q"], ["get", "x"], ["deliveries"], ["preview", "x"],
        ["token", "list"], ["inbound", "list"], ["store", "check"],
    ],
)  # fmt: skip
def test_reading_in_a_pipe(cli: Cli, arguments: list[str]) -> None:
    cli.create("x")
    assert not loaded(cli, *arguments) & HEAVY


def test_presets_do_without_the_template_engine(cli: Cli) -> None:
    created = loaded(cli, "create", "x", "--url", "https://example.com/", "--event", "com.qlik.v1.app.created",
                     "--preset", "slack")  # fmt: skip
    assert not (created | loaded(cli, "preview", "x")) & {"jinja2", "markupsafe"}


def test_reading_from_a_server_loads_its_client_and_no_database(cli: Cli) -> None:
    with Tenant() as tenant:
        tenant.webhooks.add(name="x")
        remote = {"QWEBHOOK_STORE": tenant.url, "QWEBHOOK_TOKEN": tenant.key}
        modules = loaded(cli, "list", **remote)
    # asyncio and rich are imported by httpx.
    assert not modules & (HEAVY - {"httpx", "asyncio", "rich"} | {"sqlite3", "tomllib"})


def test_a_command_loads_no_other(cli: Cli) -> None:
    cli.create("x")
    commands = {name for name in loaded(cli, "list") if name.startswith("qwebhook.cli.commands.")}
    assert commands == {"qwebhook.cli.commands.list"}


@pytest.mark.parametrize("words", ["qwebhook ", "qwebhook get ", "qwebhook create --event com.qlik"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_is_quick(cli: Cli, words: str, shell: str) -> None:
    cli.create("x")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "qwebhook"],
        capture_output=True,
        cwd=ROOT,
        env=process_environ({**cli.environ, **asking(shell, words)}),
        timeout=60,
        text=True,
    )
    assert done.stdout.strip()
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not modules & HEAVY
