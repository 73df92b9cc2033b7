"""Ids that sort by the time of what they name: UUID version 7 (RFC 9562, section 5.7).

Two makings share the form. A webhook's id is random beyond its time. The id of an event or a delivery carries,
in place of the random bits, twelve bits that tell its store from others and the number of its row, so that a row
is found by its id without an index of its own.

    bits   48: milliseconds   4: version   12: store        2: variant   1: kind   61: row
"""

from __future__ import annotations

import re
from typing import Literal

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ROW_LIMIT = 1 << 61
_RANDOM_LIMIT = 1 << 62

Kind = Literal["event", "delivery"]
_KINDS: dict[Kind, int] = {"event": 0, "delivery": ROW_LIMIT}


def row_id(kind: Kind, milliseconds: int, store: int, row: int) -> str:
    """The id of row number `row` (0 to 2⁶¹-1), made at `milliseconds`, in the store numbered `store` (0 to 4095)."""
    return _formatted(milliseconds, store, _KINDS[kind] | row)


def random_id(milliseconds: int, random_bytes: bytes) -> str:
    """An id made at `milliseconds`, told apart by ten random bytes."""
    value = int.from_bytes(random_bytes[:10], "big")
    return _formatted(milliseconds, value >> 68, value & (_RANDOM_LIMIT - 1))


def _formatted(milliseconds: int, twelve_bits: int, rest: int) -> str:
    high = (milliseconds & 0xFFFFFFFFFFFF) << 16 | 0x7000 | twelve_bits
    text = f"{high:016x}{1 << 63 | rest:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str) -> bool:
    """Whether the text has the form of an id."""
    return _ID.fullmatch(text) is not None


def row_of(kind: Kind, identifier: str, store: int) -> tuple[int, int] | None:
    """(row, milliseconds) of a `row_id` of that kind and store; None for any other text."""
    if not is_id(identifier):
        return None
    digits = identifier.replace("-", "")
    rest = int(digits[16:], 16) & (_RANDOM_LIMIT - 1)
    if int(digits[13:16], 16) != store or rest & ROW_LIMIT != _KINDS[kind]:
        return None
    return rest & (ROW_LIMIT - 1), int(digits[:12], 16)
