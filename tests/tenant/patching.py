"""PATCH: the subset of JSON Patch (RFC 6902) that the service takes, under each of the two prefixes.

The fields themselves are always there, set or not, so that any of the three operations may name them. A member of a
map must be there to be replaced or removed, as the RFC has it.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.tenant.answers import Json, Refused
from tests.tenant.webhook_rules import WRITTEN, check_type

V1_PATHS = {
    "name",
    "description",
    "url",
    "eventTypes",
    "headers",
    "enabled",
    "secret",
    "encryptedHeaders",
    "enableCloudEventDelivery",
}
CORE_PATHS = V1_PATHS | {"filter", "level", "ownerId"}
MAPS = {"headers", "encryptedHeaders"}


def patched(fields: Json, operations: Any, prefix: str) -> Json:
    """The fields with the operations applied in order, not yet validated as a whole. Raises Refused (400)."""
    if not isinstance(operations, list):
        raise Refused(400, "the body must be a list of operations")
    result = deepcopy(fields)
    renewed: set[str] = set()
    for number, operation in enumerate(operations, start=1):
        try:
            renewed |= _apply(result, operation, prefix)
        except _Wrong as wrong:
            raise Refused(400, f"operation {number}: {wrong}") from None
    if result["url"] != fields["url"] and (kept := {*result["encryptedHeaders"]} - renewed):
        raise Refused(400, "a new url needs the encrypted headers anew", f"give or remove {', '.join(sorted(kept))}")
    return result


class _Wrong(Exception):
    """What is wrong with one operation."""


def _apply(fields: Json, operation: Any, prefix: str) -> set[str]:
    """Change the fields; the encrypted headers whose values are given anew."""
    if not isinstance(operation, dict) or not {"op", "path"} <= set(operation) <= {"op", "path", "value"}:
        raise _Wrong("must be an object with op, path and value")
    op, path, value = operation["op"], operation["path"], operation.get("value")
    if op not in ("add", "remove", "replace"):
        raise _Wrong("op must be add, remove or replace")
    if not isinstance(path, str) or not path.startswith("/"):
        raise _Wrong("path must begin with '/'")
    # RFC 6901, section 4.
    field, *members = (part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    may_have_members = prefix == "core" and field in MAPS
    if field not in (CORE_PATHS if prefix == "core" else V1_PATHS) or len(members) > may_have_members:
        raise _Wrong(f"path {path!r} cannot be changed")
    if op != "remove" and "value" not in operation:
        raise _Wrong(f"{op} needs a value")
    if members:
        return _apply_to_member(fields[field], members[0], op, value)
    kind, absent = WRITTEN[field]
    if op == "remove":
        fields[field] = deepcopy(absent)
    else:
        check_type(field, kind, value)
        fields[field] = value
    return set(fields[field]) if field == "encryptedHeaders" else set()


def _apply_to_member(members: dict[str, str], name: str, op: str, value: Any) -> set[str]:
    present = next((one for one in members if one.lower() == name.lower()), None)
    if present is None and op != "add":
        raise _Wrong(f"there is no {name}")
    if op != "remove":
        check_type(name, str, value)
    if present is not None:
        del members[present]
    if op == "remove":
        return set()
    members[name] = value
    return {name}
