"""The rules of webhooks: URL, secret, headers, filter, replacing, quota, and what cannot be undone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.acceptance.processes import Home, Server
from tests.acceptance.receiver import Answer, Receiver
from tests.api.client import Client, Json, body, empty, error, names, read, unique
from tests.builders import APP_CREATED, RELOAD_FINISHED, SECRET, STANDARD_SECRET

ELSEWHERE = "https://elsewhere.example.com/hook"
MOST = 2048
LIMIT = 3


@pytest.fixture(scope="module")
def ann(server: Server) -> Client:
    """A user, for whom the service's own rules hold."""
    return Client(server, server.store.create_token(unique(), "user", "rules-ann")[1])


# URL


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?b=c",
        "http://hooks.example.com/",
        "http://localhost:9000/hook",
        "http://127.0.0.1:9000/hook",
        "https://10.1.2.3/",
        "https://[::1]:8443/",
    ],
)
def test_an_administrator_may_name_any_host(either: Client, url: str) -> None:
    """This is a local store: the service's own rule holds for users."""
    assert either.made(url=url)["url"] == url


@pytest.mark.parametrize(
    "url", ["hooks.example.com", "//hooks.example.com/", "ftp://example.com/", "https://", "", "a b"]
)
def test_what_is_no_url_is_refused(either: Client, url: str) -> None:
    made = either.made()
    assert names(error(either.create(body(url=url)), 400), "url")
    assert names(error(either.patch(made["id"], ("replace", "/url", url)), 400), "url")
    assert names(error(either.put(made["id"], body(url=url)), 400), "url")


def test_credentials_in_a_url_are_refused_and_not_repeated(either: Client) -> None:
    response = either.create(body(url="https://ann:opensesame@example.com/"))
    assert names(error(response, 400), "url")
    assert "opensesame" not in response.text


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/", "https://127.0.0.1/", "https://10.1.2.3/", "https://[::1]/", "https://localhost/"],
)
def test_a_user_may_name_https_and_a_full_name_only(ann: Client, url: str) -> None:
    made = ann.made(level="user")
    for response in (
        ann.create(body(level="user", url=url)),
        ann.patch(made["id"], ("replace", "/url", url)),
        ann.put(made["id"], body(level="user", url=url)),
    ):
        assert names(error(response, 400), "url")
    assert ann.now(made["id"]) == made


# Secret


@pytest.mark.parametrize("secret", ["x" * 32, "x" * 64, SECRET, STANDARD_SECRET], ids=["32", "64", "39", "whsec_"])
def test_a_secret_has_32_to_64_characters(either: Client, secret: str) -> None:
    assert either.made(secret=secret)["secretKeyAdded"] is True


@pytest.mark.parametrize("secret", ["", "x" * 31, "x" * 65, "whsec_short"], ids=["0", "31", "65", "whsec_"])
def test_other_secrets_are_refused_and_not_repeated(either: Client, secret: str) -> None:
    made = either.made(secret=SECRET)
    for response in (
        either.create(body(secret=secret)),
        either.patch(made["id"], ("replace", "/secret", secret)),
        either.put(made["id"], body(secret=secret)),
    ):
        assert names(error(response, 400), "secret")
        assert not secret or secret not in response.text
    assert either.now(made["id"]) == made


def test_a_secret_can_be_removed(either: Client) -> None:
    made = either.made(secret=SECRET)
    empty(either.patch(made["id"], ("remove", "/secret")))
    assert either.now(made["id"])["secretKeyAdded"] is False


# Headers


def headers_of(size: int) -> dict[str, str]:
    """Two headers whose names and values have that many bytes."""
    return {"X-A": "a" * 1000, "X-B": "b" * (size - 1006)}


@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
def test_2048_bytes_of_headers_are_taken_and_one_more_is_not(either: Client, field: str) -> None:
    made = either.made(**{field: headers_of(MOST)})
    assert sorted(made[field]) == ["X-A", "X-B"]
    assert names(error(either.create(body(**{field: headers_of(MOST + 1)})), 400), field)
    assert names(error(either.patch(made["id"], ("replace", f"/{field}", headers_of(MOST + 1))), 400), field)
    assert names(error(either.put(made["id"], body(**{field: headers_of(MOST + 1)})), 400), field)


