"""From requests to events with their bytes kept, and from one envelope to another."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_structured_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.envelope import as_cloud_event, read_array, read_request, read_text, with_type
from qwebhook.model.errors import EventRejected, UnsupportedFormat
from qwebhook.model.event import Event, read_event
from tests.builders import (
    APP,
    APP_CREATED,
    OWNER,
    SPACE,
    TENANT,
    TIME,
    USER,
    cloud_event,
    cloud_event_body,
    compact,
    hybrid_event,
    hybrid_event_body,
    legacy_event,
    legacy_event_body,
)
from tests.strategies import (
    attribute_text,
    event_types,
    extension_names,
    json_objects,
    json_values,
    spelled,
    times,
)

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MINIMAL = {"specversion": "1.0", "id": "1", "type": "t", "source": "s"}

envelopes = st.sampled_from([cloud_event, legacy_event, hybrid_event])
space = st.text(" \t\r\n", max_size=3).map(str.encode)


@st.composite
def event_bodies(draw: st.DrawFn) -> bytes:
    """One event in any of the three envelopes, spelled in any way, with members that nobody knows."""
    unknown = draw(json_objects)
    members = {f"x{name}": value for name, value in unknown.items()} | draw(envelopes)(data=draw(json_values))
    return draw(spelled(members)).strip(b" \t\r\n")


def one(content_type: str, attributes: dict[str, str], body: bytes) -> Event:
    events = read_request(content_type, attributes, body)
    assert len(events) == 1
    return events[0]


def last_of_each(body: bytes) -> Any:
    """What the body says; of members given twice the last."""
    return json.loads(body)


# --- Bytes are kept ---


@given(event_bodies(), st.sampled_from([JSON, STRUCTURED]), space, space)
def test_a_body_is_kept_byte_for_byte(body: bytes, content_type: str, before: bytes, after: bytes) -> None:
    assert one(content_type, {}, before + body + after).body == before + body + after


@given(st.lists(event_bodies(), max_size=4), st.sampled_from([JSON, BATCH]), space, space)
def test_an_element_of_an_array_is_its_raw_slice(
    bodies: list[bytes], content_type: str, before: bytes, after: bytes
) -> None:
    array = before + b"[" + after + (after + b"," + before).join(bodies) + before + b"]" + after
    assert [event.body for event in read_request(content_type, {}, array)] == bodies


@pytest.mark.parametrize("build", [cloud_event_body, legacy_event_body, hybrid_event_body])
def test_numbers_and_repeated_members_are_kept(build: Any) -> None:
    data = b'{"n":12345678901234567890123456789,"f":1.10,"e":1E+2,"e":-0.0,"big":1e99999,"s":"\\u00e9\\/"}'
    body = build(data="?").replace(b'"?"', data)
    event = one(JSON, {}, body)
    assert event.body == body
    assert bytes(event.data) == data
    assert data in as_cloud_event(event)
    assert data in with_type(body, "other")
    assert [element.body for element in read_array(b"[" + body + b"]")] == [body]


def test_forms_may_be_mixed_in_an_array() -> None:
    bodies = [cloud_event_body(id="1"), legacy_event_body(eventId="2"), hybrid_event_body(id="3")]
    events = read_request(JSON, {}, b"[" + b",".join(bodies) + b"]")
    assert [(event.id, event.legacy) for event in events] == [("1", False), ("2", True), ("3", False)]


def test_an_empty_array_holds_no_events() -> None:
    assert read_request(BATCH, {}, b"[ ]") == []


# --- Requests ---


@pytest.mark.parametrize(
    "content_type",
    [
        JSON,
        STRUCTURED,
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/cloudevents+json; charset="UTF-8"',
        "application/json ;profile=x",
    ],
)
def test_content_types_that_carry_an_event(content_type: str) -> None:
    assert one(content_type, {}, cloud_event_body()).id == "event-one"


@pytest.mark.parametrize(
    ("content_type", "attributes", "body", "says"),
    [
        ("", {}, cloud_event_body(), "no content type"),
        ("text/plain", {}, cloud_event_body(), "'text/plain' is not one that carries events"),
        ("application/x-www-form-urlencoded", {}, b"a=b", "is not one that carries events"),
        ("application/cloudevents+avro", {}, b"", "is not one that carries events"),
        ("application/json; charset=latin-1", {}, cloud_event_body(), "is not UTF-8"),
        ("text/plain", MINIMAL, b"hello", "data of type 'text/plain' is not JSON"),
        ("application/octet-stream", MINIMAL, b"\x00", "is not JSON"),
        (JSON, MINIMAL, b"hello", "the data is not JSON"),
        (JSON, MINIMAL, b'{"a":}', "the data is not JSON"),
        (JSON, MINIMAL, b"{} {}", "the data is not JSON"),
        (JSON, MINIMAL, b'"\xff"', "the data is not JSON"),
        (JSON, MINIMAL, b"[" * 100_000 + b"]" * 100_000, "the data is not JSON: it is nested too deeply"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_unsupported_formats(content_type: str, attributes: dict[str, str], body: bytes, says: str) -> None:
    with pytest.raises(UnsupportedFormat) as refused:
        read_request(content_type, attributes, body)
    assert refused.value.status == 415
    assert says in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    ("content_type", "body", "says"),
    [
        (JSON, b"", "not valid JSON"),
        (JSON, b"[", "not a JSON array"),
        (JSON, b"[{]", "not a JSON array"),
        (JSON, b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (BATCH, cloud_event_body(), "not a JSON array of events: it must be an array, not an object"),
        (STRUCTURED, b"[]", "it must be an object, not an array"),
        (JSON, b"[1]", "event 1 of 1: the event is malformed"),
        (JSON, b"[" + cloud_event_body() + b",{}]", "event 2 of 2: the event has neither"),
        (JSON, b"[" + cloud_event_body() + b',{"specversion":"1.0"}]', "event 2 of 2: the event has no id"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_rejected_bodies(content_type: str, body: bytes, says: str) -> None:
    with pytest.raises(EventRejected) as refused:
        read_request(content_type, {}, body)
    assert type(refused.value) is EventRejected
    assert refused.value.status == 400
    assert says in refused.value.message
    assert "`" not in str(refused.value)


@given(
    st.sampled_from([JSON, STRUCTURED, BATCH, "", "text/plain; a", "application/x+json"]),
    st.dictionaries(st.sampled_from(["specversion", "id", "data", "time", "é", "a-b"]), st.text(max_size=5)),
    st.binary(max_size=40),
)
def test_any_request_is_read_or_rejected(content_type: str, attributes: dict[str, str], body: bytes) -> None:
    try:
        read_request(content_type, attributes, body)
    except EventRejected as refused:
        assert refused.message


# --- Binary mode ---


def test_a_binary_event_is_rendered_as_structured_json() -> None:
    attributes = MINIMAL | {"time": TIME, "tenantid": TENANT, "spaceid": SPACE, "comment": "50%25 caf%C3%A9 %22x%22"}
    event = one(JSON, attributes, b' {"id" : 1.10} ')
    assert json.loads(event.body) == MINIMAL | {
        "time": TIME,
        "tenantid": TENANT,
        "spaceid": SPACE,
        "comment": '50% café "x"',
        "datacontenttype": JSON,
        "data": {"id": 1.1},
    }
    assert (event.id, event.time, event.tenant_id, event.space_id) == ("1", TIME, TENANT, SPACE)
    assert bytes(event.data) == b'{"id" : 1.10}'
    assert read_event(event.body) == event


def test_the_content_type_of_a_binary_event_is_kept_whole() -> None:
    event = one("application/vnd.order+json; version=2", MINIMAL, b"{}")
    assert json.loads(event.body)["datacontenttype"] == "application/vnd.order+json; version=2"


def test_a_binary_event_without_a_body_has_no_data() -> None:
    for body in (b"", b" \r\n"):
        event = one("", MINIMAL, body)
        assert json.loads(event.body) == MINIMAL
        assert bytes(event.data) == b""


def test_structured_content_wins_over_binary_headers() -> None:
    assert one(STRUCTURED, MINIMAL, cloud_event_body()).id == "event-one"


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("plain", "plain"),
        ("a%20b", "a b"),
        ("caf\xc3\xa9", "café"),  # raw UTF-8, as a server hands it on
        ("%E2%82%AC", "€"),
        ('"two words"', "two words"),
        (r'"say \"hi\" \\ %41"', 'say "hi" \\ A'),
        ("%22kept%22", '"kept"'),
        ('"', '"'),
        ("100%", "100%"),
    ],
)
def test_the_value_of_an_attribute_header(value: str, decoded: str) -> None:
    # CloudEvents HTTP binding 1.0.2, section 3.1.3.2.
    event = one(JSON, MINIMAL | {"note": value}, b"{}")
    assert json.loads(event.body)["note"] == decoded


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        (MINIMAL | {"specversion": "0.3"}, "specversion is '0.3'"),
        (MINIMAL | {"id": ""}, "the event has no id"),
        ({"specversion": "1.0", "id": "1"}, "the event has no type"),
        (MINIMAL | {"bad-name": "x"}, "ce-bad-name is not the name of a CloudEvents attribute"),
        (MINIMAL | {"": "x"}, "is not the name of a CloudEvents attribute"),
        (MINIMAL | {"data": "x"}, "ce-data is not the name of a CloudEvents attribute"),
        (MINIMAL | {"note": "%FF"}, "ce-note is not percent-encoded UTF-8"),
        (MINIMAL | {"note": "€"}, "ce-note is not percent-encoded UTF-8"),
    ],
    ids=str,
)
def test_rejected_binary_events(attributes: dict[str, str], says: str) -> None:
    with pytest.raises(EventRejected) as refused:
        read_request(JSON, attributes, b"")
    assert refused.value.status == 400
    assert says in refused.value.message


# --- Events made by the cloudevents library ---


@st.composite
def library_events(draw: st.DrawFn) -> CloudEvent:
    extensions = draw(st.dictionaries(extension_names, attribute_text, max_size=3))
    for name in ("tenantid", "userid", "ownerid", "spaceid", "toplevelresourceid"):
        if draw(st.booleans()):
            extensions[name] = draw(attribute_text)
    extensions.pop("datacontenttype", None)
    extensions.pop("dataschema", None)
    attributes: dict[str, Any] = {
        "id": draw(attribute_text),
        "source": draw(attribute_text),
        "type": draw(event_types),
        "time": datetime.fromisoformat(draw(times)).astimezone(UTC),
        "datacontenttype": JSON,
        **extensions,
    }
    return CloudEvent(attributes, draw(json_objects))


def check_same(read: Event, made: CloudEvent) -> None:
    """The event that was read is the one that the library made, in what matching uses and as a whole."""
    assert (read.id, read.source, read.type) == (made.get_id(), made.get_source(), made.get_type())
    assert read.time is not None
    assert datetime.fromisoformat(read.time) == made.get_time()
    assert read.tenant_id == made.get_extension("tenantid")
    assert read.user_id == made.get_extension("userid")
    assert read.owner_id == made.get_extension("ownerid")
    assert read.space_id == made.get_extension("spaceid")
    assert read.top_level_resource_id == made.get_extension("toplevelresourceid")
    assert json.loads(bytes(read.data)) == made.get_data()
    theirs = from_structured_event(HTTPMessage({"content-type": STRUCTURED}, read.body))
    assert theirs.get_attributes() == made.get_attributes()
    assert theirs.get_data() == made.get_data()


def received(message: HTTPMessage) -> tuple[str, dict[str, str], bytes]:
    """What a server makes of the request: content type, `ce-` headers, body."""
    headers = {name.lower(): value for name, value in message.headers.items()}
    attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    return headers.get("content-type", ""), attributes, message.body


@given(library_events())
def test_the_library_s_structured_event_is_read(made: CloudEvent) -> None:
    check_same(one(*received(to_structured_event(made))), made)


@given(library_events())
def test_the_library_s_binary_event_is_read(made: CloudEvent) -> None:
    check_same(one(*received(to_binary_event(made))), made)


@given(st.lists(library_events(), max_size=4))
def test_the_library_s_events_are_read_as_a_batch(made: list[CloudEvent]) -> None:
    bodies = [to_structured_event(event).body for event in made]
    read = read_request(BATCH, {}, b"[" + b", ".join(bodies) + b"]")
    assert [event.body for event in read] == bodies
    for event, original in zip(read, made, strict=True):
        check_same(event, original)


# --- Legacy to CloudEvents ---


def test_a_legacy_event_becomes_the_cloudevent_of_the_same_thing() -> None:
    converted = json.loads(as_cloud_event(read_event(legacy_event_body())))
    assert converted == cloud_event(eventtypeversion="1.0.0")


def test_other_events_are_left_as_they_are() -> None:
    for build in (cloud_event_body, hybrid_event_body):
        body = build().replace(b",", b" , ")
        assert as_cloud_event(read_event(body)) == body


@st.composite
def legacy_bodies(draw: st.DrawFn) -> bytes:
    extensions = draw(st.dictionaries(extension_names.map(lambda name: f"x{name}"), json_values, max_size=3))
    for name in ("tenantId", "userId", "ownerId", "spaceId", "topLevelResourceId"):
        if draw(st.booleans()):
            extensions[name] = draw(attribute_text | st.just(""))
    members = legacy_event(
        eventId=draw(attribute_text),
        eventType=draw(event_types),
        eventTime=draw(times),
        source=draw(st.just("com.qlik/engine") | attribute_text | st.none()),
        extensions=extensions,
        data=draw(json_values),
    )
    return draw(spelled(members))


def or_none(text: str | None) -> str | None:
    return text or None


@given(legacy_bodies())
def test_a_converted_event_is_the_same_event(body: bytes) -> None:
    legacy = read_event(body)
    converted = read_event(as_cloud_event(legacy))
    assert not converted.legacy
    assert (converted.id, converted.type, converted.source) == (legacy.id, legacy.type, legacy.source)
    assert converted.time == legacy.time
    assert converted.tenant_id == or_none(legacy.tenant_id)
    assert converted.user_id == or_none(legacy.user_id)
    assert converted.owner_id == or_none(legacy.owner_id)
    assert converted.space_id == or_none(legacy.space_id)
    assert converted.top_level_resource_id == or_none(legacy.top_level_resource_id)
    assert bytes(converted.data) == bytes(legacy.data)
    assert converted.key == legacy.key


@given(legacy_bodies())
def test_a_converted_event_is_accepted_by_the_cloudevents_library(body: bytes) -> None:
    legacy = read_event(body)
    theirs = from_structured_event(HTTPMessage({"content-type": STRUCTURED}, as_cloud_event(legacy)))
    assert (theirs.get_id(), theirs.get_type()) == (legacy.id, legacy.type)
    assert theirs.get_time() == datetime.fromisoformat(legacy.time or "")
    assert theirs.get_data() == json.loads(bytes(legacy.data) or b"null")
    # CloudEvents attributes are strings, booleans and integers of 32 bits.
    for name, value in theirs.get_attributes().items():
        if name != "time":
            assert isinstance(value, str | bool) or (isinstance(value, int) and -(2**31) <= value < 2**31)


@pytest.mark.parametrize(
    ("extension", "attribute"),
    [
        ('"a"', "a"),
        ('"caf\\u00e9"', "café"),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("2147483647", 2147483647),
        ("2147483648", "2147483648"),
        ("9" * 5000, "9" * 5000),
        ("1.10", "1.10"),
        ("1e99999", "1e99999"),
        ('{"a":1}', '{"a":1}'),
        ('["x",1.0]', '["x",1.0]'),
        ("null", None),
        ('""', None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_extensions_become_attributes(extension: str, attribute: str | int | bool | None) -> None:
    body = legacy_event_body(extensions={"mixedCase": "?"}).replace(b'"?"', extension.encode())
    assert json.loads(as_cloud_event(read_event(body))).get("mixedcase") == attribute


@pytest.mark.parametrize("extensions", [b"null", b"{}", None])
def test_a_legacy_event_without_extensions(extensions: bytes | None) -> None:
    body = b'{"eventType":"t","eventId":"1"%s}' % (b"" if extensions is None else b',"extensions":' + extensions)
    assert json.loads(as_cloud_event(read_event(body))) == MINIMAL | {
        "source": "com.qlik",
        "datacontenttype": JSON,
    }


def test_an_extension_cannot_take_the_place_of_an_attribute() -> None:
    extensions = {
        "id": "x",
        "source": "x",
        "type": "x",
        "time": "x",
        "specversion": "x",
        "dataContentType": "x",
        "data": "x",
        "bad-name": "x",
        "tenantId": "t",
    }
    body = compact({"eventType": "t", "eventId": "1", "source": "s", "extensions": extensions})
    expected = MINIMAL | {"datacontenttype": JSON, "tenantid": "t"}
    assert json.loads(as_cloud_event(read_event(body))) == expected


@pytest.mark.parametrize("version", ["null", '""'])
def test_no_version_of_the_type_is_no_attribute(version: str) -> None:
    body = legacy_event_body(eventTypeVersion="?").replace(b'"?"', version.encode())
    assert "eventtypeversion" not in json.loads(as_cloud_event(read_event(body)))


def test_legacy_and_cloudevents_form_keep_users_and_resource() -> None:
    converted = read_event(as_cloud_event(read_event(legacy_event_body())))
    assert (converted.user_id, converted.owner_id, converted.top_level_resource_id) == (USER, OWNER, APP)


# --- The type under its subscribed name ---


@given(event_bodies(), event_types)
def test_a_type_is_replaced_and_nothing_else(body: bytes, name: str) -> None:
    renamed = with_type(body, name)
    before, after = last_of_each(body), last_of_each(renamed)
    assert list(after) == list(before)
    for field in ("type", "eventType"):
        assert (field in after) == (field in before)
        if field in before:
            before[field] = name
    assert after == before
    assert read_event(renamed).type == name
    assert bytes(read_event(renamed).data) == bytes(read_event(body).data)


def test_a_type_is_replaced_in_its_place() -> None:
    body = b'{"a": 1.10, "type": "old", "data": {"type": "kept"} }'
    assert with_type(body, 'n"ew') == b'{"a":1.10,"type":"n\\"ew","data":{"type": "kept"}}'
    assert with_type(b'{"eventType":"old"}', "new") == b'{"eventType":"new"}'
    assert json.loads(with_type(hybrid_event_body(), "new"))["eventType"] == "new"
    assert json.loads(with_type(hybrid_event_body(), "new"))["type"] == "new"


# --- Files ---


@given(st.lists(event_bodies(), min_size=1, max_size=4), space, space)
def test_an_array_in_a_file_is_taken_apart(bodies: list[bytes], before: bytes, after: bytes) -> None:
    assert read_text(before + b"[" + b",\n".join(bodies) + b"]" + after) == bodies


@given(event_bodies(), space, space)
def test_one_object_in_a_file_may_span_lines(body: bytes, before: bytes, after: bytes) -> None:
    assert read_text(before + body + after) == [body]


@given(st.lists(json_objects.map(compact), min_size=2, max_size=4), st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n "]))
def test_each_line_of_a_file_is_an_object(lines: list[bytes], separator: bytes) -> None:
    assert read_text(separator.join(lines) + separator) == lines


def test_lines_that_are_no_json_are_left_to_the_reading_of_the_event() -> None:
    assert read_text(cloud_event_body() + b"\noops") == [cloud_event_body(), b"oops"]
    with pytest.raises(EventRejected):
        read_event(b"oops")


def test_an_empty_file_holds_nothing() -> None:
    assert read_text(b"") == []
    assert read_text(b" \n \n") == []


@pytest.mark.parametrize("text", [b"[{]", b"[1", b"[" * 100_000 + b"]" * 100_000], ids=["broken", "open", "deep"])
def test_a_broken_array_in_a_file_is_rejected(text: bytes) -> None:
    with pytest.raises(EventRejected, match="the input is not a JSON array"):
        read_text(text)


def test_a_deep_object_in_a_file_is_left_to_the_reading_of_the_event() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    assert read_text(deep) == [deep]


def test_the_time_and_type_of_the_builders_are_those_that_are_read() -> None:
    assert read_event(cloud_event_body()).time == TIME
    assert read_event(cloud_event_body()).type == APP_CREATED
