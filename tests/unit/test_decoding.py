"""What is wrong with JSON reads in plain words and names the field, whatever msgspec calls it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from qwebhook.model.decoding import NOT_JSON, decoding_reason, misfit
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import WebhookDraft, WebhookReplacement

DRAFT = {"name": "reports", "url": "https://receiver.example.com/hook"}


def misfit_of(value: object, wanted: Any, at: str = "") -> tuple[str, str]:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, wanted)
    return misfit(refused.value, wanted, at)


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"name": 1}, "name", "must be text, not a number"),
        ({"name": None}, "name", "must be text, not null"),
        ({"name": True}, "name", "must be text, not a boolean"),
        ({"ownerId": 4.5}, "ownerId", "must be text, not a number with a fraction"),
        ({"enabled": "yes"}, "enabled", "must be true or false, not text"),
        ({"eventTypes": "x"}, "eventTypes", "must be an array, not text"),
        ({"eventTypes": ["a", 1]}, "eventTypes[1]", "must be text, not a number"),
        ({"headers": []}, "headers", "must be an object, not an array"),
        ({"headers": {"X-A": 1}}, "headers", "must hold text only, not a number"),
        ({"level": "space"}, "level", "is 'space', not one of tenant, user"),
        ({"qwebhook": {"ordering": "random"}}, "qwebhook.ordering", "is 'random', not one of arrival, strict"),
        (
            {"qwebhook": {"sheet": {"modes": {"a.b": "insert"}}}},
            "qwebhook.sheet.modes",
            "is 'insert', not one of append, delete, mark, upsert",
        ),
        (
            {"qwebhook": {"concurrency": 1.5}},
            "qwebhook.concurrency",
            "must be a whole number, not a number with a fraction",
        ),
        ({"qwebhook": {"order": 1}}, "qwebhook.order", "is not a known field"),
        ({"order": 1}, "order", "is not a known field"),
    ],
    ids=str,
)
def test_a_field_that_does_not_fit(fields: dict[str, Any], path: str, words: str) -> None:
    assert misfit_of(DRAFT | fields, WebhookDraft) == (path, words)


def test_a_field_that_is_missing() -> None:
    assert misfit_of({"name": "x"}, WebhookDraft) == ("url", "is missing")


def test_in_an_array_it_is_told_which() -> None:
    operations = [{"op": "add", "path": "/name", "value": "x"}, {"op": "move", "path": "/name"}]
    assert misfit_of(operations, list[PatchOperation]) == ("[1].op", "is 'move', not one of add, remove, replace")
    assert misfit_of([{"op": "add"}], list[PatchOperation]) == ("[0].path", "is missing")


@pytest.mark.parametrize(
    ("value", "wanted", "path"),
    [
        (1, str, "secret"),
        ([1], list[str], "secret[0]"),
        ({"a": 1}, dict[str, str], "secret"),
        ("x", Literal["a", "b"], "secret"),
    ],
)
def test_a_part_is_named_from_where_it_is(value: object, wanted: Any, path: str) -> None:
    assert misfit_of(value, wanted, at="secret")[0] == path


def test_choices_within_what_may_be_left_out_are_named_too() -> None:
    assert misfit_of(DRAFT | {"level": "space"}, WebhookReplacement) == ("level", "is 'space', not one of tenant, user")
    fields = DRAFT | {"qwebhook": {"ordering": "random"}}
    assert misfit_of(fields, WebhookReplacement) == ("qwebhook.ordering", "is 'random', not one of arrival, strict")
    wanted = Annotated[list[Literal["a", "b"]], msgspec.Meta(max_length=3)] | None
    assert misfit_of(["a", "c"], wanted) == ("[1]", "is 'c', not one of a, b")


@pytest.mark.parametrize(
    ("value", "wanted", "words"),
    [
        (0, Annotated[int, msgspec.Meta(ge=1)], "must be 1 at least"),
        (101, Annotated[int, msgspec.Meta(le=100)], "must be 100 at most"),
        ([], Annotated[list[str], msgspec.Meta(min_length=1)], "must have 1 at least"),
    ],
)
def test_a_value_beyond_its_limits(value: object, wanted: Any, words: str) -> None:
    assert misfit_of(value, wanted, at="limit") == ("limit", words)


def test_a_long_value_is_cut_and_one_that_looks_like_a_path_is_none() -> None:
    assert len(misfit_of("x" * 1000, Literal["a", "b"])[1]) < 120
    assert misfit_of("x - at `$.name`", Literal["a", "b"], at="level")[0] == "level"


@pytest.mark.parametrize(
    ("text", "wanted", "words"),
    [
        (b"[]", WebhookDraft, "it must be an object, not an array"),
        (b"{}", list[str], "it must be an array, not an object"),
        (b'{"name":1}', WebhookDraft, "name must be text, not a number"),
        (b"[1e400]", list[int | str], "[0] does not fit (number out of range)"),
        (b"[[]]", list[int | bool | str | None], "[0] must be true or false, or a whole number, or text, not an array"),
        (b"", WebhookDraft, "it ends too early"),
        (b'{"name"', WebhookDraft, "it ends too early"),
        (b"{'name'", WebhookDraft, "object keys must be strings (byte 1)"),
        (b'"\xff"', str, "it is not UTF-8 text (byte 0)"),
        (b"[" * 100_000 + b"]" * 100_000, Any, "it is nested too deeply"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_person_is_told(text: bytes, wanted: Any, words: str) -> None:
    with pytest.raises(NOT_JSON) as refused:
        msgspec.json.decode(text, type=wanted)
    assert decoding_reason(refused.value) == words


def test_a_choice_that_is_not_known_is_told_without_the_others() -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(b'[{"op": "move", "path": "/a"}]', type=list[PatchOperation])
    assert decoding_reason(raised.value) == "[0].op is 'move', which it cannot be"
