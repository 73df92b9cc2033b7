"""What a template is given of an event: its envelope in one form, and what happened in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.webhook import Webhook

# What is known of a user, a space or an app, by the kind.
Names = Mapping[str, Mapping[str, str]]
NO_NAMES: Names = MappingProxyType({})
SOMEBODY = "Somebody"
# Types whose telling is remembered.
_TYPES_KEPT = 1000
SHOWN = 200
_PLACE = re.compile(r"\{([a-zA-Z.]+)\}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LEGACY = {"eventId": "id", "eventType": "type", "eventTime": "time", "tenantId": "tenantid", "userId": "userid"}
_EXTENSIONS = {
    "tenantId": "tenantid",
    "userId": "userid",
    "ownerId": "ownerid",
    "spaceId": "spaceid",
    "topLevelResourceId": "toplevelresourceid",
}
_NOTHING_GIVEN = dict.fromkeys(
    ("id", "source", "type", "time", "tenantid", "userid", "ownerid", "spaceid", "toplevelresourceid")
)
# Where a person can look at what an event is about, below the tenant's address.
_LINKS = {"app": "/sense/app/{id}", "user": "/console/users"}


class Text(msgspec.Struct):
    """What is said of an event type. text: with places in braces. kind: of the thing that the event is about."""

    text: str
    kind: str


def mentioned(body: bytes, event_type: str) -> dict[str, str]:
    """The ids of the user, space and app that an event mentions, by their kind."""
    event = _event(msgspec.json.decode(body))
    return _mentioned(event, event["data"], _telling(event_type).kind)


def variables(body: bytes, event_type: str, webhook: Webhook, names: Names = NO_NAMES) -> dict[str, Any]:
    """The variables of a template.

    names: what is known, beyond their ids, of the user, space and app that the event mentions.
    event: the envelope, both forms alike, with `data`. data: that of the event. type, title: the event type, and in
    words. text: a sentence of what happened. who, what, when: parts of it. link: where to look at it, "" if that is not
    known. webhook: its id and name. user, space, app: each with its id, name and email, as far as they are known; the
    id stands for a name that is not.
    """
    event = _event(msgspec.json.decode(body))
    data = event["data"]
    title, kind, parts = _telling(event_type)
    ids = _mentioned(event, data, kind)
    user = _about(ids.get("user", ""), names.get("user"))
    space = _about(ids.get("space", ""), names.get("space"))
    app = _about(ids.get("app", ""), names.get("app"))
    given = {"who": _who(event, user), "what": _what(event, data, app), "data": data}
    said = "".join([part if isinstance(part, str) else _shown(_at(given, part)) for part in parts])
    return {
        "event": event,
        "data": data,
        "type": event_type,
        "title": title,
        "text": said or f"{title}: {given['what']}",
        "who": given["who"],
        "what": given["what"],
        "when": event["time"] or "",
        "link": _link(webhook.qwebhook.tenant_url, kind, event, data),
        "webhook": {"id": webhook.id, "name": webhook.name},
        "user": user,
        "space": space,
        "app": app,
    }


class _Telling(NamedTuple):
    """How an event type is told. parts: of the sentence, texts and, as steps, places in the event."""

    title: str
    kind: str
    parts: list[str | tuple[str, ...]]


@lru_cache(_TYPES_KEPT)
def _telling(event_type: str) -> _Telling:
    known = catalogue.event_type(event_type)
    title = known.title if known else _humanised(event_type)
    text = _texts().get(catalogue.canonical(event_type))
    if text is None:
        return _Telling(title, "", [])
    parts = [
        tuple(part.split(".")) if number % 2 else part for number, part in enumerate(_PLACE.split(text.text)) if part
    ]
    return _Telling(title, text.kind, parts)


def _about(identifier: str, known: Mapping[str, str] | None) -> dict[str, str]:
    about = {"id": identifier, "name": identifier, "email": ""}
    return {**about, **known} if known else about


def _mentioned(event: Mapping[str, Any], data: Mapping[str, Any], kind: str) -> dict[str, str]:
    about = (event.get("toplevelresourceid") or data.get("id")) if kind == "app" else None
    given = {
        "user": event.get("userid"),
        "space": event.get("spaceid") or data.get("spaceId"),
        "app": data.get("appId") or about,
    }
    # What could be anything but an id is not asked for.
    return {one: value for one, value in given.items() if isinstance(value, str) and _IDENTIFIER.fullmatch(value)}


def _event(body: Any) -> dict[str, Any]:
    """The envelope in CloudEvents' names; what it has beyond them stays."""
    given: dict[str, Any] = body if isinstance(body, dict) else {}
    event: dict[str, Any] = _NOTHING_GIVEN | given
    extensions = given.get("extensions")
    for holder, names in ((given, _LEGACY), (extensions, _EXTENSIONS)):
        if not isinstance(holder, dict) or names.keys().isdisjoint(holder):
            continue
        for old in names.keys() & holder.keys():
            if event.get(names[old]) is None and holder[old] is not None:
                event[names[old]] = holder[old]
    data = given.get("data")
    event["data"] = data if isinstance(data, dict) else {"value": data} if data is not None else {}
    return event


def _who(event: Mapping[str, Any], user: Mapping[str, str]) -> str:
    if user["name"] != user["id"]:
        return _shown(user["name"])
    identifier = event.get("userid")
    return f"User {_shown(identifier)}" if identifier else SOMEBODY


def _what(event: Mapping[str, Any], data: Mapping[str, Any], app: Mapping[str, str]) -> str:
    found = app["name"] if app["name"] != app["id"] else None
    for value in (data.get("name"), data.get("title"), data.get("email"), found, data.get("appId"), data.get("id")):
        if isinstance(value, str) and value.strip():
            return _shown(value)
    return _shown(event.get("toplevelresourceid") or event.get("id") or "")


def _link(tenant: str | None, kind: str, event: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    path = _LINKS.get(kind)
    identifier = data.get("appId") or event.get("toplevelresourceid") or data.get("id")
    if not tenant or not path or not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        return ""
    return tenant.rstrip("/") + path.format(id=identifier)


def found(given: Any, path: str) -> Any:
    """What lies at a place such as `data.name`; None if there is nothing."""
    return _at(given, path.split("."))


def _at(given: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        given = given.get(step) if isinstance(given, dict) else None
    return given


def _shown(value: Any) -> str:
    """In one line, and not too long of one."""
    if value is None or value == "":
        return "unknown"
    text = " ".join((value if isinstance(value, str) else msgspec.json.encode(value).decode()).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _humanised(event_type: str) -> str:
    words = re.sub(r"^com\.(qlik\.)?(v\d+\.)?", "", event_type)
    return re.sub(r"[._-]+", " ", words).strip().capitalize() or event_type


@cache
def _texts() -> dict[str, Text]:
    file = Path(__file__).parent / "texts.json"
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Text])
