"""Which webhooks an event goes to."""

from __future__ import annotations

import random

import pytest

from qwebhook.model import catalogue
from qwebhook.model.endpoint import Endpoint, EndpointIndex
from qwebhook.model.event import read_event
from tests.builders import (
    APP_CREATED,
    APP_DELETED,
    OWNER,
    SECRET,
    USER,
    cloud_event_body,
    endpoint,
    event,
    hybrid_event_body,
    legacy_event_body,
    webhook,
)

RENAMED = sorted(catalogue.aliases().items())


def rows(endpoints: list[Endpoint]) -> list[int]:
    return [one.row for one in endpoints]


def test_an_event_goes_to_those_that_subscribe_to_its_type() -> None:
    index = EndpointIndex(
        [
            endpoint(webhook(event_types=[APP_CREATED]), row=1),
            endpoint(webhook(event_types=[APP_DELETED]), row=2),
            endpoint(webhook(event_types=[APP_DELETED, APP_CREATED, "other"]), row=3),
        ]
    )
    assert rows(index.matching(event(type=APP_CREATED))) == [1, 3]
    assert rows(index.matching(event(type=APP_DELETED))) == [2, 3]
    assert rows(index.matching(event(type="other"))) == [3]
    assert index.matching(event(type="nobody.wants.it")) == []
    assert EndpointIndex().matching(event()) == []


def test_they_are_found_in_order_of_their_rows_however_they_came() -> None:
    shuffled = [endpoint(row=row) for row in range(1, 30)]
    random.Random(1).shuffle(shuffled)
    assert rows(EndpointIndex(shuffled).matching(event())) == list(range(1, 30))


def test_a_disabled_webhook_matches_nothing_and_is_still_known() -> None:
    index = EndpointIndex([endpoint(webhook(enabled=False), row=1), endpoint(row=2)])
    assert rows(index.matching(event())) == [2]
    assert set(index.by_row) == {1, 2}


@pytest.mark.parametrize(("alias", "name"), RENAMED)
def test_old_and_new_names_of_a_type_are_the_same(alias: str, name: str) -> None:
    for subscribed, received in ((alias, name), (name, alias), (alias, alias), (name, name)):
        one = endpoint(webhook(event_types=[subscribed]))
        assert rows(EndpointIndex([one]).matching(event(type=received))) == [1]
        assert one.subscribed[name] == subscribed


def test_names_are_told_by_the_table_and_never_by_their_beginning() -> None:
    index = EndpointIndex([endpoint(webhook(event_types=["com.qlik.v1.some.thing"]))])
    for other in ("com.qlik.some.thing", "com.qlik.core.some.thing", "com.qlik.v1.some", "com.qlik.v1.some.thing.more"):
        assert index.matching(event(type=other)) == []


def test_every_envelope_is_matched() -> None:
    index = EndpointIndex([endpoint(webhook(filter='id eq "app-one" and spaceId eq "space-one"'))])
    for body in (cloud_event_body(), legacy_event_body(), hybrid_event_body()):
        assert rows(index.matching(read_event(body))) == [1]


def test_the_filter_decides() -> None:
    index = EndpointIndex([endpoint(webhook(filter='spaceId eq "a"'))])
    assert index.matching(event(spaceid="a"))
    assert not index.matching(event(spaceid="b"))
    assert not index.matching(event(spaceid=None))


def test_level_user_sees_what_its_owner_triggered_or_owns() -> None:
    index = EndpointIndex([endpoint(webhook(level="user", owner_id="me"))])
    assert index.matching(event(userid="me", ownerid="other"))
    assert index.matching(event(userid="other", ownerid="me"))
    assert not index.matching(event(userid=USER, ownerid=OWNER))
    assert not index.matching(event(userid=None, ownerid=None))


def test_level_user_needs_the_filter_too() -> None:
    index = EndpointIndex([endpoint(webhook(level="user", owner_id="me", filter='spaceId eq "a"'))])
    assert index.matching(event(userid="me", spaceid="a"))
    assert not index.matching(event(userid="me", spaceid="b"))
    assert not index.matching(event(userid="other", ownerid="other", spaceid="a"))


def test_level_user_without_an_owner_sees_nothing() -> None:
    index = EndpointIndex([endpoint(webhook(level="user", owner_id=None))])
    assert not index.matching(event(userid=None, ownerid=None))
    assert not index.matching(read_event(legacy_event_body(extensions={"userId": ""})))


def test_level_tenant_sees_all_whoever_owns_it() -> None:
    index = EndpointIndex([endpoint(webhook(level="tenant", owner_id="me"))])
    assert index.matching(event(userid="other", ownerid="other"))


def test_an_endpoint_has_its_signer_and_its_values_at_hand() -> None:
    one = endpoint(row=7, version=3, secrets=[SECRET], encrypted_headers={"X-Key": "v"})
    assert (one.row, one.version, one.encrypted_headers) == (7, 3, {"X-Key": "v"})
    assert set(one.signer.headers("id", 1, b"")) == {"webhook-signature", "Qlik-Signature"}
    assert endpoint().signer.headers("id", 1, b"") == {}
    assert endpoint().filter is None
