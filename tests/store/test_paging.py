"""Pages while rows come, go and change: none is shown twice, and none is missed that was there all the time.

Whatever is done between two pages, in whatever order; the lists are read in small pages, forwards and back.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwebhook.model.delivery import Delivery
from qwebhook.model.patch import replacements
from qwebhook.model.webhook import Origin, Webhook
from qwebhook.store.contract import DeliveryQuery, DeliverySort, Page, WebhookQuery, WebhookSort
from tests.builders import APP_CREATED, APP_DELETED, OWNER, event, webhook_draft
from tests.store.conftest import ADMINISTRATION_DRIVERS, DATABASE_DRIVERS, ONE, Store
from tests.store.recordings import NOW, SECOND, dead, delivered, retry

NAMES = ("a", "A", "b", "B", "bb", "Ä", "z")
RESTRICTIONS: list[dict[str, Any]] = [
    {},
    {"name": "b"},
    {"enabled": True},
    {"event_types": [APP_CREATED]},
    {"origins": ["api", "automations"]},
    {"owner_id": OWNER, "enabled": True},
]


class Walk:
    """A list that is read page by page while others change things.

    read: gives the page of a cursor. change: does something between two pages.
    """

    def __init__(self, read: Callable[[str | None], Page[Any]], change: Callable[[], None]) -> None:
        self._read = read
        self._change = change
        # Where more is added than read there would be no end.
        self._changes = 20

    def _changed(self) -> None:
        self._changes -= 1
        if self._changes > 0:
            self._change()

    def forwards(self) -> list[str]:
        """The ids on all pages."""
        seen: list[str] = []
        cursor = None
        while True:
            page = self._read(cursor)
            seen += [one.id for one in page.items]
            cursor = page.next
            if cursor is None:
                return seen
            self._changed()

    def backwards(self) -> list[str]:
        """The ids on all pages before the last, the last first, and those of the last page, too."""
        cursor = None
        page = self._read(None)
        while page.next is not None:
            page = self._read(page.next)
        seen = [one.id for one in reversed(page.items)]
        while (cursor := page.previous) is not None:
            self._changed()
            page = self._read(cursor)
            seen += [one.id for one in reversed(page.items)]
        return seen


@pytest.mark.parametrize("driver", ADMINISTRATION_DRIVERS)
@pytest.mark.parametrize("sort", get_args(WebhookSort))
@settings(max_examples=settings().max_examples // 15)
@given(seed=st.integers(0, 10**9), limit=st.integers(1, 4), restriction=st.sampled_from(RESTRICTIONS))
def test_webhooks(driver: type[Any], sort: WebhookSort, seed: int, limit: int, restriction: dict[str, Any]) -> None:
    choose = random.Random(seed)
    folder = tempfile.mkdtemp()
    made = driver(Path(folder))
    store: Store = made.make()

    def create() -> str:
        draft = webhook_draft(
            name=choose.choice(NAMES),
            url=f"https://{choose.choice('abAB')}.example.com/",
            event_types=choose.choice([[APP_CREATED], [APP_DELETED], [APP_DELETED, APP_CREATED]]),
            enabled=choose.random() < 0.7,
            owner_id=choose.choice([OWNER, None]),
            origin=choose.choice(get_args(Origin)),
        )
        return store.create_webhook(draft, ONE).id

    there = {create() for _ in range(12)}
    stays = set(there)

    def change() -> None:
        for _ in range(choose.randrange(3)):
            action = choose.choice(["create", "delete", "change"])
            if action == "create":
                there.add(create())
            elif there:
                victim = choose.choice(sorted(there))
                stays.discard(victim)
                if action == "delete":
                    there.discard(victim)
                    store.delete_webhook(victim)
                else:
                    # Of what the list goes by: it may be seen at both places, or at neither.
                    changed.add(victim)
                    fields = {"name": choose.choice(NAMES), "enabled": choose.random() < 0.5}
                    store.patch_webhook(victim, replacements(fields), ONE)

    changed: set[str] = set()
    query = WebhookQuery(sort=sort, limit=limit, **restriction)
    everything = msgspec.structs.replace(query, limit=100)
    wanted = [webhook.id for webhook in store.list_webhooks(everything).items]

    def read(cursor: str | None) -> Page[Webhook]:
        return store.list_webhooks(msgspec.structs.replace(query, cursor=cursor))

    seen = [one for one in Walk(read, change).forwards() if one not in changed]
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in wanted and one in stays] == [one for one in wanted if one in stays]

    changed.clear()
    stays = set(there)
    wanted = [webhook.id for webhook in store.list_webhooks(everything).items]
    seen = [one for one in Walk(read, change).backwards() if one not in changed]
    assert len(seen) == len(set(seen))
    assert [one for one in reversed(seen) if one in wanted and one in stays] == [one for one in wanted if one in stays]
    made.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("driver", DATABASE_DRIVERS)
@pytest.mark.parametrize("sort", get_args(DeliverySort))
@settings(max_examples=settings().max_examples // 15)
@given(
    seed=st.integers(0, 10**9),
    limit=st.integers(1, 4),
    whole=st.booleans(),
    restriction=st.sampled_from([{}, {"event_type": APP_CREATED}, {"status": "fail"}, {"status": "success"}]),
)
def test_deliveries(
    driver: type[Any], sort: DeliverySort, seed: int, limit: int, whole: bool, restriction: dict[str, Any]
) -> None:
    choose = random.Random(seed)
    folder = tempfile.mkdtemp()
    made = driver(Path(folder))
    store: Store = made.make()
    journal = made.journal()
    webhooks = [
        store.create_webhook(webhook_draft(name=name, event_types=[APP_CREATED, APP_DELETED]), ONE).id for name in "ab"
    ]
    clock = [NOW]
    changed: set[str] = set()

    def deliver(count: int) -> None:
        clock[0] += SECOND
        for _ in range(count):
            kind = choose.choice([APP_CREATED, "com.qlik.app.created", APP_DELETED])
            accepted = journal.write([event(id=f"{choose.random()}", type=kind)], [], clock[0]).accepted[0]
            ends = [choose.choice([delivered, dead, lambda claim: retry(claim, clock[0])]) for _ in accepted.claims]
            journal.write([], [end(claim) for end, claim in zip(ends, accepted.claims, strict=True)], clock[0])

    def change() -> None:
        deliver(choose.randrange(3))
        if choose.random() < 0.3:
            # The retries: a delivery that fails becomes one that succeeded, where it stands.
            for row in {store.endpoint(webhook).row for webhook in webhooks}:
                for claim in journal.claim(row, clock[0], 2, set()):
                    if sort.endswith("status") or restriction.get("status"):
                        changed.add(journal.delivery_id(claim))
                    journal.write([], [delivered(claim)], clock[0])
        if choose.random() < 0.2:
            journal.sweep(NOW + SECOND * choose.randrange(1, 4), 2)

    deliver(8)
    query = DeliveryQuery(webhook_id=None if whole else webhooks[0], sort=sort, limit=limit, **restriction)
    everything = msgspec.structs.replace(query, limit=100)

    def read(cursor: str | None) -> Page[Delivery]:
        return store.list_deliveries(msgspec.structs.replace(query, cursor=cursor))

    for backwards in (False, True):
        changed.clear()
        before = [record.id for record in store.list_deliveries(everything).items]
        walk = Walk(read, change)
        seen = list(reversed(walk.backwards())) if backwards else walk.forwards()
        seen = [one for one in seen if one not in changed]
        after = {record.id for record in store.list_deliveries(everything).items}
        stayed = [one for one in before if one in after and one not in changed]
        assert len(seen) == len(set(seen))
        assert [one for one in seen if one in stayed] == stayed
    made.close()
    shutil.rmtree(folder)