def test_plain_and_encrypted_headers_have_each_their_2048_bytes(either: Client) -> None:
    encrypted = {name.replace("X", "Y"): value for name, value in headers_of(MOST).items()}
    made = either.made(headers=headers_of(MOST), encryptedHeaders=encrypted)
    assert len(made["headers"]) == len(made["encryptedHeaders"]) == 2


@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
def test_names_differ_in_more_than_case(either: Client, field: str) -> None:
    assert names(error(either.create(body(**{field: {"X-A": "1", "x-a": "2"}})), 400), field)


def test_a_name_is_plain_or_encrypted(either: Client) -> None:
    given: Json = {"headers": {"X-A": "1"}, "encryptedHeaders": {"x-a": "2"}}
    assert names(error(either.create(body(**given)), 400), "eaders")
    made = either.made(headers={"X-A": "1"})
    error(either.patch(made["id"], ("add", "/encryptedHeaders", {"x-a": "2"})), 400)


@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "a"),
        ("X A", "a"),
        ("X:A", "a"),
        ("X-Ä", "a"),
        ("X-A", "a\r\nX-B: b"),
        ("X-A", "\u20ac"),
        ("Host", "a"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("webhook-id", "1"),
        ("Webhook-Anything", "1"),
        ("Qlik-Signature", "00"),
    ],
)
def test_headers_that_cannot_be_sent(either: Client, field: str, name: str, value: str) -> None:
    assert names(error(either.create(body(**{field: {name: value}})), 400), field)


# A new URL and the encrypted headers


@pytest.fixture
def sealed(either: Client) -> Json:
    """A webhook with encrypted headers."""
    return either.made(encryptedHeaders={"X-A": "kept-apart", "X-B": "kept-apart"})


def test_a_new_url_alone_is_refused(either: Client, sealed: Json) -> None:
    assert names(error(either.patch(sealed["id"], ("replace", "/url", ELSEWHERE)), 400), "encryptedHeaders")
    assert either.now(sealed["id"]) == sealed


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "headers",
    [
        ("replace", "/encryptedHeaders", {"X-A": "given-again", "X-B": "given-again"}),
        ("replace", "/encryptedHeaders", {"X-C": "another"}),
        ("replace", "/encryptedHeaders", {}),
        ("remove", "/encryptedHeaders"),
    ],
    ids=["given again", "others", "none", "removed"],
)
def test_a_new_url_and_the_headers_for_it(
    either: Client, sealed: Json, headers: tuple[str, str, Any], first: bool
) -> None:
    """In one request, in either order."""
    operations = [headers, ("replace", "/url", ELSEWHERE)]
    patched = either.patched(sealed["id"], *(operations if first else reversed(operations)))
    assert patched["url"] == ELSEWHERE
    assert patched["encryptedHeaders"] == (sorted(headers[2]) if len(headers) > 2 else [])


def test_a_new_url_and_the_headers_one_by_one(admin: Client) -> None:
    made = admin.made(encryptedHeaders={"X-A": "kept-apart", "X-B": "kept-apart"})
    url, again = ("replace", "/url", ELSEWHERE), ("replace", "/encryptedHeaders/X-A", "given-again")
    error(admin.patch(made["id"], url, again), 400)
    patched = admin.patched(made["id"], url, again, ("remove", "/encryptedHeaders/X-B"))
    assert (patched["url"], patched["encryptedHeaders"]) == (ELSEWHERE, ["X-A"])


def test_the_same_url_is_no_new_one(either: Client, sealed: Json) -> None:
    patched = either.patched(sealed["id"], ("replace", "/url", sealed["url"]))
    assert patched["encryptedHeaders"] == ["X-A", "X-B"]


def test_without_encrypted_headers_a_new_url_is_free(either: Client) -> None:
    made = either.made(headers={"X-A": "1"})
    assert either.patched(made["id"], ("replace", "/url", ELSEWHERE))["url"] == ELSEWHERE


# PUT


