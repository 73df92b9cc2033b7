"""`POST /events`: what is taken, what is refused and how, and who may do it. One server for all tests here."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from qwebhook.model.envelope import MAX_BODY
from qwebhook.model.identifiers import is_id
from qwebhook.store.contract import Role
from tests.acceptance.processes import Server
from tests.acceptance.receiver import Receiver
from tests.builders import cloud_event_body, compact, legacy_event_body

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "a.type.nobody.wants"}


def unique() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def check_error(response: httpx.Response, status: int) -> str:
    """The title of an error that has the service's shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert set(answer) == {"errors", "traceId"}
    assert len(answer["traceId"]) == 32
    (error,) = answer["errors"]
    assert set(error) - {"detail"} == {"code", "title"}
    assert all(isinstance(value, str) and value for value in error.values())
    title: str = error["title"]
    return title


# What is taken


def test_the_answer_tells_how_many_were_new_and_the_id_of_each(server: Server) -> None:
    first, second = unique(), unique()
    response = server.post(b"[%s,%s]" % (cloud_event_body(id=first), cloud_event_body(id=second)))
    assert response.status_code == 202
    assert response.headers["content-type"] == "application/json"
    receipt = response.json()
    assert set(receipt) == {"accepted", "duplicates", "ids"}
    assert (receipt["accepted"], receipt["duplicates"]) == (2, 0)
    assert len(set(receipt["ids"])) == 2
    assert all(is_id(one) for one in receipt["ids"])
    assert receipt["ids"] == sorted(receipt["ids"])


def test_a_duplicate_is_counted_and_has_the_first_id(server: Server, receiver: Receiver) -> None:
    kind = f"duplicates.{unique()}"
    server.create_webhook(url=receiver.url(), event_types=[kind])
    body = cloud_event_body(id=unique(), type=kind)
    first = server.post(body).json()
    again = server.post(body)
    assert again.status_code == 202
    assert again.json() == {"accepted": 0, "duplicates": 1, "ids": first["ids"]}
    mixed = server.post(b"[%s,%s,%s]" % (body, cloud_event_body(id=unique(), type=kind), body)).json()
    assert (mixed["accepted"], mixed["duplicates"]) == (1, 2)
    assert [mixed["ids"][0], mixed["ids"][2]] == first["ids"] * 2
    receiver.wait_for(2)
    server.wait_log("attempt", 2, type=kind)
    assert len(receiver.received) == 2


def test_an_event_of_another_source_or_tenant_is_no_duplicate(server: Server) -> None:
    one = unique()
    ours = server.post(cloud_event_body(id=one, tenantid="a")).json()
    theirs = server.post(cloud_event_body(id=one, tenantid="b")).json()
    legacy = server.post(legacy_event_body(eventId=one, extensions={"tenantId": "a"})).json()
    other = server.post(cloud_event_body(id=one, source="urn:elsewhere", tenantid="a")).json()
    assert theirs["accepted"] == other["accepted"] == 1
    assert legacy == {"accepted": 0, "duplicates": 1, "ids": ours["ids"]}


def test_an_empty_batch_is_taken(server: Server) -> None:
    assert server.post(b"[]").json() == {"accepted": 0, "duplicates": 0, "ids": []}


