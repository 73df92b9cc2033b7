"""The way to a server: what is sent again and what is not, and what every trouble is called."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate
from pathlib import Path

import pytest

from qwebhook.model.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotAuthorised,
    NotFound,
    QwebhookError,
    Unavailable,
)
from qwebhook.store.rest.credentials import Anonymous, BearerKey
from qwebhook.store.rest.remote import TRIES, Remote
from tests.rest.conftest import ADVICE, NAME, Connect
from tests.tenant import Tenant
from tests.tenant.faults import Fault, answer, cut_off, hang, html, reset, status, truncated

WEBHOOKS = "/api/core/webhooks"
DRAFT = b'{"name": "a", "url": "https://receiver.example.com/"}'
SHORT = 0.2


def troubled(error: type[QwebhookError], remote: Remote, method: str = "GET", body: bytes | None = None) -> str:
    """What is said of a request that must fail with exactly that error."""
    with pytest.raises(error) as raised:
        remote.request(method, WEBHOOKS, body=body)
    assert type(raised.value) is error
    return str(raised.value)


# What is sent again


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_what_may_be_over_soon_is_asked_again(tenant: Tenant, remote: Remote, naps: list[float], code: int) -> None:
    tenant.faults.inject(status(code), times=2)
    assert remote.request("GET", WEBHOOKS).status == 200
    assert len(tenant.log.requests("GET")) == 3
    first = 1.0 if code == 429 else 0.25
    assert naps == [first, 2 * first]


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_there_are_only_so_many_tries(tenant: Tenant, remote: Remote, naps: list[float], code: int) -> None:
    tenant.faults.inject(status(code), times=None)
    assert NAME in troubled(Unavailable, remote)
    assert len(tenant.log.requests()) == TRIES
    assert len(naps) == TRIES - 1


@pytest.mark.parametrize("fault", [reset(), cut_off()], ids=["reset", "cut off"])
def test_a_broken_connection_is_made_anew(tenant: Tenant, remote: Remote, fault: Fault) -> None:
    tenant.webhooks.add()
    tenant.faults.inject(fault)
    answered = remote.request("GET", WEBHOOKS)
    assert (answered.status, answered.repeated) == (200, True)
    assert len(tenant.log.requests()) == 2


@pytest.mark.parametrize("randomness", [0.0, 0.999])
def test_waits_are_moved_by_chance_so_that_not_all_come_back_at_once(
    tenant: Tenant, connect: Connect, naps: list[float], randomness: float
) -> None:
    tenant.faults.inject(status(503))
    connect(randomness=lambda: randomness).request("GET", WEBHOOKS)
    assert naps == [pytest.approx(0.25 * (0.75 + randomness / 2))]


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_obeyed(tenant: Tenant, connect: Connect, naps: list[float], code: int) -> None:
    tenant.faults.inject(status(code, retry_after=7))
    connect(randomness=lambda: 0.0).request("GET", WEBHOOKS)
    assert naps == [7.0]


def test_retry_after_may_be_a_date(tenant: Tenant, remote: Remote, naps: list[float]) -> None:
    tenant.faults.inject(status(429, retry_after=formatdate(time.time() + 10, usegmt=True)))
    remote.request("GET", WEBHOOKS)
    assert naps == [pytest.approx(10, abs=2)]


@pytest.mark.parametrize("asked", [0, "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_who_asks_for_no_wait_is_not_stormed(
    tenant: Tenant, remote: Remote, naps: list[float], asked: int | str
) -> None:
    tenant.faults.inject(status(429, retry_after=asked), times=None)
    assert troubled(Unavailable, remote).endswith("try again later")
    assert naps == [1.0, 2.0, 4.0]


def test_clocks_that_differ_do_not_change_the_wait(tenant: Tenant, remote: Remote, naps: list[float]) -> None:
    tenant.clock.skew = -3600
    tenant.faults.inject(status(429, retry_after=formatdate(time.time() - 3600 + 10, usegmt=True)))
    remote.request("GET", WEBHOOKS)
    assert naps == [pytest.approx(10, abs=2)]


def test_who_asks_for_too_long_a_wait_is_not_waited_for(tenant: Tenant, remote: Remote, naps: list[float]) -> None:
    tenant.faults.inject(status(429, retry_after=240))
    assert "240 s" in troubled(Unavailable, remote)
    assert naps == []


def test_a_post_that_was_refused_for_now_is_sent_again(tenant: Tenant, remote: Remote) -> None:
    tenant.faults.inject(status(429, retry_after=1), method="POST")
    assert remote.request("POST", WEBHOOKS, body=DRAFT).status == 201
    assert len(tenant.webhooks.all) == 1


@pytest.mark.parametrize(
    "fault",
    [reset(), cut_off(), hang(), status(502), status(503), status(504)],
    ids=["reset", "cut off", "hang", "502", "503", "504"],
)
def test_a_post_whose_answer_is_lost_is_not_sent_again(tenant: Tenant, connect: Connect, fault: Fault) -> None:
    tenant.faults.inject(fault, takes_effect=True)
    said = troubled(Unavailable, connect(timeout=SHORT), "POST", DRAFT)
    assert "may have been carried out" in said
    assert len(tenant.log.requests("POST")) == len(tenant.webhooks.all) == 1


def test_a_caller_may_say_that_a_post_can_be_repeated(tenant: Tenant, remote: Remote) -> None:
    tenant.faults.inject(reset(), takes_effect=True)
    assert remote.request("POST", WEBHOOKS, body=DRAFT, repeatable=True).repeated
    assert len(tenant.webhooks.all) == 2


def test_who_does_not_answer_is_not_asked_again(tenant: Tenant, connect: Connect, naps: list[float]) -> None:
    tenant.faults.inject(hang(), times=None)
    assert f"within {SHORT:g} s" in troubled(Unavailable, connect(timeout=SHORT))
    assert len(tenant.log.requests()) == 1
    assert naps == []


# Who cannot be reached


def test_a_server_that_is_down(tenant: Tenant, remote: Remote, naps: list[float]) -> None:
    tenant.stop()
    said = troubled(Unavailable, remote)
    assert NAME in said
    assert "connection refused" in said
    assert len(naps) == TRIES - 1


def test_a_server_that_comes_back_meanwhile(tenant: Tenant, connect: Connect) -> None:
    tenant.stop()
    assert connect(sleep=lambda _: tenant.start()).request("POST", WEBHOOKS, body=DRAFT).status == 201


def test_a_name_that_does_not_exist(connect: Connect, naps: list[float]) -> None:
    said = troubled(Unavailable, connect("https://no-such-tenant.invalid"))
    assert "no such host" in said or "cannot be reached" in said
    assert len(naps) <= TRIES - 1


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example", "xn--a.example"])
def test_a_name_that_no_host_can_have(connect: Connect, host: str) -> None:
    with pytest.raises(InvalidInput, match="no host"):
        connect(f"https://{host}").request("GET", WEBHOOKS)


def test_a_connection_that_is_not_made_in_time(connect: Connect) -> None:
    """A socket whose queue is full answers nobody."""
    with closing(socket.socket()) as full, closing(socket.socket()) as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())
        remote = connect(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout=SHORT, timeout=SHORT)
        assert f"within {SHORT:g} s" in troubled(Unavailable, remote)


def test_a_certificate_is_trusted_by_its_authority_alone(tmp_path: Path, connect: Connect, naps: list[float]) -> None:
    with Tenant(tls=tmp_path) as tenant:
        said = troubled(Unavailable, connect(tenant.url, tenant.key))
        assert "certificate" in said
        assert "ca-file" in said
        assert naps == []
        assert connect(tenant.url, tenant.key, ca_file=tenant.ca_file).request("GET", WEBHOOKS).status == 200


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used(tmp_path: Path, connect: Connect, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidInput, match="CA file"):
        connect("https://tenant.example.com", ca_file=path)


def test_a_server_that_does_not_speak_tls(tenant: Tenant, connect: Connect) -> None:
    assert "TLS" in troubled(Unavailable, connect(tenant.url.replace("http:", "https:")))


# What the answers mean


def test_an_expired_key_names_the_context_and_the_remedy(tenant: Tenant, remote: Remote) -> None:
    tenant.access.expire(tenant.key)
    said = troubled(NotAuthorised, remote)
    assert NAME in said
    assert "expired" in said
    assert said.endswith(ADVICE)
    assert tenant.key not in said
    assert len(tenant.log.requests()) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [(400, InvalidInput), (403, Forbidden), (404, NotFound), (409, Conflict), (500, Unavailable), (501, Unavailable)],
)
def test_a_refusal_is_the_error_that_its_status_says(
    tenant: Tenant, remote: Remote, code: int, error: type[QwebhookError]
) -> None:
    body = b'{"errors": [{"code": "X-1", "title": "This went wrong.", "detail": "do that"}], "traceId": "1"}'
    tenant.faults.inject(answer(code, body, content_type="application/json"))
    said = troubled(error, remote)
    assert "This went wrong" in said
    assert "do that" in said
    assert len(tenant.log.requests()) == 1


@pytest.mark.parametrize(("code", "error"), [(400, InvalidInput), (403, Forbidden), (404, NotFound)])
def test_a_refusal_in_one_word_says_whose_it_is(
    tenant: Tenant, remote: Remote, code: int, error: type[QwebhookError]
) -> None:
    body = b'{"errors": [{"code": "X-1", "title": "Nothing more"}], "traceId": "1"}'
    tenant.faults.inject(answer(code, body, content_type="application/json"))
    assert troubled(error, remote) == f"{NAME}: Nothing more"


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (400, b'{"errors": [{"code": 17, "title": null}]}', InvalidInput),
        (403, b'{"errors": []}', Forbidden),
        (403, b'{"message": "Forbidden"}', Forbidden),
        (404, b'{"message": "no Route matched"}', Unavailable),
        (400, b'{"errors": "wrong"}', InvalidInput),
        (503, b"[" * 100_000, Unavailable),
        (500, b'{"errors": [{"title": "\xff"}]}', Unavailable),
        (429, b"null", Unavailable),
        (418, b"{}", Unavailable),
    ],
    ids=range(9),
)
def test_a_refusal_in_another_shape(
    tenant: Tenant, remote: Remote, code: int, body: bytes, error: type[QwebhookError]
) -> None:
    tenant.faults.inject(answer(code, body, content_type="application/json"), times=None)
    assert NAME in troubled(error, remote)


@pytest.mark.parametrize("code", [200, 400, 403, 404, 500])
def test_a_web_page_is_not_the_api(tenant: Tenant, remote: Remote, code: int) -> None:
    tenant.faults.inject(html(code))
    with pytest.raises(Unavailable) as raised:
        remote.read(WEBHOOKS, dict)
    assert "500" in str(raised.value) if code == 500 else "web page" in str(raised.value)


@pytest.mark.parametrize(
    "fault", [truncated(), answer(200, b"[]", content_type="application/json")], ids=["cut", "list"]
)
def test_an_answer_that_is_not_what_it_should_be(tenant: Tenant, remote: Remote, fault: Fault) -> None:
    tenant.faults.inject(fault)
    with pytest.raises(Unavailable, match="cannot be read"):
        remote.read(WEBHOOKS, dict)


def test_an_expected_status_is_an_answer(tenant: Tenant, remote: Remote) -> None:
    assert remote.request("GET", f"{WEBHOOKS}/unknown", expected={404}).status == 404


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(tenant: Tenant, remote: Remote, code: int) -> None:
    with Tenant() as elsewhere:
        tenant.faults.inject(answer(code, location=f"{elsewhere.url}{WEBHOOKS}"))
        assert "leads elsewhere" in troubled(Unavailable, remote)
        assert elsewhere.log.requests() == []


# What is sent


def test_a_query_arrives_as_it_was_given(tenant: Tenant, remote: Remote) -> None:
    remote.request("GET", WEBHOOKS, query={"sort": "+name", "name": "Süden & 100 %"})
    assert tenant.log.requests()[0].query == (("sort", "+name"), ("name", "Süden & 100 %"))


def test_without_credentials_none_are_shown(tenant: Tenant, connect: Connect) -> None:
    said = troubled(NotAuthorised, connect(credentials=Anonymous()))
    assert "without credentials" in said
    assert "QWEBHOOK_TOKEN" in said


def test_the_trace_tells_of_every_request_and_no_secret(tenant: Tenant, connect: Connect) -> None:
    told: list[str] = []
    tenant.faults.inject(reset())
    connect(trace=told.append).request("GET", WEBHOOKS)
    assert [line.rpartition(" in ")[0] for line in told] == [
        f"GET {tenant.url}{WEBHOOKS}: no answer",
        f"GET {tenant.url}{WEBHOOKS}: 200",
    ]
    assert tenant.key not in "".join(told)


def test_nothing_shows_the_key(tenant: Tenant, connect: Connect) -> None:
    credentials = BearerKey(tenant.key, ADVICE)
    remote = connect(credentials=credentials)
    assert tenant.key not in repr(credentials) + repr(remote) + str(vars(remote))


# Proxies


class Proxy(http.server.BaseHTTPRequestHandler):
    """Answers for every server, and says who was asked and whether a cookie was shown, of which it gives one."""

    def do_GET(self) -> None:
        body = json.dumps({"asked": self.path, "cookie": self.headers["cookie"]}).encode()
        self.send_response(200)
        self.send_header("set-cookie", "session=1; Path=/")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not on stderr."""


@pytest.fixture
def proxy() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, proxy: str, connect: Connect) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    remote = connect("http://tenant.example.com")
    assert remote.read("/a", dict) == {"asked": "http://tenant.example.com/a", "cookie": None}


def test_cookies_are_not_kept(proxy: str, connect: Connect) -> None:
    remote = connect(proxy)
    for _ in range(2):
        assert remote.read("/a", dict)["cookie"] is None


def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://proxy")
    with pytest.raises(InvalidInput, match="proxy"):
        connect("https://tenant.example.com")