FULL: Json = {
    "description": "what it is for",
    "filter": 'id eq "a1"',
    "headers": {"X-A": "1"},
    "encryptedHeaders": {"X-B": "kept-apart"},
    "secret": SECRET,
    "enabled": True,
    "checkCertificateRevocation": True,
}


@pytest.mark.parametrize("url", [None, ELSEWHERE], ids=["same url", "new url"])
def test_put_clears_what_is_left_out(either: Client, url: str | None) -> None:
    made = either.made(**FULL)
    assert made["secretKeyAdded"] is True
    kept = {"name": made["name"], "url": url or made["url"], "eventTypes": made["eventTypes"]}
    replaced = read(either.put(made["id"], kept))
    assert replaced["enabled"] is False
    assert replaced["description"] == replaced["filter"] == ""
    assert (replaced["headers"], replaced["encryptedHeaders"]) == ({}, [])
    assert replaced["secretKeyAdded"] is replaced["checkCertificateRevocation"] is False
    assert {name: replaced[name] for name in kept} == kept
    same = {"id", "createdAt", "createdByUserId", "origin", "level"}
    assert {name: replaced[name] for name in same} == {name: made[name] for name in same}
    assert either.now(made["id"]) == replaced


def test_put_keeps_what_is_given(either: Client) -> None:
    made = either.made()
    given = FULL | {"name": unique(), "url": ELSEWHERE, "eventTypes": [APP_CREATED], "level": "tenant"}
    replaced = read(either.put(made["id"], given))
    read_back = given | {"encryptedHeaders": ["X-B"], "secretKeyAdded": True}
    del read_back["secret"]
    assert {name: replaced[name] for name in read_back} == read_back


def test_get_then_put_loses_the_secret(either: Client) -> None:
    """What was read cannot be put back as it is; without the fields that are read only, the secret is gone."""
    made = either.made(secret=SECRET, enabled=False)
    read_again = either.now(made["id"])
    error(either.put(made["id"], read_again | {"enabled": True}), 409)
    assert either.now(made["id"])["secretKeyAdded"] is True
    written = ("name", "url", "description", "eventTypes", "filter", "headers", "level")
    put = {name: read_again[name] for name in written} | {"enabled": True}
    assert read(either.put(made["id"], put))["secretKeyAdded"] is False


def test_toggling_by_patch_keeps_the_secret(either: Client) -> None:
    made = either.made(**FULL)
    patched = either.patched(made["id"], ("replace", "/enabled", False))
    changed = {"enabled", "updatedAt", "updatedByUserId"}
    assert {name for name in made if made[name] != patched[name]} <= changed
    assert patched["enabled"] is False


# What cannot be turned off


def test_cloud_events_cannot_be_turned_off_again(either: Client) -> None:
    made = either.made(enableCloudEventDelivery=True)
    off = ("replace", "/enableCloudEventDelivery", False)
    assert names(error(either.patch(made["id"], off), 403), "enableCloudEventDelivery")
    put = body(enableCloudEventDelivery=False)
    assert names(error(either.put(made["id"], put), 403), "enableCloudEventDelivery")
    assert either.now(made["id"]) == made
    empty(either.patch(made["id"], ("replace", "/enableCloudEventDelivery", True)))


def test_cloud_events_can_be_turned_on(either: Client) -> None:
    made = either.made()
    empty(either.patch(made["id"], ("replace", "/enableCloudEventDelivery", False)))
    assert either.patched(made["id"], ("add", "/enableCloudEventDelivery", True))["enableCloudEventDelivery"] is True


# Quota


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(Home(tmp_path_factory.mktemp("limited")), "--webhook-limit", LIMIT)
    yield server
    server.close()


def test_one_user_may_have_so_many(limited: Server) -> None:
    ann, bob = (Client(limited, limited.store.create_token(name, "user", name)[1]) for name in ("ann", "bob"))
    made = [ann.made(level="user") for _ in range(LIMIT)]
    for _ in range(2):
        found = error(ann.create(body(level="user")), 403)
        assert names(found, str(LIMIT))
    assert len(read(ann.webhooks())["data"]) == LIMIT
    bob.made(level="user")
    empty(ann.delete(made[0]["id"]))
    ann.made(level="user")
    error(ann.create(body(level="user")), 403)


