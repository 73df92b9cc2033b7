"""Events for test-fires: what `PATH=VALUE` sets, and what it cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwebhook.model.errors import InvalidInput
from qwebhook.model.sample_events import trial_event
from tests.builders import APP_CREATED, TIME


def data(*settings: str) -> Any:
    made = trial_event(APP_CREATED, "1", TIME, {"list": [1, 2], "name": "Sales"}, settings)
    return json.loads(made.body)["data"]


@pytest.mark.parametrize(
    ("setting", "made"),
    [
        ("data.name=Orders", {"list": [1, 2], "name": "Orders"}),
        ("data.name=", {"list": [1, 2], "name": ""}),
        ("data.name=a=b", {"list": [1, 2], "name": "a=b"}),
        ('data.name="5"', {"list": [1, 2], "name": "5"}),
        ("data.list.1={}", {"list": [1, {}], "name": "Sales"}),
        ("data.new.deep=null", {"list": [1, 2], "name": "Sales", "new": {"deep": None}}),
        ("data=[1]", [1]),
    ],
)
def test_what_is_set(setting: str, made: Any) -> None:
    assert data(setting) == made


def test_what_is_nested_too_deeply_to_be_read_is_a_text() -> None:
    assert data("data.name=" + "[" * 3000)["name"] == "[" * 3000


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.name", "is not PATH=VALUE"),
        ("data..name=1", "is not PATH=VALUE"),
        ("data.name.first=1", "data.name is no object"),
        ("data.name.first.second=1", "what 'first' is in is no object"),
        ("data.list.2=1", "'2' is not a position in a list of 2"),
        ("data.list.-1=1", "is not a position"),
        ("data.list.\xb2=1", "is not a position"),
        ("data.list." + "9" * 5000 + "=1", "is not a position"),
        ("data." + "a." * 3000 + "b=1", "nested too deeply"),
        ("data.name=\udcff", "is not UTF-8 text"),
        ("data.\udcff=1", "is not UTF-8 text"),
    ],
    ids=lambda given: ascii(given)[:30],
)
def test_what_cannot_be_set(setting: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        data(setting)
