"""jinja2's sandbox, with a budget: a template is a webhook's, and a webhook may be anybody's.

The sandbox keeps a template from Python's insides. What it does not do is to bound time and memory, so that here every
way to spend either is either counted or not there: turns of loops, calls, operators, and what is put out, also into a
variable. The budget is of work, not of time, so that a template that passes once passes always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

import msgspec
from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

# Steps of one rendering: some tens of milliseconds at the very most. A loop's turn costs more in a long template, since
# what the turn does grows with it.
STEPS = 100_000
LENGTH_OF_A_STEP = 64
# Characters in all that are put out, and of one text on the way.
TEXT_LIMIT = 256 << 10
LARGEST_NUMBER = 10**30
_FILTERS = frozenset(
    [
        "abs",
        "capitalize",
        "count",
        "d",
        "default",
        "dictsort",
        "e",
        "escape",
        "first",
        "float",
        "int",
        "items",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "replace",
        "reverse",
        "round",
        "select",
        "selectattr",
        "sort",
        "string",
        "striptags",
        "sum",
        "title",
        "tojson",
        "trim",
        "truncate",
        "unique",
        "upper",
        "urlencode",
        "wordcount",
    ]
)
_GLOBALS = frozenset({"namespace"})
_TEXT_METHODS = frozenset(
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
_MARKUP = re.compile(r"[\\`*_{}\[\]()<>#+!|~@-]")
_REFUSED_NODES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)


class LimitPassed(SecurityError):
    """A template does more than one may."""


class Ready(str):
    """A text that is JSON already, and goes out as it is."""

    __slots__ = ()


class _Budget:
    """What is left of one rendering."""

    __slots__ = ("steps", "text", "turn")

    def __init__(self, source_length: int) -> None:
        self.steps = STEPS
        self.text = TEXT_LIMIT
        self.turn = 1 + source_length // LENGTH_OF_A_STEP

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise LimitPassed("it does too much work for one event")

    def put_out(self, length: int) -> None:
        self.text -= length
        if self.text < 0:
            raise LimitPassed(f"it puts out more than {TEXT_LIMIT >> 10} KiB")


_budget: ContextVar[_Budget | None] = ContextVar("qwebhook-render-budget", default=None)


class _Within:
    """Within the block, what templates do is counted against a new budget."""

    def __init__(self, source_length: int) -> None:
        self._source_length = source_length

    def __enter__(self) -> _Budget:
        budget = _Budget(self._source_length)
        self._token = _budget.set(budget)
        return budget

    def __exit__(self, *_: object) -> None:
        _budget.reset(self._token)


def within_budget(source_length: int) -> _Within:
    """See `_Within`. source_length: characters of the template."""
    return _Within(source_length)


def _spend(steps: int) -> None:
    budget = _budget.get()
    if budget is not None:
        budget.spend(steps)


def _bounded(length: int) -> None:
    if length > TEXT_LIMIT:
        raise LimitPassed(f"a text on the way is longer than {TEXT_LIMIT >> 10} KiB")
    _spend(1 + length // LENGTH_OF_A_STEP)


def _counted(turns: Iterable[Any]) -> Iterator[Any]:
    """Around what each loop goes through."""
    budget = _budget.get()
    for one in turns:
        if budget is not None:
            budget.spend(budget.turn)
        yield one


def _joined(parts: list[Any]) -> str:
    """In place of `~`."""
    measured(parts)
    texts = [str(part) for part in parts]
    _bounded(sum(map(len, texts)))
    return "".join(texts)


def _join(values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    values = list(_counted(values))
    measured(values)
    texts = [str(value if attribute is None else value[attribute]) for value in values]
    _bounded(sum(map(len, texts)) + len(separator) * len(texts))
    joined: str = str(separator).join(texts)
    return joined


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    whole: str = str(measured(text))
    _bounded(len(whole) + (whole.count(old) if old else len(whole) + 1) * len(new))
    return whole.replace(old, new, -1 if count is None else count)


def measured(value: Any, depth: int = 0) -> Any:
    """The value, when all that it holds has been paid for: lists of lists of the same can be of any size."""
    if depth > 50:
        raise LimitPassed("a list is nested too deeply")
    if isinstance(value, Namespace):
        raise LimitPassed("a namespace holds values, and is none")
    if isinstance(value, dict | list | tuple):
        _spend(1 + len(value))
        for one in value.values() if isinstance(value, dict) else value:
            measured(one, depth + 1)
    return value


def _paid(kept: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of jinja2's, most of which make a text of whatever they are given."""

    @wraps(kept)
    def paid(*arguments: Any, **named: Any) -> Any:
        measured(arguments)
        result = kept(*arguments, **named)
        if isinstance(result, str):
            _bounded(len(result))
        return result

    return paid


