"""`qwebhook context`: contexts are made, tried, shown, chosen, removed, and nothing gives a key away."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qwebhook.cli.context_adding import command_words
from tests.acceptance.receiver import free_port
from tests.cli.world import Cli, Outcome, process
from tests.tenant import Tenant
from tests.tenant.faults import html, truncated

USERS = """\
# My own remarks, which must stay.
current = "mine"          # this one

[contexts.mine]
store = "/tmp/mine.db"
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A command line whose store is named by nothing."""
    made = Cli(tmp_path)
    del made.environ["QWEBHOOK_STORE"]
    return made


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


def folder(cli: Cli) -> Path:
    return cli.home / ".config" / "qwebhook"


def ours(cli: Cli) -> Path:
    return folder(cli) / "contexts.toml"


def users(cli: Cli, text: str = USERS) -> Path:
    folder(cli).mkdir(parents=True, exist_ok=True)
    (folder(cli) / "config.toml").write_text(text, encoding="utf-8")
    return folder(cli) / "config.toml"


def add(cli: Cli, tenant: Tenant, name: str = "prod", *options: str | Path, key: str | None = None) -> Outcome:
    return cli.run("context", "add", name, tenant.url, *options, stdin=(key or tenant.key).encode() + b"\n")


def values(outcome: Outcome) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["value"], one["from"]) for one in outcome.json}


class TestAdd:
    def test_a_key_from_stdin_lets_one_in(self, cli: Cli, tenant: Tenant) -> None:
        tenant.webhooks.add(name="reports")
        outcome = add(cli, tenant, "prod", "-o", "json")
        assert outcome.code == 0, outcome
        assert outcome.json == {
            "name": "prod", "store": tenant.url, "credentials": "a key", "current": False, "file": str(ours(cli)),
        }  # fmt: skip
        assert tenant.key not in outcome.out + outcome.err
        assert [one["name"] for one in cli.ok("list", "--context", "prod", "-o", "json").json] == ["reports"]

    def test_its_file_is_for_its_owner_alone(self, cli: Cli, tenant: Tenant) -> None:
        add(cli, tenant)
        assert stat.S_IMODE(ours(cli).stat().st_mode) == 0o600
        assert stat.S_IMODE(folder(cli).stat().st_mode) == 0o700
        assert [one.name for one in folder(cli).iterdir()] == ["contexts.toml"]

    def test_the_users_file_stays_as_it_is(self, cli: Cli, tenant: Tenant) -> None:
        file = users(cli)
        add(cli, tenant, "prod", "--use")
        cli.ok("context", "use", "mine")
        cli.ok("context", "remove", "prod", "--yes")
        assert file.read_text() == USERS

    def test_a_link_stays_a_link(self, cli: Cli, tenant: Tenant) -> None:
        folder(cli).mkdir(parents=True)
        real = cli.home / "dotfiles.toml"
        real.write_text("")
        ours(cli).symlink_to(real)
        add(cli, tenant)
        assert ours(cli).is_symlink()
        assert "[contexts.prod]" in real.read_text()

    def test_another_configuration_has_a_file_of_its_own(self, cli: Cli, tenant: Tenant) -> None:
        cli.environ["QWEBHOOK_CONFIG"] = str(cli.home / "work.toml")
        add(cli, tenant)
        assert (cli.home / "work.contexts.toml").exists()
        assert "prod" in cli.ok("context", "list").out

    def test_several_at_once_are_all_kept(self, cli: Cli) -> None:
        def made(number: int) -> int:
            arguments = ("context", "add", f"c{number}", f"/tmp/{number}.db")
            return process(*arguments, environ=cli.environ).code

        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(made, range(12))) == {0}
        assert len(cli.ok("context", "list", "-o", "json").json) == 12

    def test_a_database_needs_no_credentials(self, cli: Cli) -> None:
        outcome = cli.ok("context", "add", "local", cli.home / "a.db", "--use", "-o", "json")
        assert (outcome.json["credentials"], outcome.json["current"]) == ("", True)
        cli.create("one")
        assert (cli.home / "a.db").exists()
        refused = cli.run("context", "add", "other", "b.db", "--key", "env:X")
        assert (refused.code, refused.error) == (
            2,
            "--key is for a server or a tenant; a database file needs no credentials",
        )

    def test_a_key_may_stay_where_it_is(self, cli: Cli, tenant: Tenant) -> None:
        file = cli.home / "key.txt"
        file.write_text(f"{tenant.key}\n")
        cli.environ["QLIK_API_KEY"] = tenant.key
        for name, where in (("file", f"@{file}"), ("variable", "env:QLIK_API_KEY")):
            cli.ok("context", "add", name, tenant.url, "--key", where)
            cli.ok("list", "--context", name)
        assert tenant.key not in ours(cli).read_text()
        assert cli.ok("context", "list", "-o", "json").json[1]["credentials"] == "the variable QLIK_API_KEY"

    def test_a_command_may_print_the_key(self, cli: Cli, tenant: Tenant) -> None:
        file = cli.home / "a key"
        file.write_text(tenant.key)
        cli.ok(
            "context",
            "add",
            "vault",
            tenant.url,
            "--key-command",
            f"{sys.executable} -c \"print(open('{file}').read())\"",
        )
        cli.ok("list", "--context", "vault")
        assert tenant.key not in ours(cli).read_text()
        file.unlink()
        outcome = cli.run("list", "--context", "vault")
        assert outcome.code == 4
        assert "printed no key" in outcome.err

    def test_a_command_on_windows_keeps_its_backslashes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "win32")
        assert command_words(r'"C:\Program Files\keys\show.exe" C:\keys\prod') == (
            r"C:\Program Files\keys\show.exe",
            r"C:\keys\prod",
        )

    def test_an_oauth_client_gets_a_token_that_is_kept(self, cli: Cli, tenant: Tenant) -> None:
        client = tenant.access.new_client()
        secret = cli.home / "secret.txt"
        secret.write_text(client.secret)
        cli.ok("context", "add", "ci", tenant.url, "--client-id", client.id, "--client-secret", f"@{secret}")
        for _ in range(3):
            cli.ok("list", "--context", "ci")
        assert len(tenant.log.requests("POST", "/oauth/token")) == 1
        (token,) = (folder(cli) / "tokens").iterdir()
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        tenant.access.expire_tokens()
        cli.ok("list", "--context", "ci")
        assert len(tenant.log.requests("POST", "/oauth/token")) == 2
        cli.ok("context", "remove", "ci", "--yes")
        assert not token.exists()

    def test_a_token_goes_with_the_client_that_another_key_replaces(self, cli: Cli, tenant: Tenant) -> None:
        client = tenant.access.new_client()
        secret = cli.home / "secret.txt"
        secret.write_text(client.secret)
        cli.ok("context", "add", "ci", tenant.url, "--client-id", client.id, "--client-secret", f"@{secret}")
        (token,) = (folder(cli) / "tokens").iterdir()
        cli.ok("context", "add", "ci", "--replace", stdin=tenant.key.encode())
        assert not token.exists()

    def test_replace_renews_the_key_and_keeps_the_rest(self, cli: Cli, tenant: Tenant) -> None:
        cli.environ["HOOK"] = "a-secret-of-more-than-32-characters"
        add(cli, tenant, "prod", "--webhook-secret", "env:HOOK")
        tenant.access.expire(tenant.key)
        expired = cli.run("list", "--context", "prod")
        assert expired.code == 4
        assert "context prod" in expired.error
        assert "`qwebhook context add prod --replace`" in expired.error
        fresh = tenant.access.new_key()
        cli.ok("context", "add", "prod", "--replace", stdin=fresh.encode())
        cli.ok("list", "--context", "prod")
        assert values(cli.ok("context", "show", "prod", "-o", "json"))["webhook-secret"][0] == "the variable HOOK"

    def test_what_it_takes_is_written_in_a_header_often(self, cli: Cli, tenant: Tenant) -> None:
        assert add(cli, tenant, key=f"Bearer {tenant.key} ").code == 0

    @pytest.mark.parametrize(
        ("options", "key", "code", "words"),
        [
            (["prod"], "", 2, "no API key or token came on stdin"),
            (["prod"], "two words", 2, "has characters that it cannot have"),
            (["prod", "--key", "env:HOME", "--webhook-secret", "-"], "short", 2, "secret: has 5 characters"),
            (["a b"], "k", 2, "NAME 'a b' cannot name a context"),
            (["../x"], "k", 2, "cannot name a context"),
            (["prod", "--key", "hunter2"], "", 2, "--key on the command line can be read by others"),
            (["prod", "--key", "env:NOT_THERE"], "", 2, "the variable NOT_THERE is not set"),
            (["prod", "--key", "@nowhere"], "", 2, "cannot be read"),
            (["prod", "--key", "-", "--key-command", "x"], "k", 2, "--key and --key-command were both given"),
            (["prod", "--client-secret", "-"], "k", 2, "--client-secret goes with --client-id"),
            (["prod", "--key-command", "'"], "k", 2, "cannot be split into words"),
            (["prod", "--key-command", " "], "k", 2, "is empty"),
            (["prod", "--keyring", "--key", "env:HOME"], "k", 2, "read from stdin or a prompt"),
        ],
    )  # fmt: skip
    def test_bad_input(self, cli: Cli, tenant: Tenant, options: list[str], key: str, code: int, words: str) -> None:
        name, *others = options
        outcome = cli.run("context", "add", name, tenant.url, *others, stdin=key.encode())
        assert outcome.code == code
        assert words in outcome.error
        assert "hunter2" not in outcome.err
        assert not ours(cli).exists()

    def test_a_name_in_use(self, cli: Cli, tenant: Tenant) -> None:
        users(cli)
        add(cli, tenant)
        again = add(cli, tenant)
        assert (again.code, again.error) == (1, "there is a context 'prod' already; give --replace to change it")
        theirs = add(cli, tenant, "mine", "--replace")
        assert theirs.code == 1
        assert f"the context 'mine' is written in {folder(cli) / 'config.toml'}" in theirs.error

    def test_without_a_store_there_is_nothing_to_name(self, cli: Cli) -> None:
        assert cli.run("context", "add", "x").error == "no store is named; give its URL or path"
        assert cli.run("context", "add", "x", "--replace").code == 5

    def test_a_folder_that_cannot_be_written(self, cli: Cli, tenant: Tenant) -> None:
        cli.environ["QWEBHOOK_CONFIG"] = "/proc/nowhere/config.toml"
        outcome = add(cli, tenant)
        assert outcome.code == 1
        assert "/proc/nowhere/contexts.toml cannot be written" in outcome.err


class TestCheck:
    def test_a_key_that_is_refused_is_not_kept(self, cli: Cli, tenant: Tenant) -> None:
        outcome = add(cli, tenant, key="not-the-key")
        assert outcome.code == 4
        assert "does not accept the credentials" in outcome.error
        assert "--no-check keeps it untried" in outcome.error
        assert "not-the-key" not in outcome.err
        assert not ours(cli).exists()
        assert add(cli, tenant, "prod", "--no-check", key="not-the-key").code == 0

    def test_the_contexts_own_key_is_tried(self, cli: Cli, tenant: Tenant) -> None:
        cli.environ["QWEBHOOK_TOKEN"] = tenant.key
        assert add(cli, tenant, key="not-the-key").code == 4

    def test_a_wrong_name_is_exit_6(self, cli: Cli) -> None:
        outcome = cli.run("context", "add", "p", "https://no-such-tenant.invalid", stdin=b"k")
        assert outcome.code == 6
        assert "there is no such host" in outcome.error

    def test_nobody_there_is_exit_6(self, cli: Cli) -> None:
        outcome = cli.run("context", "add", "p", f"http://127.0.0.1:{free_port()}", stdin=b"k")
        assert outcome.code == 6
        assert "cannot be reached" in outcome.error

    @pytest.mark.parametrize(
        ("fault", "words"), [(html(), "a web page"), (html(404), "a web page"), (truncated(), "cannot be read")]
    )
    def test_what_is_no_tenant_is_exit_6(self, cli: Cli, tenant: Tenant, fault: object, words: str) -> None:
        tenant.faults.inject(fault, times=None)  # type: ignore[arg-type]
        outcome = add(cli, tenant)
        assert outcome.code == 6
        assert words in outcome.error
        assert not ours(cli).exists()

    def test_a_server_without_webhooks_is_exit_6(self, cli: Cli, tenant: Tenant) -> None:
        tenant.prefixes.clear()
        outcome = add(cli, tenant)
        assert outcome.code == 6
        assert "no webhooks API" in outcome.error

    def test_an_older_tenant_is_fine(self, cli: Cli, tenant: Tenant) -> None:
        tenant.prefixes.discard("core")
        assert add(cli, tenant).code == 0


class TestKeyring:
    """The real library, with a backend of the test's own: a file."""

    @pytest.fixture
    def cli(self, cli: Cli) -> Cli:
        pytest.importorskip("keyring")
        cli.environ |= {
            "PYTHON_KEYRING_BACKEND": "tests.cli.keyring_backend.FileKeyring",
            "TEST_KEYRING": str(cli.home / "keyring.json"),
        }
        return cli

    def run(self, cli: Cli, *arguments: str, key: str = "") -> Outcome:
        return process(*arguments, environ=cli.environ, stdin=key.encode())

    def test_the_key_is_kept_there_and_nowhere_else(self, cli: Cli, tenant: Tenant) -> None:
        made = self.run(cli, "context", "add", "k", tenant.url, "--keyring", key=tenant.key)
        assert made.code == 0, made
        assert tenant.key not in ours(cli).read_text()
        kept = json.loads((cli.home / "keyring.json").read_text())
        assert kept == {f"qwebhook/k@{tenant.url.partition('://')[2]}": tenant.key}
        assert self.run(cli, "list", "--context", "k").code == 0
        assert self.run(cli, "context", "remove", "k", "--yes").code == 0
        assert json.loads((cli.home / "keyring.json").read_text()) == {}

    @pytest.mark.parametrize("way", ["add", "import"])
    def test_a_key_that_is_kept_elsewhere_by_now_is_gone(self, cli: Cli, tenant: Tenant, way: str) -> None:
        self.run(cli, "context", "add", "k", tenant.url, "--keyring", key=tenant.key)
        if way == "add":
            replaced = self.run(cli, "context", "add", "k", "--replace", key=tenant.key)
        else:
            file = cli.home / "contexts.yml"
            header = f"      Authorization: Bearer {tenant.key}\n"
            file.write_text(f"contexts:\n  k:\n    server: {tenant.url}\n    headers:\n{header}")
            replaced = self.run(cli, "context", "import", "--from", str(file), "--replace")
        assert replaced.code == 0, replaced
        assert json.loads((cli.home / "keyring.json").read_text()) == {}
        assert self.run(cli, "list", "--context", "k").code == 0

    def test_a_key_that_is_renewed_there_stays(self, cli: Cli, tenant: Tenant) -> None:
        self.run(cli, "context", "add", "k", tenant.url, "--keyring", key=tenant.key)
        assert self.run(cli, "context", "add", "k", "--replace", "--keyring", key=tenant.key).code == 0
        assert self.run(cli, "list", "--context", "k").code == 0

    def test_a_key_that_is_gone(self, cli: Cli, tenant: Tenant) -> None:
        self.run(cli, "context", "add", "k", tenant.url, "--keyring", key=tenant.key)
        (cli.home / "keyring.json").unlink()
        outcome = self.run(cli, "list", "--context", "k")
        assert outcome.code == 4
        assert "`qwebhook context add k --replace --keyring`" in outcome.error

    def test_a_keyring_that_cannot_be_used(self, cli: Cli, tenant: Tenant) -> None:
        cli.environ["TEST_KEYRING"] = "locked"
        outcome = self.run(cli, "context", "add", "k", tenant.url, "--keyring", key=tenant.key)
        assert outcome.code == 6
        assert outcome.error == "the system keyring cannot be used: it is locked; unlock it, or keep the key elsewhere"
        assert not ours(cli).exists()


