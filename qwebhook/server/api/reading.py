"""What a request says, read strictly: anything unknown, doubled or of the wrong kind is refused by its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from qwebhook.model.decoding import NOT_JSON, decoding_reason, misfit
from qwebhook.model.envelope import check_charset
from qwebhook.model.errors import Conflict, InvalidInput, UnsupportedFormat
from qwebhook.server.api.operation import Operation
from qwebhook.server.body import content_length, encoded, read_body
from qwebhook.server.responses import Receive, Scope

Q = TypeVar("Q", bound=msgspec.Struct)


def query_pairs(scope: Scope) -> list[tuple[str, str]]:
    """The query parameters as they came."""
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def read_query(pairs: Sequence[tuple[str, str]], wanted: type[Q]) -> Q:
    """The query parameters that an operation takes. Raises InvalidInput."""
    kinds = _kinds(wanted)
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name not in kinds:
            known = f"use {', '.join(kinds)}" if kinds else "there are none here"
            raise InvalidInput(f"{name[:80]!r} is not a known query parameter", known)
        if name in values:
            raise InvalidInput(f"the query parameter {name} is given twice", "give it once")
        values[name] = _value(kinds[name], text)
    try:
        return msgspec.convert(values, wanted)
    except msgspec.ValidationError as error:
        name, words = misfit(error, wanted)
        raise InvalidInput(f"the query parameter {name} {words}") from None


@cache
def _kinds(wanted: type[msgspec.Struct]) -> dict[str, type[inspect.Type]]:
    """The parameters' names, and what each of them is."""
    return {field.encode_name: _kind(inspect.type_info(field.type)) for field in msgspec.structs.fields(wanted)}


def _kind(what: inspect.Type) -> type[inspect.Type]:
    if isinstance(what, inspect.Metadata):
        return _kind(what.type)
    if isinstance(what, inspect.UnionType):  # of what it is and None
        return next(kind for kind in map(_kind, what.types) if kind is not inspect.NoneType)
    return type(what)


def _value(kind: type[inspect.Type], text: str) -> Any:
    """The text as what it is to be; what cannot be read so is left as it is, and then does not fit."""
    if kind is inspect.BoolType:
        return {"true": True, "false": False}.get(text, text)
    if kind is inspect.IntType:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    if kind is inspect.ListType:
        return [part for part in text.split(",") if part]
    if kind is inspect.LiteralType and text.startswith(" "):
        return "+" + text[1:]  # the sign of an ascending sort, which stands for a space in a query
    return text


async def read_json(scope: Scope, receive: Receive, operation: Operation) -> tuple[Any, frozenset[str]]:
    """The body that an operation takes, and which fields it has.

    Raises InvalidInput, UnsupportedFormat, BodyTooLarge, Conflict for a read-only field, ClientGone.
    """
    headers = dict(scope["headers"])
    length = content_length(headers.get(b"content-length", b""))
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.lower() != "identity":
        raise encoded(encoding)
    if content_type or not operation.optional:
        _check_media_type(content_type, operation.media_types)
    body = await read_body(receive, length, "send less")
    if not body and operation.optional:
        body = b"{}"
    elif not content_type:
        _check_media_type(content_type, operation.media_types)
    return _decoded(body, operation)


def _check_media_type(content_type: str, taken: Sequence[str]) -> None:
    if content_type.partition(";")[0].strip().lower() not in taken:
        given = f"content type {content_type!r} is not taken" if content_type else "no content type"
        raise UnsupportedFormat(given, f"send {' or '.join(taken)}")
    check_charset(content_type)


def _decoded(body: bytes, operation: Operation) -> tuple[Any, frozenset[str]]:
    try:
        fields = frozenset(_fields_of(body))
        refused = sorted(fields & operation.read_only)
        if refused:
            raise Conflict(f"{', '.join(refused)}: cannot be written", "leave out what is read-only")
        return msgspec.json.decode(body, type=operation.body), fields
    except msgspec.ValidationError as error:
        path, words = misfit(error, operation.body)
        raise operation.invalid(path or "body", words) from None
    except NOT_JSON as error:
        raise InvalidInput(f"the body is not valid JSON: {decoding_reason(error)}") from None


def _fields_of(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of an object; none of any other JSON."""
    return msgspec.json.decode(body, type=dict[str, msgspec.Raw]) if body.lstrip()[:1] == b"{" else {}
