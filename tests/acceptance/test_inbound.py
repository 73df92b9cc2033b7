"""Events pushed without a token, signed with an inbound secret; one server for all tests but the last ones."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import http.client
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from standardwebhooks import Webhook as Standard

from tests.acceptance.conftest import Serve
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Receiver
from tests.builders import USER, cloud_event_body, compact, legacy_event_body

OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDwMfKQ9r8GKYo"
TENANT_SECRET = "a-secret-of-the-tenant-of-41-characters-x"
WRONG = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    """With a shop that is changing its secret, and a tenant."""
    for arguments in (("shop", "--secret", OLD_SECRET, "--secret", SECRET), ("tenant", "--secret", TENANT_SECRET)):
        added = shared_server.home.run("inbound", "add", *arguments, "--store", shared_server.path)
        assert added.returncode == 0, added.stderr
        assert "whsec_" not in added.stdout
    return shared_server


def unique() -> str:
    return uuid.uuid4().hex


def standard(secret: str, body: bytes, age: timedelta = timedelta()) -> dict[str, str]:
    """The headers as another implementation of Standard Webhooks makes them."""
    identifier, at = f"msg_{unique()}", datetime.now(UTC) - age
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Standard(secret).sign(identifier, at, body.decode()),
    }


def qlik(secret: str, body: bytes) -> dict[str, str]:
    """The header as the service makes it."""
    return {"Qlik-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def push(server: Server, body: bytes, *headers: Mapping[str, str]) -> httpx.Response:
    merged = dict(JSON)
    for one in headers:
        merged |= one
    return server.client.post("/events", content=body, headers=merged)


def check_refused(response: httpx.Response, words: str) -> None:
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"] == "Bearer"
    (error,) = response.json()["errors"]
    assert words in error["title"]
    assert "inbound add" in error["detail"]
    for secret in (OLD_SECRET, SECRET, TENANT_SECRET, "shop", "tenant"):
        assert secret not in response.text


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_a_standard_signature_lets_events_in(server: Server, secret: str) -> None:
    body = cloud_event_body(id=unique())
    response = push(server, body, standard(secret, body))
    assert response.status_code == 202, response.text
    assert response.json()["accepted"] == 1


def test_a_tenants_signature_lets_events_in_and_they_are_forwarded_as_they_came(
    server: Server, receiver: Receiver
) -> None:
    kind = f"pushed.{unique()}"
    server.create_webhook(url=receiver.url(), event_types=[kind])
    body = b"  " + legacy_event_body(eventId=unique(), eventType=kind) + b"\n"
    assert push(server, body, qlik(TENANT_SECRET, body)).status_code == 202
    assert receiver.wait_for(1)[0].body == body


def test_one_of_several_entries_is_enough(server: Server) -> None:
    body = cloud_event_body(id=unique())
    headers = standard(SECRET, body)
    headers["webhook-signature"] = f"v1a,eA== v1,{'A' * 43}= {headers['webhook-signature']}"
    assert push(server, body, headers).status_code == 202


def test_batches_and_binary_events_are_signed_as_they_are_sent(server: Server) -> None:
    batch = b"[%s ,%s]" % (cloud_event_body(id=unique()), cloud_event_body(id=unique()))
    assert push(server, batch, standard(SECRET, batch)).json()["accepted"] == 2
    data = b'{"b":1, "a":2}'
    attributes = {"ce-specversion": "1.0", "ce-id": unique(), "ce-source": "shop", "ce-type": "com.example.paid"}
    assert push(server, data, attributes, standard(SECRET, data)).json()["accepted"] == 1
    attributes["ce-id"] = unique()
    check_refused(push(server, data, attributes, standard(SECRET, b'{"a":2,"b":1}')), "does not fit")


def test_a_request_that_is_sent_again_is_a_duplicate(server: Server, receiver: Receiver) -> None:
    kind = f"again.{unique()}"
    server.create_webhook(url=receiver.url(), event_types=[kind])
    body = cloud_event_body(id=unique(), type=kind)
    for headers in (standard(SECRET, body), qlik(TENANT_SECRET, body)):
        answers = [push(server, body, headers) for _ in range(3)]
        assert {one.status_code for one in answers} == {202}
    assert answers[0].json()["duplicates"] == answers[2].json()["duplicates"] == 1
    assert len({one.json()["ids"][0] for one in answers}) == 1
    receiver.wait_for(1)
    server.wait_log("attempt", type=kind)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("scheme", [standard, qlik])
def test_what_was_tampered_with_is_refused_and_not_taken(server: Server, scheme: type) -> None:
    body = cloud_event_body(id=unique())
    headers = scheme(SECRET, body)
    check_refused(push(server, body + b" ", headers), "does not fit")
    check_refused(push(server, body.replace(b"Sales", b"sales"), headers), "does not fit")
    check_refused(push(server, body, scheme(WRONG, body)), "does not fit")
    assert push(server, body, headers).json()["accepted"] == 1


def test_the_id_and_the_time_of_a_standard_signature_are_signed_too(server: Server) -> None:
    body = cloud_event_body(id=unique())
    headers = standard(SECRET, body)
    later = str(int(headers["webhook-timestamp"]) + 1)
    check_refused(push(server, body, headers | {"webhook-timestamp": later}), "does not fit")
    check_refused(push(server, body, headers | {"webhook-id": "msg_other"}), "does not fit")


@pytest.mark.parametrize(("minutes", "words"), [(6, "old"), (-6, "ahead")])
def test_a_standard_signature_holds_for_five_minutes(server: Server, minutes: int, words: str) -> None:
    body = cloud_event_body(id=unique())
    check_refused(push(server, body, standard(SECRET, body, timedelta(minutes=minutes))), words)
    assert push(server, body, standard(SECRET, body, timedelta(minutes=4 if minutes > 0 else -4))).status_code == 202


def test_with_an_authorization_only_the_token_counts(server: Server) -> None:
    body = cloud_event_body(id=unique())
    for authorization in ("Bearer wrong", "", server.authorization("metrics")["Authorization"]):
        response = push(server, body, standard(SECRET, body), {"Authorization": authorization})
        assert response.status_code in (401, 403)
    wrong = standard(WRONG, body)
    assert push(server, body, wrong, server.authorization()).json()["accepted"] == 1


@pytest.mark.parametrize("headers", [{}, {"webhook-id": "1", "webhook-timestamp": "1"}, {"Qlik-Signature": ""}])
def test_without_either_nothing_is_read(server: Server, headers: dict[str, str]) -> None:
    check_refused(push(server, b"{", headers), "neither a bearer token nor a signature")


def test_nothing_is_looked_into_before_the_signature_holds(server: Server) -> None:
    body = gzip.compress(cloud_event_body(id=unique()))
    zipped = {"Content-Encoding": "gzip"}
    check_refused(push(server, b"{", qlik(WRONG, b"{")), "Qlik-Signature does not fit")
    check_refused(push(server, body, zipped, qlik(WRONG, body)), "Qlik-Signature does not fit")
    check_refused(push(server, b"{}", {"Content-Type": "text/plain"}, qlik(WRONG, b"{}")), "does not fit")
    assert push(server, b"{", qlik(SECRET, b"{")).status_code == 400
    assert push(server, body, zipped, qlik(SECRET, body)).status_code == 415


def test_a_signed_body_that_is_too_large_is_not_read(server: Server) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        connection.putrequest("POST", "/events")
        for name, value in ({"Content-Length": "1000000000"} | qlik(SECRET, b"")).items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_a_removed_secret_stops_within_a_second_and_a_new_one_works_at_once(server: Server) -> None:
    secret = f"a-secret-of-one-test-{unique()}"
    body = compact([])
    check_refused(push(server, body, qlik(secret, body)), "does not fit")
    added = server.store.create_inbound("passing", [secret], USER)
    assert push(server, body, qlik(secret, body)).status_code == 202
    server.store.remove_inbound(added.id)
    until(lambda: push(server, body, qlik(secret, body)).status_code == 401, "the removed secret stops", 1.0)


def test_without_inbounds_a_signature_is_refused(serve: Serve) -> None:
    response = push(serve(), b"[]", qlik(SECRET, b"[]"))
    check_refused(response, "there is no inbound secret")


def test_one_server_pushes_to_another(home: Home, serve: Serve, receiver: Receiver) -> None:
    """What is signed here is let in there: both speak the same schemes, and names of events stay."""
    first, second = serve(store=home.folder / "first.db"), serve(store=home.folder / "second.db")
    second.store.create_inbound("first", [SECRET], USER)
    second.create_webhook(url=receiver.url(), event_types=["com.example.paid"])
    first.create_webhook(url=f"{second.url}/events", event_types=["com.example.paid"], secret=SECRET)
    body = cloud_event_body(id="1", type="com.example.paid")
    first.publish(body)
    assert receiver.wait_for(1)[0].body == body
    assert first.wait_log("attempt", outcome="delivered")["reason"] == "status 202"
    assert json.loads(receiver.received[0].body)["id"] == "1"
