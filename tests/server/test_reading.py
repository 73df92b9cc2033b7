"""What a request says is read strictly: nothing is ignored, nothing guessed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from qwebhook.model.errors import InvalidInput
from qwebhook.server.api.deliveries import DeliveryParameters
from qwebhook.server.api.operation import NoParameters
from qwebhook.server.api.reading import read_query
from qwebhook.server.api.webhooks import WebhookParameters


def read(text: str, wanted: type[Any] = WebhookParameters) -> Any:
    return read_query(parse_qsl(text, keep_blank_values=True), wanted)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("", "limit", 20),
        ("limit=1", "limit", 1),
        ("limit=100", "limit", 100),
        ("name=a+b%26", "name", "a b&"),
        ("enabled=true", "enabled", True),
        ("enabled=false", "enabled", False),
        ("eventTypes=a,b", "event_types", ["a", "b"]),
        ("eventTypes=", "event_types", []),
        ("origins=api,automations", "origins", ["api", "automations"]),
        ("ownerId=u", "owner_id", "u"),
        ("sort=name", "sort", "name"),
        ("sort=-name", "sort", "-name"),
        ("sort=%2Bname", "sort", "+name"),
        ("sort=+name", "sort", "+name"),
        ("next=c", "cursor", "c"),
        ("prev=c", "cursor", "c"),
    ],
)
def test_a_parameter_that_is_known(text: str, field: str, value: object) -> None:
    assert getattr(read(text), field) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits=1", "'limits' is not a known query parameter"),
        ("Limit=1", "'Limit'"),
        ("limit=1&limit=1", "limit is given twice"),
        ("limit=0", "limit must be 1 at least"),
        ("limit=101", "limit must be 100 at most"),
        ("limit=-1", "limit must be a whole number"),
        ("limit=", "limit must be a whole number"),
        ("limit=1.5", "limit must be a whole number"),
        ("limit=99999999999999999999", "limit must be a whole number"),
        ("limit=٣", "limit must be a whole number"),
        ("enabled=1", "enabled must be true or false"),
        ("enabled=True", "enabled must be true or false"),
        ("level=space", "level is 'space', not one of tenant, user"),
        ("origins=api,cli", "not one of api, automations, management-console"),
        ("sort=id", "sort is 'id'"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert words in str(refused.value)


def test_both_cursors_are_one_too_many() -> None:
    with pytest.raises(InvalidInput, match="next and prev"):
        _ = read("next=a&prev=b", DeliveryParameters).cursor


def test_where_there_are_no_parameters_none_is_taken() -> None:
    assert read("", NoParameters) == NoParameters()
    with pytest.raises(InvalidInput, match="none here"):
        read("a=", NoParameters)