def test_without_the_library_it_says_how_to_install_it(cli: Cli, tenant: Tenant, tmp_path: Path) -> None:
    # In the place of the library, one that cannot be imported.
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "keyring.py").write_text("raise ImportError\n")
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); from qwebhook.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, str(hiding), "context", "add", "k", tenant.url, "--keyring"],
        input=tenant.key.encode(),
        capture_output=True,
        env={**os.environ, **cli.environ},
        timeout=60,
    )
    assert done.returncode == 6
    assert b"run: pip install 'qwebhook[keyring]'" in done.stderr


class TestUseAndShow:
    def test_the_current_one_is_used(self, cli: Cli, tenant: Tenant) -> None:
        users(cli)
        tenant.webhooks.add(name="reports")
        add(cli, tenant, "prod", "--use")
        assert "reports" in cli.ok("list").out
        cli.ok("context", "use", "mine")
        assert cli.ok("context", "show", "-o", "json").json[0] == {
            "name": "context", "value": "mine", "from": f"current in {ours(cli)}",
        }  # fmt: skip
        cli.ok("context", "use", "--none")
        assert values(cli.ok("context", "show", "-o", "json"))["store"][1] == "default"

    def test_which_is_in_vain_is_told(self, cli: Cli) -> None:
        users(cli)
        outcome = cli.ok("context", "use", "mine", environ={"QWEBHOOK_STORE": "x.db"})
        assert "warning: QWEBHOOK_STORE is set, and goes before the current context" in outcome.err

    @pytest.mark.parametrize("arguments", [[], ["x", "--none"], ["nowhere"], [""]])
    def test_use_needs_one_that_is_there(self, cli: Cli, arguments: list[str]) -> None:
        assert cli.run("context", "use", *arguments).code in (2, 5)
        assert not ours(cli).exists()

    def test_an_empty_name_is_no_context(self, cli: Cli) -> None:
        assert "the name of the context is empty" in cli.run("context", "show", "").error

    def test_show_says_where_each_value_came_from(self, cli: Cli, tenant: Tenant) -> None:
        users(cli)
        add(cli, tenant)
        file = str(ours(cli))
        assert values(cli.ok("context", "show", "prod", "-o", "json")) == {
            "context": ("prod", "NAME"),
            "store": (tenant.url, file),
            "credentials": ("a key", file),
        }
        for options, environ, origin in (
            (["--context", "prod"], {}, "--context"),
            ([], {"QWEBHOOK_CONTEXT": "prod"}, "QWEBHOOK_CONTEXT"),
        ):
            found = values(cli.ok("context", "show", *options, "-o", "json", environ=environ))
            assert found["context"] == ("prod", origin)
        named = values(cli.ok("context", "show", "--store", "/tmp/x.db", "-o", "json"))
        assert named["store"] == ("/tmp/x.db", "--store")
        assert named["context"] == ("", "--store names the store")
        overruled = cli.ok("context", "show", "prod", "-o", "json", environ={"QWEBHOOK_TOKEN": "t"})
        assert values(overruled)["credentials"] == ("a key", "QWEBHOOK_TOKEN")
        assert "SETTING" in cli.ok("context", "show").out

    def test_no_output_has_the_key(self, cli: Cli, tenant: Tenant) -> None:
        add(cli, tenant, "prod", "--use")
        for arguments in (["context", "show"], ["context", "list"], ["list"], ["get", "nothing"]):
            for output in ("table", "json", "yaml", "csv"):
                outcome = cli.run(*arguments, "-o", output, "--verbose")
                assert tenant.key not in outcome.out + outcome.err

    def test_an_expired_key_with_verbose_shows_no_key(self, cli: Cli, tenant: Tenant) -> None:
        add(cli, tenant, "prod", "--use")
        tenant.access.expire(tenant.key)
        outcome = cli.run("list", "--verbose")
        assert outcome.code == 4
        assert "Traceback" in outcome.err
        assert "GET " in outcome.err
        assert tenant.key not in outcome.err


