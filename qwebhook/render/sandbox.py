"""jinja2's sandbox, with a budget: a template is a webhook's, and a webhook may be anybody's.

The sandbox keeps a template from Python's insides. What it does not do is to bound time and memory, so that here every
way to spend either is either counted (`budget.py`) or not there: turns of loops, calls, operators, comparisons, and
what is put out, also into a variable. Attributes, filters and values that can be put out are those that are listed.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, KeysView, ValuesView
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from qwebhook.render.budget import LimitPassed, bounded, measured, put_out, spend, spend_turn
from qwebhook.render.filters import DICT_METHODS, FILTERS, TESTS, TEXT_METHODS, Ready, limited_range, sought

LARGEST_NUMBER = 10**30
_LOOP_ATTRIBUTES = frozenset(
    [
        "changed",
        "cycle",
        "depth",
        "depth0",
        "first",
        "index",
        "index0",
        "last",
        "length",
        "nextitem",
        "previtem",
        "revindex",
        "revindex0",
    ]
)
_REFUSED_NODES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)
_VALUES = (str, int, float, list, tuple, dict, type(None))
_DICT_VIEWS = (KeysView, ValuesView, ItemsView)


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment without a loader.

    finalize: what becomes of each value that is put out. ready_blocks: whether what a macro or a block has made is
    finalized, and is not to be once more.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, *, autoescape: bool, ready_blocks: bool, finalize: Callable[[Any], Any]) -> None:
        # Nothing is worked out while it is compiled: what has been is no longer counted.
        super().__init__(
            undefined=StrictUndefined, autoescape=autoescape, finalize=_counting(finalize), optimized=False
        )
        self._ready_blocks = ready_blocks
        self.filters = FILTERS | {"qwebhook_block": self._block}
        self.tests = dict(TESTS)
        self.globals = {"namespace": Namespace, "range": limited_range}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        for refused in template.find_all(_REFUSED_NODES):
            word = type(refused).__name__.lower()
            raise TemplateSyntaxError(f"{word} is not there: a template stands for itself", refused.lineno)
        for loop in template.find_all(nodes.For):
            if loop.recursive:
                raise TemplateSyntaxError("recursive is not there: use a macro", loop.lineno)
            loop.iter = _filtered(loop.iter, "qwebhook_turns")
        for block in template.find_all(nodes.AssignBlock):
            # Where there is no expression, the filter is of what the block puts out.
            block.filter = nodes.Filter(block.filter, "qwebhook_block", [], [], None, None, lineno=block.lineno)
        for comparison in template.find_all(nodes.Compare):
            _guard_comparison(comparison)
        _guard_within(template)
        return template

    def call(self, context: Context, obj: Any, *arguments: Any, **named: Any) -> Any:
        """A macro, a method of a value, or `namespace` and `range`: nothing else can be got at."""
        spend(10)
        measured(arguments)
        measured(named)
        if isinstance(obj, Macro):
            spend_turn()
            return self._block(super().call(context, obj, *arguments, **named))
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            sought(owner)
        result = super().call(context, obj, *arguments, **named)
        if isinstance(result, _DICT_VIEWS):
            result = list(result)
        if isinstance(result, str):
            bounded(len(result))
        elif isinstance(result, list | tuple):
            spend(len(result))
        return result

    def _block(self, made: Any) -> Any:
        bounded(len(made))
        return Ready(made) if self._ready_blocks else made

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A dict's own value, but for the few methods; of other things what is listed."""
        if isinstance(obj, dict):
            if attribute in DICT_METHODS:
                return getattr(obj, attribute)
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`data["items"]` is the value, whatever the name. Slices do not come by here."""
        if isinstance(obj, dict):
            try:
                return obj[argument]
            except (KeyError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def wrap_str_format(self, value: Any) -> None:
        """`format` is refused with the other methods of texts that are not listed: a width can be any number."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may have the attribute."""
        if isinstance(obj, str):
            return attr in TEXT_METHODS
        if isinstance(obj, LoopContext):
            return attr in _LOOP_ATTRIBUTES
        return isinstance(obj, Namespace) and not attr.startswith("_")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic of numbers, and texts put together."""
        spend(1)
        if isinstance(left, int | float) and isinstance(right, int | float):
            if operator == "**" and (abs(right) > 64 or abs(left) > 1_000_000):
                raise LimitPassed("a power is too high")
            result = super().call_binop(context, operator, left, right)
            if isinstance(result, int) and abs(result) > LARGEST_NUMBER:
                raise LimitPassed("a number is too large")
            return result
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            bounded(len(left) + len(right))
            return left + right
        raise LimitPassed(f"{operator} is for numbers, and + for two texts")


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _guard_comparison(comparison: nodes.Compare) -> None:
    looks_for = any(operand.op in ("in", "notin") for operand in comparison.ops)
    name = "qwebhook_sought" if looks_for else "qwebhook_measured"
    comparison.expr = _filtered(comparison.expr, name)
    for operand in comparison.ops:
        operand.expr = _filtered(operand.expr, name)


def _guard_within(node: nodes.Node) -> None:
    """Put what counts around each part that could grow: `~`, slices, and lists that are written down."""
    for child in node.iter_child_nodes():
        _guard_within(child)
    for field in node.fields:
        value = getattr(node, field)
        if isinstance(value, list):
            setattr(node, field, [_guarded(one) for one in value])
        elif isinstance(value, nodes.Node):
            setattr(node, field, _guarded(value))


def _guarded(node: Any) -> Any:
    if isinstance(node, nodes.Concat):
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "qwebhook_joined")
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        return _filtered(node, "qwebhook_slice")
    if isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
        return _filtered(node, "qwebhook_measured")
    return node


def _counting(finalize: Callable[[Any], Any]) -> Callable[[Context, Any], Any]:
    @pass_context
    def counted(_: Context, value: Any) -> Any:
        if not isinstance(value, str):
            if isinstance(value, Undefined):
                str(value)  # raises, and says what is not there
            if not isinstance(value, _VALUES):
                raise SecurityError(f"a {type(value).__name__.lower()} cannot be put out")
            measured(value)
        shown = finalize(value)
        put_out(len(shown))
        return shown

    return counted
