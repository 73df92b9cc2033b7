"""`update`: changes what is named and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwebhook.store.sqlite import SqliteStore
from tests.cli.world import Cli

SECRET = "a-secret-that-is-thirty-nine-characters"
CREATED, DELETED = "com.qlik.v1.app.created", "com.qlik.v1.app.deleted"


@pytest.fixture
def made(cli: Cli) -> dict[str, Any]:
    return cli.create(
        "x",
        *("--secret", SECRET, "--header", "X-A=1", "--header", "X-B=2", "--filter", 'id eq "1"'),
        *("--encrypted-header", "Authorization=hunter2", "--ordering", "strict"),
    )


def update(cli: Cli, *options: str, **settings: Any) -> dict[str, Any]:
    changed: dict[str, Any] = cli.ok("update", "x", *options, "-o", "json", **settings).json
    return changed


def without_times(webhook: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in webhook.items() if name not in ("updatedAt", "secret")}


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (["--name", "x", "--description", "d"], {"description": "d"}),
        (["--description", ""], {}),
        (["--event", DELETED], {"eventTypes": [DELETED]}),
        (["--add-event", DELETED], {"eventTypes": [CREATED, DELETED]}),
        (["--add-event", CREATED], {}),
        (["--add-event", DELETED, "--remove-event", CREATED], {"eventTypes": [DELETED]}),
        (["--add-event", DELETED, "--remove-event", "com.qlik.app.created"], {"eventTypes": [DELETED]}),
        (["--filter", 'id eq "2"'], {"filter": 'id eq "2"'}),
        (["--no-filter"], {"filter": ""}),
        (["--level", "user", "--owner", "u"], {"level": "user", "ownerId": "u"}),
        (["--header", "X-A=3", "--header", "X-C=4"], {"headers": {"X-A": "3", "X-B": "2", "X-C": "4"}}),
        (["--header", "x-a=3"], {"headers": {"X-B": "2", "x-a": "3"}}),
        (["--remove-header", "x-a"], {"headers": {"X-B": "2"}}),
        (["--encrypted-header", "X-K=k"], {"encryptedHeaders": ["Authorization", "X-K"]}),
        (["--remove-encrypted-header", "Authorization"], {"encryptedHeaders": []}),
        (["--no-secret"], {"secretKeyAdded": False}),
        (["--disabled"], {"enabled": False}),
        (["--enabled"], {}),
        (["--cloud-events"], {"enableCloudEventDelivery": True}),
        (["--concurrency", "4"], {"qwebhook": {"ordering": "strict", "concurrency": 4}}),
        (["--rate-per-minute", "90"], {"qwebhook": {"ordering": "strict", "ratePerMinute": 90}}),
        (["--ordering", "arrival"], {"qwebhook": {}}),
    ],
)
def test_each_option_changes_its_field_alone(
    cli: Cli, made: dict[str, Any], options: list[str], changes: dict[str, Any]
) -> None:
    assert without_times(update(cli, *options)) == without_times({**made, **changes})


def test_other_secrets_stay(cli: Cli, made: dict[str, Any]) -> None:
    update(cli, "--encrypted-header", "X-K=k", "--description", "d")
    store = SqliteStore.open(cli.store)
    endpoint = store.endpoint(made["id"])
    store.close()
    assert endpoint.encrypted_headers == {"Authorization": "hunter2", "X-K": "k"}
    assert endpoint.signer.headers("id", 1, b"b")


def test_a_new_url_needs_its_encrypted_headers_again(cli: Cli, made: dict[str, Any]) -> None:
    outcome = cli.run("update", "x", "--url", "https://new.example/")
    assert outcome.code == 2
    assert "encryptedHeaders: must be given again or removed with a new url" in outcome.error
    changed = update(cli, "--url", "https://new.example/", "--encrypted-header", "Authorization=again")
    assert changed["url"] == "https://new.example/"


def test_a_generated_secret_is_shown_once(cli: Cli, made: dict[str, Any]) -> None:
    assert update(cli, "--secret", "generate")["secret"].startswith("whsec_")
    outcome = cli.ok("update", "x", "--secret", "generate", "-q")
    assert outcome.out == made["id"] + "\n"
    assert outcome.err.startswith("secret: whsec_")


class TestFile:
    def test_an_object_holds_what_changes_and_null_removes(self, cli: Cli, made: dict[str, Any]) -> None:
        body = {"description": "d", "filter": None, "headers": {"X-Z": "z"}}
        changed = update(cli, "-f", "-", stdin=json.dumps(body).encode())
        expected = {**made, "description": "d", "filter": "", "headers": {"X-Z": "z"}}
        assert without_times(changed) == without_times(expected)

    def test_an_array_is_a_json_patch(self, cli: Cli, made: dict[str, Any]) -> None:
        patch = [
            {"op": "add", "path": "/headers/X-Z", "value": "z"},
            {"op": "remove", "path": "/headers/X-A"},
            {"op": "replace", "path": "/name", "value": "y"},
        ]
        changed = update(cli, "-f", "-", stdin=json.dumps(patch).encode())
        assert (changed["name"], changed["headers"]) == ("y", {"X-B": "2", "X-Z": "z"})

    def test_settings_of_the_file_and_of_options_add_up(self, cli: Cli, made: dict[str, Any]) -> None:
        body = b'{"qwebhook": {"concurrency": 2, "ratePerMinute": 5, "retries": [1]}}'
        changed = update(
            cli, "-f", "-", "--type-names", "subscribed", "--concurrency", "3", "--remove-setting", "retry", stdin=body
        )
        assert changed["qwebhook"] == {"typeNames": "subscribed", "concurrency": 3, "ratePerMinute": 5}

    @pytest.mark.parametrize(
        ("body", "option", "words"),
        [
            ({"eventTypes": [DELETED]}, ("--add-event", CREATED), "-f with eventTypes and --add-event"),
            ([{"op": "remove", "path": "/qwebhook"}], ("--column", "Id=id"), "-f with a sheet and options for it"),
            (
                [{"op": "add", "path": "/qwebhook/sheet", "value": {}}],
                ("--mode", "append"),
                "-f with a sheet and options for it",
            ),
        ],
    )
    def test_what_the_file_and_an_option_change_in_part_is_refused(
        self, cli: Cli, made: dict[str, Any], body: Any, option: tuple[str, ...], words: str
    ) -> None:
        outcome = cli.run("update", "x", "-f", "-", *option, stdin=json.dumps(body).encode())
        assert outcome.code == 2
        assert words in outcome.error

    def test_options_come_after_the_file(self, cli: Cli, made: dict[str, Any]) -> None:
        changed = update(cli, "-f", "-", "--description", "option", stdin=b'{"description": "file"}')
        assert changed["description"] == "option"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"nam": "x"}, "nam: is not a field of a webhook; did you mean name?"),
            ({"id": "x"}, "id: cannot be written; leave it out"),
            ({"name": None}, "/name cannot be removed"),
            ({"enabled": "yes"}, "enabled: must be true or false, not text"),
            ([{"op": "move", "path": "/name"}], "-f: [0].op is 'move', not one of add, remove, replace"),
            ([{"op": "replace", "path": "/id", "value": "1"}], "path '/id' cannot be changed"),
            ("x", "neither an object with fields nor a JSON Patch array"),
        ],
    )
    def test_what_is_wrong_is_named(self, cli: Cli, made: dict[str, Any], body: Any, words: str) -> None:
        outcome = cli.run("update", "x", "-f", "-", stdin=json.dumps(body).encode())
        assert outcome.code == 2
        assert words in outcome.error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing to change is named"),
        (["--secret", SECRET, "--no-secret"], "--secret and --no-secret were both given"),
        (["--filter", "x", "--no-filter"], "--filter and --no-filter were both given"),
        (["--event", DELETED, "--add-event", DELETED], "--event and --add-event or --remove-event"),
        (["--remove-event", DELETED], "x is not subscribed to com.qlik.v1.app.deleted"),
        (["--remove-event", CREATED], "x would be left without an event type"),
        (["--event", ","], "x would be left without an event type"),
        (["--remove-header", "X-Q"], "there is no /headers/X-Q"),
        (["--filter", "id eq"], "filter: a value in double quotes is expected, not the end at position 6"),
        (["--owner", "u", "--level", "group"], "level: "),
    ],
)
def test_what_is_refused(cli: Cli, made: dict[str, Any], options: list[str], words: str) -> None:
    outcome = cli.run("update", "x", *options)
    assert outcome.code == 2
    assert words in outcome.error
    assert cli.ok("get", "x", "-o", "json").json == made


def test_conversion_to_cloud_events_cannot_be_turned_off_again(cli: Cli, made: dict[str, Any]) -> None:
    update(cli, "--cloud-events")
    outcome = cli.run("update", "x", "-f", "-", stdin=b'{"enableCloudEventDelivery": false}')
    assert outcome.code == 4
    assert "cannot be turned off again" in outcome.error


def test_new_types_and_urls_are_warned_of_and_old_ones_not(cli: Cli) -> None:
    cli.run("create", "x", "--url", "http://127.0.0.1/", "--event", "un.known")
    assert cli.ok("update", "x", "--description", "d", "-q").err == ""
    outcome = cli.ok("update", "x", "--url", "http://localhost:1/", "--add-event", "un.known2", "-o", "id")
    assert "un.known2 is not in the catalogue" in outcome.err
    assert "un.known is" not in outcome.err
    assert "--allow-network loopback" in outcome.err
    assert cli.ok("update", "x", "--url", "http://localhost:2/", "--add-event", "un.known3", "-q").err == ""


@pytest.mark.parametrize("waits", ["", " ", ","])
def test_no_waits_at_all_are_not_taken_for_never(cli: Cli, made: dict[str, Any], waits: str) -> None:
    result = cli.run("update", "x", "--retry", waits)
    assert (result.code, result.error.startswith("--retry names no wait")) == (2, True)
    assert update(cli, "--retry", "never")["qwebhook"]["retries"] == []


ROWS = ("--column", "Id=data.id", "--column", "Name=data.name", "--key", "Id", "--mode", "upsert")


def sheet(cli: Cli, *options: str) -> dict[str, Any]:
    """A webhook named x with rows, changed as the options say: what it has then."""
    cli.create("x", *ROWS, "--mode", f"{CREATED}=mark", "--url", "csv:/a/b.csv")
    changed: dict[str, Any] = update(cli, *options)["qwebhook"].get("sheet", {})
    return changed


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "name"),
        [
            (("--ordering", "strict"), "ordering"),
            (("--type-names", "subscribed"), "type-names"),
            (("--concurrency", "4"), "concurrency"),
            (("--rate-per-minute", "90"), "rate-per-minute"),
            (("--retry", "never"), "retry"),
            (("--preset", "slack"), "preset"),
            (("--template", "-"), "template"),
            (("--tenant-url", "https://acme.example.com"), "tenant-url"),
            (("--command-timeout", "30"), "command-timeout"),
        ],
    )
    def test_each_is_taken_away_by_its_name(self, cli: Cli, given: tuple[str, ...], name: str) -> None:
        cli.create("y", *given, stdin=b"{{ text }}" if "-" in given else b"")
        assert cli.ok("get", "y", "-o", "json").json["qwebhook"] != {}
        for _ in range(2):  # the second time there is nothing to do
            assert cli.ok("update", "y", "--remove-setting", name, "-o", "json").json["qwebhook"] == {}

    @pytest.mark.parametrize(("given", "seconds"), [("30", 30), ("2s", 2), ("1m30s", 90)])
    def test_how_long_a_command_may_take_is_a_duration(
        self, cli: Cli, made: dict[str, Any], given: str, seconds: int
    ) -> None:
        assert update(cli, "--command-timeout", given)["qwebhook"]["timeout"] == seconds
        told = cli.run("update", "x", "--command-timeout", "1.5s").error
        assert "--command-timeout '1.5s' is not in whole seconds" in told

    def test_several_go_while_others_come_and_stay(self, cli: Cli, made: dict[str, Any]) -> None:
        update(cli, "--retry", "5s", "--concurrency", "4")
        changed = update(cli, "--remove-setting", "retry,concurrency", "--rate-per-minute", "90")
        assert changed["qwebhook"] == {"ordering": "strict", "ratePerMinute": 90}

    def test_all_of_a_spreadsheet_goes_with_its_url(self, cli: Cli) -> None:
        cli.create("x", *ROWS, "--url", "csv:/a/b.csv")
        assert "qwebhook.sheet: is for spreadsheets" in cli.run("update", "x", "--url", "https://a.example/").error
        changed = update(cli, "--url", "https://a.example/", "--remove-setting", "sheet")
        assert (changed["url"], changed["qwebhook"]) == ("https://a.example/", {})

    def test_the_name_that_a_receiver_consented_to(self, cli: Cli, made: dict[str, Any]) -> None:
        update(cli, "-f", "-", stdin=b'{"qwebhook": {"requestOrigin": "a.example.com"}}')
        assert update(cli, "--remove-setting", "handshake-origin")["qwebhook"] == {}

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--remove-setting", "retries"), "--remove-setting 'retries' is no setting; use one of ordering"),
            (("--remove-setting", "retry", "--retry", "5s"), "--retry and --remove-setting retry were both given"),
            (("--remove-setting", "sheet", "--key", "Id"), "--key and --remove-setting sheet were both given"),
            (("--remove-column", "Mail"), "x has no column 'Mail'"),
            (("--remove-mode", CREATED), "x has no mode of its own for com.qlik.v1.app.created"),
        ],
    )
    def test_what_is_refused(self, cli: Cli, made: dict[str, Any], options: tuple[str, ...], words: str) -> None:
        outcome = cli.run("update", "x", *options)
        assert outcome.code == 2
        assert words in outcome.error
        assert cli.ok("get", "x", "-o", "json").json == made


class TestRows:
    """Columns and modes go one by one, as headers do."""

    def test_a_column_is_added_and_another_replaced(self, cli: Cli) -> None:
        changed = sheet(cli, "--column", "Mail=data.email", "--column", "Name={{ who }}")
        assert list(changed["columns"].items()) == [("Id", "data.id"), ("Name", "{{ who }}"), ("Mail", "data.email")]
        assert (changed["key"], changed["mode"]) == ("Id", "upsert")

    def test_a_column_is_removed(self, cli: Cli) -> None:
        assert sheet(cli, "--remove-column", "Name", "--column", "Who=who")["columns"] == {
            "Id": "data.id",
            "Who": "who",
        }

    def test_a_mode_of_a_single_type_leaves_those_of_others(self, cli: Cli) -> None:
        changed = sheet(cli, "--add-event", DELETED, "--mode", f"{DELETED}=delete")
        assert changed["modes"] == {CREATED: "mark", DELETED: "delete"}
        assert changed["mode"] == "upsert"

    def test_the_mode_of_all_leaves_those_of_single_types(self, cli: Cli) -> None:
        changed = sheet(cli, "--mode", "append")
        assert (changed.get("mode", "append"), changed["modes"]) == ("append", {CREATED: "mark"})

    def test_a_type_has_one_mode_under_all_of_its_names(self, cli: Cli) -> None:
        changed = sheet(cli, "--mode", "com.qlik.app.created=delete")
        assert list(changed["modes"].values()) == ["delete"]

    @pytest.mark.parametrize("name", [CREATED, "com.qlik.app.created"])
    def test_a_mode_is_removed_under_any_name(self, cli: Cli, name: str) -> None:
        changed = sheet(cli, "--remove-mode", name)
        assert (changed["mode"], changed.get("modes", {})) == ("upsert", {})

    @pytest.mark.parametrize(
        ("names", "left"),
        [
            (("mode",), {"columns", "key"}),
            (("key,mode",), {"columns"}),
            (("column", "key", "mode"), set()),
            (("sheet",), set()),
        ],
    )
    def test_parts_are_taken_away(self, cli: Cli, names: tuple[str, ...], left: set[str]) -> None:
        options = [part for name in names for part in ("--remove-setting", name)]
        assert sheet(cli, *options).keys() == left

    def test_what_is_left_must_make_sense(self, cli: Cli) -> None:
        cli.create("x", *ROWS, "--url", "csv:/a/b.csv")
        assert "'Id' is not the header of a column" in cli.run("update", "x", "--remove-setting", "column").error
