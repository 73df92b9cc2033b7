"""Lists: filters, sorts, limits, and the cursors in their links."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.api.client import PREFIXES, Client, Json, body, error, link, query, read, unique
from tests.builders import cloud_event_body, compact

COUNT = 7
A, B, C = (unique(f"listed.{letter}") for letter in "abc")
DELIVERED = 25


@pytest.fixture(scope="module")
def stem() -> str:
    """What all webhooks of these tests have in their names."""
    return unique("listed")


@pytest.fixture(scope="module")
def made(server: Server, admin: Client, stem: str) -> list[Json]:
    """Webhooks that differ in everything that a list can be restricted by, oldest first."""
    ann, bob = (
        Client(server, server.store.create_token(unique(), "user", f"{stem}-{name}")[1]) for name in ("ann", "bob")
    )
    several = [
        admin.made(name=f"{stem} delta", url="https://one.example.com/A", eventTypes=[A]),
        admin.made(name=f"{stem} Bravo", url="https://two.example.com/", eventTypes=[A, B], enabled=True),
        admin.made(name=f"{stem} echo", url="https://ONE.example.com/b", eventTypes=[A, B, C], origin="automations"),
        admin.made(
            name=f"{stem} a_c", url="https://two.example.com/100%25", eventTypes=[B], origin="management-console"
        ),
        ann.made(name=f"{stem} abc", level="user", eventTypes=[C]),
        bob.made(name=f"{stem} golf", level="user", eventTypes=[C], enabled=True),
        admin.made(name=f"{stem} hotel", level="user", ownerId=f"{stem}-ann", eventTypes=[B, C]),
    ]
    assert len(several) == COUNT
    admin.patched(several[0]["id"], ("replace", "/description", "changed last"))
    return [admin.now(one["id"]) for one in several]


def shown(page: Json, stem: str) -> list[str]:
    """The names in a page, without what they have in common."""
    return [one["name"].removeprefix(f"{stem} ") for one in page["data"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": "bravo"}, ["Bravo"]),
        ({"name": "BRAVO"}, ["Bravo"]),
        ({"name": " "}, ["hotel", "golf", "abc", "a_c", "echo", "Bravo", "delta"]),
        ({"name": "a_c"}, ["a_c"]),
        ({"name": "%"}, []),
        ({"url": "one.example"}, ["echo", "delta"]),
        ({"url": "100%25"}, ["a_c"]),
        ({"url": "0%2"}, ["a_c"]),
        ({"url": "/B"}, ["echo"]),
        ({"enabled": "true"}, ["golf", "Bravo"]),
        ({"enabled": "false"}, ["hotel", "abc", "a_c", "echo", "delta"]),
        ({"eventTypes": A}, ["echo", "Bravo", "delta"]),
        ({"eventTypes": f"{A},{B}"}, ["echo", "Bravo"]),
        ({"eventTypes": f"{C},{B},{A}"}, ["echo"]),
        ({"eventTypes": f"{A},{unique('nobody')}"}, []),
        ({"level": "user"}, ["hotel", "golf", "abc"]),
        ({"level": "tenant"}, ["a_c", "echo", "Bravo", "delta"]),
        ({"origins": "automations"}, ["echo"]),
        ({"origins": "automations,management-console"}, ["a_c", "echo"]),
        ({"origins": "api"}, ["hotel", "golf", "abc", "Bravo", "delta"]),
        ({"ownerId": "{stem}-ann"}, ["hotel", "abc"]),
        ({"ownerId": "nobody"}, []),
        ({"createdByUserId": "{stem}-ann"}, ["abc"]),
        ({"updatedByUserId": "{stem}-bob"}, ["golf"]),
        ({"level": "user", "enabled": "true"}, ["golf"]),
        ({"eventTypes": B, "origins": "api", "url": "two"}, ["Bravo"]),
    ],
    ids=str,
)
def test_filters(either: Client, made: list[Json], stem: str, filters: dict[str, str], expected: list[str]) -> None:
    # Restricted to these tests' own webhooks by the name, unless it is the name that is asked for.
    given = {name: value.replace("{stem}", stem) for name, value in filters.items()}
    given["name"] = f"{stem} {given['name']}".replace("  ", " ") if "name" in given else stem
    assert shown(read(either.webhooks(**given)), stem) == expected


NEWEST_FIRST = ["hotel", "golf", "abc", "a_c", "echo", "Bravo", "delta"]


@pytest.mark.parametrize("prefix_of_field", ["", "+", "-"])
@pytest.mark.parametrize("field", ["name", "url", "createdAt", "updatedAt"])
def test_sorts(either: Client, made: list[Json], stem: str, field: str, prefix_of_field: str) -> None:
    page = read(either.webhooks(name=stem, sort=prefix_of_field + field))
    assert len(page["data"]) == COUNT
    ascending = page["data"][::-1] if prefix_of_field == "-" else page["data"]
    values = [one[field] for one in ascending]
    assert values in (sorted(values), sorted(values, key=str.lower))
    if field == "createdAt":
        assert [one["id"] for one in ascending] == [one["id"] for one in made]
    if field == "updatedAt":
        assert ascending[-1]["id"] == made[0]["id"]


def test_the_newest_come_first_unless_asked_otherwise(either: Client, made: list[Json], stem: str) -> None:
    assert shown(read(either.webhooks(name=stem)), stem) == NEWEST_FIRST


def test_a_plus_may_stand_as_it_is(either: Client, made: list[Json], stem: str) -> None:
    """A query string that is written by hand has `+`, which some take for a space."""
    page = read(either.request("GET", f"/webhooks?sort=+createdAt&name={stem}"))
    assert shown(page, stem) == NEWEST_FIRST[::-1]


def test_a_page_has_twenty_unless_asked_otherwise(admin: Client) -> None:
    stem = unique("many")
    for number in range(21):
        admin.made(name=f"{stem} {number}")
    page = read(admin.webhooks(name=stem))
    assert len(page["data"]) == 20
    assert link(page, "next")
    assert len(read(admin.webhooks(name=stem, limit=100))["data"]) == 21


@pytest.mark.parametrize("sort", ["-createdAt", "name", "-name", "url", "updatedAt"])
@pytest.mark.parametrize("limit", [1, 2, 3, COUNT, 100])
def test_links_lead_to_the_end_and_back(either: Client, made: list[Json], stem: str, sort: str, limit: int) -> None:
    whole = read(either.webhooks(name=stem, sort=sort))["data"]
    pages = list(either.pages("/webhooks", name=stem, sort=sort, limit=limit))
    assert [one for page in pages for one in page["data"]] == whole
    assert all(len(page["data"]) == limit for page in pages[:-1])
    assert pages[-1]["data"]
    assert link(pages[0], "prev") is None
    page = pages[-1]
    back = [page["data"]]
    while href := link(page, "prev"):
        page = read(either.request("GET", href))
        back.append(page["data"])
    assert back[::-1] == [one["data"] for one in pages]


def test_links_are_absolute_and_keep_the_question(either: Client, made: list[Json], stem: str) -> None:
    filters = {"name": stem, "sort": "+url", "limit": "2", "origins": "api,automations"}
    first = read(either.webhooks(**filters))
    following = link(first, "next")
    assert following
    second = read(either.request("GET", following))
    for page, relation in ((first, "self"), (first, "next"), (second, "self"), (second, "prev")):
        href = link(page, relation)
        assert href
        assert href.startswith(f"{either.server.url}{either.prefix}/webhooks?")
        asked = query(href)
        assert {name: asked[name] for name in filters} == {name: [value] for name, value in filters.items()}
        if relation != "self":
            assert asked.keys() & {"next", "prev"} == {relation}, "the cursor travels in the parameter of its direction"


def test_a_link_to_the_page_itself_gives_it_again(either: Client, made: list[Json], stem: str) -> None:
    for page in either.pages("/webhooks", name=stem, limit=3):
        href = link(page, "self")
        assert href
        assert read(either.request("GET", href)) == page


def test_an_empty_list_has_no_neighbours(either: Client) -> None:
    page = read(either.webhooks(name=unique("nobody")))
    assert page["data"] == []
    assert set(page["links"]) <= {"self"}


def test_a_cursor_belongs_to_its_question(either: Client, made: list[Json], stem: str) -> None:
    href = link(read(either.webhooks(name=stem, limit=2)), "next")
    assert href
    cursor = query(href)["next"][0]
    error(either.webhooks(name=stem, limit=2, sort="name", next=cursor), 400)
    for wrong in (cursor[:-2], cursor + "A", cursor[::-1], "x"):
        error(either.webhooks(name=stem, limit=2, next=wrong), 400)


@pytest.mark.parametrize("sort", ["name", "-createdAt"])
def test_a_cursor_that_was_tampered_with(either: Client, made: list[Json], stem: str, sort: str) -> None:
    """Whatever is in it, it is refused, or shows what the list may show."""
    href = link(read(either.webhooks(name=stem, sort=sort, limit=2)), "next")
    assert href
    cursor = query(href)["next"][0]
    parts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    others: list[Any] = [None, "", "x", "\0", "prev", -1, 2**63, 2**64, 1.5, [], {}, True]
    for place in range(len(parts)):
        for other in others:
            forged = compact([*parts[:place], other, *parts[place + 1 :]])
            response = either.webhooks(name=stem, sort=sort, limit=2, next=urlsafe_b64encode(forged).decode())
            if response.status_code != 400:
                assert {one["id"] for one in read(response)["data"]} <= {one["id"] for one in made}


@pytest.mark.parametrize("asked", ["äpfel", "ÄPFEL", "straße", "BIRNEN"])
def test_case_does_not_matter_beyond_ascii_either(either: Client, asked: str) -> None:
    stem = unique("case")
    made = either.made(name=f"{stem} Äpfel und Birnen in der Straße")
    assert [one["id"] for one in read(either.webhooks(name=asked, sort="-createdAt", limit=1))["data"]] == [made["id"]]


def test_a_cursor_outlives_the_row_that_it_was_made_at(admin: Client) -> None:
    stem = unique("gone")
    made = [admin.made(name=f"{stem} {number}") for number in range(4)]
    href = link(read(admin.webhooks(name=stem, limit=2)), "next")
    assert href
    for one in made[1:3]:
        admin.delete(one["id"])
    assert [one["id"] for one in read(admin.request("GET", href))["data"]] == [made[0]["id"]]


# Behind a proxy


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(Home(tmp_path_factory.mktemp("public")), "--public-url", "https://hooks.example.com/qwebhook")
    yield server
    server.close()


@pytest.mark.parametrize("prefix", PREFIXES)
def test_links_begin_with_the_public_url(public: Server, prefix: str) -> None:
    client = Client(public, public.token("admin"), prefix)
    for _ in range(2):
        client.made()
    page = read(client.webhooks(limit=1))
    for relation in ("self", "next"):
        href = link(page, relation)
        assert href
        assert href.startswith(f"https://hooks.example.com/qwebhook{prefix}/webhooks?")


def test_links_begin_as_the_client_asked(admin: Client) -> None:
    """Without a public URL, they lead where the client came."""
    response = admin.request("GET", "/webhooks", params={"limit": 1}, headers={"Host": "localhost:1234"})
    href = link(read(response), "self")
    assert href
    assert href.startswith("http://localhost:1234/api/core/webhooks?")


def test_a_user_may_have_150_webhooks(public: Server) -> None:
    ann, bob = (Client(public, public.store.create_token(name, "user", name)[1]) for name in ("ann", "bob"))
    made = [ann.made(level="user", name=f"{number}") for number in range(150)]
    error(ann.create(body(level="user")), 403)
    bob.made(level="user")
    assert ann.delete(made[0]["id"]).status_code == 204
    ann.made(level="user")


# Deliveries


@pytest.fixture(scope="module")
def webhook(admin: Client, receiver: Receiver) -> Json:
    """A webhook with deliveries of two types; every fifth has failed."""
    kinds = [unique("delivered.one"), unique("delivered.two")]
    receiver.answers("/lists", *(Answer(500 if number % 5 == 0 else 200) for number in range(DELIVERED)), Answer(200))
    made = admin.made(url=receiver.url("/lists"), eventTypes=kinds, enabled=True, qwebhook={"concurrency": 1})
    events = [cloud_event_body(id=unique("event"), type=kinds[number % 2]) for number in range(DELIVERED)]
    admin.server.publish(b"[%s]" % b",".join(events))
    path = f"/webhooks/{made['id']}/deliveries"
    until(lambda: len(admin.all(path, limit=100)) == DELIVERED, "the deliveries")
    # Held, so that no retry changes what the tests look at.
    admin.patched(made["id"], ("replace", "/enabled", False))
    return made


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({}, lambda one, _: True),
        ({"status": "success"}, lambda one, _: one["status"] == "success"),
        ({"status": "fail"}, lambda one, _: one["status"] == "fail"),
        ({"eventType": 0}, lambda one, types: one["eventType"] == types[0]),
        (
            {"eventType": 1, "status": "fail"},
            lambda one, types: (one["eventType"], one["status"]) == (types[1], "fail"),
        ),
    ],
    ids=["all", "success", "fail", "type", "type and status"],
)
@pytest.mark.parametrize("sort", [None, "status", "+status", "-status", "triggeredAt", "+triggeredAt", "-triggeredAt"])
def test_deliveries(
    either: Client, webhook: Json, filters: dict[str, Any], fits: Callable[[Json, list[str]], bool], sort: str | None
) -> None:
    types = webhook["eventTypes"]
    asked = {name: types[value] if name == "eventType" else value for name, value in filters.items()}
    if sort:
        asked["sort"] = sort
    path = f"/webhooks/{webhook['id']}/deliveries"
    whole = either.all(path, limit=100)
    expected = {one["id"] for one in whole if fits(one, types)}
    assert expected
    found = either.all(path, limit=4, **asked)
    assert {one["id"] for one in found} == expected
    assert len(found) == len(expected)
    field = (sort or "-triggeredAt").lstrip("+-")
    values = [one[field] for one in found]
    assert values == sorted(values, reverse=(sort or "-").startswith("-"))


def test_a_page_of_deliveries_has_twenty_unless_asked_otherwise(either: Client, webhook: Json) -> None:
    page = read(either.deliveries(webhook["id"]))
    assert len(page["data"]) == 20
    following = link(page, "next")
    assert following
    assert following.startswith(f"{either.server.url}{either.prefix}/webhooks/{webhook['id']}/deliveries?")
    rest = read(either.request("GET", following))
    assert len(rest["data"]) == DELIVERED - 20
    back = link(rest, "prev")
    assert back
    assert read(either.request("GET", back))["data"] == page["data"]


def test_a_delivery_has_the_services_fields_and_our_own(either: Client, webhook: Json) -> None:
    for one in either.all(f"/webhooks/{webhook['id']}/deliveries", limit=100):
        assert set(one) == {
            "id", "webhookId", "eventType", "status", "statusMessage", "triggeredAt", "request", "response", "qwebhook",
        }  # fmt: skip
        assert one["webhookId"] == webhook["id"]
        assert one["status"] in ("success", "fail")
        assert set(one["request"]) == {"url", "headers", "body"}
        assert set(one["response"]) == {"statusCode", "headers", "body"}
        assert one["response"]["statusCode"] == (200 if one["status"] == "success" else 500)
        assert isinstance(one["request"]["body"], str)


def test_the_deliveries_of_one_webhook_are_not_those_of_another(either: Client, webhook: Json) -> None:
    assert read(either.deliveries(either.made()["id"]))["data"] == []
