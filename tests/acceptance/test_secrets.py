"""Secrets are planted wherever there is a place for one, and then everything that comes out is searched for them."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import cloud_event_body

CREATED = "com.qlik.v1.app.created"
# Each is of its kind, and in no other text.
PLANTED = {
    "webhook secret": "whsec_" + "cGxhbnRlZC13ZWJob29rLXNlY3JldC0wMTIzNDU2Nzg=",
    "new webhook secret": "planted-rotated-webhook-secret-0123456789",
    "encrypted header": "planted-encrypted-header",
    "inbound secret": "planted-inbound-secret-0123456789abcdef",
    "mail password": "planted-mail-password",
    "notify token": "planted-notify-token",
    "context key": "planted-context-key",
    "wrong token": "qwh_planted-wrong-token",
    "key of the store": "",
}


class Outputs:
    """What came out, by what it came out of."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def run(self, home: Home, *arguments: object, **environ: str) -> str:
        done = home.run(*arguments, environ=environ)
        # Done; the tenant and some receivers are not there; and no credentials for them.
        assert done.returncode in (0, 6, 7), done.stderr
        self.texts[f"qwebhook {' '.join(map(str, arguments))}"] = done.stdout + done.stderr
        return done.stdout

    def leaks(self, secrets: dict[str, str]) -> list[str]:
        return [
            f"{name} in {place}"
            for place, text in self.texts.items()
            for name, secret in secrets.items()
            if secret and (secret in text or secret.removeprefix("whsec_") in text)
        ]


def configure(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = f"""
        [mail]
        server = "127.0.0.1"
        port = {port}
        from = "it@example.com"
        user = "it"
        password = "{PLANTED["mail password"]}"

        [notify]
        team = "json://user:{PLANTED["notify token"]}@127.0.0.1:{port}/{PLANTED["notify token"]}"

        [contexts.prod]
        store = "http://127.0.0.1:{port}"
        token = "{PLANTED["context key"]}"
    """
    (home.folder / "config.toml").write_text("\n".join(line.strip() for line in text.splitlines()))
    (home.folder / "config.toml").chmod(0o600)
    home.environ["QWEBHOOK_CONFIG"] = str(home.folder / "config.toml")


def command_lines(server: Server) -> str:
    """Of the server's process, as every user of the machine sees it."""
    place = Path(f"/proc/{server.process.pid}/cmdline")
    return place.read_text() if place.exists() else ""


@pytest.mark.skipif(sys.platform == "win32", reason="modes and signals of POSIX")
def test_no_planted_secret_comes_out_anywhere(serve: Serve, home: Home, receiver: Receiver) -> None:
    configure(home)
    outputs, store = Outputs(), home.folder / "store.db"
    at_store = ("--store", store)
    # What echoes all that it is sent has it in its answer, which is on record.
    receiver.answers("/fails", *[Answer(500, body=PLANTED["encrypted header"].encode())] * 20)
    for name, url in (("good", receiver.url()), ("bad", receiver.url("/fails")), ("gone", "http://127.0.0.1:9/")):
        (home.folder / "secret").write_text(PLANTED["webhook secret"])
        outputs.run(
            home,
            *("create", name, "--url", url, "--event", CREATED, "--secret", "@secret"),
            *("--encrypted-header", "Authorization=env:HEADER", *at_store),
            HEADER=PLANTED["encrypted header"],
        )
    outputs.run(home, "create", "mail", "--url", "mailto:robin@example.com", "--event", CREATED, *at_store)
    outputs.run(home, "create", "team", "--url", "notify:team", "--event", CREATED, *at_store)
    outputs.run(home, "rotate-secret", "good", "--secret", "env:NEW", *at_store, NEW=PLANTED["new webhook secret"])
    outputs.run(home, "inbound", "add", "in", "--secret", "env:IN", *at_store, IN=PLANTED["inbound secret"])
    server = serve()
    admin = server.token("admin")
    secrets = PLANTED | {"admin token": admin, "publisher token": server.token()}
    secrets["key of the store"] = next(
        (file.read_text().strip() for file in home.folder.iterdir() if file.suffix == ".key"), ""
    )
    assert secrets["key of the store"]
    for number in range(3):
        server.publish(cloud_event_body(id=f"e{number}"))
    server.wait_log("attempt", 3, webhook="good")
    for name in ("bad", "gone", "mail", "team"):
        server.wait_log("attempt", 1, webhook=name)
    for token in (PLANTED["wrong token"], "x"):
        wrong = server.client.post(
            "/events", content=b"{}", headers={"Authorization": f"Bearer {token}", "webhook-signature": "v1,x"}
        )
        outputs.texts[f"answer to {token[:4]}"] = wrong.text + str(wrong.headers)

    # Everything that reads.
    remote = {"QWEBHOOK_TOKEN": admin}
    for at, environ in (((*at_store,), {}), (("--store", server.url), remote)):
        for form in ("json", "table", "yaml", "csv"):
            outputs.run(home, "list", "-o", form, "--verbose", *at, **environ)
        for name in ("good", "bad", "gone", "mail", "team"):
            outputs.run(home, "get", name, "-o", "json", "--verbose", *at, **environ)
            listed = outputs.run(home, "deliveries", name, "-q", *at, **environ)
            for identifier in listed.split():
                outputs.run(home, "delivery", name, identifier, "-o", "json", "--verbose", *at, **environ)
        outputs.run(home, "token", "list", "-o", "json", *at, **environ)
        outputs.run(home, "inbound", "list", "-o", "json", *at, **environ)
    for name in ("good", "bad", "gone", "mail", "team"):
        outputs.run(home, "test-fire", name, "--allow-network", "loopback", "-o", "json", "--verbose", *at_store)
    outputs.run(home, "preview", "good", *at_store)
    outputs.run(home, "store", "check", *at_store)
    outputs.run(home, "context", "show", "prod", "-o", "json")
    outputs.run(home, "context", "list", "-o", "json", "--verbose")
    outputs.run(home, "list", "--context", "prod", "--verbose")
    outputs.texts["the metrics"] = str(server.client.get("/metrics", headers=server.authorization("metrics")).text)
    outputs.texts["/openapi.json"] = server.client.get("/openapi.json").text
    outputs.texts["the process list"] = command_lines(server)
    assert until(lambda: len(outputs.texts) > 40, "all of that ran")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    outputs.texts["the log"] = "\n".join(server.lines)
    for file in home.folder.glob("store.db*"):
        if file.suffix != ".key":
            outputs.texts[f"the file {file.name}"] = file.read_bytes().decode("latin-1")
    # What a receiver echoes of a hidden header is not shown, either.
    assert any("**OMITTED**" in text for text in outputs.texts.values())
    assert outputs.leaks(secrets) == []
