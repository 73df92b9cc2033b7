"""A message of an event: its envelope in one form, and what happened in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.decoding import NOT_JSON, decoding_reason
from qwebhook.model.errors import RenderFailed
from qwebhook.model.webhook import Webhook

_decode = msgspec.json.Decoder().decode
# What is known of a user, a space or an app, by the kind.
Names = Mapping[str, Mapping[str, str]]
NO_NAMES: Names = MappingProxyType({})
SOMEBODY = "Somebody"
# Types whose telling is remembered.
_TYPES_KEPT = 1000
SHOWN = 200
_PLACE = re.compile(r"\{data\.([a-zA-Z.]+)\}")
# Control characters that are no space, which some services refuse; and what turns the direction of all that follows.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
_is_identifier = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_LEGACY = {"eventId": "id", "eventType": "type", "eventTime": "time", "tenantId": "tenantid", "userId": "userid"}
_EXTENSIONS = {
    "tenantId": "tenantid",
    "userId": "userid",
    "ownerId": "ownerid",
    "spaceId": "spaceid",
    "topLevelResourceId": "toplevelresourceid",
}
_NAMES = ("id", "source", "type", "time", "tenantid", "userid", "ownerid", "spaceid", "toplevelresourceid")
# Where a person can look at what an event is about, below the tenant's address.
_LINKS = {"app": "/sense/app/{id}", "user": "/console/users"}


class Text(msgspec.Struct):
    """What is said of an event type. text: with places in braces. kind: of the thing that the event is about."""

    text: str
    kind: str


_PLAIN = Text("{title}: {what}", "")


def mentioned(body: bytes, event_type: str) -> dict[str, str]:
    """The ids of the user, space and app that an event mentions, by their kind. Raises RenderFailed."""
    event = _event(body)
    user, space, app = _mentioned(event, event["data"], _telling(event_type).kind)
    return {kind: one for kind, one in (("user", user), ("space", space), ("app", app)) if one}


class Message(msgspec.Struct, frozen=True):
    """What presets make their bodies of, and, as `variables`, what templates are given.

    event: the envelope, both forms alike, with `data`. data: that of the event. type, title: the event type, and in
    words. text: a sentence of what happened. who, what, when: parts of it; "" if it does not say when. link: where to
    look at it, "" if that is not known. webhook: its id and name. user, space, app: each with its id, name and email,
    as far as they are known; the id stands for a name that is not.
    """

    event: dict[str, Any]
    data: dict[str, Any]
    type: str
    title: str
    text: str
    who: str
    what: str
    when: str
    link: str
    webhook: dict[str, str]
    user: dict[str, str]
    space: dict[str, str]
    app: dict[str, str]

    def variables(self) -> dict[str, Any]:
        """Those of a template: the fields by their names."""
        return msgspec.structs.asdict(self)


def message_of(body: bytes, event_type: str, webhook: Webhook, names: Names = NO_NAMES) -> Message:
    """body, event_type: the event's. names: what is known, beyond their ids, of the user, space and app in it.

    Raises RenderFailed.
    """
    event = _event(body)
    data = event["data"]
    title, kind, sentence, places = _telling(event_type)
    user_id, space_id, app_id = _mentioned(event, data, kind)
    user, app = _about(user_id, names.get("user")), _about(app_id, names.get("app"))
    who, what = _who(event, user), _what(event, data, app)
    when = event["time"]
    return Message(
        event=event,
        data=data,
        type=event_type,
        title=title,
        text=sentence.format(*[_shown(_at(data, steps)) for steps in places], title=title, who=who, what=what),
        who=who,
        what=what,
        when=_shown(when) if isinstance(when, str) and when.strip() else "",
        link=_link(webhook.qwebhook.tenant_url, kind, event, data),
        webhook={"id": webhook.id, "name": webhook.name},
        user=user,
        space=_about(space_id, names.get("space")),
        app=app,
    )


class _Telling(NamedTuple):
    """How an event type is told. sentence: a format with `title`, `who`, `what` and, by number, what lies in the data
    at `places`, which are given as steps.
    """

    title: str
    kind: str
    sentence: str
    places: list[list[str]]


@lru_cache(_TYPES_KEPT)
def _telling(event_type: str) -> _Telling:
    known = catalogue.event_type(event_type)
    title = known.title if known else _humanised(event_type)
    text = _texts().get(catalogue.canonical(event_type), _PLAIN)
    places = [place.split(".") for place in _PLACE.findall(text.text)]
    numbers = count()
    return _Telling(title, text.kind, _PLACE.sub(lambda _: f"{{{next(numbers)}}}", text.text), places)


def _about(identifier: str, known: Mapping[str, str] | None) -> dict[str, str]:
    about = {"id": identifier, "name": identifier, "email": ""}
    return {**about, **known} if known else about


def _mentioned(event: Mapping[str, Any], data: Mapping[str, Any], kind: str) -> tuple[str, str, str]:
    """The ids of the user, space and app; "" for what is not mentioned."""
    app = data.get("appId") or ((event["toplevelresourceid"] or data.get("id")) if kind == "app" else None)
    return _identifier(event["userid"]), _identifier(event["spaceid"] or data.get("spaceId")), _identifier(app)


def _identifier(value: Any) -> str:
    """What could be anything but an id is neither asked for nor linked to."""
    return value if isinstance(value, str) and _is_identifier(value) else ""


def _event(body: bytes) -> dict[str, Any]:
    """The envelope in CloudEvents' names; what it has beyond them stays. Raises RenderFailed."""
    try:
        decoded = _decode(body)
    except NOT_JSON as error:  # an event that is only passed on may hold what nobody here can read, such as 1e999
        raise RenderFailed(f"the event cannot be read: {decoding_reason(error)}") from None
    event: dict[str, Any] = decoded if isinstance(decoded, dict) else {}
    for name in _NAMES:
        if name not in event:
            event[name] = None
    extensions = event.get("extensions")
    for holder, names in ((event, _LEGACY), (extensions, _EXTENSIONS)):
        if isinstance(holder, dict):
            for old in holder.keys() & names:
                if event[names[old]] is None:
                    event[names[old]] = holder[old]
    data = event.get("data")
    event["data"] = data if isinstance(data, dict) else {"value": data} if data is not None else {}
    return event


