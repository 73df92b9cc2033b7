"""Filters: the grammar, what an expression means, and what is said of a wrong one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.errors import InvalidFilter
from qwebhook.model.event import Event, read_event
from qwebhook.model.filter import RELOAD_FINISHED, Filter
from tests.builders import APP_CREATED, cloud_event_body, event

ATTRIBUTES = ("id", "spaceId", "topLevelResourceId", "data.status")
# Few values, so that random comparisons hold often enough; the odd ones need escapes.
VALUES = ("a", "b", "", 'say "hi"', "back\\slash", "naïve ☃", "and", "a or b", "line\nbreak", "ID")

spaces = st.text(" \t\n\r", min_size=1, max_size=3)
Tree = tuple[Any, ...]


@st.composite
def spellings(draw: st.DrawFn, word: str) -> str:
    """A word in some mixture of capitals and small letters."""
    return "".join(letter.upper() if draw(st.booleans()) else letter.lower() for letter in word)


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, list[list[Tree]]]:
    """An expression by the grammar, and what it says: alternatives of (attribute, operator, value)."""
    alternatives: list[list[Tree]] = []
    texts = []
    for _ in range(draw(st.integers(1, 4))):
        terms: list[Tree] = []
        parts = []
        for _ in range(draw(st.integers(1, 3))):
            attribute, operator = draw(st.sampled_from(ATTRIBUTES)), draw(st.sampled_from(("eq", "ne")))
            value = draw(st.sampled_from(VALUES))
            terms.append((attribute, operator, value))
            quoted = json.dumps(value, ensure_ascii=draw(st.booleans()))
            parts.append(f"{draw(spellings(attribute))}{draw(spaces)}{draw(spellings(operator))}{draw(spaces)}{quoted}")
        alternatives.append(terms)
        texts.append(f"{draw(spaces)}{draw(spellings('and'))}{draw(spaces)}".join(parts))
    text = f"{draw(spaces)}{draw(spellings('or'))}{draw(spaces)}".join(texts)
    return draw(st.sampled_from(("", " ", "\n"))) + text + draw(st.sampled_from(("", "  "))), alternatives


values_of_events = st.none() | st.sampled_from(VALUES)
event_attributes = st.fixed_dictionaries(dict.fromkeys(ATTRIBUTES, values_of_events))


def event_with(values: dict[str, str | None]) -> Event:
    """An event whose attributes have the values; those that are None are absent."""
    return event(
        spaceid=values["spaceId"],
        toplevelresourceid=values["topLevelResourceId"],
        data={
            name: value
            for name, value in {"id": values["id"], "status": values["data.status"]}.items()
            if value is not None
        },
    )


def naive(alternatives: list[list[Tree]], values: dict[str, str | None]) -> bool:
    """What the design says an expression means, step by step."""
    # An event without `data.id` is about its top-level resource. An empty attribute of the envelope is an absent one.
    space = values["spaceId"] or None
    resource = values["topLevelResourceId"] or None
    seen = {
        "id": values["id"] if values["id"] is not None else resource,
        "spaceId": space,
        "topLevelResourceId": resource,
        "data.status": values["data.status"],
    }
    for terms in alternatives:
        all_hold = True
        for attribute, operator, value in terms:
            same = seen[attribute] is not None and seen[attribute] == value
            all_hold = all_hold and (same if operator == "eq" else not same)
        if all_hold:
            return True
    return False


@given(expressions(), st.lists(event_attributes, min_size=1, max_size=8))
def test_random_expressions_mean_what_a_naive_evaluator_says(
    expression: tuple[str, list[list[Tree]]], events: list[dict[str, str | None]]
) -> None:
    text, alternatives = expression
    parsed = Filter(text)
    assert parsed.expression == text
    assert [
        [(one.attribute, "eq" if one.equal else "ne", one.value) for one in terms] for terms in parsed.alternatives
    ] == alternatives
    for values in events:
        assert parsed.matches(event_with(values)) == naive(alternatives, values)


@given(expressions())
def test_the_position_of_a_comparison_is_that_of_its_attribute(
    expression: tuple[str, list[list[Tree]]],
) -> None:
    text, _ = expression
    for comparison in (one for terms in Filter(text).alternatives for one in terms):
        assert text[comparison.position :].lower().startswith(comparison.attribute.lower())


_pieces = st.sampled_from(
    [*ATTRIBUTES, "eq", "ne", "and", "or", "not", "(", ")", '"a"', '"', "'a'", "\\", '"\\', "1", "id.x", '"\\u"', "İ"]
)


@given(
    st.text(max_size=60)
    | st.lists(_pieces, max_size=10).map(" ".join)
    | st.lists(_pieces, max_size=10).map("".join)
    | expressions().flatmap(lambda pair: st.integers(0, len(pair[0])).map(lambda end: pair[0][:end]))
)
def test_any_text_is_a_filter_or_an_invalid_one(text: str) -> None:
    try:
        Filter(text)
    except InvalidFilter as refused:
        assert 0 <= refused.position <= len(text)
        assert refused.expression == text
        assert f"at position {refused.position + 1} of {text!r}" in str(refused)


@pytest.mark.parametrize(
    ("expression", "position", "says"),
    [
        ("", 0, "it is empty"),
        ("   ", 0, "it is empty"),
        ("name eq 'x'", 0, "one of id, spaceId, topLevelResourceId, data.status is expected, not 'name'"),
        ("id", 2, "'eq' or 'ne' is expected, not the end"),
        ("id  ", 2, "'eq' or 'ne' is expected, not the end"),
        ('id co "x"', 3, "'eq' or 'ne' is expected, not 'co'"),
        ("id eq", 5, "a value in double quotes is expected, not the end"),
        ("id eq x", 6, "a value in double quotes is expected, not 'x'"),
        ("id eq 'x'", 6, "a value in double quotes is expected"),
        ("id eq 12", 6, "a value in double quotes is expected"),
        ('id eq "x', 6, "is not a JSON string"),
        (r'id eq "\x"', 6, "is not a JSON string"),
        ('id eq "a\tb"', 6, "is not a JSON string"),
        ('id eq "x" "y"', 10, "'and', 'or' or the end is expected, not '\"y\"'"),
        ('id eq "x" and', 13, "is expected, not the end"),
        ('id eq "x" or or id eq "y"', 13, "is expected, not 'or'"),
        ('(id eq "x")', 0, "parentheses are not part of"),
        ('id eq "x" and (id eq "y")', 14, "parentheses are not part of"),
        ('id eq "x")', 9, "'and', 'or' or the end is expected, not ')'"),
        ('not id eq "x"', 0, "is expected, not 'not'"),
        ('"id" eq "x"', 0, "is expected, not '\"id\"'"),
        ('ideq "x"', 0, "is expected, not 'ideq'"),
        ('id.eq eq "x"', 0, "is expected, not 'id.eq'"),
        ('id eq "x"; drop', 9, "'and', 'or' or the end is expected, not ';'"),
    ],
)
def test_a_wrong_expression_is_told_where_and_why(expression: str, position: int, says: str) -> None:
    with pytest.raises(InvalidFilter) as refused:
        Filter(expression)
    assert refused.value.position == position
    assert says in refused.value.message


def test_and_binds_tighter_than_or() -> None:
    expression = Filter('id eq "1" or id eq "2" and spaceId eq "s"')
    assert expression.matches(event(data={"id": "1"}, spaceid=None))
    assert expression.matches(event(data={"id": "2"}, spaceid="s"))
    assert not expression.matches(event(data={"id": "2"}, spaceid="t"))


def test_values_are_compared_with_regard_to_case() -> None:
    assert not Filter('id eq "APP"').matches(event(data={"id": "app"}))


def test_an_absent_attribute_makes_eq_false_and_ne_true() -> None:
    bare = event(spaceid=None, toplevelresourceid=None, data=None)
    for attribute in ATTRIBUTES:
        assert not Filter(f'{attribute} eq ""').matches(bare)
        assert Filter(f'{attribute} ne ""').matches(bare)
        assert Filter(f'{attribute} ne "x"').matches(bare)


@pytest.mark.parametrize(
    ("data", "resource", "identifier"),
    [
        ({"id": "a"}, "top", "a"),
        ({"id": "a", "attributes": {"id": "b"}}, "top", "a"),
        ({"attributes": {"id": "b"}}, "top", "b"),
        ({"attributes": "b"}, "top", "top"),
        ({"attributes": {"id": 7}}, "top", "top"),
        ({"id": 7}, "top", "top"),
        ({"id": None}, "top", "top"),
        ({"id": {"id": "a"}}, "top", "top"),
        ({}, "top", "top"),
        ([], "top", "top"),
        ("id", "top", "top"),
        (["id"], "top", "top"),
        ({"id": "naïve ☃ \U0001f600"}, "top", "naïve ☃ \U0001f600"),
        ({"name": "x"}, None, None),
    ],
    ids=str,
)
def test_what_id_stands_for(data: Any, resource: str | None, identifier: str | None) -> None:
    given_event = event(data=data, toplevelresourceid=resource)
    assert given_event.resource_id == identifier
    if identifier is not None:
        assert Filter(f"id eq {json.dumps(identifier)}").matches(given_event)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"status": "ok"}, "ok"),
        ({"attributes": {"status": "error"}}, "error"),
        ({"status": 3, "attributes": {"status": "error"}}, "error"),
        ({"status": True}, None),
        ([], None),
    ],
    ids=str,
)
def test_what_data_status_stands_for(data: Any, status: str | None) -> None:
    assert event(data=data).data_status == status


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":1e99999}',
        b'{"id":' + b"9" * 5000 + b"}",
        b'{"attributes":{"id":"a","weight":1e99999}}',
        b'{"id":' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"attributes":' + b'{"a":' * 400 + b"1" + b"}" * 401,
    ],
    ids=["exponent", "digits", "beside", "deep", "deep attributes"],
)
def test_data_that_python_has_no_value_for_can_be_matched(data: bytes) -> None:
    read = read_event(cloud_event_body(data="?").replace(b'"?"', data))
    assert Filter('id ne "x" and data.status ne "ok"').matches(read)


@pytest.mark.parametrize(
    "expression",
    ['id eq "' + '\\"' * 20_000, '"' * 40_001, "id " * 20_000, 'id eq "' + "\\" * 40_001, "\t" * 60_000 + "x"],
    ids=["escapes", "quotes", "words", "backslashes", "spaces"],
)
def test_a_long_wrong_expression_is_refused_at_once(expression: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidFilter):
        Filter(expression)
    assert time.process_time() - started < 1


# --- data.status is for one event type only ---


@pytest.mark.parametrize("types", [[], [APP_CREATED], [RELOAD_FINISHED, APP_CREATED]])
def test_data_status_needs_reload_finished_as_the_only_type(types: list[str]) -> None:
    expression = Filter('id eq "x" and data.status eq "ok"')
    with pytest.raises(InvalidFilter, match=r"only when com\.qlik\.v1\.app\.reload\.finished") as refused:
        expression.check_types(types)
    assert refused.value.position == 14
    Filter('id eq "x"').check_types(types)


def test_data_status_is_ok_or_error() -> None:
    Filter('data.status eq "ok" or data.status ne "error"').check_types([RELOAD_FINISHED])
    with pytest.raises(InvalidFilter, match=r'data\.status is "ok" or "error"'):
        Filter('data.status eq "failed"').check_types([RELOAD_FINISHED])
