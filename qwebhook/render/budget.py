"""What one rendering, or several that belong together, may cost: a budget of steps and of text, counted and not timed.

So a template that passes for an event passes always, on any machine. A step is some microsecond of work at most.
Whatever takes a value pays for its size before it looks at it: a text that is held many times over costs as many times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.utils import Namespace

STEPS = 100_000
LENGTH_OF_A_STEP = 64
# Characters in all that are put out, and of one text on the way.
TEXT_LIMIT = 256 << 10
DEEPEST = 50
TOO_MUCH = "it does too much work for one event"
TOO_LONG = f"it puts out more than {TEXT_LIMIT >> 10} KiB"


class LimitPassed(SecurityError):
    """A template does more than one may."""


class Budget:
    """What is left. text: of what values put out; whole: of all that is, the templates' own text too. turn: steps of a
    loop's turn, which does more in a long template.
    """

    __slots__ = ("steps", "text", "turn", "whole")

    def __init__(self) -> None:
        self.steps = STEPS
        self.text = TEXT_LIMIT
        self.whole = TEXT_LIMIT
        self.turn = 1


# Where nothing is rendered, nothing may be spent: an endless budget would be a hole.
_budget: ContextVar[Budget] = ContextVar("qwebhook-render-budget")


class within_budget:
    """Within the block, what a template does is counted. source_length: its characters. budget: that of all that
    belongs together; None for one of its own.
    """

    def __init__(self, source_length: int, budget: Budget | None = None) -> None:
        self._budget = Budget() if budget is None else budget
        self._turn = 1 + source_length // LENGTH_OF_A_STEP

    def __enter__(self) -> Budget:
        self._budget.turn = self._turn
        self._token = _budget.set(self._budget)
        return self._budget

    def __exit__(self, *_: object) -> None:
        _budget.reset(self._token)


def spend(steps: int) -> None:
    """Raises LimitPassed."""
    budget = _budget.get()
    budget.steps -= steps
    if budget.steps < 0:
        raise LimitPassed(TOO_MUCH)


def spend_turn() -> None:
    """For what runs a part of the template, of which nobody knows how long it is. Raises LimitPassed."""
    spend(_budget.get().turn)


def put_out(length: int) -> None:
    """Raises LimitPassed."""
    budget = _budget.get()
    budget.text -= length
    if budget.text < 0:
        raise LimitPassed(TOO_LONG)


def bounded(length: int) -> None:
    """Before a text of that length is made. Raises LimitPassed."""
    if length > TEXT_LIMIT:
        raise LimitPassed(f"a text on the way is longer than {TEXT_LIMIT >> 10} KiB")
    # `spend`, without the call: every filter comes by here.
    budget = _budget.get()
    budget.steps -= 1 + length // LENGTH_OF_A_STEP
    if budget.steps < 0:
        raise LimitPassed(TOO_MUCH)


def turns(values: Iterable[Any]) -> Iterator[Any]:
    """Around what a loop goes through."""
    budget = _budget.get()
    for value in values:
        spend(budget.turn)
        yield value


def listed(values: Iterable[Any]) -> list[Any]:
    """All of it, so that nothing is left that would cost later."""
    found = []
    for value in values:
        spend(1)
        found.append(value)
    return found


def measured(value: Any, depth: int = 0) -> Any:
    """The value, when all that it holds has been paid for: lists of lists of the same can be of any size.

    Raises LimitPassed.
    """
    if isinstance(value, str):
        spend(1 + len(value) // LENGTH_OF_A_STEP)
    elif isinstance(value, dict | list | tuple):
        if depth > DEEPEST:
            raise LimitPassed("a list is nested too deeply")
        spend(1 + len(value))
        for one in value.values() if isinstance(value, dict) else value:
            measured(one, depth + 1)
    elif isinstance(value, Namespace):
        raise LimitPassed("a namespace holds values, and is none")
    return value
