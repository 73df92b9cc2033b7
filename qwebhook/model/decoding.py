"""What is wrong with JSON that was given, in words for a person: those of msgspec speak of Python's types."""

from __future__ import annotations

import re
from typing import Any

import msgspec

# What msgspec raises for bytes that are no JSON, or not of the wanted shape.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Such as: Expected `str | null`, got `int` - at `$.qwebhook.ordering`
_MESSAGE = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(.+)`, got `(.+)`")
# Such as: Expected `int` <= 100, or `array` of length >= 1
_LIMIT = re.compile(r"Expected `\w+` (of length )?(>=|<=) (\d+)")
# Members of a map, and of maps within it.
_UNNAMED = re.compile(r"(\[\.\.\.\])+\Z")
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.+)`", re.DOTALL)
_ENUM = "Invalid enum value "
_WANTED = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}
_GIVEN = _WANTED | {"int": "a number", "float": "a number with a fraction", "bool": "a boolean"}
_SHOWN = 80


def decoding_reason(error: Exception) -> str:
    """What one of NOT_JSON says."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (byte {error.start})"
    if isinstance(error, msgspec.ValidationError):
        path, words = misfit(error)
        return f"{path or 'it'} {words}"
    text = str(error).removeprefix("JSON is malformed: ").replace("`", "'")
    return "it ends too early" if text == "Input data was truncated" else text


def misfit(error: msgspec.ValidationError, wanted: Any = None, at: str = "") -> tuple[str, str]:
    """Where a value does not have the wanted type, and why: `("qwebhook.concurrency", "must be a whole number, …")`.

    wanted: the type, of which the choices are named where it has some. at: where the value itself is.
    """
    message = _MESSAGE.fullmatch(str(error))
    assert message is not None  # it fits any text
    what, below = message[1], message[2] or ""
    path = at + below
    if field := _FIELD.fullmatch(what):
        path = f"{path}.{field[2][:_SHOWN]}"
        words = "is missing" if field[1].startswith("missing") else "is not a known field"
    elif expected := _EXPECTED.fullmatch(what):
        # The members of a map are not named by msgspec.
        verb, only = ("must hold", " only") if path.endswith("[...]") else ("must be", "")
        words = f"{verb} {_wanted(expected[1])}{only}, not {_GIVEN.get(expected[2], expected[2])}"
    elif limit := _LIMIT.fullmatch(what):
        words = f"must {'have' if limit[1] else 'be'} {limit[3]} at {'least' if limit[2] == '>=' else 'most'}"
    elif what.startswith(_ENUM):
        choices = f"not one of {_choices(wanted, below)}" if wanted is not None else "which it cannot be"
        words = f"is {what.removeprefix(_ENUM)[:_SHOWN]}, {choices}"
    else:
        words = f"does not fit ({what[:1].lower()}{what[1:]})".replace("`", "'")
    return _UNNAMED.sub("", path).lstrip("."), words


def _wanted(kinds: str) -> str:
    """`bool | int | null` as "true or false, or a whole number"; that it may be left out goes without saying."""
    words = [_WANTED.get(kind, kind) for kind in kinds.split(" | ") if kind != "null"]
    return ", or ".join(words)


def _choices(wanted: Any, path: str) -> str:
    """What may be at the path (`.qwebhook.ordering`, `[0].op`) below a value of the type."""
    from msgspec import inspect

    def present(kind: Any) -> Any:
        """What a thing is that may have limits, or be left out."""
        if isinstance(kind, inspect.Metadata):
            return present(kind.type)
        if isinstance(kind, inspect.UnionType):
            return present(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
        return kind

    kind = present(inspect.type_info(wanted))
    for name in re.findall(r"\.(\w+)|\[", path):
        if name:
            kind = present(next(field.type for field in kind.fields if field.encode_name == name))
        else:
            kind = present(kind.value_type if isinstance(kind, inspect.DictType) else kind.item_type)
    return ", ".join(kind.values)