def test_clients_at_once_do_not_get_more(limited: Server) -> None:
    dora = Client(limited, limited.store.create_token("dora", "user", "dora")[1])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: dora.create(body(level="user")), range(24)))
    assert sorted(answer.status_code for answer in answers) == [201] * LIMIT + [403] * (24 - LIMIT)


def test_the_limit_has_a_code_of_its_own(limited: Server, admin: Client) -> None:
    carl = Client(limited, limited.store.create_token("carl", "user", "carl")[1])
    for _ in range(LIMIT):
        carl.made(level="user")
    quota = error(carl.create(body(level="user")), 403)["code"]
    assert quota != error(carl.create(body(level="tenant")), 403)["code"]


# Filter


@pytest.mark.parametrize(
    "expression",
    [
        'id eq "a1"',
        'id ne "a1"',
        'spaceId eq "s1"',
        'topLevelResourceId ne "t1"',
        'id eq "a1" or spaceId eq "s1"',
        'id eq "a1" and spaceId ne "s1" or topLevelResourceId eq "t1"',
        'id eq "a\\"\\u00e9 or b"',
        'id eq ""',
    ],
)
def test_filters_that_are_taken(either: Client, expression: str) -> None:
    assert either.made(filter=expression)["filter"] == expression


@pytest.mark.parametrize(
    "expression",
    [
        "id",
        "id eq a1",
        "id eq 'a1'",
        "id eq 1",
        'id co "a1"',
        'id sw "a1"',
        'name eq "a1"',
        'ownerId eq "a1"',
        'id eq "a1" xor id eq "a2"',
        'id eq "a1" or',
        'or id eq "a1"',
        'id eq "a1" id eq "a2"',
        'id eq "a1',
        "(",
    ],
)
def test_filters_that_are_refused(admin: Client, expression: str) -> None:
    made = admin.made()
    assert names(error(admin.create(body(filter=expression)), 400), "filter")
    assert names(error(admin.patch(made["id"], ("replace", "/filter", expression)), 400), "filter")
    assert names(error(admin.put(made["id"], body(filter=expression)), 400), "filter")


@pytest.mark.parametrize("status", ["ok", "error"])
def test_the_status_of_reloads_can_be_filtered(either: Client, status: str) -> None:
    expression = f'data.status eq "{status}"'
    assert either.made(eventTypes=[RELOAD_FINISHED], filter=expression)["filter"] == expression


@pytest.mark.parametrize(
    ("event_types", "expression"),
    [
        ([APP_CREATED], 'data.status eq "error"'),
        ([RELOAD_FINISHED, APP_CREATED], 'data.status eq "error"'),
        (["com.qlik.v1.reload.finished"], 'data.status eq "error"'),
        ([RELOAD_FINISHED], 'data.status eq "failed"'),
    ],
)
def test_the_status_of_nothing_else_can(either: Client, event_types: list[str], expression: str) -> None:
    assert names(error(either.create(body(eventTypes=event_types, filter=expression)), 400), "filter")


def test_a_filter_must_fit_the_types_after_a_patch(either: Client) -> None:
    made = either.made(eventTypes=[RELOAD_FINISHED], filter='data.status eq "error"')
    error(either.patch(made["id"], ("replace", "/eventTypes", [RELOAD_FINISHED, APP_CREATED])), 400)
    assert either.now(made["id"]) == made


# Disabled by the server


def test_a_webhook_that_was_disabled_says_why(either: Client, receiver: Receiver) -> None:
    path = f"/{unique('gone')}"
    receiver.answers(path, Answer(410))
    made = either.made(url=receiver.url(path), enabled=True)
    either.delivered(made)
    disabled = either.now(made["id"])
    assert disabled["enabled"] is False
    assert disabled["disabledReasonCode"] == "gone"
    assert "410" in disabled["disabledReason"]
    enabled = either.patched(made["id"], ("replace", "/enabled", True))
    assert enabled["disabledReason"] is enabled["disabledReasonCode"] is None
    assert enabled["enabled"] is True
