"""Ids: their form, their order, and the rows they lead to."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.identifiers import ROW_LIMIT, Kind, is_id, random_id, row_id, row_of

NOW = 1_795_536_000_000
KINDS: tuple[Kind, ...] = ("event", "delivery")
kinds = st.sampled_from(KINDS)
milliseconds = st.integers(0, 2**48 - 1)
stores = st.integers(0, 4095)
rows = st.integers(0, ROW_LIMIT - 1)
randoms = st.binary(min_size=10, max_size=16)


def check_is_version_7(identifier: str, moment: int) -> None:
    parsed = uuid.UUID(identifier)
    assert str(parsed) == identifier
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == moment
    assert is_id(identifier)


@given(kinds, milliseconds, stores, rows)
def test_a_row_id_is_a_uuid_7(kind: Kind, moment: int, store: int, row: int) -> None:
    check_is_version_7(row_id(kind, moment, store, row), moment)


@given(milliseconds, randoms)
def test_a_random_id_is_a_uuid_7(moment: int, random_bytes: bytes) -> None:
    check_is_version_7(random_id(moment, random_bytes), moment)


@given(kinds, milliseconds, stores, rows)
def test_the_row_is_found_again(kind: Kind, moment: int, store: int, row: int) -> None:
    assert row_of(kind, row_id(kind, moment, store, row), store) == (row, moment)


@pytest.mark.parametrize("row", [0, 1, ROW_LIMIT - 1])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_and_the_last_row_are_found(kind: Kind, row: int) -> None:
    identifier = row_id(kind, NOW, 4095, row)
    assert row_of(kind, identifier, 4095) == (row, NOW)
    check_is_version_7(identifier, NOW)


@given(kinds, milliseconds, stores, stores, rows)
def test_the_id_of_another_store_leads_to_no_row(kind: Kind, moment: int, store: int, other: int, row: int) -> None:
    found = row_of(kind, row_id(kind, moment, store, row), other)
    assert (found is None) == (store != other)


@given(milliseconds, stores, rows)
def test_an_event_s_id_leads_to_no_delivery_and_the_other_way_round(moment: int, store: int, row: int) -> None:
    of_event, of_delivery = (row_id(kind, moment, store, row) for kind in KINDS)
    assert of_event != of_delivery
    assert row_of("delivery", of_event, store) is None
    assert row_of("event", of_delivery, store) is None


@given(kinds, milliseconds, milliseconds, rows, rows, stores)
def test_ids_sort_by_time_then_by_row(kind: Kind, one: int, other: int, row: int, other_row: int, store: int) -> None:
    ids = row_id(kind, one, store, row), row_id(kind, other, store, other_row)
    assert (ids[0] < ids[1]) == ((one, row) < (other, other_row))


@given(milliseconds, milliseconds, randoms, randoms)
def test_random_ids_sort_by_time(one: int, other: int, first: bytes, second: bytes) -> None:
    if one != other:
        assert (random_id(one, first) < random_id(other, second)) == (one < other)


def test_every_random_bit_that_has_a_place_tells_ids_apart() -> None:
    zero = random_id(NOW, bytes(10))
    others = {random_id(NOW, (1 << bit).to_bytes(10, "big")) for bit in range(80)} - {zero}
    assert len(others) == 74  # 12 bits beside the version and 62 beside the variant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01936",
        "0193600b-0e9f-4000-8000-000000000001",
        "0193600b-0e9f-7000-c000-000000000001",
        "0193600B-0E9F-7000-8000-000000000001",
        "0193600b0e9f70008000000000000001",
        "0193600b-0e9f-7000-8000-000000000001\n",
        "0193600b-0e9f-7000-8000-0000000000011",
        "g193600b-0e9f-7000-8000-000000000001",
    ],
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert not is_id(text)
    assert row_of("event", text, 0) is None


@given(kinds, st.text(max_size=40), stores)
def test_any_text_is_answered(kind: Kind, text: str, store: int) -> None:
    assert is_id(text) or row_of(kind, text, store) is None
