"""Several who change a store at once, each through a connection of their own, as processes do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from qwebhook.model.errors import NotFound, QuotaExceeded
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.store.contract import BEGINNING, ReplayQuery, WebhookQuery
from tests.builders import SECRET, event, webhook_draft
from tests.store.conftest import ANOTHER, ONE, Database, Driver, Store
from tests.store.recordings import HOUR, NOW

ROUNDS = 15


def at_once(*works: Callable[[], None]) -> None:
    """Run the works on a thread each, all beginning together; the first error of any is raised."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        start.wait()
        work()

    with ThreadPoolExecutor(len(works)) as threads:
        for running in [threads.submit(run, work) for work in works]:
            running.result()


def test_no_change_of_different_fields_is_lost(driver: Driver) -> None:
    store = driver.make()
    made = store.create_webhook(webhook_draft(headers={"X-Kept": "1"}, encrypted_headers={"X-Kept-2": "2"}), ONE)

    def patching(of: Store, path: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(ROUNDS):
                of.patch_webhook(made.id, [PatchOperation("add", path, f"{path}-{number}")], ONE)

        return work

    paths = ["/description", "/headers/X-A", "/encryptedHeaders/X-B", "/name"]
    at_once(*(patching(driver.open(), path) for path in paths))
    after, last = store.get_webhook(made.id), f"-{ROUNDS - 1}"
    assert (after.description, after.name) == (f"/description{last}", f"/name{last}")
    assert after.headers == {"X-Kept": "1", "X-A": f"/headers/X-A{last}"}
    assert store.endpoint(made.id).encrypted_headers == {"X-Kept-2": "2", "X-B": f"/encryptedHeaders/X-B{last}"}
    assert store.list_webhooks(WebhookQuery(name=last)).items == [after]


def test_every_change_is_whole(driver: Driver) -> None:
    """Of two who set the same two fields, one has both."""
    store = driver.make()
    made = store.create_webhook(webhook_draft(), ONE)

    def setting(of: Store, word: str) -> Callable[[], None]:
        def work() -> None:
            for _ in range(ROUNDS):
                after = of.patch_webhook(made.id, replacements({"name": word, "description": word}), word)
                # A server is asked afterwards, when it may be somebody else's turn.
                assert after.name == after.description == after.updated_by_user_id

        return work

    at_once(*(setting(driver.open(), word) for word in (ONE, ANOTHER, f"{ONE} more")))
    after = store.get_webhook(made.id)
    assert after.name == after.description == after.updated_by_user_id


def test_webhooks_of_one_name_made_at_once_are_two(driver: Driver) -> None:
    store = driver.make()

    def creating(of: Store) -> Callable[[], None]:
        def work() -> None:
            for _ in range(ROUNDS):
                of.create_webhook(webhook_draft(name="twin", secret=SECRET), ONE)

        return work

    at_once(*(creating(driver.open()) for _ in range(3)))
    found = store.list_webhooks(WebhookQuery(limit=100)).items
    assert len({webhook.id for webhook in found}) == 3 * ROUNDS
    for webhook in found:
        assert store.endpoint(webhook.id).signer.headers("i", 1, b"")


def test_the_quota_holds_for_all_at_once(database: Database) -> None:
    store = database.make()
    refused = []

    def creating(of: Store) -> Callable[[], None]:
        def work() -> None:
            for _ in range(ROUNDS):
                try:
                    of.create_webhook(webhook_draft(), ONE, ROUNDS)
                except QuotaExceeded:
                    refused.append(1)

        return work

    at_once(*(creating(database.open()) for _ in range(3)))
    assert len(store.list_webhooks(WebhookQuery(limit=100)).items) == ROUNDS
    assert len(refused) == 2 * ROUNDS


def test_every_rotation_counts(driver: Driver) -> None:
    store = driver.make()
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)

    def rotating(of: Store, secret: str) -> Callable[[], None]:
        def work() -> None:
            of.rotate_secret(made.id, secret, HOUR, ONE)

        return work

    at_once(*(rotating(driver.open(), letter * 40) for letter in "abcd"))
    signed = store.endpoint(made.id).signer.headers("i", 1, b"")["webhook-signature"].split()
    assert len(set(signed)) == 5


def test_deleting_while_others_change_ends_in_not_found(driver: Driver) -> None:
    store, other = driver.make(), driver.open()
    for _ in range(ROUNDS):
        made = store.create_webhook(webhook_draft(), ONE)

        def change(webhook_id: str = made.id) -> None:
            with contextlib.suppress(NotFound):
                # Not for ever: whoever writes without a pause may keep others from their turn until they give up.
                for number in range(20):
                    other.patch_webhook(webhook_id, replacements({"description": f"{number}"}), ONE)

        at_once(change, partial(store.delete_webhook, made.id))
        with pytest.raises(NotFound):
            other.patch_webhook(made.id, replacements({"description": "late"}), ONE)
    assert store.list_webhooks(WebhookQuery()).items == []


def test_the_engine_goes_on_while_others_administer(database: Database) -> None:
    store = database.make()
    made = store.create_webhook(webhook_draft(), ONE)
    journal, replaying, other = database.journal(), database.journal(), database.open()
    row = store.endpoint(made.id).row

    def accept() -> None:
        for number in range(3 * ROUNDS):
            journal.write([event(id=f"{number}")], [], NOW + number)

    def administer() -> None:
        for number in range(ROUNDS):
            other.patch_webhook(made.id, replacements({"description": f"{number}"}), ONE)

    def replay() -> None:
        for _ in range(ROUNDS):
            replaying.replay(ReplayQuery(made.id, 0, NOW + HOUR, everything=True), BEGINNING, 100, NOW)

    at_once(accept, administer, replay)
    claims = journal.claim(row, NOW + HOUR, 1000, set())
    assert len({claim.sequence for claim in claims}) == len({claim.event for claim in claims}) == 3 * ROUNDS
