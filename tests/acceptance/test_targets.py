"""Mails and commands, by the real server, as an administrator sets them up."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, until
from tests.acceptance.receiver import Receiver
from tests.builders import cloud_event_body
from tests.deliver.test_mail import Keeping, keeping
from tests.deliver.test_mail import serve as mail_servers

__all__ = ["keeping", "mail_servers"]
CREATED = "com.qlik.v1.user.created"


def configure(home: Home, text: str) -> None:
    home.environ["QWEBHOOK_CONFIG"] = str(home.folder / "config.toml")
    (home.folder / "config.toml").write_text(text)


def create(home: Home, *options: object) -> str:
    done = home.run("create", *options, "--store", home.folder / "store.db")
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_new_member_gets_a_welcome_mail(serve: Serve, home: Home, mail_servers: Any, keeping: Keeping) -> None:
    server = mail_servers()
    configure(
        home,
        f'[mail]\nserver = "{server.server}"\nport = {server.port}\nfrom = "it@example.com"\nsecurity = "none"\n',
    )
    told = create(home, "welcome", "--url", "mailto:{{ data.email }}?subject=Welcome!", "--event", CREATED)
    assert told == ""
    running = serve()
    running.publish(cloud_event_body(id="e1", type=CREATED, data={"name": "Robin", "email": "robin@example.com"}))
    running.publish(cloud_event_body(id="e2", type=CREATED, data={"name": "Nobody"}))
    until(lambda: len(keeping.mails) == 1, "the mail has come")
    ((recipients, mail),) = keeping.mails
    assert recipients == ["robin@example.com"]
    assert (mail["Subject"], mail["From"]) == ("Welcome!", "it@example.com")
    line = running.wait_log("attempt", outcome="dead")
    assert "'email'" in line["reason"]
    fired = home.run("test-fire", "welcome", "--store", running.path, "-o", "json")
    (shot,) = json.loads(fired.stdout)
    assert (fired.returncode, shot["ok"], shot["response"]["statusCode"]) == (0, True, 250)


def test_an_event_runs_a_command(serve: Serve, home: Home) -> None:
    got = home.folder / "got.json"
    program = f"import sys; open({str(got)!r}, 'a').write(sys.stdin.read()); print('kept')"
    told = create(home, "keep", "--url", "exec:" + shlex.join([sys.executable, "-c", program]), "--event", CREATED)
    assert "--allow-exec" in told
    running = serve("--allow-exec")
    for number in range(3):
        running.publish(cloud_event_body(id=f"e{number}", type=CREATED))
    until(lambda: got.exists() and got.read_text().count("\n") == 3, "it has run for each")
    delivery = until(lambda: running.deliveries(running.store.find_webhook("keep")), "a delivery on record")[0]
    assert delivery.status_message == "exit code 0"
    assert delivery.response is not None
    assert (delivery.response.status_code, delivery.response.body) == (0, "kept\n")
    shown = home.run("preview", "keep", "--store", running.path)
    assert shown.stdout.startswith("RUN exec:")


def has_lines(file: Path, count: int) -> bool:
    return file.exists() and file.read_text().count("\n") >= count


def test_rows_survive_kills_once_each_and_in_order(serve: Serve, home: Home) -> None:
    file = home.folder / "sheets" / "apps.csv"
    file.parent.mkdir()
    told = create(home, "apps", "--url", f"csv:{file}", "--event", CREATED, "--column", "Id=event.id")
    assert "--allow-files" in told
    running = serve("--allow-files", file.parent)
    for start in range(0, 300, 100):
        for number in range(start, start + 100):
            running.publish(cloud_event_body(id=f"e{number}", type=CREATED))
        until(partial(has_lines, file, start + 2), "some are written")
        running.process.kill()
        running.restart()
    until(partial(has_lines, file, 301), "all are written")
    with file.open() as lines:
        assert [row["Id"] for row in csv.DictReader(lines)] == [f"e{number}" for number in range(300)]


def test_a_workbook_by_options_that_update_changes(serve: Serve, home: Home) -> None:
    file = home.folder / "apps.xlsx"
    keyed = ("--column", "Id=data.id", "--column", "Name=data.name", "--key", "Id", "--mode", "upsert")
    create(home, "apps", "--url", f"xlsx:{file}#Apps", "--event", CREATED, *keyed)
    store = home.folder / "store.db"
    assert home.run("update", "apps", "--mode", "append", "--retry", "5s,1m", "--store", store).returncode == 0
    shown = json.loads(home.run("get", "apps", "--store", store, "-o", "json").stdout)
    assert shown["qwebhook"] == {
        "sheet": {"columns": {"Id": "data.id", "Name": "data.name"}, "key": "Id"},
        "retries": [5, 60],
    }
    running = serve("--allow-files", home.folder)
    running.publish(cloud_event_body(id="e1", type=CREATED, data={"id": "u1", "name": "Robin"}))
    line = running.wait_log("attempt", outcome="delivered")
    assert line["reason"] == "a row was added"
    rows = list(load_workbook(file)["Apps"].iter_rows(values_only=True))
    assert rows == [("Id", "Name", "event_id"), ("u1", "Robin", "e1")]
    fired = home.run("test-fire", "apps", "--store", running.path)
    assert (fired.returncode, "--allow-files" in fired.stdout) == (7, True)
    resent = home.run("resend", "apps", line["delivery"], "--allow-files", home.folder, "--store", running.path)
    assert (resent.returncode, "the row of this event is there already" in resent.stdout) == (0, True), resent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mode", "upsert"), "name a column's header"),
        (("--mode", "upsert", "--mode", "append"), "more than once"),
        (("--mode", "insert"), "qwebhook.sheet.mode: is 'insert'"),
        (("--column", "Name"), "--column number 1 is not HEADER=PLACE"),
        (("--retry", "soon"), "soon"),
        (("--retry", "0s"), "qwebhook.retries: is [0]"),
    ],
)
def test_options_of_spreadsheets_that_are_wrong(home: Home, options: tuple[str, ...], words: str) -> None:
    done = home.run("create", "a", "--url", "csv:/a.csv", "--event", CREATED, *options, "--store", home.folder / "s.db")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_without_the_option_a_command_is_not_run(serve: Serve, home: Home) -> None:
    marker = home.folder / "ran"
    create(home, "touch", "--url", f"exec:touch {shlex.quote(str(marker))}", "--event", CREATED)
    running = serve()
    lack = "commands are run with --allow-exec only"
    assert running.wait_log("webhooks cannot be delivered to", reason=lack)["first"] == "touch"
    running.publish(cloud_event_body(id="e1", type=CREATED))
    running.wait_log("attempt", outcome="retry", reason=lack)
    assert not marker.exists()
    fired = home.run("test-fire", "touch", "--store", running.path)
    assert (fired.returncode, marker.exists()) == (7, False)
    assert home.run("test-fire", "touch", "--allow-exec", "--store", running.path).returncode == 0
    assert marker.exists()
    assert home.run("test-fire", "--all", "--store", running.path).returncode == 0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('server = "a"', "mail.from is missing"),
        ('server = "a"\nfrom = "b"', "mail.from is no mail address"),
        ('server = 5\nfrom = "a@example.com"', "mail.server must be"),
        ('server = "a"\nfrom = "a@example.com"\nsecurity = "ssl"', "mail.security is 'ssl'"),
        ('server = "a"\nfrom = "a@example.com"\npasword = "x"', "mail.pasword is not a known field"),
        ('server = "a"\nfrom = "a@example.com"\nuser = "u"\npassword = "env:NOT_SET"', "NOT_SET is not set"),
        ('server = "a"\nfrom = "a@example.com"\nuser = "u"\npassword = "x"\nsecurity = "none"', "in clear"),
    ],
)
def test_a_mail_server_that_is_wrong(home: Home, table: str, words: str) -> None:
    configure(home, f"[mail]\n{table}\n")
    done = home.run("serve", "--store", home.folder / "store.db", "--port", "0")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("exec:", "names no command"),
        ("exec:'a", "cannot be read as a command"),
        ("mailto:nobody", "is no mail address"),
        ("ftp://x.example.com/", "scheme 'ftp' is not one of"),
    ],
)
def test_targets_that_are_refused(home: Home, url: str, words: str, tmp_path: Path) -> None:
    done = home.run("create", "a", "--url", url, "--event", CREATED, "--store", tmp_path / "s.db")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_one_that_cannot_be_rendered_does_not_keep_the_others_from_being_fired_at(
    home: Home, receiver: Receiver
) -> None:
    store = str(home.folder / "store.db")
    template = home.folder / "nope.j2"
    template.write_text("{{ data.nope }}")
    create(home, "broken", "--url", receiver.url("/broken"), "--event", CREATED, "--template", template)
    create(home, "sound", "--url", receiver.url("/sound"), "--event", CREATED)
    fired = home.run("test-fire", "--all", "--allow-network", "loopback", "--store", store, "-o", "json")
    shots = {shot["name"]: shot for shot in json.loads(fired.stdout)}
    assert (fired.returncode, shots["sound"]["ok"], shots["broken"]["ok"]) == (7, True, False)
    assert "nope" in shots["broken"]["reason"]
