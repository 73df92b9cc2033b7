"""What a webhook may be: its fields, their types, and the rules that the service states.

How the 2,048 bytes of headers are counted is not published: here, names and values in UTF-8 together. Neither is which
forms of an event type are well-formed, nor whether an unknown one is refused: here, any dotted name is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.tenant.answers import Json, Refused
from tests.tenant.filters import check_filter

# Of the fields that a client writes: their type, and what they are when they are not given.
WRITTEN: dict[str, tuple[type, Any]] = {
    "name": (str, None),
    "url": (str, None),
    "description": (str, ""),
    "eventTypes": (list, []),
    "filter": (str, ""),
    "headers": (dict, {}),
    "encryptedHeaders": (dict, {}),
    "secret": (str, None),
    "enabled": (bool, False),
    "level": (str, None),
    "ownerId": (str, None),
    "checkCertificateRevocation": (bool, False),
    "enableCloudEventDelivery": (bool, False),
}
READ_ONLY = {
    "id",
    "createdAt",
    "createdByUserId",
    "updatedAt",
    "updatedByUserId",
    "disabledReason",
    "disabledReasonCode",
    "secretKeyAdded",
    "origin",
}
LEVELS = ("tenant", "user")
ORIGINS = ("api", "automations", "management-console")
MOST_HEADER_BYTES = 2048
_EVENT_TYPE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_KINDS = {str: "a string", list: "a list of strings", dict: "a map of strings", bool: "true or false"}


def check(fields: Json) -> None:
    """The fields that a client writes, as a whole. Raises Refused (400)."""
    for name, (kind, absent) in WRITTEN.items():
        if name not in fields or (absent is None and fields[name] is None):
            if name in ("name", "url"):
                raise _wrong(name, "is required")
            continue
        check_type(name, kind, fields[name])
    if not fields["name"]:
        raise _wrong("name", "is empty")
    _check_url(fields["url"])
    event_types = fields.get("eventTypes", [])
    for event_type in event_types:
        if not _EVENT_TYPE.fullmatch(event_type):
            raise _wrong("eventTypes", f"{event_type!r} is not the name of an event type")
    if len(set(event_types)) < len(event_types):
        raise _wrong("eventTypes", "names a type twice")
    if fields.get("filter"):
        check_filter(fields["filter"], event_types)
    secret = fields.get("secret")
    if secret is not None and not 32 <= len(secret) <= 64:
        raise _wrong("secret", "must have 32 to 64 characters")
    if fields.get("level") not in (None, *LEVELS):
        raise _wrong("level", f"must be one of {', '.join(LEVELS)}")
    _check_headers(fields.get("headers", {}), fields.get("encryptedHeaders", {}))


def check_type(name: str, kind: type, value: Any) -> None:
    """Raises Refused (400)."""
    inner = value if kind is list else value.values() if kind is dict and isinstance(value, dict) else ()
    if not isinstance(value, kind) or not all(isinstance(one, str) for one in inner):
        raise _wrong(name, f"must be {_KINDS[kind]}")


def check_given(body: Mapping[str, Any], known: set[str]) -> None:
    """What a client wrote out: known fields only, and none as null. Raises Refused (400)."""
    for name, value in body.items():
        if name not in known:
            raise Refused(400, f"unknown field {name!r}")
        if value is None:
            raise _wrong(name, "must not be null")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong("url", "is not a URL") from None
    if parts.scheme != "https":
        raise _wrong("url", "must be HTTPS")
    labels = host.removesuffix(".").split(".")
    # A last label that is a number makes the whole an address, however the rest is written (WHATWG URL, section 3.5).
    numeric = labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1])
    if ":" in host or numeric:
        raise _wrong("url", "must not be an IP address")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _wrong("url", "must have a fully qualified name")
    if re.search(r"[\s\x00-\x1f]", url):
        raise _wrong("url", "is not a URL")


def _check_headers(plain: Mapping[str, str], encrypted: Mapping[str, str]) -> None:
    for field, headers in (("headers", plain), ("encryptedHeaders", encrypted)):
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise _wrong(field, f"{name!r} is not the name of a header")
            if re.search(r"[\x00\r\n]", value):
                raise _wrong(field, f"the value of {name} has a line break")
        if sum(len((name + value).encode()) for name, value in headers.items()) > MOST_HEADER_BYTES:
            raise _wrong(field, f"has more than {MOST_HEADER_BYTES} bytes")
    names = [name.lower() for name in (*plain, *encrypted)]
    if len(set(names)) < len(names):
        raise _wrong("headers", "a name is given twice; case does not count")


def _wrong(field: str, what: str) -> Refused:
    return Refused(400, f"{field} {what}")
