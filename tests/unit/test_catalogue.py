"""The catalogue's data files agree with each other, and its functions with the files."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from qwebhook.model import catalogue

DATA = Path(catalogue.__file__).parent / "data"
NAMES = [listed.name for listed in catalogue.event_types()]
ALIASES = sorted(catalogue.aliases())
SUBSCRIBABLE = {
    "com.qlik.v1.app.created": {"user", "tenant"},
    "com.qlik.v1.app.exported": {"user", "tenant"},
    "com.qlik.v1.app.published": {"user", "tenant"},
    "com.qlik.v1.app.deleted": {"tenant"},
    "com.qlik.v1.app.data.updated": {"user", "tenant"},
    "com.qlik.v1.app.reload.finished": {"user", "tenant"},
    "com.qlik.v1.reload.finished": {"user", "tenant"},
    "com.qlik.v1.api-key.validation.failed": {"tenant"},
    "com.qlik.v1.user.created": {"tenant"},
    "com.qlik.v1.user.deleted": {"tenant"},
    "com.qlik.v1.automation.run.ended": {"user", "tenant"},
}
DOCUMENTATION_NETWORKS = [  # RFC 5737
    ipaddress.ip_network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
]
UNKNOWN_OF_QLIK, UNKNOWN = "com.qlik.v1.space.created", "com.example.order.placed"
ID = "test-0001"
TIME = "2026-11-20T08:15:00Z"
JSON_TYPES: dict[str, Any] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}
SHAPE = {"type", "enum", "const", "properties", "required", "items"}
LIMITS = {"minLength", "maxItems", "minimum", "maximum"}
ANNOTATIONS = {"$schema", "title", "description", "format", "contentMediaType"}


def sample(name: str, **overrides: object) -> dict[str, Any]:
    return catalogue.sample(name, event_id=ID, time=TIME, **overrides)


def stored_sample(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / "samples" / f"{name}.json").read_text("utf-8"))
    return loaded


def problems(value: Any, schema: dict[str, Any], at: str = "event", *, closed: bool = False) -> list[str]:
    """What is wrong with the value by the part of JSON Schema that the catalogue uses.

    closed: members that the schema does not list are wrong, too.
    """
    unknown = set(schema) - SHAPE - LIMITS - ANNOTATIONS
    assert not unknown, f"{at}: this test does not know the keywords {unknown}"
    found: list[str] = []
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(JSON_TYPES[name](value) for name in types):
        return [f"{at}: {value!r} is not of type {types}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(f"{at}: too short")
    if isinstance(value, list) and len(value) > schema.get("maxItems", len(value)):
        found.append(f"{at}: too long")
    if JSON_TYPES["number"](value):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        found += [] if low <= value <= high else [f"{at}: out of range"]
    if isinstance(value, dict):
        found += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        listed = schema.get("properties")
        for name, member in value.items():
            if listed and name in listed:
                found += problems(member, listed[name], f"{at}.{name}", closed=closed)
            elif listed and closed:
                found.append(f"{at}: {name} is not listed")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            found += problems(item, schema["items"], f"{at}[{index}]", closed=closed)
    return found


def strings_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for child in children for text in strings_in(child)]


# The list of types


def test_types_are_sorted_and_named_once():
    assert sorted(set(NAMES)) == NAMES


def test_the_documented_webhook_types_are_there_with_their_levels():
    listed = [each for each in catalogue.event_types() if each.source == "webhook"]
    assert {each.name: set(each.levels) for each in listed} == SUBSCRIBABLE


def test_our_own_type_is_told_from_the_service_s():
    own = [listed.name for listed in catalogue.event_types() if listed.source == "qwebhook"]
    assert own == ["com.qwebhook.webhook.disabled"]


@pytest.mark.parametrize("listed", catalogue.event_types(), ids=NAMES)
def test_every_type_is_described(listed):
    assert listed.title and listed.category
    assert listed.description.endswith(".")
    assert listed.levels and set(listed.levels) <= {"user", "tenant"}
    assert listed.source in {"webhook", "audit", "qwebhook"}


def test_a_type_is_found_by_each_of_its_names():
    expected = catalogue.event_type("com.qlik.v1.user.created")
    assert expected is not None and expected.name == "com.qlik.v1.user.created"
    assert catalogue.event_type("com.qlik.core.user.created") is expected
    assert catalogue.event_type("com.qlik.v2.user.created") is None


# Names


def test_aliases_lead_into_the_catalogue_in_one_step():
    assert set(catalogue.aliases().values()) <= set(NAMES)
    assert not set(catalogue.aliases()) & set(NAMES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("com.qlik.app.created", "com.qlik.v1.app.created"),
        ("com.qlik.app.data.updated", "com.qlik.v1.app.data.updated"),
        ("com.qlik.core.user.deleted", "com.qlik.v1.user.deleted"),
        ("com.qlik.v1.app.created", "com.qlik.v1.app.created"),
        ("com.qlik.app.unheard-of", "com.qlik.app.unheard-of"),
        ("com.qlik.reload.finished", "com.qlik.reload.finished"),
        ("", ""),
    ],
)
def test_canonical(name, expected):
    assert catalogue.canonical(name) == expected


@pytest.mark.parametrize("name", [*NAMES, *ALIASES])
def test_names_of_one_event_are_the_same_from_each_of_them(name):
    names = catalogue.names_of(name)
    assert name in names
    assert names[0] == catalogue.canonical(name)
    assert len(set(names)) == len(names)
    assert {catalogue.names_of(other) for other in names} == {names}
    assert {catalogue.canonical(other) for other in names} == {names[0]}


def test_every_renamed_app_event_has_both_names():
    for verb in ("created", "exported", "published", "deleted", "data.updated", "reload.finished"):
        old, new = f"com.qlik.v1.app.{verb}", f"com.qlik.app.{verb}"
        assert catalogue.names_of(new) == (old, new)


def test_an_unknown_name_stands_for_itself():
    assert catalogue.names_of(UNKNOWN) == (UNKNOWN,)


def test_the_alias_table_cannot_be_changed():
    with pytest.raises(TypeError):
        catalogue.aliases()["com.example.a"] = "com.example.b"  # type: ignore[index]


# Samples


def test_there_is_a_sample_of_each_type_and_no_other():
    assert sorted(path.name.removesuffix(".json") for path in (DATA / "samples").iterdir()) == NAMES


def test_the_samples_have_ids_of_their_own():
    ids = [stored_sample(name)["id"] for name in NAMES]
    assert len(set(ids)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_a_valid_cloud_event(name):
    event = stored_sample(name)
    assert event["type"] == name
    assert event["specversion"] == "1.0"
    assert event["id"] and event["source"]
    assert event["datacontenttype"] == "application/json"
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    assert isinstance(event["data"], dict) and event["data"]
    for attribute, value in event.items():
        assert re.fullmatch(r"[a-z0-9]{1,20}", attribute), attribute
        assert attribute == "data" or isinstance(value, str), attribute


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("com.qlik.")])
def test_a_sample_of_qlik_s_says_where_it_comes_from(name):
    event = stored_sample(name)
    assert event["source"].startswith("com.qlik/")
    assert event["tenantid"]
    if "authclaims" in event:
        assert isinstance(json.loads(event["authclaims"]), dict)
    if "traceparent" in event:
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", event["traceparent"])


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_names_nobody_real(name):
    event = stored_sample(name)
    for text in strings_in(event):
        for domain in re.findall(r"[\w.+-]+@([\w.-]+)", text) + re.findall(r"https?://([\w.-]+)", text):
            assert domain == "example.com" or domain.endswith(".example.com")
    if "originip" in event:
        address = ipaddress.ip_address(event["originip"])
        assert any(address in network for network in DOCUMENTATION_NETWORKS)


@pytest.mark.parametrize("name", [name for name, levels in SUBSCRIBABLE.items() if "user" in levels])
def test_a_sample_of_a_user_level_type_concerns_a_user(name):
    assert stored_sample(name)["userid"] and stored_sample(name)["ownerid"]


@pytest.mark.parametrize("name", [*NAMES, *ALIASES])
def test_sample_replaces_id_and_time_and_keeps_the_name_asked_for(name):
    expected = {**stored_sample(catalogue.canonical(name)), "id": ID, "time": TIME, "type": name}
    assert sample(name) == expected


def test_sample_overrides_members_and_takes_out_what_is_none():
    event = sample("com.qlik.v1.app.created", userid="u1", data={"id": "a1"}, originip=None, absent=None)
    assert event["userid"] == "u1"
    assert event["data"] == {"id": "a1"}
    assert "originip" not in event and "absent" not in event


@pytest.mark.parametrize("name", ["com.qlik.v1.app.created", UNKNOWN_OF_QLIK, UNKNOWN])
def test_samples_share_nothing(name):
    first = sample(name)
    first["data"]["id"] = "changed"
    assert sample(name)["data"]["id"] != "changed"


def test_an_unknown_type_gets_a_generic_sample():
    qlik, other = sample(UNKNOWN_OF_QLIK), sample(UNKNOWN)
    assert qlik["source"].startswith("com.qlik/") and qlik["tenantid"] and qlik["userid"]
    assert not other["source"].startswith("com.qlik") and "tenantid" not in other
    for name, event in ((UNKNOWN_OF_QLIK, qlik), (UNKNOWN, other)):
        assert (event["specversion"], event["type"], event["id"], event["time"]) == ("1.0", name, ID, TIME)
        assert event["data"]["id"]


def test_a_name_is_never_taken_for_a_path():
    assert sample("../event_types")["type"] == "../event_types"


# Schemas


@pytest.mark.parametrize("name", [*NAMES, *ALIASES])
def test_a_sample_fits_its_schema_and_has_no_member_that_is_not_listed(name):
    schema = catalogue.schema(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert problems(sample(name), schema, closed=True) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_shows_every_field_of_its_type(name):
    fields = set(catalogue.schema(name)["properties"]["data"]["properties"])
    if ".user." in name:
        fields.discard("clientId")  # bots only, and the sample is of a person
    assert fields == set(stored_sample(name)["data"])


@pytest.mark.parametrize("name", NAMES)
def test_every_property_of_a_schema_has_a_type_and_a_description(name):
    properties = catalogue.schema(name)["properties"]
    for field, described in {**properties, **properties["data"]["properties"]}.items():
        if field == "type" and "enum" in described:
            continue
        if field != "data":
            assert described["description"].endswith("."), field
        types = described["type"]
        assert set([types] if isinstance(types, str) else types) <= set(JSON_TYPES), field


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"specversion": "0.1"}, "specversion"),
        ({"type": "com.qlik.v1.app.created"}, "type"),
        ({"id": ""}, "id: too short"),
        ({"source": None}, "source is missing"),
        ({"data": None}, "data is missing"),
        ({"data": {"appId": "a", "userId": "u", "succeeded": True}}, "id is missing"),
        ({"data": {"id": "r", "appId": "a", "userId": "u", "succeeded": "yes"}}, "succeeded"),
        ({"data": {"id": "r", "appId": "a", "userId": "u", "succeeded": True, "status": "ok"}}, "status"),
    ],
)
def test_a_schema_refuses_what_is_wrong(change, complaint):
    name = "com.qlik.v1.reload.finished"
    found = problems(sample(name, **change), catalogue.schema(name))
    assert len(found) == 1 and complaint in found[0]


def test_a_schema_takes_each_name_of_its_type():
    schema = catalogue.schema("com.qlik.core.user.created")
    assert schema["properties"]["type"]["enum"] == ["com.qlik.v1.user.created", "com.qlik.core.user.created"]


def test_the_schema_of_an_unknown_type_is_that_of_the_envelope():
    schema = catalogue.schema(UNKNOWN)
    event = sample(UNKNOWN)
    assert problems(event, schema) == []
    assert problems({**event, "data": ["anything"]}, schema) == []
    assert problems({**event, "type": "com.example.other"}, schema) != []
    assert {"specversion", "id", "source", "type"} == set(schema["required"])


def test_schemas_share_nothing():
    catalogue.schema("com.qlik.v1.app.created")["properties"]["data"]["properties"].clear()
    assert catalogue.schema("com.qlik.v1.app.created")["properties"]["data"]["properties"]


def test_the_fields_file_has_no_group_that_nothing_uses():
    stored = json.loads((DATA / "fields.json").read_text("utf-8"))
    referred = {item["group"] for items in stored.values() for item in items if "group" in item}
    assert set(stored) == {"envelope", *NAMES, *referred}


# Cost


def test_importing_the_package_reads_no_data_file():
    script = """
import sys
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
from qwebhook.model import catalogue
at_import = [path for path in opened if path.endswith(".json")]
assert at_import == [], at_import
catalogue.canonical("com.qlik.app.created")
read = [path for path in opened if path.endswith(".json")]
assert len(read) == 1 and read[0].endswith("aliases.json"), read
"""
    command, root = [sys.executable, "-c", script], DATA.parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_file_is_read_once():
    catalogue.event_types.cache_clear()
    assert catalogue.event_types() is catalogue.event_types()
    assert catalogue.aliases() is catalogue.aliases()
