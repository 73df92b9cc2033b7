"""Which store is used, and what the configuration files say about it."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from qwebhook.cli.session import Session
from qwebhook.cli.settings import Settings
from qwebhook.model.errors import InvalidInput, NotFound
from tests.cli.world import Cli


def configured(cli: Cli, text: str) -> Path:
    path = cli.home / ".config" / "qwebhook" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def context(name: str, store: Path) -> str:
    return f'[contexts.{name}]\nstore = "{store}"\n'


def stores(cli: Cli, *names: str) -> dict[str, Path]:
    """Stores that each hold one webhook, named as the store."""
    made = {name: cli.home / f"{name}.db" for name in names}
    for name, path in made.items():
        cli.create(name, "--store", path)
    return made


def used(cli: Cli, *options: str | Path, **environ: str) -> str:
    """The name of the store that a run uses."""
    outcome = cli.ok("list", "-o", "json", *options, environ={"QWEBHOOK_STORE": "", **environ})
    return str(outcome.json[0]["name"])


def test_the_store_is_chosen_in_the_order_of_the_contract(cli: Cli) -> None:
    made = stores(cli, "option", "variable", "named", "current", "other")
    default = cli.home / ".local" / "share" / "qwebhook" / "qwebhook.db"
    default.parent.mkdir(parents=True)
    cli.create("default", "--store", default)
    assert used(cli) == "default"
    configured(
        cli,
        'current = "current"\n' + "".join(context(name, made[name]) for name in ("named", "current", "other")),
    )
    assert used(cli) == "current"
    assert used(cli, QWEBHOOK_CONTEXT="named") == "named"
    assert used(cli, "--context", "other", QWEBHOOK_CONTEXT="named") == "other"
    assert used(cli, QWEBHOOK_STORE=str(made["variable"])) == "variable"
    assert used(cli, "--store", made["option"], QWEBHOOK_STORE=str(made["variable"])) == "option"
    assert used(cli, "--store", made["option"].as_uri().replace("file:", "sqlite:")) == "option"


def test_global_options_work_before_and_after_the_command(cli: Cli) -> None:
    made = stores(cli, "one", "two")
    for arguments in (
        ["--store", made["one"], "-o", "id", "list"],
        ["list", "--store", made["one"], "-o", "id"],
        ["--store", made["one"], "list", "-q"],
        ["--store", made["two"], "list", "--store", made["one"], "-q"],
    ):
        assert cli.ok(*arguments).out == cli.ok("get", "one", "--store", made["one"], "-q").out


def test_a_context_that_the_variable_overrules_is_told(cli: Cli) -> None:
    made = stores(cli, "one", "two")
    configured(cli, context("two", made["two"]))
    outcome = cli.ok("list", "-q", "--context", "two", environ={"QWEBHOOK_STORE": str(made["one"])})
    assert "warning: --context two is not used: QWEBHOOK_STORE names the store" in outcome.err


def test_the_default_store_is_made_by_the_first_command(cli: Cli) -> None:
    outcome = cli.ok("list", environ={"QWEBHOOK_STORE": ""})
    assert outcome.out == ""
    assert outcome.err == "qwebhook: no webhooks yet; `qwebhook create` makes one\n"
    folder = cli.home / ".local" / "share" / "qwebhook"
    assert (folder / "qwebhook.db").exists()
    assert folder.stat().st_mode & 0o077 == 0


def test_xdg_folders_are_honoured(cli: Cli) -> None:
    data = cli.home / "data"
    cli.ok("list", environ={"QWEBHOOK_STORE": "", "XDG_DATA_HOME": str(data)})
    assert (data / "qwebhook" / "qwebhook.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["get", "x"],
        ["update", "x", "--url", "https://e.example/"],
        ["enable", "x"],
        ["disable", "--all"],
        ["delete", "x", "--yes"],
        ["deliveries"],
        ["delivery", "x", "y"],
        ["sign", "--webhook", "x"],
    ],
)
def test_a_store_that_was_named_is_not_made_by_others(cli: Cli, arguments: list[str]) -> None:
    outcome = cli.run(*arguments)
    assert outcome.code == 6
    assert outcome.error == (
        f"there is no store at {cli.store} (named by QWEBHOOK_STORE); `qwebhook create` or `qwebhook serve` makes one"
    )
    assert not cli.store.exists()


def test_publish_does_not_make_a_store_that_was_named(cli: Cli) -> None:
    event = b'{"specversion":"1.0","id":"1","type":"a.b","source":"s"}'
    assert cli.run("publish", stdin=event).code == 6
    assert not cli.store.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "x", "--url", "https://e.example/", "--event", "com.qlik.v1.app.created"],
        ["token", "create", "ci", "--role", "publisher"],
    ],
)
def test_create_makes_a_store_that_was_named(cli: Cli, arguments: list[str]) -> None:
    cli.ok(*arguments)
    assert cli.store.exists()


@pytest.mark.parametrize(
    ("store", "code", "words"),
    [
        ("", 2, "the store is empty"),
        ("sqlite://relative", 2, "has no absolute path"),
        ("ftp://host/x", 2, "stores of kind 'ftp' are not supported"),
        ("/proc/nowhere/x.db", 6, "there is no"),
        ("~no-such-user/x.db", 2, "the home folder that ~no-such-user/x.db begins with is not known"),
    ],
)
def test_a_store_that_cannot_be(cli: Cli, store: str, code: int, words: str) -> None:
    outcome = cli.run("list", "--store", store)
    assert outcome.code == code
    assert words in outcome.error


def test_an_empty_context_is_not_taken_for_the_current_one(cli: Cli) -> None:
    configured(cli, 'current = "a"\n' + context("a", cli.store))
    outcome = cli.run("list", "--context", "", environ={"QWEBHOOK_STORE": ""})
    assert outcome.code == 2
    assert outcome.error == "the name of the context is empty; `qwebhook context list` shows them"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a library knows it")
def test_a_user_without_a_home_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", unknown)
    outcome = cli.run("list", environ={"QWEBHOOK_STORE": "", "HOME": ""})
    assert outcome.code == 2
    assert outcome.error == "your home folder is not known; set HOME"


def test_a_configuration_may_begin_with_a_byte_order_mark(cli: Cli) -> None:
    stores(cli, "a")
    path = configured(cli, context("a", cli.home / "a.db"))
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert cli.ok("list", "--context", "a", "-o", "json", environ={"QWEBHOOK_STORE": ""}).json[0]["name"] == "a"


def test_an_unknown_context_names_the_known_ones(cli: Cli) -> None:
    configured(cli, context("b", cli.store) + context("a", cli.store))
    outcome = cli.run("list", "--context", "c", environ={"QWEBHOOK_STORE": ""})
    assert outcome.code == 5
    assert outcome.error == "there is no context 'c'; known are a, b"


def test_a_context_without_any_defined_names_the_file(cli: Cli) -> None:
    outcome = cli.run("list", "--context", "c", environ={"QWEBHOOK_STORE": ""})
    assert outcome.code == 5
    assert str(cli.home / ".config" / "qwebhook" / "config.toml") in outcome.error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("current = \n", "is not valid TOML: Invalid value (at line 1, column 11)"),
        ("a = 1\na = 2\n", "(at line 2, column 6)"),
        ("current = 1\n", "current is not a string"),
        ('contexts = "x"\ncurrent = "x"\n', "contexts is not a table; write [contexts]"),
        ('current = "x"\n[contexts.x]\n', "contexts.x has no store"),
        ('current = "x"\n[contexts.x]\nstore = "s"\ntoken = 1\n', "contexts.x.token is not a string"),
    ],
)
def test_a_configuration_that_cannot_be_used_names_file_and_place(cli: Cli, text: str, words: str) -> None:
    path = configured(cli, text)
    outcome = cli.run("list", environ={"QWEBHOOK_STORE": ""})
    assert outcome.code == 2
    assert str(path) in outcome.error
    assert words in outcome.error


def test_a_configuration_is_not_read_when_nothing_is_asked_of_it(cli: Cli) -> None:
    configured(cli, "broken [")
    cli.ok("version")
    cli.create("x")


def test_the_variable_moves_the_file_and_the_systems_lies_beneath(cli: Cli) -> None:
    made = stores(cli, "mine", "theirs")
    cli.system_config = cli.home / "etc.toml"
    cli.system_config.write_text(
        'current = "theirs"\n' + context("theirs", made["theirs"]) + context("both", made["theirs"])
    )
    assert used(cli) == "theirs"
    moved = cli.home / "moved.toml"
    moved.write_text('current = "both"\n' + context("both", made["mine"]))
    assert used(cli, QWEBHOOK_CONFIG=str(moved)) == "mine"
    assert used(cli, "--context", "theirs", QWEBHOOK_CONFIG=str(moved)) == "theirs"


class TestNetworks:
    def test_the_nearest_source_counts_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "config.toml"
        file.write_text('[network]\nallow = ["private"]\n')
        environ = {"HOME": str(tmp_path), "QWEBHOOK_CONFIG": str(file)}
        assert Settings(environ).allowed_networks() == ["private"]
        environ["QWEBHOOK_ALLOW_NETWORK"] = "loopback, 10.0.0.0/8"
        assert Settings(environ).allowed_networks() == ["loopback", "10.0.0.0/8"]
        assert Settings(environ).allowed_networks(["a,b", "c"]) == ["a", "b", "c"]
        assert Settings({**environ, "QWEBHOOK_ALLOW_NETWORK": ""}).allowed_networks() == []

    def test_without_any_there_is_none(self, tmp_path: Path) -> None:
        assert Settings({"HOME": str(tmp_path)}).allowed_networks() == []

    def test_a_wrong_type_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "config.toml"
        file.write_text('[network]\nallow = "loopback"\n')
        with pytest.raises(InvalidInput, match=r"network.allow is not a list"):
            Settings({"QWEBHOOK_CONFIG": str(file)}).allowed_networks()


class TestWhatLetsOneIn:
    def session(self, tmp_path: Path, **environ: str) -> Session:
        file = tmp_path / "config.toml"
        file.write_text(
            'current = "server"\n[contexts.server]\nstore = "https://h.example"\ntoken = "env:TOKEN_OF_SERVER"\n'
        )
        return Session(environ={"QWEBHOOK_CONFIG": str(file), **environ}, system_config=None)

    def shown(self, session: Session) -> str | None:
        """What a server gets to see."""
        with closing(session.open_server()) as server:
            return server.remote.credentials.authorization()

    def test_the_variable_goes_first(self, tmp_path: Path) -> None:
        session = self.session(tmp_path, QWEBHOOK_TOKEN="one", TOKEN_OF_SERVER="two")
        assert self.shown(session) == "Bearer one"

    def test_the_contexts_token_may_be_in_the_environment(self, tmp_path: Path) -> None:
        assert self.shown(self.session(tmp_path, TOKEN_OF_SERVER="two")) == "Bearer two"

    def test_another_store_does_not_get_the_contexts_token(self, tmp_path: Path) -> None:
        session = self.session(tmp_path, TOKEN_OF_SERVER="two")
        session.options.store = "https://elsewhere.example"
        assert self.shown(session) is None

    def test_a_missing_variable_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="TOKEN_OF_SERVER is not set"):
            self.shown(self.session(tmp_path))


def test_unknown_context_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Settings({"HOME": str(tmp_path)}).store_choice(None, "x")


def test_the_user_is_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert Session().user == "local:ann"
    assert Session(user="bob").user == "local:bob"
