"""A qwebhook server as a store: what it has beyond a tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwebhook.model.delivery import Delivery
from qwebhook.model.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    InvalidFilter,
    InvalidInput,
    InvalidPatch,
    InvalidWebhook,
    NotAuthorised,
    NotFound,
    QuotaExceeded,
)
from qwebhook.model.patch import PatchOperation, replacements
from qwebhook.model.webhook import Webhook, check_draft
from qwebhook.store.contract import DeliveryQuery, Role, StatisticsQuery, WebhookQuery
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.credentials import BearerKey
from qwebhook.store.rest.remote import Remote
from qwebhook.store.rest.service import CORE, Known, Memory
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import SECRET, STANDARD_SECRET, USER, cloud_event_body, webhook_draft
from tests.rest.conftest import ADVICE
from tests.server.asking import unique

MISSING = "0193600b-0e9f-7000-8000-00000000ffff"
EVER = 2**42


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(Home(tmp_path_factory.mktemp("served")), "--webhook-limit", 0)
    yield server
    server.close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


Open = Callable[..., RestStore]


@pytest.fixture
def open_as(server: Server) -> Iterator[Open]:
    """Opens the server as a store, with a token of a role, or with this one."""
    opened: list[RestStore] = []

    def open_as(role: Role = "admin", token: str = "", memory: Memory | None = None) -> RestStore:
        credentials = BearerKey(token or server.token(role), ADVICE)
        opened.append(RestStore(Remote(server.url, credentials, sleep=lambda _: None), memory))
        return opened[-1]

    yield open_as
    for store in opened:
        store.close()


@pytest.fixture
def store(open_as: Open) -> RestStore:
    return open_as()


@pytest.fixture
def webhook(store: RestStore, receiver: Receiver) -> Webhook:
    """An enabled webhook whose target is a path of its own, named like its event type."""
    event_type = unique()
    draft = webhook_draft(name=event_type, url=receiver.url(f"/{event_type}"), event_types=[event_type], secret=SECRET)
    return store.create_webhook(draft, USER)


def published(server: Server, store: RestStore, webhook: Webhook) -> Delivery:
    """The delivery of a new event, once it is on record."""
    (identifier,) = server.publish(cloud_event_body(id=unique(), type=webhook.event_types[0]))

    def found() -> Delivery | None:
        page = store.list_deliveries(DeliveryQuery(webhook_id=webhook.id, limit=100))
        return next((one for one in page.items if one.qwebhook.event_id == identifier), None)

    delivery = until(found, "the delivery on record")
    assert delivery is not None
    return delivery


# What it is


def test_a_server_says_what_it_is(server: Server, store: RestStore, open_as: Open) -> None:
    assert store.is_qwebhook
    told = store.information()
    assert told is not None
    assert (told.product, told.role, told.user_id) == ("qwebhook", "admin", None)
    assert "replayEvents" in told.capabilities
    other = open_as("user").information()
    assert other is not None
    assert (other.role, other.user_id) == ("user", USER)


@pytest.mark.parametrize("call", [lambda store: store.is_qwebhook, lambda store: store.list_webhooks(WebhookQuery())])
def test_a_token_that_is_not_known_does_not_make_it_a_tenant(open_as: Open, call: Callable[[RestStore], Any]) -> None:
    with pytest.raises(NotAuthorised, match=ADVICE):
        call(open_as(token="unknown"))


def test_what_is_known_is_remembered(open_as: Open) -> None:
    class Kept:
        known = Known()

        def recall(self) -> Known:
            return self.known

        def remember(self, known: Known) -> None:
            self.known = known

    memory = Kept()
    with pytest.raises(NotFound):
        open_as(memory=memory).find_webhook(unique())
    assert memory.known == Known(None, "qwebhook")
    open_as(memory=memory).list_webhooks(WebhookQuery())
    assert memory.known == Known(CORE, "qwebhook")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda store, _: store.create_webhook(webhook_draft(url="ftp://a"), USER), InvalidWebhook),
        (lambda store, _: store.create_webhook(webhook_draft(filter='id ne "a" nor'), USER), InvalidFilter),
        (lambda store, w: store.patch_webhook(w.id, [PatchOperation("remove", "/name")], USER), InvalidPatch),
        (lambda store, _: store.get_webhook(MISSING), NotFound),
        (lambda store, _: store.find_webhook("0"), Ambiguous),
        (lambda store, _: store.list_webhooks(WebhookQuery(limit=101)), InvalidInput),
    ],
)
def test_its_errors_are_the_ones_that_were_raised_there(
    store: RestStore, webhook: Webhook, call: Callable[[RestStore, Webhook], Any], error: type[Exception]
) -> None:
    store.create_webhook(webhook_draft(name=unique()), USER)
    with pytest.raises(error) as raised:
        call(store, webhook)
    assert type(raised.value) is error


def test_an_error_in_a_filter_knows_its_position(store: RestStore) -> None:
    expression = """id eq "it's" nor id eq "b" """
    with pytest.raises(InvalidFilter) as here:
        check_draft(webhook_draft(filter=expression))
    with pytest.raises(InvalidFilter) as there:
        store.create_webhook(webhook_draft(filter=expression), USER)
    assert (there.value.position, str(there.value)) == (here.value.position, str(here.value))


def test_a_user_has_what_is_the_user_s(server: Server, open_as: Open, store: RestStore, webhook: Webhook) -> None:
    user = open_as("user")
    own = user.create_webhook(webhook_draft(name=unique(), level="user"), USER)
    assert own.owner_id == USER
    assert [one.id for one in user.list_webhooks(WebhookQuery(name=own.name)).items] == [own.id]
    with pytest.raises(NotFound):
        user.find_webhook(webhook.name)
    figures = partial(user.list_statistics, StatisticsQuery())
    for call in (user.statistics, figures, user.list_tokens, lambda: user.list_deliveries(DeliveryQuery())):
        with pytest.raises(Forbidden):
            call()


def test_a_quota_is_told(tmp_path: Path) -> None:
    server = Server(Home(tmp_path), "--webhook-limit", 1)
    store = RestStore(Remote(server.url, BearerKey(server.token("admin"), ADVICE)))
    try:
        store.create_webhook(webhook_draft(), USER)
        with pytest.raises(QuotaExceeded):
            store.create_webhook(webhook_draft(), USER)
    finally:
        store.close()
        server.close()


# Deliveries


def test_a_delivery_reads_as_its_database_has_it(server: Server, store: RestStore, webhook: Webhook) -> None:
    delivery = published(server, store, webhook)
    assert delivery == server.store.get_delivery(webhook.id, delivery.id)
    assert store.get_delivery(webhook.id, delivery.id) == delivery
    assert store.list_attempts(webhook.id, delivery.id) == server.store.list_attempts(webhook.id, delivery.id)
    for missing in (MISSING, "x", ""):
        with pytest.raises(NotFound):
            store.get_delivery(webhook.id, missing)
        with pytest.raises(NotFound):
            store.list_attempts(webhook.id, missing)


def test_the_deliveries_of_all_webhooks_are_read_page_by_page(
    server: Server, store: RestStore, webhook: Webhook
) -> None:
    made = [published(server, store, webhook).id for _ in range(3)]
    query = DeliveryQuery(limit=1, event_type=webhook.event_types[0])
    found = []
    while True:
        page = store.list_deliveries(query)
        found += [one.id for one in page.items]
        if page.next is None:
            break
        query = msgspec.structs.replace(query, cursor=page.next)
    assert found == made[::-1]


@pytest.mark.parametrize(("code", "status"), [(200, "success"), (500, "fail")])
def test_a_resend_is_a_record_of_its_own_whatever_came_of_it(
    server: Server, store: RestStore, receiver: Receiver, webhook: Webhook, code: int, status: str
) -> None:
    first = published(server, store, webhook)
    receiver.answers(f"/{webhook.name}", Answer(code))
    again = store.resend(webhook.id, first.id)
    assert (again.status, again.qwebhook.event_id) == (status, first.qwebhook.event_id)
    assert store.get_delivery(webhook.id, again.id) == again != first
    with pytest.raises(NotFound):
        store.resend(webhook.id, MISSING)


def test_a_test_fire_is_sent_by_the_server(store: RestStore, receiver: Receiver, webhook: Webhook) -> None:
    body = cloud_event_body(id="test-one", type=webhook.event_types[0])
    fired = store.test_fire(webhook.id, body)
    assert (fired.status, fired.qwebhook.test) == ("success", True)
    assert b'"test-one"' in fired.request.body.encode()
    assert "qlik-signature" in {name.lower() for name in fired.request.headers}
    with pytest.raises(InvalidInput):
        store.test_fire(webhook.id, b'{"data": {}}')


def test_past_events_are_replayed_and_their_outcome_is_told(server: Server, store: RestStore, webhook: Webhook) -> None:
    for _ in range(3):
        published(server, store, webhook)
    nothing = store.replay(webhook.id, 0)
    assert (nothing.matching, nothing.delivered, nothing.enqueued, nothing.ranges) == (3, 3, 0, [])
    counted = store.replay(webhook.id, 0, EVER, everything=True, dry_run=True)
    assert (counted.enqueued, counted.ranges) == (3, [])
    done = store.replay(webhook.id, 0, everything=True)
    assert done.enqueued == 3
    until(lambda: store.replay_outcome(done).succeeded == 3, "three deliveries")
    with pytest.raises(NotFound):
        store.replay(MISSING, 0)


def test_what_is_pending_is_discarded(server: Server, store: RestStore, receiver: Receiver, webhook: Webhook) -> None:
    receiver.answers(f"/{webhook.name}", Answer(503))
    published(server, store, webhook)
    until(lambda: store.discard_pending(webhook.id), "a retry to discard")
    assert store.discard_pending(webhook.id) == 0


def test_statistics_are_those_of_the_database(server: Server, store: RestStore, webhook: Webhook) -> None:
    published(server, store, webhook)
    until(lambda: store.statistics() == server.store.statistics(), "the same figures")
    query = StatisticsQuery(limit=100)
    assert store.list_statistics(query).items == server.store.list_statistics(query).items


def test_both_secrets_sign_in_the_grace_period(server: Server, store: RestStore, webhook: Webhook) -> None:
    rotated = store.rotate_secret(webhook.id, STANDARD_SECRET, 60_000, USER)
    assert rotated == store.get_webhook(webhook.id)
    signed = published(server, store, webhook).request.headers["webhook-signature"]
    assert len(signed.split()) == 2


# Who is let in


def test_tokens(server: Server, store: RestStore, open_as: Open) -> None:
    name = unique()
    token, value = store.create_token(name, "user", USER)
    assert (token.name, token.role, token.user_id) == (name, "user", USER)
    assert token in store.list_tokens()
    assert open_as(token=value).list_webhooks(WebhookQuery(name=name)).items == []
    with pytest.raises(Conflict):
        store.create_token(name, "admin", None)
    with pytest.raises(InvalidInput):
        store.create_token(unique(), "user", None)
    assert store.revoke_token(name).id == token.id
    for reference in (name, token.id, ""):
        with pytest.raises(NotFound):
            store.revoke_token(reference)


def test_inbounds(server: Server, store: RestStore) -> None:
    name = unique()
    made = store.create_inbound(name, [SECRET, STANDARD_SECRET], USER)
    assert (made.name, made.secrets) == (name, 2)
    assert made in store.list_inbounds()
    assert SECRET in server.store.inbound_secrets()
    with pytest.raises(Conflict):
        store.create_inbound(name, [SECRET], USER)
    with pytest.raises(InvalidInput) as raised:
        store.create_inbound(unique(), ["too-short"], USER)
    assert "too-short" not in str(raised.value)
    assert store.remove_inbound(made.id) == made
    with pytest.raises(NotFound):
        store.remove_inbound(name)


def test_secrets_are_not_read_back(store: RestStore, webhook: Webhook) -> None:
    with pytest.raises(InvalidInput, match="cannot be read back"):
        store.endpoint(webhook.id)
    with pytest.raises(NotFound):
        store.endpoint(MISSING)
    assert store.patch_webhook(webhook.id, replacements({"enabled": False}), USER).secret_key_added
