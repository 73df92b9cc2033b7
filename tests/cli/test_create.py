"""`create`: every option, bodies from files, secrets from everywhere, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwebhook.cli.commands import create
from qwebhook.model.signature import Signer, check_secret
from qwebhook.store.sqlite import SqliteStore
from tests.cli.world import Cli

CREATED = "com.qlik.v1.app.created"
SECRET = "a-secret-that-is-thirty-nine-characters"


def sealed(cli: Cli, webhook: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """A signature made with the secret, and the encrypted headers, as the store holds them."""
    store = SqliteStore.open(cli.store)
    try:
        endpoint = store.endpoint(webhook["id"])
        return endpoint.signer.headers("id", 1, b"body"), endpoint.encrypted_headers
    finally:
        store.close()


SIGNED = Signer([(SECRET, None)]).headers("id", 1, b"body")


def test_the_smallest_one_is_enabled_and_of_level_tenant(cli: Cli) -> None:
    made = cli.create("reports", "--url", "https://example.com/hook", "--event", CREATED)
    assert made["enabled"] is True
    assert made["level"] == "tenant"
    assert made["eventTypes"] == [CREATED]
    assert made["origin"] == "api"
    assert made["createdByUserId"] == "local:tester"
    assert made["secretKeyAdded"] is False


def test_every_option_reaches_its_field(cli: Cli) -> None:
    made = cli.create(
        "all",
        *("--url", "https://example.com/all"),
        *("--event", f"{CREATED},com.qlik.v1.app.deleted", "--event", "com.qlik.v1.app.published"),
        *("--level", "user", "--owner", "u1", "--filter", 'spaceId eq "s1"'),
        *("--header", "X-A=1", "--header", "X-B=a=b", "--encrypted-header", "Authorization=Bearer t"),
        *("--secret", SECRET, "--description", "for all", "--disabled"),
        *("--check-certificate-revocation", "--cloud-events"),
        *("--ordering", "strict", "--type-names", "subscribed", "--concurrency", "3"),
        *("--rate-per-minute", "60"),
    )
    expected = {
        "name": "all",
        "url": "https://example.com/all",
        "description": "for all",
        "eventTypes": [CREATED, "com.qlik.v1.app.deleted", "com.qlik.v1.app.published"],
        "filter": 'spaceId eq "s1"',
        "headers": {"X-A": "1", "X-B": "a=b"},
        "encryptedHeaders": ["Authorization"],
        "enabled": False,
        "level": "user",
        "ownerId": "u1",
        "checkCertificateRevocation": True,
        "enableCloudEventDelivery": True,
        "secretKeyAdded": True,
        "qwebhook": {"ordering": "strict", "typeNames": "subscribed", "concurrency": 3, "ratePerMinute": 60},
    }
    assert {name: made[name] for name in expected} == expected
    assert sealed(cli, made) == (SIGNED, {"Authorization": "Bearer t"})


def test_values_may_come_from_files_the_environment_and_stdin(cli: Cli) -> None:
    file = cli.home / "secret.txt"
    file.write_text(SECRET + "\n")
    for text, stdin in ((f"@{file}", b""), ("env:THE_SECRET", b""), ("-", f"{SECRET}\r\n".encode())):
        made = cli.create("x", "--secret", text, stdin=stdin, environ={"THE_SECRET": SECRET})
        assert sealed(cli, made)[0] == SIGNED
    made = cli.create(
        "y", "--encrypted-header", f"X-F=@{file}", "--encrypted-header", "X-E=env:V", environ={"V": "from-env"}
    )
    assert sealed(cli, made)[1] == {"X-F": SECRET, "X-E": "from-env"}


def test_a_plain_header_is_never_read_from_elsewhere(cli: Cli) -> None:
    assert cli.create("x", "--header", "X-A=@/etc/passwd")["headers"] == {"X-A": "@/etc/passwd"}


class TestGenerate:
    def test_json_shows_the_secret_once(self, cli: Cli) -> None:
        made = cli.create("x", "--secret", "generate")
        check_secret(made["secret"])
        assert made["secret"].startswith("whsec_")
        assert "secret" not in cli.ok("get", "x", "-o", "json").json

    @pytest.mark.parametrize("options", [[], ["-q"], ["-o", "id"], ["-o", "table"]])
    def test_otherwise_stderr_does(self, cli: Cli, options: list[str]) -> None:
        outcome = cli.ok(
            "create", "x", "--url", "https://e.example/", "--event", CREATED, "--secret", "generate", *options
        )
        assert outcome.err.startswith("secret: whsec_")
        assert "whsec_" not in outcome.out


class TestBody:
    def make(self, cli: Cli, body: Any, *options: str, name: str | None = None) -> Any:
        arguments = ["create", *([name] if name else []), "-f", "-", *options, "-o", "json"]
        return cli.run(*arguments, stdin=json.dumps(body).encode())

    def test_a_body_is_enabled_unless_it_says_otherwise(self, cli: Cli) -> None:
        body = {"name": "b", "url": "https://e.example/", "eventTypes": [CREATED]}
        assert self.make(cli, body).json["enabled"] is True
        assert self.make(cli, {**body, "enabled": False}).json["enabled"] is False
        assert self.make(cli, {**body, "enabled": True}, "--disabled").json["enabled"] is False

    def test_options_go_before_the_file(self, cli: Cli) -> None:
        file = cli.home / "body.json"
        file.write_text(
            json.dumps(
                {
                    "name": "b",
                    "url": "https://e.example/",
                    "eventTypes": [CREATED],
                    "description": "kept",
                    "qwebhook": {"ordering": "strict"},
                }
            )
        )
        made = cli.ok("create", "c", "-f", file, "--url", "https://f.example/", "--concurrency", "2", "-o", "json").json
        assert (made["name"], made["url"], made["description"]) == ("c", "https://f.example/", "kept")
        assert made["qwebhook"] == {"ordering": "strict", "concurrency": 2}

    def test_headers_and_columns_of_options_are_added_to_those_of_the_file(self, cli: Cli) -> None:
        body = {
            "name": "b",
            "url": "csv:/tmp/b.csv",
            "eventTypes": [CREATED],
            "headers": {"X-A": "1", "X-B": "1"},
            "encryptedHeaders": {"X-K": "k"},
            "qwebhook": {"sheet": {"columns": {"Id": "id", "Name": "data.id"}, "modes": {CREATED: "mark"}}},
        }
        made = cli.ok(
            *("create", "-f", "-", "--header", "x-b=2", "--encrypted-header", "X-L=l", "-o", "json"),
            *("--column", "Name=data.name", "--key", "Id", "--mode", "upsert"),
            stdin=json.dumps(body).encode(),
        ).json
        assert made["headers"] == {"X-A": "1", "x-b": "2"}
        assert made["encryptedHeaders"] == ["X-K", "X-L"]
        sheet = made["qwebhook"]["sheet"]
        assert sheet["columns"] == {"Id": "id", "Name": "data.name"}
        assert (sheet["key"], sheet["mode"], sheet["modes"]) == ("Id", "upsert", {CREATED: "mark"})

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"name": "b", "url": "https://e.example/", "eventTypes": [CREATED], "evntTypes": []}, "evntTypes: "),
            ({"id": "1"}, "id: cannot be written; leave it out"),
            ({"name": 1, "url": "https://e.example/", "eventTypes": [CREATED]}, "name: must be text, not a number"),
            ({"name": "b", "url": "https://e.example/", "eventTypes": "x"}, "eventTypes: must be an array, not text"),
            (
                {"name": "b", "url": "https://e.example/", "eventTypes": [CREATED], "qwebhook": {"order": 1}},
                "qwebhook.order: is not a known field",
            ),
            (
                {"name": "b", "url": "https://e.example/", "eventTypes": [CREATED], "qwebhook": 1},
                "qwebhook: must be an object, not a number",
            ),
            ({"url": "https://e.example/", "eventTypes": [CREATED]}, "name: is missing; give NAME"),
            (
                {"name": "b", "url": "https://e.example/", "eventTypes": [CREATED], "headers": ["X"]},
                "headers: must be an object, not an array",
            ),
            ([], "a webhook is a JSON object"),
        ],
    )
    def test_what_is_wrong_names_its_field(self, cli: Cli, body: Any, words: str) -> None:
        outcome = self.make(cli, body, "--ordering", "strict") if body and "qwebhook" in body else self.make(cli, body)
        assert outcome.code == 2
        assert words in outcome.error

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b'{"name": "b",\n "url": }', "-f: stdin is not valid JSON: Expecting value at line 2, column 9"),
            (b"\xff", "-f: stdin is not UTF-8 text"),
            (b'{"name": "a", "name": "b"}', "-f: 'name' is given twice"),
            (b'{"name": NaN}', "-f: NaN is not JSON"),
            (b"", "-f: stdin is not valid JSON"),
        ],
    )
    def test_what_is_not_json(self, cli: Cli, text: bytes, words: str) -> None:
        outcome = cli.run("create", "-f", "-", stdin=text)
        assert outcome.code == 2
        assert words in outcome.error

    def test_a_file_that_is_not_there(self, cli: Cli) -> None:
        outcome = cli.run("create", "-f", "/nowhere.json")
        assert outcome.code == 2
        assert outcome.error == "-f: /nowhere.json cannot be read: No such file or directory"

    def test_stdin_can_be_one_thing(self, cli: Cli) -> None:
        outcome = cli.run("create", "-f", "-", "--secret", "-", stdin=b"{}")
        assert outcome.code == 2
        assert outcome.error == "stdin cannot be both -f and --secret; give one of them as a file"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--url", "example.com"], "url: scheme '' is not one of https, http"),
        (["--url", "https://u:p@e.example/"], "url: carries a user name or password"),
        (["--filter", 'spaceId is "x"'], "filter: 'eq' or 'ne' is expected, not 'is' at position 9"),
        (["--filter", 'data.status eq "ok"'], "data.status may be used only when"),
        (["--secret", "short"], "secret: has 5 characters"),
        (["--secret", "env:NOT_SET"], "--secret: the variable NOT_SET is not set"),
        (["--secret", "@/nowhere"], "--secret: /nowhere cannot be read"),
        (["--header", "webhook-id=1"], "headers: 'webhook-id' is set by qwebhook itself"),
        (["--encrypted-header", "Host=x"], "encryptedHeaders: 'Host' is set by qwebhook itself"),
        (["--header", "A=1", "--header", "a=2"], "--header a is given twice"),
        (["--header", "A=1", "--encrypted-header", "a=2"], "encryptedHeaders: 'a' is given twice"),
        (["--level", "space"], "level: is 'space', not one of tenant, user"),
        (["--level", "user"], "ownerId: is missing"),
        (["--event", ","], "no event type is named"),
        (["--concurrency", "0"], "qwebhook.concurrency: is 0; use 1 to 1000"),
        (["--rate-per-minute", "0"], "qwebhook.ratePerMinute: is 0; use 1 to 1000000"),
        (["--retry", "5s,soon"], "--retry 'soon' is not a duration"),
        (["--retry", "1500ms"], "--retry '1500ms' is not in whole seconds"),
        (["--mode", "a.b=append", "--mode", "a.b=mark"], "--mode a.b is given twice"),
        (["--mode", "=mark"], "--mode number 1 is not TYPE=MODE"),
        (["--ordering", "random"], "qwebhook.ordering: is 'random', not one of arrival, strict"),
    ],
)
def test_what_is_refused(cli: Cli, options: list[str], words: str) -> None:
    given = ["create", "x", "--url", "https://e.example/", "--event", CREATED]
    if options[0] == "--event":
        given = given[:-2]
    outcome = cli.run(*given, *options)
    assert outcome.code == 2
    assert words in outcome.error


def test_what_is_missing_is_named_with_its_option(cli: Cli) -> None:
    assert cli.run("create").error == "name: is missing; give NAME"
    assert cli.run("create", "x").error == "url: is missing; give --url"
    assert cli.run("create", "x", "--url", "https://e.example/").error == "eventTypes: is missing; give --event"


class TestIfNotExists:
    def test_the_one_that_is_there_stays_as_it_is(self, cli: Cli) -> None:
        first = cli.create("x")
        outcome = cli.ok(
            "create", "x", "--url", "https://other.example/", "--event", CREATED, "--if-not-exists", "-o", "json"
        )
        assert outcome.json == first
        assert outcome.err == "qwebhook: there is a webhook named 'x' already, which stays as it is\n"

    def test_one_that_is_made_at_the_same_moment_stays_as_it_is(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first: list[dict[str, Any]] = []
        look = create._named

        def look_too_early(*given: Any) -> Any:
            found = look(*given)
            monkeypatch.undo()
            first.append(cli.create("x"))
            return found

        monkeypatch.setattr(create, "_named", look_too_early)
        outcome = cli.ok(
            *("create", "x", "--url", "https://other.example/", "--event", CREATED, "--secret", "generate"),
            *("--if-not-exists", "-o", "json"),
        )
        assert [outcome.json] == first
        assert outcome.err == "qwebhook: there is a webhook named 'x' already, which stays as it is\n"

    def test_only_exactly_that_name_counts(self, cli: Cli) -> None:
        first = cli.create("X-long")
        assert cli.create("x", "--if-not-exists")["id"] != first["id"]

    def test_the_id_of_another_is_no_name(self, cli: Cli) -> None:
        first = cli.create("a")
        assert cli.create(first["id"], "--if-not-exists")["id"] != first["id"]


class TestWarnings:
    def warned(self, cli: Cli, *options: str, **environ: str) -> str:
        given = ["create", "x", "-o", "id"]
        given += [] if "--url" in options else ["--url", "https://e.example/"]
        given += [] if "--event" in options else ["--event", CREATED]
        return cli.ok(*given, *options, environ=environ).err

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("http://127.0.0.1:9000/", "--allow-network loopback"),
            ("http://localhost/", "--allow-network loopback"),
            ("http://api.localhost./", "--allow-network loopback"),
            ("http://[::1]:9000/", "--allow-network loopback"),
            ("https://10.1.2.3/", "--allow-network private"),
            ("https://192.168.1.1/", "--allow-network private"),
            ("https://169.254.1.1/", "--allow-network 169.254.1.1"),
        ],
    )
    def test_an_address_that_deliveries_would_be_refused_to(self, cli: Cli, url: str, words: str) -> None:
        assert words in self.warned(cli, "--url", url)

    def test_who_wants_ids_only_gets_no_advice(self, cli: Cli) -> None:
        for options in (("--url", "http://127.0.0.1:9/"), ("--event", "un.known"), ("--url", "exec:true"), ()):
            assert self.warned(cli, "-q", *options) == ""
        assert cli.ok("event-types", "un.known", "--schema", "-q").err == ""

    @pytest.mark.parametrize("url", ["https://example.com/", "https://8.8.8.8/", "https://10.example.com/"])
    def test_other_addresses_are_fine(self, cli: Cli, url: str) -> None:
        assert self.warned(cli, "--url", url) == ""

    def test_an_address_that_is_allowed_is_fine(self, cli: Cli) -> None:
        url = "http://127.0.0.1:9000/"
        assert self.warned(cli, "--url", url, QWEBHOOK_ALLOW_NETWORK="loopback") == ""

    def test_an_unknown_type_is_a_warning_with_what_was_meant(self, cli: Cli) -> None:
        err = self.warned(cli, "--event", "com.qlik.v1.app.creatd")
        assert err == (
            "qwebhook: warning: com.qlik.v1.app.creatd is not in the catalogue of event types; "
            "did you mean com.qlik.v1.app.created?\n"
        )
        assert "did you mean" not in self.warned(cli, "--event", "org.example.order.paid")
        assert "catalogue" not in self.warned(cli, "--event", "com.qlik.app.created")

    def test_a_name_that_is_taken(self, cli: Cli) -> None:
        assert self.warned(cli) == ""
        assert "there is another webhook named" in self.warned(cli)


def test_a_byte_order_mark_is_no_part_of_a_secret(cli: Cli) -> None:
    file = cli.home / "secret.txt"
    file.write_text(SECRET + "\r\n", encoding="utf-8-sig", newline="")
    assert sealed(cli, cli.create("x", "--secret", f"@{file}"))[0] == SIGNED


def test_a_secret_is_asked_for_hidden_on_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt, stream: SECRET)
    given = ["create", "x", "--url", "https://e.example/", "--event", CREATED, "--secret", "-"]
    assert cli.run(*given, terminal=True).code == 0
    outcome = cli.run(*given, "--no-input", terminal=True)
    assert outcome.code == 2
    assert outcome.error == "--secret would be read from the terminal, but --no-input was given; pipe it in"


def test_a_store_that_cannot_be_made(cli: Cli, tmp_path: Path) -> None:
    given = ["create", "x", "--url", "https://e.example/", "--event", CREATED, "--store"]
    assert cli.run(*given, tmp_path / "no" / "folder" / "s.db").code == 6
    (tmp_path / "text").write_text("this is no database, but a text that is long enough " * 5)
    outcome = cli.run(*given, tmp_path / "text")
    assert outcome.code == 6
    assert "not a sound database" in outcome.error
