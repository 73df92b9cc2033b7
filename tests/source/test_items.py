"""Items of the audit log become the events that a webhook would have carried."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwebhook.model.envelope import as_cloud_event
from qwebhook.model.errors import EventRejected
from qwebhook.model.event import read_event
from qwebhook.source.items import name_of, read_item, time_of
from tests.builders import APP_CREATED, TENANT, USER, cloud_event_body, compact, legacy_event
from tests.source.logs import NOW, decoded, item


def test_an_item_becomes_the_legacy_event_that_is_pushed() -> None:
    pushed = legacy_event(eventTime="2026-11-24T16:00:00.000Z")
    extensions = {name: value for name, value in pushed["extensions"].items() if name not in ("tenantId", "userId")}
    logged = item("event-one", NOW, extensions=extensions, data=pushed["data"])
    event = read_item(logged)
    assert decoded(event.body) == pushed
    assert event.legacy
    assert (event.tenant_id, event.user_id) == (TENANT, USER)
    # So that what was pushed and what was read are one event.
    assert event.key == read_event(compact(pushed)).key


def test_as_a_cloud_event_it_says_whose_it_is() -> None:
    event = decoded(as_cloud_event(read_item(item("a", NOW))))
    assert (event["specversion"], event["tenantid"], event["userid"]) == ("1.0", TENANT, USER)
    assert event["spaceid"] == "space-one"
    assert "id" in event
    assert event["id"] == "a"


def test_the_bytes_do_not_depend_on_the_order_of_the_members() -> None:
    one = item("a", NOW, more=1, another={"x": [1.50, "é"]})
    members: dict[str, Any] = json.loads(one)
    turned = compact(dict(reversed(members.items())))
    assert read_item(one).body == read_item(turned).body


def test_values_keep_their_bytes() -> None:
    logged = item("a", NOW).replace(b'{"id":"a"}', b'{ "id" : "a",  "n": 1.50, "t": "\\u00e9" }')
    assert b'"data":{ "id" : "a",  "n": 1.50, "t": "\\u00e9" }' in read_item(logged).body


def test_what_the_extensions_say_already_stays() -> None:
    logged = item("a", NOW, extensions={"tenantId": "other", "userId": ""})
    event = read_item(logged)
    assert (event.tenant_id, event.user_id) == ("other", USER)


def test_extensions_may_be_missing() -> None:
    for extensions in ({}, {"extensions": None}):
        event = read_item(item("a", NOW, **extensions))
        assert event.tenant_id == TENANT


def test_a_cloud_event_is_taken_as_it_is() -> None:
    body = cloud_event_body()
    assert read_item(body).body == body


@pytest.mark.parametrize(
    ("logged", "reason"),
    [
        (item("a", NOW, eventType=None), "no eventType"),
        (item("a", NOW, eventType=""), "no eventType"),
        (item("a", NOW, eventType="two words"), "well-formed"),
        (item("a", NOW, eventId=None), "no eventId"),
        (item("a", NOW, eventType=7), "malformed"),
        (item("a", NOW, extensions=[1]), "extensions is not an object"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"eventId": "a", "x": "\xff"}', "not a JSON object"),
        (b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "not a JSON object"),
    ],
)
def test_what_is_no_event_says_why(logged: bytes, reason: str) -> None:
    with pytest.raises(EventRejected, match=reason):
        read_item(logged)


def test_an_item_is_known_by_its_event_id() -> None:
    assert name_of(item("a", NOW)) == name_of(item("a", NOW + 1, id="audit-b"))
    assert name_of(item("a", NOW)) != name_of(item("b", NOW))
    nameless = [item("a", NOW, eventId=None), item("b", NOW, eventId=None), b"7", b"8", b"{}"]
    assert len({name_of(one) for one in nameless}) == len(nameless)


def test_the_time_of_an_item() -> None:
    assert time_of(item("a", NOW)) == NOW
    for strange in (None, "", "yesterday", 7, "9999-99-99T00:00:00Z"):
        assert time_of(item("a", NOW, eventTime=strange)) is None
    assert time_of(b"[]") is None


def test_published_items_are_read_as_what_they_are() -> None:
    event = read_event(item("a", NOW))
    assert (event.id, event.type, event.tenant_id, event.user_id) == ("a", APP_CREATED, TENANT, USER)
    assert event.key == read_item(item("a", NOW)).key
    assert decoded(as_cloud_event(event))["tenantid"] == TENANT