def test_a_file_with_a_key_that_everyone_can_read_is_told(cli: Cli, tenant: Tenant) -> None:
    config = cli.home / "c" / "config.toml"
    config.parent.mkdir()
    cli.environ["QWEBHOOK_CONFIG"] = str(config)
    config.write_text(f'[contexts.a]\nstore = "{tenant.url}"\ntoken = "{tenant.key}"\n')
    config.chmod(0o644)
    told = cli.ok("list", "--context", "a").err
    assert f"warning: {config} holds a key, and everyone on this machine can read it" in told
    assert tenant.key not in told
    config.chmod(0o640)
    assert "warning" not in cli.ok("list", "--context", "a").err
    config.write_text(f'[contexts.a]\nstore = "{tenant.url}"\ntoken = "env:KEY"\n')
    config.chmod(0o644)
    assert "warning" not in cli.ok("list", "--context", "a", environ={"KEY": tenant.key}).err


class TestRemove:
    def test_it_is_gone_and_no_longer_current(self, cli: Cli, tenant: Tenant) -> None:
        add(cli, tenant, "prod", "--use")
        outcome = cli.ok("context", "remove", "prod", "--yes", "-o", "json")
        assert [one["name"] for one in outcome.json] == ["prod"]
        assert cli.run("list", "--context", "prod").code == 5
        cli.ok("list")

    def test_it_goes_on_and_ends_with_the_worst(self, cli: Cli, tenant: Tenant) -> None:
        users(cli)
        add(cli, tenant, "prod")
        outcome = cli.run("context", "remove", "mine", "prod", "nowhere", "--yes")
        assert outcome.code == 5
        assert [one["name"] for one in cli.ok("context", "list", "-o", "json").json] == ["mine"]
        assert cli.run("context", "remove", "nowhere", "--yes", "--if-exists").code == 0

    def test_it_asks(self, cli: Cli, tenant: Tenant) -> None:
        add(cli, tenant)
        assert cli.run("context", "remove", "prod").code == 2
        assert cli.run("context", "remove", "prod", terminal=True, stdin=b"n\n").code == 1
        cli.ok("context", "remove", "prod", terminal=True, stdin=b"y\n")


