"""Consent: who may deliver, and how much."""

from __future__ import annotations

import pytest

from qwebhook.model.consent import (
    ALLOWED_ORIGIN,
    ALLOWED_RATE,
    MOST_PER_MINUTE,
    Consenting,
    is_origin,
    lower_rate,
    read_rate,
)

US, THEM = "events.example.com", "other.example.com"


@pytest.mark.parametrize("name", ["events.example.com", "localhost", "a", "build_server-7", "A.B", "10.0.0.1"])
def test_names_of_senders(name: str) -> None:
    assert is_origin(name)


@pytest.mark.parametrize(
    "name", ["", "*", "https://example.com", "a b", "a/b", "-a", "a-", "a\r\nX: y", "é.example", "a" * 254, ".a", "a,b"]
)
def test_what_names_no_sender(name: str) -> None:
    assert not is_origin(name)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("*", None),
        (" 120 ", 120),
        ("1", 1),
        ("007", 7),
        (str(MOST_PER_MINUTE), MOST_PER_MINUTE),
        (str(MOST_PER_MINUTE + 1), None),
        ("9" * 10_000, None),
    ],
)
def test_rates(text: str, rate: int | None) -> None:
    assert read_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "000", "-1", "1.5", "many", "1e3", "**", "٣"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError):
        read_rate(text)


def test_the_lower_of_rates() -> None:
    assert lower_rate(None, None) is None
    assert lower_rate(5, None) == lower_rate(None, 5) == lower_rate(5, 7) == 5


@pytest.mark.parametrize(
    ("origins", "allowed_rate", "origin", "rate", "answer"),
    [
        pytest.param([US], None, US, "", (US, "*"), id="named"),
        pytest.param([US], None, US.upper(), "", (US.upper(), "*"), id="in another case"),
        pytest.param(["*"], None, US, "", ("*", "*"), id="anyone"),
        pytest.param([THEM, "*"], 10, US, "", ("*", "10"), id="anyone among others"),
        pytest.param([US], 100, US, "120", (US, "100"), id="less than asked"),
        pytest.param([US], 100, US, "60", (US, "60"), id="no more than asked"),
        pytest.param([US], None, US, "60", (US, "60"), id="as much as asked"),
        pytest.param([US], 100, US, "many", (US, "100"), id="asked for nonsense"),
        pytest.param([THEM], None, US, "", None, id="someone else"),
        pytest.param([], None, US, "", None, id="nobody"),
        pytest.param(["*"], None, "", "", None, id="no name"),
        pytest.param([US], None, "*", "", None, id="a star is no name"),
    ],
)
def test_the_answer_to_one_who_asks(
    origins: list[str], allowed_rate: int | None, origin: str, rate: str, answer: tuple[str, str] | None
) -> None:
    expected = {} if answer is None else dict(zip((ALLOWED_ORIGIN, ALLOWED_RATE), answer, strict=True))
    assert Consenting(origins, allowed_rate).answer(origin, rate) == expected
