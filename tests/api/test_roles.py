"""Who sees what and may do what: every role, with every operation that the OpenAPI document has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import Server, until
from tests.acceptance.receiver import Receiver
from tests.api.client import OWN, PREFIXES, V1, Client, Json, body, empty, error, names, read, unique
from tests.api.test_operations import BODIES, OF_ONE, OPERATIONS, UNKNOWN, ask
from tests.builders import cloud_event_body

ANN, BOB = "roles-ann", "roles-bob"
NOBODY = ("none", "wrong", "revoked")
INFORMATION = ("GET", f"{OWN}/info")
# What is answered without a token, and whatever token is shown.
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.json"), ("OPTIONS", "/events")}
# What the roles other than admin may do beyond that.
ALLOWED: Mapping[str, set[tuple[str, str]]] = {
    "publisher": {("POST", "/events")},
    "metrics": {("GET", "/metrics")},
    # What an administrator does with any webhook, a user does with their own.
    "user": {(method, f"{prefix}{path}") for method, path in OPERATIONS.values() for prefix in PREFIXES}
    | {
        ("GET", f"{OWN}/webhooks/find"),
        ("POST", f"{OWN}/webhooks/{{id}}/rotate-secret"),
        ("POST", f"{OWN}/webhooks/{{id}}/test-fire"),
        ("POST", f"{OWN}/webhooks/{{id}}/discard"),
        ("GET", f"{OWN}/webhooks/{{id}}/deliveries/{{deliveryId}}/attempts"),
        ("POST", f"{OWN}/replays"),
        ("POST", f"{OWN}/replays/outcome"),
    },
}


@pytest.fixture(scope="module")
def tokens(server: Server) -> dict[str, str | None]:
    """The value of a token of each kind."""
    store = server.store
    revoked = unique("revoked")
    values: dict[str, str | None] = {
        "none": None,
        "wrong": "wrong",
        "revoked": store.create_token(revoked, "admin", None)[1],
        "admin": server.token("admin"),
        "publisher": server.token("publisher"),
        "metrics": server.token("metrics"),
        "user": store.create_token(unique(ANN), "user", ANN)[1],
        "other user": store.create_token(unique(BOB), "user", BOB)[1],
    }
    store.revoke_token(revoked)
    return values


@pytest.fixture(scope="module", params=PREFIXES)
def people(request: pytest.FixtureRequest, server: Server, tokens: dict[str, str | None]) -> dict[str, Client]:
    """Someone with each of the tokens, under each prefix in turn."""
    return {name: Client(server, token, request.param) for name, token in tokens.items()}


@pytest.fixture
def ann(people: dict[str, Client]) -> Client:
    return people["user"]


@pytest.fixture
def bob(people: dict[str, Client]) -> Client:
    return people["other user"]


# Every operation of the document


@pytest.fixture(scope="module")
def operations(server: Server) -> list[tuple[str, str]]:
    """Method and path of every operation of the document."""
    document = server.client.get("/openapi.json", headers=server.authorization("admin")).json()
    methods = {"get", "post", "put", "patch", "delete", "options"}
    return [(method.upper(), path) for path, item in document["paths"].items() for method in item if method in methods]


def test_the_document_has_what_roles_may_do(operations: list[tuple[str, str]]) -> None:
    shapes = {(method, path.split("{")[0]) for method, path in operations}
    for allowed in ALLOWED.values():
        assert {(method, path.split("{")[0]) for method, path in allowed} <= shapes


def answered(client: Client, method: str, path: str) -> httpx.Response:
    """An answer to an operation about nothing that is there, with an empty body."""
    filled = "/".join(UNKNOWN if part.startswith("{") else part for part in path.split("/"))
    content = None if method in ("GET", "OPTIONS") else b"{}"
    headers = {"Content-Type": "application/json"}
    return client.request(method, client.server.url + filled, content, headers=headers)


@pytest.mark.parametrize("name", NOBODY)
def test_who_has_no_valid_token(people: dict[str, Client], operations: list[tuple[str, str]], name: str) -> None:
    for method, path in operations:
        response = answered(people[name], method, path)
        # What this server is, it tells everyone; but a token that is no good is not passed over.
        if (method, path) in OPEN or (name == "none" and (method, path) == INFORMATION):
            assert response.status_code < 400, (method, path)
        else:
            error(response, 401)
            assert response.headers["www-authenticate"].startswith("Bearer"), (method, path)


@pytest.mark.parametrize("name", ["publisher", "metrics", "user"])
def test_what_a_role_may_not_do(people: dict[str, Client], operations: list[tuple[str, str]], name: str) -> None:
    allowed = {same_shape(method, path) for method, path in ALLOWED[name] | OPEN | {INFORMATION}}
    for method, path in operations:
        status = answered(people[name], method, path).status_code
        if same_shape(method, path) in allowed:
            assert status not in (401, 403), (method, path)
        else:
            assert status == 403, (method, path)


def same_shape(method: str, path: str) -> tuple[str, str]:
    """An operation whatever its parameters are called."""
    return method, "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def test_an_administrator_may_do_everything(people: dict[str, Client], operations: list[tuple[str, str]]) -> None:
    for method, path in operations:
        assert answered(people["admin"], method, path).status_code not in (401, 403), (method, path)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("role", ["publisher", "metrics"])
def test_the_ten_operations_are_not_for_them(people: dict[str, Client], role: str, name: str) -> None:
    error(ask(people[role], name), 403)


@pytest.mark.parametrize("role", ["admin", "publisher"])
def test_who_may_publish(people: dict[str, Client], role: str) -> None:
    server = people[role].server
    event = cloud_event_body(id=unique())
    headers = {"Content-Type": "application/json"} | people[role].headers
    assert server.client.post("/events", content=event, headers=headers).status_code == 202


@pytest.mark.parametrize("role", ["admin", "metrics"])
def test_who_may_read_metrics(people: dict[str, Client], role: str) -> None:
    assert people[role].server.client.get("/metrics", headers=people[role].headers).status_code == 200


# Tokens


def test_a_revoked_token_stops_within_a_second(server: Server) -> None:
    name = unique("revoked")
    client = Client(server, server.store.create_token(name, "admin", None)[1])
    read(client.webhooks())
    server.store.revoke_token(name)
    until(lambda: client.webhooks().status_code == 401, "401", timeout=1.5)


def test_a_new_token_works_at_once(server: Server) -> None:
    for _ in range(3):
        read(Client(server, server.store.create_token(unique(), "admin", None)[1]).webhooks())


# Whose webhooks


def test_users_see_their_own_and_administrators_all(people: dict[str, Client], ann: Client, bob: Client) -> None:
    stem = unique("seen")
    first, second = (one.made(name=f"{stem} {one.prefix}", level="user") for one in (ann, bob))
    third = people["admin"].made(name=f"{stem} tenant")
    assert [one["id"] for one in read(ann.webhooks(name=stem))["data"]] == [first["id"]]
    assert [one["id"] for one in read(bob.webhooks(name=stem))["data"]] == [second["id"]]
    everything = {one["id"] for one in read(people["admin"].webhooks(name=stem))["data"]}
    assert everything == {first["id"], second["id"], third["id"]}


@pytest.mark.parametrize("filters", [{"ownerId": BOB}, {"createdByUserId": BOB}, {"level": "tenant"}, {"limit": "1"}])
def test_no_filter_shows_those_of_others(
    people: dict[str, Client], ann: Client, bob: Client, filters: dict[str, str]
) -> None:
    ann.made(level="user")
    bob.made(level="user")
    people["admin"].made()
    assert {one["ownerId"] for one in ann.all("/webhooks", **filters)} <= {ANN}


def test_a_cursor_of_an_administrator_shows_no_more(people: dict[str, Client], ann: Client, bob: Client) -> None:
    for _ in range(2):
        bob.made(level="user")
    href = read(people["admin"].webhooks(limit=1))["links"]["next"]["href"]
    response = ann.request("GET", href)
    if response.status_code == 200:
        assert {one["ownerId"] for one in response.json()["data"]} <= {ANN}
    else:
        error(response, 400)


@pytest.mark.parametrize("name", OF_ONE)
@pytest.mark.parametrize("whose", ["other user", "admin"])
def test_those_of_others_are_not_there(
    people: dict[str, Client], ann: Client, receiver: Receiver, name: str, whose: str
) -> None:
    """404, as for what does not exist, and nothing is changed."""
    owner = BOB if whose == "other user" else None
    admin = people["admin"]
    level = "user" if owner else "tenant"
    made = admin.made(level=level, ownerId=owner, url=receiver.url("/roles"), enabled=True)
    (delivery,) = admin.delivered(made, userid=owner or "anybody")
    missing = error(ask(ann, name), 404)
    assert error(ask(ann, name, made["id"], delivery["id"]), 404)["code"] == missing["code"]
    assert admin.now(made["id"]) == made
    assert len(read(admin.deliveries(made["id"]))["data"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/webhooks/find?reference={id}", None),
        ("GET", "/webhooks/find?reference={name}", None),
        ("POST", "/webhooks/{id}/rotate-secret", {}),
        ("POST", "/webhooks/{id}/test-fire", {}),
        ("POST", "/webhooks/{id}/discard", None),
        ("GET", "/webhooks/{id}/deliveries/{deliveryId}/attempts", None),
        ("POST", "/replays", {"since": "2026-01-01T00:00:00Z", "webhookId": "{id}", "all": True}),
        ("POST", "/replays/outcome", {"replays": [{"webhookId": "{id}", "ranges": [[0, 1000000]]}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nor_are_they_beyond_the_service(
    people: dict[str, Client], ann: Client, receiver: Receiver, method: str, path: str, content: Any
) -> None:
    admin = people["admin"]
    made = admin.made(level="user", ownerId=BOB, url=receiver.url("/roles"), enabled=True)
    (delivery,) = admin.delivered(made, userid=BOB)

    def filled(text: str) -> str:
        return text.replace("{id}", made["id"]).replace("{name}", made["name"]).replace("{deliveryId}", delivery["id"])

    body = None if content is None else json.loads(filled(json.dumps(content)))
    error(ann.request(method, f"{ann.server.url}{OWN}{filled(path)}", body), 404)
    assert admin.now(made["id"]) == made
    assert read(admin.deliveries(made["id"]))["data"] == [delivery]


@pytest.mark.parametrize("name", OF_ONE)
def test_a_user_may_do_with_their_own_what_the_service_lets_them(
    people: dict[str, Client], ann: Client, receiver: Receiver, name: str
) -> None:
    # The address is the administrator's doing: users cannot name one on loopback.
    made = people["admin"].made(level="user", ownerId=ANN, url=receiver.url("/roles"), enabled=True)
    (delivery,) = people["admin"].delivered(made, userid=ANN)
    given: dict[str, Any] = {"update": body(level="user")}
    method, path = OPERATIONS[name]
    filled = path.replace("{id}", made["id"]).replace("{deliveryId}", delivery["id"])
    response = ann.request(method, filled, given.get(name, BODIES.get(name)))
    assert response.status_code in (200, 201, 204), response.text


def test_the_deliveries_of_others_are_not_there(people: dict[str, Client], ann: Client, receiver: Receiver) -> None:
    made = people["admin"].made(level="user", ownerId=BOB, url=receiver.url("/roles"), enabled=True)
    (delivery,) = people["admin"].delivered(made, userid=BOB)
    own = ann.made(level="user")
    error(ann.delivery(own["id"], delivery["id"]), 404)
    error(ann.resend(own["id"], delivery["id"]), 404)


# What users may make


def test_a_user_makes_their_own(ann: Client) -> None:
    made = ann.made(level="user")
    assert (made["level"], made["ownerId"], made["createdByUserId"]) == ("user", ANN, ANN)
    assert ann.made(level="user", ownerId=ANN)["ownerId"] == ANN


def test_level_tenant_needs_an_administrator(people: dict[str, Client], ann: Client) -> None:
    assert names(error(ann.create(body(level="tenant")), 403), "level")
    made = ann.made(level="user")
    assert names(error(ann.put(made["id"], body(level="tenant")), 403), "level")
    error(ann.patch(made["id"], ("replace", "/level", "tenant")), 400 if ann.prefix == V1 else 403)
    assert ann.now(made["id"]) == made
    assert people["admin"].made(level="tenant")["level"] == "tenant"


def test_only_an_administrator_gives_to_someone_else(people: dict[str, Client], ann: Client, bob: Client) -> None:
    made = ann.made(level="user")
    assert names(error(ann.create(body(level="user", ownerId=BOB)), 403), "ownerId")
    assert names(error(ann.put(made["id"], body(level="user", ownerId=BOB)), 403), "ownerId")
    error(ann.patch(made["id"], ("replace", "/ownerId", BOB)), 400 if ann.prefix == V1 else 403)
    assert ann.now(made["id"]) == made
    admin = Client(ann.server, ann.server.token("admin"))
    empty(admin.patch(made["id"], ("replace", "/ownerId", BOB)))
    error(ann.get(made["id"]), 404)
    assert bob.now(made["id"])["ownerId"] == BOB
    assert bob.now(made["id"])["createdByUserId"] == ANN


def test_put_leaves_it_theirs(ann: Client) -> None:
    made = ann.made(level="user")
    replaced = read(ann.put(made["id"], body()))
    assert (replaced["level"], replaced["ownerId"]) == ("user", ANN)


def test_an_administrator_makes_one_for_a_user(people: dict[str, Client], ann: Client, bob: Client) -> None:
    made = people["admin"].made(level="user", ownerId=ANN)
    assert ann.now(made["id"]) == made
    error(bob.get(made["id"]), 404)


def test_users_read_the_event_types(people: dict[str, Client], ann: Client) -> None:
    assert read(ann.event_types()) == read(people["admin"].event_types())


def test_what_users_list_of_their_own(people: dict[str, Client], ann: Client) -> None:
    """Cursors, counts and filters are as for an administrator, on what is theirs."""
    stem = unique("paged")
    made: list[Json] = []
    for number in range(5):
        made.append(ann.made(name=f"{stem} {number}", level="user"))
        people["admin"].made(name=f"{stem} {number}")
    found = ann.all("/webhooks", name=stem, limit=2)
    assert [one["id"] for one in found] == [one["id"] for one in reversed(made)]
