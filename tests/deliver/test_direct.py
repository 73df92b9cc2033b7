"""Resends and test-fires: at once, with the webhook as it is now, recorded and never held against it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver import direct, worker
from qwebhook.model.delivery import DISABLE_AFTER, Delivery
from qwebhook.model.errors import NotFound
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import DeliveryQuery
from qwebhook.store.sqlite import SqliteStore
from tests.builders import SECRET, STANDARD_SECRET, USER, event
from tests.deliver.virtual_engine import Engine, with_engine


@pytest.fixture(autouse=True)
def _unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days pass in these tests, in which looking at the store four times a second takes a while."""
    monkeypatch.setattr(worker, "WATCH_SECONDS", 1e9)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db", create=True)
    yield store
    store.close()


def deliveries(store: SqliteStore, webhook: Webhook) -> list[Delivery]:
    """In order of arrival."""
    return store.list_deliveries(DeliveryQuery(webhook_id=webhook.id, sort="+triggeredAt", limit=100)).items


async def delivered(engine: Engine, webhook: Webhook) -> Delivery:
    """The record of one delivery, made in the ordinary way."""
    await engine.publish(1)
    await engine.pass_time(1)
    return deliveries(engine.store, webhook)[-1]


async def resend(engine: Engine, webhook: Webhook, delivery: Delivery) -> Delivery:
    run, targets, clock = engine.writer.run, engine.targets, engine.loop.clock
    identifier = await direct.resend(run, targets, clock, webhook.id, delivery.id)
    return engine.store.get_delivery(webhook.id, identifier)


async def test_fire(engine: Engine, webhook: Webhook, **members: Any) -> Delivery:
    run, targets, clock = engine.writer.run, engine.targets, engine.loop.clock
    endpoint, trial = engine.store.endpoint(webhook.id), event(**members)
    identifier = await direct.test_fire(run, targets, clock, endpoint, trial)
    return engine.store.get_delivery(webhook.id, identifier)


test_fire.__test__ = False  # type: ignore[attr-defined]


def test_a_resend_goes_out_as_the_webhook_is_now_and_makes_a_record_of_its_own(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one")
        original = await delivered(engine, webhook)
        changes = {"url": "https://elsewhere.example.com/", "headers": {"X-Now": "1"}, "secret": STANDARD_SECRET}
        store.patch_webhook(webhook.id, replacements(changes), USER)
        again = await resend(engine, webhook, original)
        first, second = engine.sender.requests
        assert (second.url, second.headers["X-Now"]) == ("https://elsewhere.example.com/", "1")
        assert "webhook-signature" not in first.headers
        assert "webhook-signature" in second.headers
        assert (second.headers["webhook-id"], second.body) == (first.headers["webhook-id"], first.body)
        assert again.id != original.id
        assert (again.status, again.event_type) == ("success", original.event_type)
        assert again.request.url == second.url
        assert again.qwebhook.event_id == original.qwebhook.event_id
        assert (again.qwebhook.attempts, again.qwebhook.test) == (1, False)
        assert deliveries(store, webhook)[0] == original

    with_engine(store, test)


def test_a_failing_resend_is_recorded_and_not_tried_again(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one")
        original = await delivered(engine, webhook)
        engine.sender.answer = lambda _: 503
        again = await resend(engine, webhook, original)
        assert (again.status, again.status_message) == ("fail", "status 503")
        assert (again.qwebhook.state, again.qwebhook.next_attempt_at) == ("dead", None)
        await engine.pass_time(100_000)
        assert len(engine.sender.requests) == 2

    with_engine(store, test)


@pytest.mark.parametrize("status", [500, 410])
def test_what_is_sent_outside_the_queue_never_disables(store: SqliteStore, status: int) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one")
        original = await delivered(engine, webhook)
        engine.sender.answer = lambda _: status
        for _ in range(10):
            await resend(engine, webhook, original)
            await test_fire(engine, webhook)
            await engine.pass_time(DISABLE_AFTER / 1000)
        assert store.get_webhook(webhook.id).enabled

    with_engine(store, test)


def test_a_test_fire_is_marked_and_may_go_to_a_disabled_webhook_that_wants_no_such_events(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one")
        store.patch_webhook(webhook.id, replacements({"enabled": False, "secret": SECRET}), USER)
        made = await test_fire(engine, webhook, id="test-1", type="com.example.other")
        (request,) = engine.sender.requests
        assert request.headers["qwebhook-test"] == "true"
        assert "Qlik-Signature" in request.headers
        assert (made.status, made.event_type, made.qwebhook.test) == ("success", "com.example.other", True)
        assert made.qwebhook.event_id == ""
        assert json.loads(made.request.body)["id"] == "test-1"
        assert deliveries(store, webhook) == [made]

    with_engine(store, test)


def test_a_resent_test_is_a_test(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one")
        again = await resend(engine, webhook, await test_fire(engine, webhook, id="test-1"))
        first, second = engine.sender.requests
        assert (second.body, second.headers["qwebhook-test"]) == (first.body, "true")
        assert second.headers["webhook-id"] == first.headers["webhook-id"]
        assert again.qwebhook.test
        assert again.request.body == first.body.decode()

    with_engine(store, test)


def test_neither_waits_for_a_rate_or_for_the_queue(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one", ordering="strict", rate_per_minute=1)
        original = await delivered(engine, webhook)
        engine.sender.answer = lambda _: 503
        await resend(engine, webhook, original)
        await test_fire(engine, webhook)
        assert [one.at for one in engine.sender.started] == [0, 1000, 1000]

    with_engine(store, test)


def test_a_webhook_whose_secret_cannot_be_opened_gets_nothing_and_the_record_says_why(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("one")
        original = await delivered(engine, webhook)
        with closing(sqlite3.connect(store.path)) as database:
            database.create_function("casefold", 1, str.casefold, deterministic=True)
            database.execute("UPDATE webhook SET secrets = x'00' WHERE id = ?", (webhook.id,))
            database.commit()
        again = await resend(engine, webhook, original)
        assert again.status == "fail"
        assert "qwebhook update" in again.status_message
        assert len(engine.sender.requests) == 1

    with_engine(store, test)


def test_what_is_not_there_cannot_be_sent_again(store: SqliteStore) -> None:
    async def test(engine: Engine) -> None:
        one, other = engine.create("one"), engine.create("other")
        original = await delivered(engine, one)
        with pytest.raises(NotFound):
            await resend(engine, other, original)

    with_engine(store, test)
