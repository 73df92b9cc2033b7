"""What a template is given of an event: its envelope in one form, and what happened in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.webhook import Webhook

SOMEBODY = "Somebody"
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
_ATTRIBUTES = ("id", "source", "type", "time", "tenantid", "userid", "ownerid", "spaceid", "toplevelresourceid")
# Where a person can look at what an event is about, below the tenant's address.
_LINKS = {"app": "/sense/app/{id}", "user": "/console/users"}


class Text(msgspec.Struct):
    """What is said of an event type. text: with places in braces. kind: of the thing that the event is about."""

    text: str
    kind: str


def variables(body: bytes, event_type: str, webhook: Webhook) -> dict[str, Any]:
    """The variables of a template.

    event: the envelope, both forms alike, with `data`. data: that of the event. type, title: the event type, and in
    words. text: a sentence of what happened. who, what, when: parts of it. link: where to look at it, "" if that is not
    known. webhook: its id and name.
    """
    event = _event(msgspec.json.decode(body))
    data = event["data"]
    known = catalogue.event_type(event_type)
    text = _texts().get(catalogue.canonical(event_type))
    kind = text.kind if text else ""
    given = {"who": _who(event, kind), "what": _what(event, data), "data": data}
    said = _PLACE.sub(lambda place: _shown(found(given, place[1])), text.text) if text else ""
    title = known.title if known else _humanised(event_type)
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
    }


def _event(body: Any) -> dict[str, Any]:
    """The envelope in CloudEvents' names; what it has beyond them stays."""
    given: dict[str, Any] = body if isinstance(body, dict) else {}
    event: dict[str, Any] = {**dict.fromkeys(_ATTRIBUTES), **given}
    extensions = given.get("extensions")
    pairs = [(given, _LEGACY)]
    if isinstance(extensions, dict):
        pairs.append((extensions, _EXTENSIONS))
    for holder, names in pairs:
        for old, new in names.items():
            if event.get(new) is None and holder.get(old) is not None:
                event[new] = holder[old]
    data = given.get("data")
    event["data"] = data if isinstance(data, dict) else {"value": data} if data is not None else {}
    return event


def _who(event: Mapping[str, Any], kind: str) -> str:
    user = event.get("userid")
    return f"User {_shown(user)}" if user else SOMEBODY


def _what(event: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    for value in (data.get("name"), data.get("title"), data.get("email"), data.get("appId"), data.get("id")):
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
    for part in path.split("."):
        given = given.get(part) if isinstance(given, dict) else None
    return given


def _shown(value: Any) -> str:
    """In one line, and not too long of one."""
    if value in (None, ""):
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