def _who(event: Mapping[str, Any], user: Mapping[str, str]) -> str:
    if user["name"] != user["id"]:
        return _shown(user["name"])
    identifier = event["userid"]
    return f"User {_shown(identifier)}" if identifier else SOMEBODY


def _what(event: Mapping[str, Any], data: Mapping[str, Any], app: Mapping[str, str]) -> str:
    found = app["name"] if app["name"] != app["id"] else None
    for value in (data.get("name"), data.get("title"), data.get("email"), found, data.get("appId"), data.get("id")):
        if isinstance(value, str) and value.strip():
            return _shown(value)
    return _shown(event["toplevelresourceid"] or event["id"] or "")


def _link(tenant: str | None, kind: str, event: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    path = _LINKS.get(kind)
    if not tenant or not path:
        return ""
    identifier = _identifier(data.get("appId") or event["toplevelresourceid"] or data.get("id"))
    if not identifier:
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
    if value is None:
        return "unknown"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if not text.isprintable():
        text = _UNSEEN.sub("", text)
    text = " ".join(text.split())
    if not text:
        return "unknown"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _humanised(event_type: str) -> str:
    words = re.sub(r"^com\.(qlik\.)?(v\d+\.)?", "", event_type)
    return re.sub(r"[._-]+", " ", words).strip().capitalize() or event_type


@cache
def _texts() -> dict[str, Text]:
    file = Path(__file__).parent / "texts.json"
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Text])
