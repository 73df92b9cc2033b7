"""Web pages, and who tries one token after another."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest

from qwebhook.model.errors import Forbidden
from qwebhook.server.guard import FORGOTTEN_SECONDS, LONGEST_WAIT, BrowserGuard, FailedAttempts, Misdirected
from qwebhook.server.log import Log
from tests.server.asking import CORE, Asking, wrong
from tests.server.conftest import Serve


def raw(**headers: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8787", "127.0.0.1:8787", "127.0.0.2", "[::1]:8787", "LOCALHOST:1", "hooks.example"]
)
def test_on_loopback_this_machine_and_the_public_name_are_answered(host: str) -> None:
    BrowserGuard("127.0.0.1", "https://hooks.example/").check(raw(host=host))


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8787", "10.0.0.1"])
@pytest.mark.parametrize("listening", ["127.0.0.1", "localhost", "::1", "127.0.0.9"])
def test_on_loopback_another_name_is_refused(listening: str, host: str) -> None:
    with pytest.raises(Misdirected, match="this server is not"):
        BrowserGuard(listening).check(raw(host=host))


def test_another_name_is_refused_after_the_right_one_too() -> None:
    guard = BrowserGuard("127.0.0.1")
    for _ in range(2):
        guard.check(raw(host="localhost"))
        with pytest.raises(Misdirected):
            guard.check(raw(host="evil.example"))


@pytest.mark.parametrize(
    "guard", [BrowserGuard("0.0.0.0"), BrowserGuard("10.0.0.1"), BrowserGuard("127.0.0.1", behind_proxy=True)]
)
def test_elsewhere_any_name_may_be_the_servers(guard: BrowserGuard) -> None:
    guard.check(raw(host="hooks.example"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "file://"},
        {"origin": ""},
        {"origin": "http://localhost:3000"},
        {"origin": "http://localhost"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_what_comes_from_a_page_of_another_origin_is_refused(headers: dict[str, str]) -> None:
    for guard in (BrowserGuard("127.0.0.1"), BrowserGuard("0.0.0.0", "https://hooks.example")):
        with pytest.raises(Forbidden, match="web page"):
            guard.check(raw(host="localhost:8787", **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:8787"},
        {"origin": "https://hooks.example"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin"},
        {},
    ],
)
def test_what_a_person_opens_and_what_is_no_browser_passes(headers: dict[str, str]) -> None:
    BrowserGuard("127.0.0.1", "https://hooks.example").check(raw(host="localhost:8787", **headers))


class Failing:
    """Failed attempts with a clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._stream = io.StringIO()
        self.failed = FailedAttempts(Log(self._stream, "json"), lambda: self.now)

    def attempt(self, client: str = "192.0.2.1") -> float:
        return self.failed.note((client, 50000), "/events", "the token is not valid")

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


def test_each_further_attempt_waits_longer_up_to_a_bound() -> None:
    failing = Failing()
    waits = [failing.attempt() for _ in range(50)]
    assert waits[:3] == [0.05, 0.1, 0.2]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert failing.attempt("192.0.2.2") == 0.05
    failing.now += FORGOTTEN_SECONDS + 1
    assert failing.attempt() == 0.05


def test_attempts_are_logged_but_not_each() -> None:
    failing = Failing()
    for _ in range(100):
        failing.attempt()
        failing.now += 1
    lines = failing.logged
    assert 5 <= len(lines) <= 12
    assert lines[0].items() >= {"what": "not let in", "address": "192.0.2.1", "path": "/events", "attempts": 1}.items()


def test_what_is_remembered_of_addresses_is_bounded() -> None:
    failing = Failing()
    for number in range(10_050):
        failing.attempt(f"2001:db8::{number:x}")
    assert len(failing.failed._failures) == 10_000


def test_a_server_refuses_pages_and_tells_of_guesses(serve: Serve) -> None:
    server = serve()
    stranger = Asking(server, "qwh_" + "0" * 43)
    before = time.monotonic()
    wrong(stranger.get(f"{CORE}/webhooks"), 401)
    assert time.monotonic() - before >= 0.05
    server.wait_log("not let in", address="127.0.0.1", path=f"{CORE}/webhooks")
    wrong(server.client.post("/events", content=b"{}", headers=stranger.headers), 401)
    admin = Asking(server, server.token("admin"))
    wrong(admin.get(f"{CORE}/webhooks", headers={"Origin": "https://evil.example"}), 403, "web page")
    wrong(admin.get(f"{CORE}/webhooks", headers={"Host": "evil.example"}), 421, "--public-url")
    wrong(admin.post("/events", headers={"Origin": "https://evil.example"}), 403)
