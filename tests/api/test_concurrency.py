"""Several clients at once: nothing is lost, and paging misses nothing that stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from qwebhook.model.patch import PatchOperation
from tests.acceptance.processes import Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.api.client import CORE, V1, Client, Json, empty, error, link, read, unique
from tests.builders import cloud_event_body

ROUNDS = 40
STAYING = 24
WEBHOOK_SORTS = ("name", "-name", "url", "-url", "createdAt", "-createdAt", "updatedAt", "-updatedAt")
DELIVERY_SORTS = ("triggeredAt", "-triggeredAt", "status", "-status")


@pytest.fixture(scope="module")
def clients(server: Server) -> list[Client]:
    """Several administrators, each with a token, under both prefixes in turn."""
    tokens = [server.store.create_token(unique(), "admin", None)[1] for _ in range(4)]
    return [Client(server, token, (CORE, V1)[number % 2]) for number, token in enumerate(tokens)]


def test_two_clients_patch_different_fields(clients: list[Client]) -> None:
    """Each sees its own change after each patch, whatever the other does."""
    made = clients[0].made(secret="s" * 32)
    start = threading.Barrier(2)

    def patch(client: Client, field: str) -> list[str]:
        start.wait()
        seen = []
        for number in range(ROUNDS):
            empty(client.patch(made["id"], ("replace", f"/{field}", f"{field} {number}")))
            seen.append(client.now(made["id"])[field])
        return seen

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(patch, clients[:2], ("name", "description")))
    assert results == [[f"{field} {number}" for number in range(ROUNDS)] for field in ("name", "description")]
    now = clients[0].now(made["id"])
    assert (now["name"], now["description"]) == (f"name {ROUNDS - 1}", f"description {ROUNDS - 1}")
    assert now["secretKeyAdded"] is True


@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
def test_members_that_clients_add_to_one_map_are_all_there(clients: list[Client], field: str) -> None:
    made = clients[0].made()
    cores = [client for client in clients if client.prefix == CORE]
    names = [f"X-{number}" for number in range(ROUNDS)]

    def add(number: int) -> None:
        empty(cores[number % len(cores)].patch(made["id"], ("add", f"/{field}/{names[number]}", "1")))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(ROUNDS)))
    assert set(clients[0].now(made["id"])[field]) == set(names)


def test_put_and_patch_at_once_leave_one_of_the_two(clients: list[Client]) -> None:
    """Never a mixture: a description of one with the header of the other."""
    made = clients[0].made()

    def put(number: int) -> None:
        fields = {name: made[name] for name in ("name", "url", "eventTypes")}
        read(clients[0].put(made["id"], fields | {"description": f"{number}", "headers": {"X-A": f"{number}"}}))

    def patch(number: int) -> None:
        both = ("replace", "/description", f"-{number}"), ("replace", "/headers", {"X-A": f"-{number}"})
        empty(clients[1].patch(made["id"], *both))

    def look(_: int) -> None:
        now = clients[2].now(made["id"])
        assert now["description"] == now["headers"].get("X-A", "")

    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(task, number) for number in range(ROUNDS) for task in (put, patch, look)]
        for task in tasks:
            task.result()


def test_another_process_changes_the_same_webhook(clients: list[Client]) -> None:
    """The command line administers the file beside the server. Nothing of either is lost, and neither has to retry."""
    made = clients[0].made()
    store = clients[0].server.store

    def beside() -> None:
        for number in range(ROUNDS):
            store.patch_webhook(made["id"], [PatchOperation("add", f"/headers/X-Beside-{number}", "1")], "beside")

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(beside)
        for number in range(ROUNDS):
            empty(clients[0].patch(made["id"], ("add", f"/headers/X-{number}", "1")))
        task.result()
    assert len(clients[0].now(made["id"])["headers"]) == 2 * ROUNDS


def test_clients_create_with_the_same_name(clients: list[Client]) -> None:
    """A name is no key: each gets a webhook of its own."""
    name = unique()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: clients[number % len(clients)].made(name=name), range(ROUNDS)))
    assert len({one["id"] for one in made}) == ROUNDS
    listed = clients[0].all("/webhooks", name=name, limit=7)
    assert {one["id"] for one in listed} == {one["id"] for one in made}
    assert len(listed) == ROUNDS


def test_only_one_of_several_deletes(clients: list[Client]) -> None:
    for _ in range(5):
        made = clients[0].made()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda client, one=made: client.delete(one["id"]), clients))
        assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]


def test_a_change_is_seen_by_the_very_next_event(clients: list[Client], receiver: Receiver) -> None:
    """While others change webhooks, too."""
    client = clients[0]
    path = f"/{unique('next')}"
    made = client.made(url=receiver.url(path), enabled=True)
    with churning(clients[1:], unique("churned")):
        for number in range(10):
            kind = unique("type")
            empty(client.patch(made["id"], ("replace", "/eventTypes", [kind])))
            client.server.publish(cloud_event_body(id=unique(), type=kind))
            receiver.wait_for(number + 1, path)


def test_a_slow_receiver_holds_up_nobody_but_who_resends_to_it(clients: list[Client], receiver: Receiver) -> None:
    path, answering = f"/{unique('slow')}", threading.Event()
    receiver.answers(path, Answer(), Answer(after=answering))
    made = clients[0].made(url=receiver.url(path), enabled=True)
    (delivery,) = clients[0].delivered(made)
    with ThreadPoolExecutor(1) as pool:
        resent = pool.submit(clients[0].resend, made["id"], delivery["id"])
        receiver.wait_for(2, path)
        empty(clients[1].patch(made["id"], ("replace", "/description", "changed")))
        assert clients[1].now(made["id"])["description"] == "changed"
        # What is deleted meanwhile has no record of what came of it.
        empty(clients[1].delete(made["id"]))
        assert not resent.done()
        answering.set()
        error(resent.result(), 404)


# Paging


@contextmanager
def churning(clients: Sequence[Client], stem: str) -> Iterator[None]:
    """Meanwhile the clients make webhooks of these names and delete them again."""
    stopping = threading.Event()

    def churn(client: Client) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            # Between those that stay, wherever the list is sorted by.
            text = f"{stem} {number * 7 % STAYING:02} passing"
            made = client.made(name=text, url=f"https://example.com/{number * 7 % STAYING:02}/passing")
            empty(client.delete(made["id"]))

    with ThreadPoolExecutor(len(clients)) as pool:
        tasks = [pool.submit(churn, client) for client in clients]
        try:
            yield
        finally:
            stopping.set()
            for task in tasks:
                task.result()


def check_paging(found: list[Json], staying: set[str]) -> None:
    """None twice, and none of those that stay missed."""
    identifiers = [one["id"] for one in found]
    assert len(identifiers) == len(set(identifiers)), "one is shown twice"
    assert staying <= set(identifiers), "one that stays is missed"


@pytest.fixture(scope="module")
def staying(clients: list[Client]) -> tuple[str, set[str]]:
    """What webhooks that stay have in their names, and their ids."""
    stem = unique("paged")
    made = [
        clients[0].made(name=f"{stem} {number:02}", url=f"https://example.com/{number:02}") for number in range(STAYING)
    ]
    return stem, {one["id"] for one in made}


@pytest.mark.parametrize("sort", WEBHOOK_SORTS)
def test_paging_while_webhooks_come_and_go(clients: list[Client], staying: tuple[str, set[str]], sort: str) -> None:
    stem, identifiers = staying
    with churning(clients[1:3], stem):
        for limit in (1, 3, 5):
            check_paging(clients[0].all("/webhooks", name=stem, sort=sort, limit=limit), identifiers)


@pytest.mark.parametrize("sort", ["name", "-createdAt"])
def test_paging_back_while_webhooks_come_and_go(
    clients: list[Client], staying: tuple[str, set[str]], sort: str
) -> None:
    stem, identifiers = staying
    with churning(clients[1:3], stem):
        *_, page = clients[0].pages("/webhooks", name=stem, sort=sort, limit=5)
        found = page["data"]
        while href := link(page, "prev"):
            page = read(clients[0].request("GET", href))
            found = page["data"] + found
    check_paging(found, identifiers)


@pytest.mark.parametrize("sort", DELIVERY_SORTS)
def test_paging_while_deliveries_come(clients: list[Client], receiver: Receiver, sort: str) -> None:
    client = clients[0]
    made = client.made(url=receiver.url("/paged"), enabled=True)
    (kind,) = made["eventTypes"]
    path = f"/webhooks/{made['id']}/deliveries"
    publish(client, kind, STAYING)
    until(lambda: len(client.all(path, limit=100)) == STAYING, "the deliveries")
    identifiers = {one["id"] for one in client.all(path, limit=100)}
    stopping = threading.Event()

    def go_on() -> None:
        while not stopping.is_set():
            publish(client, kind, 2)

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(go_on)
        try:
            # Newer ones come at the end of an ascending list, so that it would not end by itself.
            found: list[Json] = []
            for page in client.pages(path, sort=sort, limit=3):
                found += page["data"]
                if identifiers <= {one["id"] for one in found}:
                    stopping.set()
            check_paging(found, identifiers)
        finally:
            stopping.set()
            task.result()


def publish(client: Client, kind: str, count: int) -> None:
    """Events of the type, in one request."""
    events = (cloud_event_body(id=unique("event"), type=kind) for _ in range(count))
    client.server.publish(b"[%s]" % b",".join(events))


def test_a_webhook_deleted_while_its_deliveries_are_paged(clients: list[Client], receiver: Receiver) -> None:
    client = clients[0]
    made = client.made(url=receiver.url("/paged"), enabled=True)
    client.delivered(made, 3)
    href = link(read(client.deliveries(made["id"], limit=2)), "next")
    assert href
    empty(clients[1].delete(made["id"]))
    error(client.request("GET", href), 404)
