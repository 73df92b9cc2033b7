"""What holds for every request: paths and methods, bodies and their types, links, errors in one shape."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.acceptance.processes import Server
from tests.server.asking import CORE, OWN, UNKNOWN, V1, Asking, change, draft, right, unique, wrong
from tests.server.conftest import Serve

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def nobody(server: Server) -> Asking:
    """One without a token."""
    return Asking(server, None)


# Paths and methods


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/v1/users/me", "/api/v2/webhooks", f"{OWN}/none", f"{CORE}/webhooks/a/b", f"{CORE}/webhooks/"],
)
def test_what_is_not_there_needs_no_token(nobody: Asking, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        assert wrong(nobody.ask(method, path), 404)["code"] == "QWH-NOT-FOUND"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", f"{CORE}/webhooks", "GET, HEAD, POST"),
        ("POST", f"{V1}/webhooks/{UNKNOWN}", "GET, HEAD, PUT, PATCH, DELETE"),
        ("PUT", f"{CORE}/webhooks/event-types", "GET, HEAD"),
        ("GET", f"{OWN}/replays", "POST"),
        ("OPTIONS", f"{OWN}/info", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_does_not_take(nobody: Asking, method: str, path: str, allowed: str) -> None:
    answer = nobody.ask(method, path)
    assert wrong(answer, 405)["code"] == "QWH-METHOD"
    assert answer.headers["allow"] == allowed


def test_head_is_get_without_the_body(admin: Asking) -> None:
    path = f"{CORE}/webhooks/{admin.made()['id']}"
    shown, head = admin.get(path), admin.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(shown.content))
    assert admin.ask("HEAD", f"{CORE}/webhooks/{UNKNOWN}").status_code == 404


@pytest.mark.parametrize("identifier", ["unknown", "%00", "%C3%A9", "'; --", "..%2f", "a" * 300])
def test_an_id_that_is_none(admin: Asking, identifier: str) -> None:
    wrong(admin.get(f"{CORE}/webhooks/{identifier}"), 404)


# Bodies


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "too early"),
        (b"{", "too early"),
        (b'{"name": x}', "byte 9"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b"null", "object"),
        (b'"text"', "object"),
        (b"[]", "object"),
        (b"{} {}", "trailing"),
        (b"[" * 100_000, "object"),
        (b'{"name":' + b"[" * 100_000, "deeply"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_body_that_cannot_be_read(admin: Asking, content: bytes, word: str) -> None:
    for method, path in (("POST", ""), ("PUT", f"/{UNKNOWN}")):
        wrong(admin.ask(method, f"{CORE}/webhooks{path}", content=content, headers=JSON), 400, word)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", None]
)
def test_a_body_of_another_type(admin: Asking, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    content = json.dumps(draft()).encode()
    wrong(admin.ask("POST", f"{CORE}/webhooks", content=content, headers=headers), 415, "application/json")


def test_types_that_are_taken(admin: Asking) -> None:
    content = json.dumps(draft()).encode()
    for content_type in ("application/json; charset=utf-8", "Application/JSON"):
        headers = {"Content-Type": content_type}
        made = right(admin.ask("POST", f"{CORE}/webhooks", content=content, headers=headers), 201)
    patch = json.dumps([change("/name", "x")]).encode()
    for content_type in ("application/json", "application/json-patch+json"):
        headers = {"Content-Type": content_type}
        right(admin.ask("PATCH", f"{CORE}/webhooks/{made['id']}", content=patch, headers=headers), 204)
    for more in ({"Content-Type": "application/json; charset=latin-1"}, JSON | {"Content-Encoding": "gzip"}):
        wrong(admin.ask("POST", f"{CORE}/webhooks", content=content, headers=more), 415)


def test_a_body_that_may_be_left_out(admin: Asking) -> None:
    path = f"{OWN}/webhooks/{admin.made()['id']}/rotate-secret"
    right(admin.post(path))
    right(admin.ask("POST", path, content=b"", headers=JSON))
    right(admin.post(path, {}))
    wrong(admin.ask("POST", path, content=b"{}"), 415)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit(admin: Asking, chunked: bool) -> None:
    content = json.dumps(draft(description="x" * (1 << 20))).encode()
    given = iter([content[:1000], content[1000:]]) if chunked else content
    error = wrong(admin.ask("POST", f"{CORE}/webhooks", content=given, headers=JSON), 413)
    assert error["code"] == "QWH-TOO-LARGE"
    right(admin.get(f"{OWN}/info"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{CORE}/webhooks/event-types"),
        ("POST", f"{CORE}/webhooks"),
        ("PATCH", f"{V1}/webhooks/{UNKNOWN}"),
        ("GET", f"{OWN}/info"),
        ("GET", f"{OWN}/tokens"),
    ],
)
def test_a_query_where_there_is_none(admin: Asking, method: str, path: str) -> None:
    wrong(admin.ask(method, f"{path}?pretty=true", {} if method != "GET" else None), 400, "pretty")


def test_a_client_that_goes_away_while_it_sends(server: Server, admin: Asking) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        head = f"POST {CORE}/webhooks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        token = f"Content-Length: 100\r\nAuthorization: {admin.headers['Authorization']}\r\n\r\n"
        connection.sendall((head + token + '{"name":').encode())
    right(admin.get(f"{OWN}/info"))
    assert not [line for line in server.lines if "Exception" in line]


@pytest.mark.parametrize(
    "request_line", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\ntransfer-encoding:\r\n\r\n"]
)
def test_what_is_no_http(server: Server, request_line: bytes) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.sendall(request_line)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["errors"][0]["code"] == "QWH-INVALID"


# Answers


def test_an_answer_is_not_to_be_kept(admin: Asking) -> None:
    answer = admin.get(f"{CORE}/webhooks")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


def test_a_webhook_has_the_services_fields(admin: Asking) -> None:
    assert set(admin.made()) == {
        "id", "name", "url", "description", "eventTypes", "filter", "headers", "encryptedHeaders", "enabled", "level",
        "ownerId", "checkCertificateRevocation", "enableCloudEventDelivery", "origin", "secretKeyAdded", "createdAt",
        "createdByUserId", "updatedAt", "updatedByUserId", "disabledReason", "disabledReasonCode", "qwebhook",
    }  # fmt: skip


# Links


def test_links_lead_through_a_list_and_back(server: Server, admin: Asking) -> None:
    event_type = unique()
    mine = [admin.made(eventTypes=[event_type])["id"] for _ in range(5)][::-1]
    first = f"{server.url}{CORE}/webhooks?eventTypes={event_type}&limit=2"
    pages = []
    href: str | None = first
    while href:
        page = right(admin.get(href))
        pages.append(page)
        assert page["links"]["self"]["href"] == href
        href = page["links"].get("next", {}).get("href")
    assert [one["id"] for page in pages for one in page["data"]] == mine
    assert "prev" not in pages[0]["links"]
    back = right(admin.get(pages[2]["links"]["prev"]["href"]))
    assert [one["id"] for one in back["data"]] == mine[2:4]
    query = parse_qs(urlsplit(pages[1]["links"]["next"]["href"]).query)
    assert set(query) == {"eventTypes", "limit", "next"}
    assert set(parse_qs(urlsplit(pages[1]["links"]["prev"]["href"]).query)) == {"eventTypes", "limit", "prev"}


def test_a_cursor_of_another_list(admin: Asking) -> None:
    event_type = unique()
    for _ in range(2):
        admin.made(eventTypes=[event_type])
    path = f"{CORE}/webhooks?eventTypes={event_type}&limit=1"
    cursor = parse_qs(urlsplit(right(admin.get(path))["links"]["next"]["href"]).query)["next"][0]
    wrong(admin.get(f"{CORE}/webhooks", params={"next": cursor}), 400, "cursor")
    wrong(admin.get(f"{CORE}/webhooks?next=nothing"), 400, "cursor")
    wrong(admin.get(f"{path}&next={cursor}&prev={cursor}"), 400, "next and prev")


def test_links_begin_as_the_request_says(server: Server, admin: Asking) -> None:
    def self_of(**headers: str) -> Any:
        return right(admin.get(f"{CORE}/webhooks?name=a%20b", headers=headers))["links"]["self"]["href"]

    assert self_of() == f"{server.url}{CORE}/webhooks?name=a+b"
    assert self_of(Host="localhost:80") == f"http://localhost:80{CORE}/webhooks?name=a+b"
    # Only a proxy that the operator told us of is believed.
    assert self_of(**{"X-Forwarded-Proto": "https"}).startswith("http://")


def test_links_behind_a_proxy(serve: Serve) -> None:
    server = serve("--behind-proxy")
    headers = {"X-Forwarded-Proto": "https", "Host": "hooks.example.com"}
    page = right(Asking(server, server.token("admin")).get(f"{CORE}/webhooks", headers=headers))
    assert page["links"]["self"]["href"] == f"https://hooks.example.com{CORE}/webhooks"


def test_links_begin_with_the_public_url(serve: Serve) -> None:
    server = serve("--public-url", "https://hooks.example.com/q/")
    page = right(Asking(server, server.token("admin")).get(f"{V1}/webhooks"))
    assert page["links"]["self"]["href"] == f"https://hooks.example.com/q{V1}/webhooks"


@pytest.mark.parametrize(
    "url", ["hooks.example.com", "ftp://a", "https://", "https://u@a", "https://a?b=c", "https://["]
)
def test_a_public_url_that_is_none(serve: Serve, url: str) -> None:
    with pytest.raises(AssertionError, match="--public-url"):
        serve("--public-url", url)


# At the same time


def test_many_change_one_webhook(admin: Asking) -> None:
    made = admin.made()
    path, count = f"{CORE}/webhooks/{made['id']}", 8
    failures: list[str] = []

    def change_one(number: int) -> None:
        for turn in range(10):
            answer = admin.patch(path, change(f"/headers/X-{number}-{turn}", "1", "add"))
            if answer.status_code != 204:
                failures.append(answer.text)

    threads = [threading.Thread(target=change_one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(admin.now(made["id"])["headers"]) == count * 10


def test_many_make_webhooks_of_one_name(admin: Asking) -> None:
    name, answers = unique(), []
    threads = [threading.Thread(target=lambda: answers.append(admin.made(name=name))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({one["id"] for one in answers}) == 8
    assert len(right(admin.get(f"{CORE}/webhooks?name={name}"))["data"]) == 8
