"""What templates may do to values: those of jinja2's filters, tests and methods that are bounded, and our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from functools import wraps
from typing import Any, cast

import msgspec
from jinja2.filters import FILTERS as DEFAULT_FILTERS
from jinja2.tests import TESTS as DEFAULT_TESTS

from qwebhook.render import escaping
from qwebhook.render.budget import STEPS, LimitPassed, bounded, listed, measured, spend, turns

# Each makes of its first argument something that it goes through one by one.
_GOING_THROUGH = frozenset(
    ["dictsort", "items", "list", "map", "max", "min", "reject", "rejectattr", "select", "selectattr", "sort", "unique"]
)
# Where they take the path of an attribute, counted from what follows their first argument. `map` takes it by name.
_PATH_AT = {"max": 1, "min": 1, "rejectattr": 0, "selectattr": 0, "sort": 2, "unique": 1}
# What does not look into what it is given.
_SHALLOW = frozenset(["count", "d", "default", "first", "last", "length"])
_OTHERS = frozenset(
    [
        "abs",
        "capitalize",
        "e",
        "escape",
        "float",
        "int",
        "lower",
        "reverse",
        "string",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
    ]
)
# How much longer a character takes than in others.
_SEARCH = 8
_SLOW = {"title": 16, "trim": 8, "urlencode": 4}
TEXT_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "isalpha",
        "isdigit",
        "isnumeric",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
    ]
)
DICT_METHODS = frozenset(["get", "items", "keys", "values"])
# A round number has no more digits than these to either side.
_MOST_DIGITS = 15


class Ready(str):
    """A text that is JSON already, and goes out as it is."""

    __slots__ = ()


def sought(value: Any) -> Any:
    """The value, paid for as one that is looked for in another, or the other way round: place by place, at worst."""
    for _ in range(_SEARCH):
        measured(value)
    return value


def _paid(name: str, kept: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of jinja2's, which pays for what it is given and for what it makes, and leaves nothing for later."""
    at = 1 if hasattr(kept, "jinja_pass_arg") else 0

    @wraps(kept)
    def paid(*arguments: Any, **named: Any) -> Any:
        given = list(arguments)
        if name in _GOING_THROUGH and len(given) > at and isinstance(given[at], str):
            given[at] = listed(given[at])
        if name in _GOING_THROUGH and len(given) > at and isinstance(given[at], Sized):
            spend(len(given[at]) * _steps_of_path(name, given[at + 1 :], named))
        if name in _SHALLOW:
            spend(1)
        else:
            for value in (*given[at:], *named.values()):
                for _ in range(_SLOW.get(name, 1)):
                    measured(value)
        result = kept(*given, **named)
        if isinstance(result, str):
            bounded(len(result))
        elif isinstance(result, Iterator):
            result = listed(result)
        return result

    return paid


def _steps_of_path(name: str, arguments: list[Any], named: dict[str, Any]) -> int:
    """How many steps from each value to its attribute (`attribute="a.b,c"`), beyond the first."""
    place = _PATH_AT.get(name, len(arguments))
    path = arguments[place] if place < len(arguments) else named.get("attribute")
    return path.count(".") + path.count(",") if isinstance(path, str) else 0


def _tested(name: str, kept: Callable[..., Any]) -> Callable[..., Any]:
    pays = sought if name == "in" else measured

    @wraps(kept)
    def paid(*arguments: Any) -> Any:
        pays(arguments)
        return kept(*arguments)

    return paid


def _joined(parts: list[Any]) -> str:
    """In place of `~`."""
    measured(parts)
    texts = [str(part) for part in parts]
    bounded(sum(map(len, texts)))
    return "".join(texts)


def _slice(part: Any) -> Any:
    """The part of a text or list that a slice has made."""
    bounded(len(part)) if isinstance(part, str) else spend(1 + len(part))
    return part


def _join(values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    values = listed(values)
    if attribute is not None:
        values = [value[attribute] for value in values]
    measured(values)
    texts = [str(value) for value in values]
    bounded(sum(map(len, texts)) + len(separator) * len(texts))
    return str(separator).join(texts)


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    whole = str(sought(text))
    bounded(len(whole) + (whole.count(old) if old else len(whole) + 1) * len(new))
    return whole.replace(old, new, -1 if count is None else count)


def _sum(values: Iterable[Any], attribute: str | None = None, start: float = 0) -> Any:
    numbers = [value if attribute is None else value[attribute] for value in listed(values)]
    if not all(isinstance(number, int | float) for number in [*numbers, start]):
        raise LimitPassed("sum is for numbers")
    return sum(numbers, start)


def _round(value: float, precision: int = 0, method: str = "common") -> Any:
    if abs(precision) > _MOST_DIGITS:
        raise LimitPassed(f"round is for {_MOST_DIGITS} digits at most")
    return DEFAULT_FILTERS["round"](value, precision, method)


def _to_json(value: Any) -> Ready:
    measured(value)
    encoded = msgspec.json.encode(value).decode()
    bounded(len(encoded))
    return Ready(encoded)


def _text(value: Any) -> str:
    """A text is paid for once, which suffices for what goes through it a few times."""
    text = value if isinstance(value, str) else str(measured(value))
    bounded(len(text))
    return text


def _cut(value: Any, length: int) -> str:
    return escaping.cut(_text(value), length)


def _slack(value: Any) -> str:
    text = escaping.slack(_text(value))
    bounded(len(text))
    return text


def _markdown(value: Any) -> str:
    text = _text(value)
    spend(len(text) // 4)
    return escaping.markdown(text)


def limited_range(*arguments: int) -> list[int]:
    """A list, so that what goes through it is counted as it is for any other."""
    made = range(*arguments)
    if made and len(made[: STEPS + 1]) > STEPS:
        raise LimitPassed("a range is too long")
    spend(len(made))
    return list(made)


FILTERS: dict[str, Callable[..., Any]] = {
    **{name: _paid(name, DEFAULT_FILTERS[name]) for name in _GOING_THROUGH | _SHALLOW | _OTHERS},
    "qwebhook_joined": _joined,
    "qwebhook_turns": turns,
    "qwebhook_measured": measured,
    "qwebhook_slice": _slice,
    "qwebhook_sought": sought,
    "cut": _cut,
    "join": _join,
    "markdown": _markdown,
    "replace": _replace,
    "round": _round,
    "slack": _slack,
    "sum": _sum,
    "tojson": _to_json,
}
TESTS = {name: _tested(name, cast("Callable[..., Any]", kept)) for name, kept in DEFAULT_TESTS.items()}
