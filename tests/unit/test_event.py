"""Events: the three envelopes, what is refused, and the key that tells duplicates."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qwebhook.model.errors import EventRejected
from qwebhook.model.event import KEY_BYTES, Event, is_qlik_source, is_well_formed_type, read_event
from tests.builders import (
    APP,
    APP_CREATED,
    APP_DELETED,
    OWNER,
    SPACE,
    TENANT,
    TIME,
    USER,
    cloud_event_body,
    compact,
    event,
    hybrid_event_body,
    legacy_event_body,
)
from tests.strategies import json_values, spelled

BODIES = {"cloud": cloud_event_body, "legacy": legacy_event_body, "hybrid": hybrid_event_body}


def plain(id: str = "1", source: str = "s", tenant: str | None = None) -> Event:
    return Event(id=id, type="t", source=source, body=b"", tenant_id=tenant)


# --- Reading ---


@pytest.mark.parametrize("form", BODIES)
def test_every_envelope_is_read(form: str) -> None:
    body = BODIES[form]()
    read = read_event(body)
    assert (read.id, read.type, read.source, read.time) == ("event-one", APP_CREATED, "com.qlik/engine", TIME)
    assert (read.tenant_id, read.user_id, read.owner_id) == (TENANT, USER, OWNER)
    assert (read.space_id, read.top_level_resource_id) == (SPACE, APP)
    assert bytes(read.data) == compact({"id": APP, "name": "Sales"})
    assert read.body == body
    assert read.legacy == (form == "legacy")


def test_of_a_hybrid_the_cloudevents_fields_win_and_the_legacy_ones_fill_in() -> None:
    read = read_event(hybrid_event_body(id="new", eventId="old", type=None, tenantid=None, time=None))
    assert (read.id, read.type, read.tenant_id, read.time) == ("new", APP_CREATED, TENANT, TIME)
    assert not read.legacy


def test_the_least_of_each_envelope() -> None:
    read = read_event(b'{"specversion":"1.0","id":"1","type":"t","source":"s"}')
    assert (read.tenant_id, read.user_id, read.time, bytes(read.data)) == (None, None, None, b"")
    read = read_event(b'{"eventType":"t","eventId":"1"}')
    assert (read.id, read.type, read.legacy, bytes(read.data)) == ("1", "t", True, b"")


def test_null_members_are_absent_ones() -> None:
    read = read_event(b'{"specversion":"1.0","id":"1","type":"t","source":"s","time":null,"extensions":null}')
    assert read.time is None
    assert read_event(b'{"specversion":null,"eventType":"t","eventId":"1","extensions":null}').legacy


@given(json_values, st.data())
def test_data_is_the_raw_slice_however_it_is_spelled(value: Any, data: st.DataObject) -> None:
    raw = data.draw(spelled(value))
    read = read_event(cloud_event_body(data="?").replace(b'"?"', raw))
    assert bytes(read.data) == raw.strip(b" \t\r\n")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b"{'id': 1}", "not valid JSON"),
        (b'{"specversion":"1.0","id":"1","type":"t","source":"s","data":{"a":}}', "not valid JSON"),
        (b'{"specversion":"1.0","id":"1","type":"t","source":"s","data":[1,]}', "not valid JSON"),
        (b'{"specversion":"1.0","id":"1","type":"t","source":"s","data":"\xff"}', "not valid JSON"),
        (b'{"specversion":"1.0","id":"1","type":"t","source":"s","more":"\xc3("}', "not valid JSON"),
        (b'{"specversion":"1.0","id":"\xff","type":"t","source":"s"}', "not valid JSON"),
        (b'{"q":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (cloud_event_body(data="?").replace(b'"?"', b"[" * 100_000 + b"]" * 100_000), "nested too deeply"),
        (cloud_event_body().decode().encode("utf-16"), "not valid JSON"),
        (b"[]", "malformed: it must be an object, not an array"),
        (b'"text"', "malformed"),
        (b"null", "malformed"),
        (cloud_event_body(id=7), "malformed: id must be text, not a number"),
        (cloud_event_body(tenantid=["t"]), "malformed: tenantid must be "),
        (legacy_event_body(extensions={"tenantId": 5}), "malformed: extensions.tenantId must be text, not a number"),
        (legacy_event_body(extensions="none"), "extensions is not an object"),
        (legacy_event_body(extensions=["none"]), "malformed: extensions must be "),
        (b"{}", "neither specversion nor eventType"),
        (b'{"id":"1","type":"t","source":"s"}', "neither specversion nor eventType"),
        (cloud_event_body(specversion="0.3"), "specversion is '0.3'"),
        (cloud_event_body(specversion=""), "specversion is ''"),
        (cloud_event_body(id=None), "the event has no id"),
        (cloud_event_body(id=""), "the event has no id"),
        (cloud_event_body(source=None), "the event has no source"),
        (cloud_event_body(source=""), "the event has no source"),
        (cloud_event_body(type=None), "the event has no type"),
        (cloud_event_body(type=""), "the event has no type"),
        (cloud_event_body(type="two words"), "not a well-formed event type: 'two words'"),
        (cloud_event_body(type="a,b"), "not a well-formed event type"),
        (cloud_event_body(type="a\nb"), "not a well-formed event type"),
        (cloud_event_body(type="ä"), "not a well-formed event type"),
        (cloud_event_body(type="x" * 256), "not a well-formed event type"),
        (legacy_event_body(eventId=None), "the event has no eventId"),
        (legacy_event_body(eventType=None), "the event has no eventType"),
        (legacy_event_body(eventType="two words"), "eventType is not a well-formed event type"),
    ],
    ids=lambda value: str(value)[:48],
)
def test_what_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(EventRejected) as refused:
        read_event(body)
    assert type(refused.value) is EventRejected
    assert says in refused.value.message
    assert len(refused.value.message) < 250


@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda part: cloud_event_body(id="?").replace(b"?", part)))
def test_any_bytes_are_an_event_or_a_rejected_one(body: bytes) -> None:
    with suppress(EventRejected):
        assert read_event(body).body == body


@pytest.mark.parametrize(
    ("name", "well_formed"),
    [
        ("a", True),
        ("com.qlik.v1.app.created", True),
        ("x" * 255, True),
        ("Order/Placed:v2*", True),
        ("", False),
        ("x" * 256, False),
        (" a", False),
        ("a,b", False),
        ("a\tb", False),
        ("a\x7f", False),
        ("é", False),
    ],
)
def test_well_formed_types(name: str, well_formed: bool) -> None:
    assert is_well_formed_type(name) == well_formed


def test_an_attribute_of_a_cloudevent_may_be_a_number_or_a_boolean() -> None:
    read = event(tenantid=0, userid=42, ownerid=True, spaceid=-7)
    assert (read.tenant_id, read.user_id, read.owner_id, read.space_id) == ("0", "42", "true", "-7")


@pytest.mark.parametrize("value", ["text", "", 5, False, None, {"tenantId": TENANT}])
def test_a_cloudevent_may_have_an_attribute_named_extensions(value: Any) -> None:
    expected = TENANT if isinstance(value, dict) else None
    assert event(extensions=value, tenantid=None).tenant_id == expected


# --- Whom it concerns ---


def test_an_event_concerns_who_triggered_it_and_who_owns_its_subject() -> None:
    given_event = event(userid="u", ownerid="o")
    assert given_event.concerns("u")
    assert given_event.concerns("o")
    assert not given_event.concerns("x")


def test_an_event_without_users_concerns_nobody() -> None:
    assert not event(userid=None, ownerid=None).concerns("")
    assert not event(userid="", ownerid="").concerns("")
    assert not read_event(legacy_event_body(extensions={"userId": "", "ownerId": ""})).concerns("")


# --- Duplicates ---


@pytest.mark.parametrize(
    ("source", "qlik"),
    [
        ("com.qlik", True),
        ("com.qlik/engine", True),
        ("com.qlik.v1/apps", True),
        ("com.qlikview/x", False),
        ("https://com.qlik/", False),
        ("COM.QLIK/engine", False),
        ("/com.qlik/engine", False),
        ("", False),
    ],
)
def test_which_sources_are_qlik_s(source: str, qlik: bool) -> None:
    assert is_qlik_source(source) == qlik


def test_a_key_is_sixteen_bytes_and_stays_the_same() -> None:
    assert len(plain().key) == KEY_BYTES == 16
    assert plain().key == plain().key
    # Neither the type nor the body is part of it.
    assert event(type=APP_CREATED, data={"a": 1}).key == event(type=APP_DELETED, data={"a": 2}).key


def test_the_same_event_has_one_key_in_every_envelope() -> None:
    assert len({read_event(build()).key for build in BODIES.values()}) == 1


def test_qlik_s_events_are_told_by_tenant_and_id_wherever_they_were_read() -> None:
    base = plain("1", "com.qlik/engine", "t1")
    assert plain("1", "com.qlik/apps", "t1").key == base.key
    assert plain("1", "com.qlik/engine", "t2").key != base.key
    assert plain("2", "com.qlik/engine", "t1").key != base.key


def test_others_are_told_by_source_and_id() -> None:
    base = plain("1", "https://shop.example/", "t1")
    assert plain("1", "https://shop.example/", "t2").key == base.key
    assert plain("1", "https://shop.example/b", "t1").key != base.key
    assert plain("2", "https://shop.example/", "t1").key != base.key


@pytest.mark.parametrize("tenant", [None, ""])
def test_a_qlik_event_without_a_tenant_is_told_by_its_source(tenant: str | None) -> None:
    base = plain("1", "com.qlik/engine", tenant)
    assert plain("1", "com.qlik/engine", None).key == base.key
    assert plain("1", "com.qlik/apps", tenant).key != base.key


def test_a_tenant_is_not_taken_for_a_source() -> None:
    assert plain("1", "com.qlik/engine", "x").key != plain("1", "x").key


_parts = st.text("ab\0", max_size=4)


@given(_parts, _parts, _parts, _parts)
@example("a\0b", "c", "a", "b\0c")
@example("a", "\x001\0b", "a\0", "1\0b")
def test_no_two_events_share_a_key_by_how_their_names_are_joined(
    source: str, id: str, other_source: str, other_id: str
) -> None:
    same = (source, id) == (other_source, other_id)
    assert (plain(id, source).key == plain(other_id, other_source).key) == same
    ours, theirs = plain(id, "com.qlik", f"t{source}"), plain(other_id, "com.qlik", f"t{other_source}")
    assert (ours.key == theirs.key) == same
