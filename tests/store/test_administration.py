"""What every store does for those who administer it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import msgspec
import pytest

from qwebhook.model.errors import Ambiguous, Forbidden, InvalidInput, InvalidPatch, InvalidWebhook, NotFound
from qwebhook.model.identifiers import is_id
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.model.timestamps import from_rfc3339
from qwebhook.model.webhook import Settings, Webhook
from qwebhook.store.contract import DeliveryQuery, WebhookQuery, WebhookSort
from tests.builders import (
    APP_CREATED,
    APP_DELETED,
    OWNER,
    RELOAD_FINISHED,
    SECRET,
    STANDARD_SECRET,
    event,
    webhook_draft,
)
from tests.store.conftest import ANOTHER, ONE, Database, Driver, Store
from tests.store.recordings import NOW, SECOND, delivered, gone, retry


def add(path: str, value: Any) -> PatchOperation:
    return PatchOperation("add", path, value)


def remove(path: str) -> PatchOperation:
    return PatchOperation("remove", path)


def listed(store: Store, **query: Any) -> list[str]:
    """The names on the first page."""
    return [webhook.name for webhook in store.list_webhooks(WebhookQuery(**query)).items]


def pages(store: Store, query: WebhookQuery) -> Iterator[list[Webhook]]:
    """Every page, each read when it is asked for."""
    while True:
        page = store.list_webhooks(query)
        yield page.items
        if page.next is None:
            return
        query = msgspec.structs.replace(query, cursor=page.next)


# Create, get, find


def test_a_webhook_reads_back_as_it_was_written(store: Store) -> None:
    draft = webhook_draft(
        name="Berichte nach Süden",
        description="with 100 % of the fields",
        event_types=[APP_DELETED, APP_CREATED],
        filter='spaceId eq "s1"',
        headers={"X-Plain": "seen"},
        encrypted_headers={"X-Token": "hidden-1", "Authorization": "hidden-2"},
        secret=SECRET,
        level="user",
        owner_id=OWNER,
        check_certificate_revocation=True,
        enable_cloud_event_delivery=True,
        origin="automations",
        qwebhook=Settings(ordering="strict", concurrency=3, type_names="subscribed"),
    )
    made = store.create_webhook(draft, ONE)
    for name in draft.__struct_fields__:
        if name not in ("secret", "encrypted_headers"):
            assert getattr(made, name) == getattr(draft, name), name
    assert made.encrypted_headers == ["Authorization", "X-Token"]
    assert made.secret_key_added
    assert is_id(made.id)
    assert made.created_by_user_id == made.updated_by_user_id == ONE
    assert made.created_at == made.updated_at
    assert made.disabled_reason is made.disabled_reason_code is None
    assert store.get_webhook(made.id) == made
    assert store.list_webhooks(WebhookQuery()).items == [made]


def test_what_is_not_given_has_the_defaults(store: Store) -> None:
    draft = webhook_draft()
    draft.enabled = False
    made = store.create_webhook(draft, ONE)
    assert (made.description, made.filter, made.headers, made.encrypted_headers) == ("", "", {}, [])
    assert (made.enabled, made.level, made.owner_id, made.secret_key_added) == (False, "tenant", None, False)
    assert made.qwebhook == Settings()


def test_what_is_read_never_holds_a_secret(store: Store) -> None:
    draft = webhook_draft(secret=SECRET, encrypted_headers={"X-Token": "hidden-value"})
    made = store.create_webhook(draft, ONE)
    for webhook in (made, store.get_webhook(made.id), *store.list_webhooks(WebhookQuery()).items):
        text = msgspec.json.encode(webhook)
        assert SECRET.encode() not in text
        assert b"hidden-value" not in text


def test_the_endpoint_has_the_secrets(store: Store) -> None:
    headers = {"X-Token": "hidden-value"}
    made = store.create_webhook(webhook_draft(secret=SECRET, encrypted_headers=headers), ONE)
    endpoint = store.endpoint(made.id)
    assert endpoint.webhook == made
    assert endpoint.encrypted_headers == headers
    signed = endpoint.signer.headers("id", 1, b"{}")
    assert set(signed) == {"webhook-signature", "Qlik-Signature"}

    plain = store.create_webhook(webhook_draft(), ONE)
    assert store.endpoint(plain.id).signer.headers("id", 1, b"{}") == {}
    with pytest.raises(NotFound):
        store.endpoint("0193600b-0e9f-7000-8000-00000000ffff")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " "},
        {"url": "ftp://files.example.com/"},
        {"event_types": [""]},
        {"event_types": [APP_CREATED, "com.qlik.app.created"]},
        {"headers": {"webhook-id": "1"}},
        {"encrypted_headers": {"x-a": "1"}, "headers": {"X-A": "2"}},
        {"secret": "too short"},
        {"level": "user"},
        {"filter": "name eq 1"},
        {"description": "not Unicode: \udcff"},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_a_webhook_that_breaks_a_rule_is_refused_and_leaves_nothing(store: Store, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        store.create_webhook(webhook_draft(**fields), ONE)
    assert listed(store) == []


def test_a_webhook_that_does_not_exist_is_not_found(store: Store) -> None:
    missing = "0193600b-0e9f-7000-8000-00000000ffff"
    calls: list[Callable[[], object]] = [
        lambda: store.get_webhook(missing),
        lambda: store.find_webhook(missing),
        lambda: store.patch_webhook(missing, replacements({"name": "x"}), ONE),
        lambda: store.delete_webhook(missing),
        lambda: store.discard_pending(missing),
        lambda: store.list_deliveries(DeliveryQuery(webhook_id=missing)),
        lambda: store.get_delivery(missing, missing),
        lambda: store.list_attempts(missing, missing),
    ]
    store.create_webhook(webhook_draft(), ONE)
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_a_webhook_is_found_by_id_by_name_and_by_prefix(store: Store) -> None:
    one = store.create_webhook(webhook_draft(name="one"), ONE)
    store.create_webhook(webhook_draft(name="two"), ONE)
    assert store.find_webhook(one.id) == one
    assert store.find_webhook("one") == one
    assert store.find_webhook(one.id[:-1]) == one


def test_an_id_comes_before_a_name_and_a_name_before_a_prefix(store: Store) -> None:
    one = store.create_webhook(webhook_draft(name="one"), ONE)
    store.create_webhook(webhook_draft(name=one.id), ONE)
    assert store.find_webhook(one.id) == one
    named = store.create_webhook(webhook_draft(name=one.id[:30]), ONE)
    assert store.find_webhook(one.id[:30]) == named


def test_a_reference_that_fits_several_is_ambiguous_and_names_them(store: Store) -> None:
    first, second = (store.create_webhook(webhook_draft(name="twin"), ONE) for _ in range(2))
    with pytest.raises(Ambiguous) as by_name:
        store.find_webhook("twin")
    assert first.id in by_name.value.message
    assert second.id in by_name.value.message
    with pytest.raises(Ambiguous):
        store.find_webhook(first.id[:4])


@pytest.mark.parametrize("reference", ["", "%", "_", "on", "ONE", "one ", "\udcff"])
def test_only_the_exact_name_is_found(store: Store, reference: str) -> None:
    store.create_webhook(webhook_draft(name="one"), ONE)
    with pytest.raises((NotFound, InvalidInput)):
        store.find_webhook(reference)


# Lists


def five(store: Store) -> list[Webhook]:
    """Webhooks that differ in everything a list can restrict."""
    drafts = [
        webhook_draft(name="Alpha", url="https://a.example.com/ONE", event_types=[APP_CREATED, APP_DELETED]),
        webhook_draft(name="beta", url="https://b.example.com/two", enabled=False, origin="automations"),
        webhook_draft(name="gamma 100%", level="user", owner_id=OWNER, event_types=[RELOAD_FINISHED, APP_DELETED]),
        webhook_draft(name="delta_x", level="user", owner_id="owner-two", origin="management-console"),
        webhook_draft(name="Äpfel", url="https://e.example.com/a%20b", enabled=False, event_types=[APP_DELETED]),
    ]
    made = [store.create_webhook(draft, ANOTHER if draft.name == "beta" else ONE) for draft in drafts]
    made[0] = store.patch_webhook(made[0].id, replacements({"description": "changed"}), ANOTHER)
    return made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"Alpha", "beta", "gamma 100%", "delta_x", "Äpfel"}),
        ({"name": "A"}, {"Alpha", "beta", "gamma 100%", "delta_x"}),
        ({"name": "ALPHA"}, {"Alpha"}),
        ({"name": "äPFEL"}, {"Äpfel"}),
        ({"name": "%"}, {"gamma 100%"}),
        ({"name": "_"}, {"delta_x"}),
        ({"name": "\\"}, set()),
        ({"name": "a_x"}, {"delta_x"}),
        ({"url": "one"}, {"Alpha"}),
        ({"url": "B.EXAMPLE"}, {"beta"}),
        ({"url": "a%20b"}, {"Äpfel"}),
        ({"url": "%two"}, set()),
        ({"enabled": True}, {"Alpha", "gamma 100%", "delta_x"}),
        ({"enabled": False}, {"beta", "Äpfel"}),
        ({"event_types": [APP_DELETED]}, {"Alpha", "gamma 100%", "Äpfel"}),
        ({"event_types": [APP_DELETED, APP_CREATED]}, {"Alpha"}),
        ({"event_types": ["com.example.unknown"]}, set()),
        ({"level": "user"}, {"gamma 100%", "delta_x"}),
        ({"level": "tenant"}, {"Alpha", "beta", "Äpfel"}),
        ({"origins": ["automations"]}, {"beta"}),
        ({"origins": ["automations", "management-console"]}, {"beta", "delta_x"}),
        ({"owner_id": OWNER}, {"gamma 100%"}),
        ({"created_by_user_id": ANOTHER}, {"beta"}),
        ({"updated_by_user_id": ANOTHER}, {"Alpha", "beta"}),
        ({"level": "user", "event_types": [APP_DELETED], "owner_id": OWNER, "enabled": True}, {"gamma 100%"}),
        ({"enabled": False, "name": "alpha"}, set()),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_a_list_shows_what_satisfies_every_restriction(store: Store, query: dict[str, Any], expected: set[str]) -> None:
    five(store)
    assert set(listed(store, **query)) == expected


def test_a_list_knows_the_subscriptions_as_they_are_now(store: Store) -> None:
    made = store.create_webhook(webhook_draft(event_types=[APP_CREATED]), ONE)
    store.patch_webhook(made.id, replacements({"eventTypes": [APP_DELETED]}), ONE)
    assert listed(store, event_types=[APP_CREATED]) == []
    assert listed(store, event_types=[APP_DELETED]) == ["reports"]


def test_a_list_finds_event_types_under_any_of_their_names(store: Store) -> None:
    other = "com.qlik.app.created"
    for number, types in enumerate([[APP_CREATED], [other, APP_DELETED], [APP_DELETED], [other], [APP_CREATED]]):
        store.create_webhook(webhook_draft(name=f"w{number}", event_types=types), ONE)
    for name in (APP_CREATED, other):
        assert listed(store, event_types=[name], sort="name") == ["w0", "w1", "w3", "w4"]
        assert listed(store, event_types=[name, APP_DELETED]) == listed(store, event_types=[name, APP_DELETED, other])
        assert listed(store, event_types=[name, APP_DELETED]) == ["w1"]
        first = store.list_webhooks(WebhookQuery(event_types=[name], sort="-name", limit=3))
        assert [webhook.name for webhook in first.items] == ["w4", "w3", "w1"]
        query = WebhookQuery(event_types=[name], sort="-name", limit=3, cursor=first.next)
        assert [webhook.name for webhook in store.list_webhooks(query).items] == ["w0"]


def changed_later(store: Store, webhook: Webhook) -> Webhook:
    """The webhook after a change that has a later time than its creation; no clock is needed for that, only will."""
    while True:
        after = store.patch_webhook(webhook.id, replacements({"description": "again"}), ONE)
        if after.updated_at > webhook.updated_at:
            return after


@pytest.mark.parametrize("sort", get_args(WebhookSort))
@pytest.mark.parametrize("limit", [2, 100])
def test_a_list_is_in_the_order_asked_for(store: Store, sort: WebhookSort, limit: int) -> None:
    drafts = [("b", "3"), ("A", "1"), ("c", "2"), ("B", "5"), ("a", "4")]
    made = [
        store.create_webhook(webhook_draft(name=name, url=f"https://x.example.com/{path}"), ONE)
        for name, path in drafts
    ]
    changed_later(store, changed_later(store, made[1]))
    made = [store.get_webhook(webhook.id) for webhook in made]
    keys: dict[str, Callable[[Webhook], str]] = {
        "name": lambda webhook: webhook.name.lower(),
        "url": lambda webhook: webhook.url.lower(),
        "createdAt": lambda webhook: webhook.created_at,
        "updatedAt": lambda webhook: webhook.updated_at,
    }
    # Equals are in order of their making, and all of it is turned round by a minus.
    expected = [webhook.id for webhook in sorted(made, key=keys[sort.lstrip("+-")])]
    if sort.startswith("-"):
        expected.reverse()
    shown = [webhook.id for page in pages(store, WebhookQuery(sort=sort, limit=limit)) for webhook in page]
    assert shown == expected


def test_without_a_sort_the_newest_come_first(store: Store) -> None:
    for name in "abc":
        store.create_webhook(webhook_draft(name=name), ONE)
    assert listed(store) == ["c", "b", "a"]
    assert [len(page) for page in pages(store, WebhookQuery(limit=2))] == [2, 1]
    assert WebhookQuery().limit == 20


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6, 7])
def test_pages_lead_forwards_and_back(store: Store, count: int) -> None:
    names = [f"w{number}" for number in range(count)]
    for name in names:
        store.create_webhook(webhook_draft(name=name), ONE)
    query = WebhookQuery(sort="name", limit=3)
    page = store.list_webhooks(query)
    assert page.previous is None
    forwards = [page]
    while page.next is not None:
        page = store.list_webhooks(msgspec.structs.replace(query, cursor=page.next))
        forwards.append(page)
    assert [webhook.name for one in forwards for webhook in one.items] == names
    assert [len(one.items) for one in forwards[:-1]] == [3] * (len(forwards) - 1)
    for expected in reversed(forwards[:-1]):
        assert page.previous is not None
        page = store.list_webhooks(msgspec.structs.replace(query, cursor=page.previous))
        assert page.items == expected.items
        assert page.next is not None
    assert page.previous is None


@pytest.mark.parametrize("sort", ["name", "-name", "createdAt", "-createdAt", "url"])
def test_paging_shows_none_twice_and_misses_none_that_stays_while_rows_come_and_go(
    store: Store, sort: WebhookSort
) -> None:
    made = [store.create_webhook(webhook_draft(name=f"m{number % 4}-{number}"), ONE) for number in range(12)]
    seen: list[str] = []
    deleted: set[str] = set()
    for number, page in enumerate(pages(store, WebhookQuery(sort=sort, limit=2))):
        seen += [webhook.id for webhook in page]
        # The row at the cursor goes, and others come before it, after it and at both ends.
        unseen = [webhook.id for webhook in made if webhook.id not in seen]
        victims = [page[-1].id, *unseen[:1]]
        for victim in victims:
            if victim not in deleted:
                store.delete_webhook(victim)
                deleted.add(victim)
        if number < 3:
            for name in ("a", "m1-x", "z"):
                store.create_webhook(webhook_draft(name=f"{name}{number}"), ONE)
    assert len(seen) == len(set(seen))
    assert {webhook.id for webhook in made} - deleted <= set(seen)


def test_paging_back_while_rows_come_and_go(store: Store) -> None:
    made = [store.create_webhook(webhook_draft(name=f"m{number}"), ONE) for number in range(6)]
    query = WebhookQuery(sort="name", limit=2)
    *_, last = pages_with_cursors(store, query)
    store.delete_webhook(made[4].id)  # the first of the last page, where its cursor points
    store.create_webhook(webhook_draft(name="m3x"), ONE)
    before = store.list_webhooks(msgspec.structs.replace(query, cursor=last))
    assert [webhook.name for webhook in before.items] == ["m3", "m3x"]


def pages_with_cursors(store: Store, query: WebhookQuery) -> Iterator[str | None]:
    """The cursor to the page before, of each page."""
    page = store.list_webhooks(query)
    yield page.previous
    while page.next is not None:
        page = store.list_webhooks(msgspec.structs.replace(query, cursor=page.next))
        yield page.previous


def test_a_cursor_goes_with_its_query_whatever_the_limit(store: Store) -> None:
    for number in range(5):
        store.create_webhook(webhook_draft(name=f"w{number}"), ONE)
    query = WebhookQuery(sort="name", limit=1)
    cursor = store.list_webhooks(query).next
    assert listed(store, sort="name", limit=3, cursor=cursor) == ["w1", "w2", "w3"]
    others: list[dict[str, Any]] = [
        {"sort": "-name"},
        {"sort": "createdAt"},
        {"name": "w"},
        {"enabled": True},
        {"event_types": [APP_CREATED]},
        {"owner_id": "x"},
    ]
    for other in others:
        with pytest.raises(InvalidInput):
            store.list_webhooks(msgspec.structs.replace(query, cursor=cursor, **other))
    with pytest.raises(InvalidInput):
        store.list_deliveries(DeliveryQuery(cursor=cursor))


@pytest.mark.parametrize("cursor", ["x", "!!!", "é", "bnVsbA", base64.urlsafe_b64encode(b'["a","next"]').decode()])
def test_a_cursor_that_is_none_is_refused(store: Store, cursor: str) -> None:
    store.create_webhook(webhook_draft(), ONE)
    with pytest.raises(InvalidInput):
        store.list_webhooks(WebhookQuery(cursor=cursor))


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_limit_lies_between_1_and_100(store: Store, limit: int) -> None:
    with pytest.raises(InvalidInput):
        store.list_webhooks(WebhookQuery(limit=limit))
    with pytest.raises(InvalidInput):
        store.list_deliveries(DeliveryQuery(limit=limit))


# Change


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        ("name", "name", "other"),
        ("description", "description", "new words"),
        ("url", "url", "http://127.0.0.1:9/"),
        ("eventTypes", "event_types", [APP_DELETED, "com.example.mine"]),
        ("filter", "filter", 'id ne "a"'),
        ("headers", "headers", {"X-B": "2"}),
        ("enabled", "enabled", False),
        ("enableCloudEventDelivery", "enable_cloud_event_delivery", True),
        ("ownerId", "owner_id", OWNER),
        ("qwebhook", "qwebhook", {"ordering": "strict"}),
    ],
)
def test_a_patch_changes_what_it_names_and_nothing_else(store: Store, name: str, attribute: str, value: Any) -> None:
    before = store.create_webhook(webhook_draft(secret=SECRET, headers={"X-A": "1"}, filter='id eq "a"'), ONE)
    after = store.patch_webhook(before.id, replacements({name: value}), ANOTHER)
    assert after == store.get_webhook(before.id)
    expected = Settings(ordering="strict") if name == "qwebhook" else value
    changes = {attribute: expected, "updated_at": after.updated_at, "updated_by_user_id": ANOTHER}
    assert after == msgspec.structs.replace(before, **changes)
    assert getattr(before, attribute) != expected
    assert store.endpoint(before.id).signer.headers("i", 1, b"")


def test_level_and_owner_change_together(store: Store) -> None:
    made = store.create_webhook(webhook_draft(), ONE)
    with pytest.raises(InvalidWebhook):
        store.patch_webhook(made.id, replacements({"level": "user"}), ONE)
    after = store.patch_webhook(made.id, replacements({"level": "user", "ownerId": OWNER}), ONE)
    assert (after.level, after.owner_id) == ("user", OWNER)


def test_the_members_of_headers_change_one_by_one(store: Store) -> None:
    made = store.create_webhook(webhook_draft(headers={"X-A": "1", "X-B": "2"}), ONE)
    operations = [PatchOperation("replace", "/headers/x-a", "3"), remove("/headers/X-B"), add("/headers/X~1C", "4")]
    with pytest.raises(InvalidWebhook):  # X/C is no header name
        store.patch_webhook(made.id, operations, ONE)
    after = store.patch_webhook(made.id, [*operations[:2], add("/headers/X-C", "4")], ONE)
    assert after.headers == {"x-a": "3", "X-C": "4"}
    with pytest.raises(InvalidPatch):
        store.patch_webhook(made.id, [remove("/headers/X-Missing")], ONE)


def test_the_members_of_encrypted_headers_change_one_by_one(store: Store) -> None:
    made = store.create_webhook(webhook_draft(encrypted_headers={"X-A": "one", "X-B": "two", "X-C": "three"}), ONE)
    operations = [
        PatchOperation("replace", "/encryptedHeaders/X-A", "four"),
        remove("/encryptedHeaders/x-b"),
        add("/encryptedHeaders/X-D", "five"),
    ]
    after = store.patch_webhook(made.id, operations, ONE)
    assert after.encrypted_headers == ["X-A", "X-C", "X-D"]
    assert store.endpoint(made.id).encrypted_headers == {"X-A": "four", "X-C": "three", "X-D": "five"}
    store.patch_webhook(made.id, [remove("/encryptedHeaders")], ONE)
    assert store.get_webhook(made.id).encrypted_headers == []
    assert store.endpoint(made.id).encrypted_headers == {}


def test_a_new_url_needs_the_encrypted_headers_again(store: Store) -> None:
    made = store.create_webhook(webhook_draft(encrypted_headers={"X-A": "one"}), ONE)
    moved = replacements({"url": "https://elsewhere.example.com/"})
    with pytest.raises(InvalidWebhook):
        store.patch_webhook(made.id, moved, ONE)
    assert store.get_webhook(made.id) == made
    with pytest.raises(InvalidWebhook):  # X-A would go to the new address as it is
        store.patch_webhook(made.id, [*moved, add("/encryptedHeaders/X-B", "two")], ONE)
    assert store.endpoint(made.id).encrypted_headers == {"X-A": "one"}
    given = store.patch_webhook(made.id, [*moved, add("/encryptedHeaders", {"X-A": "two"})], ONE)
    assert given.url == "https://elsewhere.example.com/"
    assert store.endpoint(made.id).encrypted_headers == {"X-A": "two"}
    back = [*replacements({"url": made.url}), remove("/encryptedHeaders")]
    assert store.patch_webhook(made.id, back, ONE).encrypted_headers == []


def test_the_secret_is_replaced_and_removed(store: Store) -> None:
    made = store.create_webhook(webhook_draft(), ONE)
    signed: list[object] = []
    for operation, there in (
        (add("/secret", SECRET), True),
        (PatchOperation("replace", "/secret", STANDARD_SECRET), True),
        (remove("/secret"), False),
    ):
        assert store.patch_webhook(made.id, [operation], ONE).secret_key_added is there
        assert store.get_webhook(made.id).secret_key_added is there
        signed.append(store.endpoint(made.id).signer.headers("i", 1, b""))
    assert signed[0] != signed[1]
    assert signed[2] == {}


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        ([*replacements({"name": "kept back"}), PatchOperation("replace", "/url", "nonsense")], InvalidWebhook),
        ([*replacements({"name": "kept back"}), PatchOperation("replace", "/id", "x")], InvalidPatch),
        ([*replacements({"name": "kept back"}), PatchOperation("replace", "/secret", "short")], InvalidWebhook),
        ([*replacements({"name": "kept back"}), remove("/name")], InvalidPatch),
        ([PatchOperation("replace", "/eventTypes", [APP_DELETED]), add("/filter", "nonsense")], InvalidInput),
        (replacements({"enabled": "yes"}), InvalidWebhook),
        (replacements({"description": "kept back", "enableCloudEventDelivery": False}), Forbidden),
    ],
)
def test_a_patch_that_fails_changes_nothing(
    store: Store, operations: Sequence[PatchOperation], error: type[Exception]
) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET, enable_cloud_event_delivery=True), ONE)
    with pytest.raises(error):
        store.patch_webhook(made.id, operations, ANOTHER)
    assert store.get_webhook(made.id) == made
    assert listed(store, event_types=[APP_DELETED]) == []


def test_two_who_patch_different_fields_both_prevail(driver: Driver) -> None:
    one, other = driver.make(), driver.open()
    made = one.create_webhook(webhook_draft(encrypted_headers={"X-A": "one"}), ONE)
    one.patch_webhook(made.id, replacements({"name": "renamed"}), ONE)
    other.patch_webhook(made.id, replacements({"description": "described"}), ONE)
    one.patch_webhook(made.id, [add("/encryptedHeaders/X-B", "two")], ONE)
    after = other.get_webhook(made.id)
    assert (after.name, after.description, after.encrypted_headers) == ("renamed", "described", ["X-A", "X-B"])


def test_a_change_moves_updated_at_and_not_created_at(store: Store) -> None:
    made = store.create_webhook(webhook_draft(), ONE)
    after = changed_later(store, made)
    assert after.created_at == made.created_at
    assert from_rfc3339(after.updated_at) > from_rfc3339(made.updated_at)


def test_disabling_and_enabling_twice_is_fine(store: Store) -> None:
    made = store.create_webhook(webhook_draft(), ONE)
    for wanted in (False, False, True, True):
        assert store.patch_webhook(made.id, replacements({"enabled": wanted}), ONE).enabled is wanted


def test_enabling_clears_the_reason_of_the_disabling(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    (claim,) = journal.write([event()], [], NOW).accepted[0].claims
    journal.write([], [gone(claim)], NOW)
    disabled = store.get_webhook(made.id)
    assert (disabled.enabled, disabled.disabled_reason_code) == (False, "gone")
    assert disabled.disabled_reason
    described = store.patch_webhook(made.id, replacements({"description": "still off"}), ONE)
    assert described.disabled_reason == disabled.disabled_reason
    enabled = store.patch_webhook(made.id, replacements({"enabled": True}), ONE)
    assert enabled.enabled
    assert enabled.disabled_reason is enabled.disabled_reason_code is None


# Delete and discard


def test_a_deleted_webhook_is_gone_from_everything(store: Store) -> None:
    made, kept = (store.create_webhook(webhook_draft(name=name), ONE) for name in ("going", "staying"))
    store.delete_webhook(made.id)
    assert listed(store) == listed(store, event_types=[APP_CREATED]) == ["staying"]
    for reference in (made.id, "going"):
        with pytest.raises(NotFound):
            store.find_webhook(reference)
    with pytest.raises(NotFound):
        store.delete_webhook(made.id)
    assert store.get_webhook(kept.id) == kept


def test_deleting_cancels_what_is_pending_for_it_alone(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made, kept = (store.create_webhook(webhook_draft(name=name), ONE) for name in ("going", "staying"))
    first, second = journal.write([event(id="a")], [], NOW).accepted[0].claims
    journal.write([event(id="b")], [retry(first, NOW + SECOND)], NOW)
    assert journal.pending()[0] == 4
    store.delete_webhook(made.id)
    assert journal.pending()[0] == 2
    assert journal.claim(first.webhook, NOW + SECOND, 10, set()) == []
    assert journal.next_due(first.webhook, set()) is None
    assert len(journal.claim(second.webhook, NOW, 10, set())) == 2
    assert kept.enabled


def test_the_history_of_a_deleted_webhook_is_listed_with_the_rest(database: Database) -> None:
    """Beneath its webhook it is found no longer, as in the REST API."""
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    first, flying = (journal.write([event(id=one)], [], NOW).accepted[0].claims[0] for one in "ab")
    journal.write([], [delivered(first)], NOW)
    before = store.get_delivery(made.id, journal.delivery_id(first))
    store.delete_webhook(made.id)
    journal.write([], [retry(flying, NOW + SECOND)], NOW)
    found = store.list_deliveries(DeliveryQuery()).items
    assert [(one.webhook_id, one.qwebhook.state) for one in found] == [
        (made.id, "cancelled"),
        (made.id, "delivered"),
    ]
    assert found[1] == before
    for call in (
        lambda: store.list_deliveries(DeliveryQuery(webhook_id=made.id)),
        lambda: store.get_delivery(made.id, before.id),
        lambda: store.list_attempts(made.id, before.id),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_new_webhook_does_not_inherit_the_history_of_a_deleted_one(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    (claim,) = journal.write([event(id="a")], [], NOW).accepted[0].claims
    journal.write([event(id="b")], [retry(claim, NOW)], NOW)
    store.delete_webhook(made.id)
    successor = store.create_webhook(webhook_draft(), ONE)
    assert store.list_deliveries(DeliveryQuery(webhook_id=successor.id)).items == []
    assert journal.claim(store.endpoint(successor.id).row, NOW, 10, set()) == []


def test_discarding_cancels_what_is_pending_and_keeps_the_records(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    other = store.create_webhook(webhook_draft(name="other"), ONE)
    claim, _ = journal.write([event(id="a")], [], NOW).accepted[0].claims
    journal.write([event(id="b"), event(id="c")], [retry(claim, NOW + SECOND)], NOW)
    assert store.discard_pending(made.id) == 3
    assert store.discard_pending(made.id) == 0
    assert journal.claim(claim.webhook, NOW + SECOND, 10, set()) == []
    assert journal.pending()[0] == 3
    (record,) = store.list_deliveries(DeliveryQuery(webhook_id=made.id)).items
    assert (record.status, record.qwebhook.state) == ("fail", "cancelled")
    assert record.qwebhook.next_attempt_at is None
    assert store.get_webhook(made.id).enabled
    assert store.discard_pending(other.id) == 3


# Visibility


def test_the_very_next_event_sees_a_webhook_made_through_another_connection(database: Database) -> None:
    store, journal = database.make(), database.journal()
    assert journal.write([event(id="a")], [], NOW).accepted[0].claims == []
    made = database.open().create_webhook(webhook_draft(), ONE)
    written = journal.write([event(id="b")], [], NOW)
    (claim,) = written.accepted[0].claims
    assert claim.webhook == store.endpoint(made.id).row
    assert written.endpoints is not None
    assert written.endpoints.by_row[claim.webhook].webhook == made


def test_the_very_next_event_sees_every_change(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    numbers = iter(range(100))

    def matched() -> int:
        return len(journal.write([event(id=f"e{next(numbers)}")], [], NOW).accepted[0].claims)

    assert matched() == 1
    for fields, expected in [
        ({"enabled": False}, 0),
        ({"enabled": True}, 1),
        ({"eventTypes": [APP_DELETED]}, 0),
        ({"eventTypes": [APP_DELETED, APP_CREATED]}, 1),
        ({"filter": 'id eq "another"'}, 0),
        ({"filter": ""}, 1),
        ({"level": "user", "ownerId": "stranger"}, 0),
        ({"ownerId": OWNER}, 1),
    ]:
        store.patch_webhook(made.id, replacements(fields), ONE)
        assert matched() == expected, fields
    store.delete_webhook(made.id)
    assert matched() == 0


def test_the_index_carries_new_secrets_and_headers(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    row = store.endpoint(made.id).row
    journal.refresh()
    store.patch_webhook(made.id, [add("/secret", SECRET), add("/encryptedHeaders", {"X-A": "one"})], ONE)
    index = journal.write([event()], [], NOW).endpoints
    assert index is not None
    assert index.by_row[row].encrypted_headers == {"X-A": "one"}
    assert index.by_row[row].signer.headers("i", 1, b"{}") == store.endpoint(made.id).signer.headers("i", 1, b"{}")


def test_refresh_tells_of_changes_once(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    index = journal.refresh()
    assert index is not None
    assert [endpoint.webhook for endpoint in index.by_row.values()] == [made]
    assert journal.refresh() is None
    assert journal.write([event()], [], NOW).endpoints is None
    store.delete_webhook(made.id)
    index = journal.refresh()
    assert index is not None
    assert index.by_row == {}
    assert journal.refresh() is None
