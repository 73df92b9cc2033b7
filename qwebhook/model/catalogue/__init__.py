"""The event types that are known: their names, old and new, their fields, and a sample event of each.

The catalogue is data, in files beside this module, and is read only when a function here is called:

    data/event_types.json     [{name, title, description, category, levels, source}]
    data/aliases.json         {other name: canonical name}, every pair listed, none derived
    data/fields.json          {group or type: [field or {"group": name}]}; a field is a JSON Schema
                              property with its `name`, and `required` where the event never lacks it
    data/samples/TYPE.json    one complete CloudEvents 1.0 event of each type

Names, levels and fields come from Qlik Cloud's public webhook and event documentation; the values in the
samples are invented. The list is open: a type that is not in it is as good as any other, and gets a generic
sample and schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_GENERIC_DATA = {"id": "9b2f6c1e-58d4-4a07-b3e9-71c0d5a8f246", "name": "Sample"}
_GENERIC_TENANT = {
    "tenantid": "q7Lr2VxJmD0sTnYc4WbHg9KePa5uZi1F",
    "userid": "64f1c2a9d3b7e8015a6c4f20",
    "toplevelresourceid": _GENERIC_DATA["id"],
}


class EventType(msgspec.Struct, frozen=True):
    """One event type, in the shape of the service's own list of them.

    levels: "user", "tenant" or both: the levels of webhooks that may subscribe to it.
    source: how the type is known: "webhook" (documented as one that webhooks can subscribe to), "audit"
    (appears in the audit log, not known to be pushed to webhooks) or "qwebhook" (our own).
    """

    name: str
    title: str
    description: str
    category: str
    levels: tuple[str, ...]
    source: str


@cache
def event_types() -> tuple[EventType, ...]:
    """Every type of the catalogue under its canonical name, sorted by name."""
    listed = msgspec.json.decode(_read("event_types.json"), type=tuple[EventType, ...])
    return tuple(sorted(listed, key=lambda listed_type: listed_type.name))


def event_type(name: str) -> EventType | None:
    """The type of that name, canonical or not; None where the catalogue does not have it."""
    return _by_name().get(canonical(name))


@cache
def aliases() -> Mapping[str, str]:
    """{other name: canonical name}, for types that the service sends or sent under another name."""
    return MappingProxyType(msgspec.json.decode(_read("aliases.json"), type=dict[str, str]))


def canonical(name: str) -> str:
    """The one name that stands for all names of the same event; an unknown name stands for itself."""
    return aliases().get(name, name)


def names_of(name: str) -> tuple[str, ...]:
    """All names that mean the same event as this one, the canonical one first, the others sorted."""
    return _names().get(canonical(name), (name,))


def sample(name: str, *, event_id: str, time: str, **overrides: object) -> dict[str, Any]:
    """A CloudEvents 1.0 event of that type, as a new dict that the caller may change.

    The event's `type` is the name as it was given, also where that is an alias. `overrides` set further
    members of the event by their name, such as `userid` or `data`; None takes a member out.
    """
    known = canonical(name)
    event: dict[str, Any]
    if known in _by_name():
        event = msgspec.json.decode(_sample(known))
        event |= {"id": event_id, "type": name, "time": time}
    else:
        event = _generic_sample(name, event_id, time)
    for member, value in overrides.items():
        if value is None:
            event.pop(member, None)
        else:
            event[member] = value
    return event


def schema(name: str) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) of the whole event in structured mode, as a new dict.

    Its `type` may be any of the type's names. Members beyond those listed are allowed, in the envelope
    (CloudEvents extension attributes) as in `data`, to which the service adds fields as it pleases. For an
    unknown type, `data` may be any JSON.
    """
    known = event_type(name)
    envelope = _object_schema(_fields("envelope"))
    envelope["properties"]["type"] = {"enum": list(names_of(name))}
    heading = {"title": name}
    if known is not None:
        heading = {"title": known.title, "description": known.description}
        envelope["properties"]["data"] = _object_schema(_fields(known.name))
        envelope["required"].append("data")
    else:
        envelope["properties"]["data"] = {}
    return {"$schema": DIALECT, **heading, **envelope}


def _generic_sample(name: str, event_id: str, time: str) -> dict[str, Any]:
    # Which service sends an unknown type is not known either, but an event of Qlik's belongs to a tenant and
    # concerns a user, and is matched and told from duplicates by them; its sample has to have them.
    qlik = name.startswith("com.qlik.")
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "com.qlik/unknown" if qlik else "com.qwebhook/sample",
        "type": name,
        "time": time,
        "datacontenttype": "application/json",
        **(_GENERIC_TENANT if qlik else {}),
        "data": dict(_GENERIC_DATA),
    }


def _object_schema(fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            field["name"]: {key: value for key, value in field.items() if key not in ("name", "required")}
            for field in fields
        },
        "required": [field["name"] for field in fields if field.get("required")],
    }


def _fields(group: str) -> list[dict[str, Any]]:
    """The fields of a group or type, with those of the groups it refers to in their place."""
    fields: list[dict[str, Any]] = []
    for item in msgspec.json.decode(_read("fields.json"))[group]:
        if "group" in item:
            fields += _fields(item["group"])
        else:
            fields.append(item)
    return fields


@cache
def _by_name() -> Mapping[str, EventType]:
    return {listed.name: listed for listed in event_types()}


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {listed.name: (listed.name,) for listed in event_types()}
    for alias, name in sorted(aliases().items()):
        names[name] = (*names.get(name, (name,)), alias)
    return names


def _sample(name: str) -> bytes:
    return _read(f"samples/{name}.json")


@cache
def _read(path: str) -> bytes:
    # The bytes are kept, not what they decode to: each caller gets objects of its own. pathlib is imported
    # here since the package is imported by commands that read none of this.
    from pathlib import Path

    return Path(__file__).with_name("data").joinpath(path).read_bytes()