def test_several_requests_go_through_one_connection(server: Server) -> None:
    """A refused body is read past, and what follows on the connection is a request of its own."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        for token, status in ((server.token(), 202), ("wrong", 401), (server.token(), 202)):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request("POST", "/events", cloud_event_body(id=unique()), headers)
            response = connection.getresponse()
            response.read()
            assert response.status == status
    finally:
        connection.close()


# Sizes


def event_of_size(size: int) -> bytes:
    body = cloud_event_body(id=unique(), type=f"large.{unique()}", data="")
    return body[:-2] + b"x" * (size - len(body)) + body[-2:]


def pieces(body: bytes) -> Iterator[bytes]:
    yield from (body[start : start + 50_000] for start in range(0, len(body), 50_000))


def test_a_body_of_exactly_the_limit_is_taken_and_delivered(server: Server, receiver: Receiver) -> None:
    body = event_of_size(MAX_BODY)
    assert len(body) == MAX_BODY
    server.create_webhook(url=receiver.url(), event_types=[json.loads(body)["type"]])
    server.publish(body)
    assert receiver.wait_for(1)[0].body == body


def test_a_chunked_body_of_exactly_the_limit_is_taken(server: Server) -> None:
    headers = {"Content-Type": "application/json", **server.authorization()}
    response = server.client.post("/events", content=pieces(event_of_size(MAX_BODY)), headers=headers)
    assert response.request.headers["transfer-encoding"] == "chunked"
    assert response.status_code == 202, response.text


def test_one_byte_more_is_refused(server: Server) -> None:
    title = check_error(server.post(event_of_size(MAX_BODY + 1)), 413)
    assert str(MAX_BODY) in title


def test_one_byte_more_is_refused_in_chunks_too(server: Server) -> None:
    headers = {"Content-Type": "application/json", **server.authorization()}
    response = server.client.post("/events", content=pieces(event_of_size(MAX_BODY + 1)), headers=headers)
    check_error(response, 413)


def test_an_endless_body_is_refused_without_being_read(server: Server) -> None:
    host, _, port = urlsplit(server.url).netloc.partition(":")
    head = f"POST /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token()}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 1000000000000\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_breaks_off_is_not_taken(server: Server) -> None:
    host, _, port = urlsplit(server.url).netloc.partition(":")
    kind = f"cut.{unique()}"
    body = cloud_event_body(id=unique(), type=kind)
    head = f"POST /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token()}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body) + 1}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(head.encode() + body)
    assert server.post(body).json()["accepted"] == 1


# What is refused


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        pytest.param(b"", "application/json", 400, id="nothing"),
        pytest.param(b"{", "application/json", 400, id="broken JSON"),
        pytest.param(b'"text"', "application/json", 400, id="no object"),
        pytest.param(b"{}", "application/json", 400, id="no envelope"),
        pytest.param(b'{"specversion":"1.0","id":"\xff"}', "application/json", 400, id="not UTF-8"),
        pytest.param(b"[" * 100_000, "application/json", 400, id="nested deeply"),
        pytest.param(cloud_event_body(id=None), "application/json", 400, id="no id"),
        pytest.param(cloud_event_body(type=None), "application/json", 400, id="no type"),
        pytest.param(cloud_event_body(type="with space"), "application/json", 400, id="type malformed"),
        pytest.param(cloud_event_body(source=None), "application/json", 400, id="no source"),
        pytest.param(cloud_event_body(specversion="2.0"), "application/json", 400, id="later version"),
        pytest.param(cloud_event_body(id=7), "application/json", 400, id="id is a number"),
        pytest.param(legacy_event_body(eventId=None), "application/json", 400, id="legacy without id"),
        pytest.param(cloud_event_body(), "text/plain", 415, id="plain text"),
        pytest.param(cloud_event_body(), "application/json; charset=latin-1", 415, id="other charset"),
        pytest.param(cloud_event_body(), "", 415, id="no content type"),
    ],
)
def test_what_cannot_be_read_is_refused(server: Server, body: bytes, content_type: str, status: int) -> None:
    check_error(server.post(body, content_type), status)


@pytest.mark.parametrize(
    ("attributes", "body", "content_type", "status"),
    [
        pytest.param({}, b"{", "application/json", 415, id="data is not JSON"),
        pytest.param({}, b"<a/>", "text/xml", 415, id="data of another type"),
        pytest.param({"ce-id": ""}, b"{}", "application/json", 400, id="no id"),
        pytest.param({"ce-with-dash": "1"}, b"{}", "application/json", 400, id="no attribute name"),
        pytest.param({"ce-subject": "%ff"}, b"{}", "application/json", 400, id="attribute not UTF-8"),
    ],
)
def test_binary_events_that_cannot_be_read_are_refused(
    server: Server, attributes: dict[str, str], body: bytes, content_type: str, status: int
) -> None:
    check_error(server.post(body, content_type, **(BINARY | attributes)), status)


def test_a_batch_with_one_bad_event_is_refused_whole_and_names_it(server: Server) -> None:
    good = cloud_event_body(id=unique())
    title = check_error(server.post(b"[%s,%s]" % (good, cloud_event_body(id=None))), 400)
    assert "event 2 of 2" in title
    assert server.post(good).json()["accepted"] == 1


def test_paths_and_methods_that_are_not_there(server: Server) -> None:
    assert "/nowhere" in check_error(server.client.get("/nowhere"), 404)
    assert "/events/" in check_error(server.client.post("/events/"), 404)
    for method, path, allowed in (
        ("GET", "/events", "POST"),
        ("DELETE", "/events", "POST"),
        ("POST", "/healthz", "GET"),
    ):
        response = server.client.request(method, path)
        assert method in check_error(response, 405)
        assert allowed in response.headers["allow"].split(", ")


def test_what_is_no_http_is_refused_and_the_log_stays_one_json_object_a_line(server: Server) -> None:
    host, _, port = urlsplit(server.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        client.recv(100)
    kind = f"after.{unique()}"
    server.create_webhook(url="http://127.0.0.1:1/", event_types=[kind])
    server.publish(cloud_event_body(id=unique(), type=kind))
    server.wait_log("attempt", type=kind)
    assert [line for line in server.lines if not line.startswith("{")] == []


# Who may


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer qwh_wrong", "Basic dXNlcjpw"])
def test_without_a_valid_token_nothing_is_taken(server: Server, authorization: str | None) -> None:
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    body = cloud_event_body(id=unique())
    response = server.client.post("/events", content=body, headers=headers)
    check_error(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"
    assert server.post(body).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("role", "events", "metrics"),
    [("admin", 202, 200), ("publisher", 202, 403), ("metrics", 403, 200), ("user", 403, 403)],
)
def test_each_role_may_do_its_part(server: Server, role: Role, events: int, metrics: int) -> None:
    headers = {"Content-Type": "application/json", **server.authorization(role)}
    posted = server.client.post("/events", content=cloud_event_body(id=unique()), headers=headers)
    read = server.client.get("/metrics", headers=headers)
    assert (posted.status_code, read.status_code) == (events, metrics)
    for response in (posted, read):
        if response.status_code == 403:
            assert role in check_error(response, 403)


def test_a_token_of_the_command_line_works_at_once(server: Server) -> None:
    body = compact({"specversion": "1.0", "id": unique(), "source": "s", "type": "t"})
    for number in range(2):
        made = server.home.run("token", "create", f"new{number}", "--role", "publisher", "--store", server.path)
        assert made.returncode == 0, made.stderr
        headers = {"Content-Type": "application/json", "Authorization": f"bearer {made.stdout.strip()}"}
        response = server.client.post("/events", content=body, headers=headers)
        assert response.status_code == 202, response.text
