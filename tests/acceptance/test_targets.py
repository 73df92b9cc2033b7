"""Mails and commands, by the real server, as an administrator sets them up."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, until
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
    program = f"import sys; open({str(got)!r}, 'a').write(sys.stdin.read() + '\\n'); print('kept')"
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


def test_without_the_option_a_command_is_not_run(serve: Serve, home: Home) -> None:
    marker = home.folder / "ran"
    create(home, "touch", "--url", f"exec:touch {shlex.quote(str(marker))}", "--event", CREATED)
    running = serve()
    running.publish(cloud_event_body(id="e1", type=CREATED))
    line = running.wait_log("attempt", outcome="dead")
    assert line["reason"] == "commands are run with --allow-exec only"
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