class TestBadFiles:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ('token = "a"\nkey-command = ["b"]', "contexts.x has both token and key-command"),
            ('client-id = "a"', "contexts.x has one of client-id and client-secret"),
            ('key-command = "pass show"', "contexts.x.key-command is not a list of words"),
            ('tokn = "a"', "contexts.x.tokn is not a field of a context; did you mean token?"),
            ("ca-file = 1", "contexts.x.ca-file is not a string"),
        ],
    )
    def test_a_context_that_cannot_be_used(self, cli: Cli, fields: str, words: str) -> None:
        file = users(cli, f'[contexts.x]\nstore = "https://t.example"\n{fields}\n')
        outcome = cli.run("list", "--context", "x")
        assert outcome.code == 2
        assert str(file) in outcome.error
        assert words in outcome.error

    def test_another_context_still_works(self, cli: Cli) -> None:
        users(cli, f'[contexts.x]\n[contexts.y]\nstore = "{cli.store}"\n')
        cli.create("one", "--store", cli.store)
        cli.ok("list", "--context", "y")


def test_a_tenant_behind_an_authority_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    with Tenant(tls=tmp_path) as tenant:
        untrusted = add(cli, tenant)
        assert untrusted.code == 6
        assert "is not trusted" in untrusted.error
        assert "`qwebhook context add --ca-file`" in untrusted.error
        add(cli, tenant, "prod", "--ca-file", tenant.ca_file)
        tenant.webhooks.add(name="reports")
        assert "reports" in cli.ok("list", "--context", "prod").out
        client = tenant.access.new_client()
        cli.environ["SECRET_OF_CLIENT"] = client.secret
        oauth = ("--client-id", client.id, "--client-secret", "env:SECRET_OF_CLIENT", "--ca-file", str(tenant.ca_file))
        cli.ok("context", "add", "ci", tenant.url, *oauth)
        cli.ok("list", "--context", "ci")