def _to_json(value: Any) -> Ready:
    measured(value)
    encoded = msgspec.json.encode(value).decode()
    _bounded(len(encoded))
    return Ready(encoded)


def _cut(text: Any, length: int) -> str:
    whole = str(text)
    return whole if len(whole) <= length else whole[: max(length - 1, 0)] + "…"


def _slack(text: Any) -> str:
    """Slack's own escaping, without which a name could mention a whole channel."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markdown(text: Any) -> str:
    r"""Nothing in the text is markup: each character that could be has a `\` before it."""
    return _MARKUP.sub(r"\\\g<0>", str(text))


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment without a loader. finalize: what becomes of each value that is put out."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, *, autoescape: bool, finalize: Callable[[Any], Any]) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=autoescape, finalize=_counting(finalize), keep_trailing_newline=False
        )
        self.filters = {name: _paid(kept) for name, kept in self.filters.items() if name in _FILTERS} | {
            "qwebhook_counted": _counted,
            "qwebhook_joined": _joined,
            "qwebhook_measured": measured,
            "join": _join,
            "replace": _replace,
            "tojson": _to_json,
            "cut": _cut,
            "slack": _slack,
            "markdown": _markdown,
        }
        self.globals = {name: kept for name, kept in self.globals.items() if name in _GLOBALS} | {"range": _range}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        for refused in template.find_all(_REFUSED_NODES):
            self._refuse(refused)
        for loop in template.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "qwebhook_counted", [], [], None, None, lineno=loop.lineno)
        _guarded(template)
        return template

    def _refuse(self, node: nodes.Node) -> None:
        word = type(node).__name__.lower()
        raise TemplateSyntaxError(f"{word} is not there: a template stands for itself", node.lineno)

    def call(self, context: Context, obj: Any, *arguments: Any, **named: Any) -> Any:
        _spend(10)
        return super().call(context, obj, *arguments, **named)

    def wrap_str_format(self, value: Any) -> None:
        """`format` is refused with the other methods of texts that are not listed: a width can be any number."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr not in _TEXT_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _spend(1)
        if isinstance(left, int | float) and isinstance(right, int | float):
            if operator == "**" and (abs(right) > 64 or abs(left) > 1_000_000):
                raise LimitPassed("a power is too high")
            result = super().call_binop(context, operator, left, right)
            if isinstance(result, int) and abs(result) > LARGEST_NUMBER:
                raise LimitPassed("a number is too large")
            return result
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            _bounded(len(left) + len(right))
            return left + right
        raise LimitPassed(f"{operator} is for numbers, and + for two texts")


def _guarded(node: nodes.Node) -> None:
    """Put what counts around each part that could grow: `~`, and lists that are written down."""
    for child in node.iter_child_nodes():
        _guarded(child)
    for field in node.fields:
        value = getattr(node, field)
        if isinstance(value, list):
            setattr(node, field, [_guard(one) for one in value])
        elif isinstance(value, nodes.Node):
            setattr(node, field, _guard(value))


def _guard(node: Any) -> Any:
    if isinstance(node, nodes.Concat):
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "qwebhook_joined", [], [], None, None, lineno=node.lineno)
    written = isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load")
    if written:
        return nodes.Filter(node, "qwebhook_measured", [], [], None, None, lineno=node.lineno)
    return node


def _counting(finalize: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def counted(value: Any) -> Any:
        if isinstance(value, Undefined):
            value = str(value)  # raises, and says what is not there
        if not isinstance(value, str):
            measured(value)
        shown = finalize(value)
        budget = _budget.get()
        if budget is not None:
            budget.put_out(len(shown) if isinstance(shown, str) else len(str(shown)))
        return shown

    return counted


def _range(*arguments: int) -> range:
    made = range(*arguments)
    if len(made) > STEPS:
        raise LimitPassed("a range is too long")
    return made
