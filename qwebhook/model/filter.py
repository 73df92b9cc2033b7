"""The filter of a webhook: the subset of SCIM (RFC 7644, section 3.4.2.2) that the service takes.

    filter      = term *( "or" term )
    term        = comparison *( "and" comparison )
    comparison  = attribute ( "eq" | "ne" ) value
    attribute   = "id" | "spaceId" | "topLevelResourceId" | "data.status"
    value       = a JSON string

Attributes, operators and keywords are read without regard to case, as in SCIM; "and" binds tighter than "or".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qwebhook.model.errors import InvalidFilter

if TYPE_CHECKING:
    from qwebhook.model.event import Event

Predicate = Callable[["Event"], bool]

ATTRIBUTES: dict[str, Callable[[Event], str | None]] = {
    "id": lambda event: event.resource_id,
    "spaceId": lambda event: event.space_id,
    "topLevelResourceId": lambda event: event.top_level_resource_id,
    "data.status": lambda event: event.data_status,
}
_BY_LOWER_CASE = {name.lower(): name for name in ATTRIBUTES}
RELOAD_FINISHED = "com.qlik.v1.app.reload.finished"
STATUSES = ("ok", "error")

# A string that is never closed is one token, or looking for its end from each quote within it would take for ever.
_TOKEN = re.compile(r'\s*(?:(?P<word>[A-Za-z_][\w.]*)|(?P<string>"(?:[^"\\]|\\.)*"?)|(?P<other>\S))')


class Comparison:
    """One `attribute operator value`, with its place in the text."""

    __slots__ = ("attribute", "equal", "position", "value")

    def __init__(self, attribute: str, equal: bool, value: str, position: int) -> None:
        self.attribute = attribute
        self.equal = equal
        self.value = value
        self.position = position

    def predicate(self) -> Predicate:
        read, value = ATTRIBUTES[self.attribute], self.value
        if self.equal:
            return lambda event: read(event) == value
        # An absent attribute is None, which differs from every value: `ne` holds.
        return lambda event: read(event) != value


class Filter:
    """A parsed expression: alternatives of comparisons that must all hold.

    Raises InvalidFilter, with the position, for text outside the grammar.
    """

    __slots__ = ("alternatives", "expression", "matches")

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.alternatives = _Parser(expression).alternatives()
        self.matches: Predicate = _compiled(self.alternatives)

    def check_types(self, canonical_types: Sequence[str]) -> None:
        """Refuse `data.status` unless reload-finished is the only subscribed type. Raises InvalidFilter."""
        for comparison in (one for terms in self.alternatives for one in terms):
            if comparison.attribute != "data.status":
                continue
            if set(canonical_types) != {RELOAD_FINISHED}:
                raise InvalidFilter(
                    f"data.status may be used only when {RELOAD_FINISHED} is the only event type",
                    self.expression,
                    comparison.position,
                )
            if comparison.value not in STATUSES:
                raise InvalidFilter('data.status is "ok" or "error"', self.expression, comparison.position)


def _compiled(alternatives: list[list[Comparison]]) -> Predicate:
    groups = [[comparison.predicate() for comparison in terms] for terms in alternatives]
    if len(groups) == 1 and len(groups[0]) == 1:
        return groups[0][0]
    return lambda event: any(all(holds(event) for holds in group) for group in groups)


class _Parser:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens: list[tuple[str, str, int]] = []
        offset = 0
        while match := _TOKEN.match(expression, offset):
            kind = match.lastgroup or "other"
            self.tokens.append((kind, match[kind], match.start(kind)))
            offset = match.end()
        self.tokens.append(("end", "", len(expression.rstrip())))
        self.next = 0

    def fail(self, message: str) -> InvalidFilter:
        return InvalidFilter(message, self.expression, self.tokens[self.next][2])

    def found(self) -> str:
        kind, text, _ = self.tokens[self.next]
        return "the end" if kind == "end" else f"'{text}'"

    def take(self) -> str:
        self.next += 1
        return self.tokens[self.next - 1][1]

    def keyword(self, word: str) -> bool:
        kind, text, _ = self.tokens[self.next]
        if kind == "word" and text.lower() == word:
            self.next += 1
            return True
        return False

    def alternatives(self) -> list[list[Comparison]]:
        if self.tokens[0][0] == "end":
            raise self.fail("an expression is expected, but it is empty")
        alternatives = [self.conjunction()]
        while self.keyword("or"):
            alternatives.append(self.conjunction())
        if self.tokens[self.next][0] != "end":
            raise self.fail(f"'and', 'or' or the end is expected, not {self.found()}")
        return alternatives

    def conjunction(self) -> list[Comparison]:
        comparisons = [self.comparison()]
        while self.keyword("and"):
            comparisons.append(self.comparison())
        return comparisons

    def comparison(self) -> Comparison:
        kind, text, position = self.tokens[self.next]
        attribute = _BY_LOWER_CASE.get(text.lower()) if kind == "word" else None
        if attribute is None:
            if text in "()" and text:
                raise self.fail("parentheses are not part of the service's filters")
            raise self.fail(f"one of {', '.join(ATTRIBUTES)} is expected, not {self.found()}")
        self.take()
        equal = self.keyword("eq")
        if not equal and not self.keyword("ne"):
            raise self.fail(f"'eq' or 'ne' is expected, not {self.found()}")
        kind, text, _ = self.tokens[self.next]
        if kind != "string":
            raise self.fail(f"a value in double quotes is expected, not {self.found()}")
        try:
            value = json.loads(text)
        except ValueError:
            raise self.fail("the value is not a JSON string") from None
        self.take()
        return Comparison(attribute, equal, value, position)
