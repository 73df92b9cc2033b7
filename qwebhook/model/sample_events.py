"""Events for test-fires: a realistic sample of a type, changed as the user wants it, and marked as a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.decoding import NOT_JSON
from qwebhook.model.errors import InvalidInput
from qwebhook.model.event import TEST_ID_PREFIX, Event, read_event
from qwebhook.model.webhook import Webhook


def trial_event(
    event_type: str, unique: str, time: str, content: object = msgspec.UNSET, settings: Sequence[str] = ()
) -> Event:
    """An event whose id begins with `test-`.

    unique: the rest of the id. time: RFC 3339. content: None of the sample but this: a whole event (an object with
    `specversion` or `eventType`), or its data. settings: `PATH=VALUE`, such as `data.name=Sales`, applied last.
    Raises InvalidInput, EventRejected.
    """
    identifier = TEST_ID_PREFIX + unique
    if isinstance(content, dict) and ("specversion" in content or "eventType" in content):
        body = dict(content)
        for name in ("id", "eventId"):
            if name in body or (name == "id" and "specversion" in body):
                body[name] = identifier
    else:
        body = catalogue.sample(event_type, event_id=identifier, time=time)
        if content is not msgspec.UNSET:
            body["data"] = content
    for setting in settings:
        # Bytes of the command line that are not UTF-8 become characters that cannot be encoded.
        if not setting.isascii() and any("\ud800" <= character <= "\udfff" for character in setting):
            raise InvalidInput(f"{setting!r} is not UTF-8 text")
        _set(body, setting)
    try:
        encoded = msgspec.json.encode(body)
    except RecursionError:
        raise InvalidInput("the event is nested too deeply") from None
    return read_event(encoded)


def settings_of_owner(webhook: Webhook) -> list[str]:
    """Settings that make an event one of the webhook's owner, if its level has it see no others."""
    if webhook.level != "user":
        return []
    owner = msgspec.json.encode(webhook.owner_id).decode()
    return [f"{name}={owner}" for name in ("userid", "ownerid")]


def _set(body: dict[str, Any], setting: str) -> None:
    path, separator, text = setting.partition("=")
    names = path.split(".")
    if not separator or not all(names):
        raise InvalidInput(f"{setting!r} is not PATH=VALUE", "write for example data.name=Sales")
    holder: Any = body
    for name in names[:-1]:
        holder = _member(holder, name, setting)
    value = _value(text)
    if isinstance(holder, list):
        holder[_position(holder, names[-1], setting)] = value
    elif isinstance(holder, dict):
        holder[names[-1]] = value
    else:
        raise InvalidInput(f"{setting!r}: {'.'.join(names[:-1])} is no object")


def _member(holder: Any, name: str, setting: str) -> Any:
    if isinstance(holder, list):
        return holder[_position(holder, name, setting)]
    if isinstance(holder, dict):
        return holder.setdefault(name, {})
    raise InvalidInput(f"{setting!r}: what {name!r} is in is no object")


def _position(holder: list[Any], name: str, setting: str) -> int:
    # More digits than any position has would be too many for int().
    if not name.isascii() or not name.isdigit() or len(name) > 9 or int(name) >= len(holder):
        raise InvalidInput(f"{setting!r}: {name!r} is not a position in a list of {len(holder)}")
    return int(name)


def _value(text: str) -> Any:
    """JSON where it is JSON, otherwise the text itself."""
    try:
        return msgspec.json.decode(text)
    except NOT_JSON:
        return text
