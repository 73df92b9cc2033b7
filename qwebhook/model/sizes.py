"""Amounts of data, as people write them."""

from __future__ import annotations

import re

from qwebhook.model.errors import InvalidInput

_SIZE = re.compile(r"(\d{1,12})([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def size_bytes(text: str) -> int:
    """Bytes of a size such as `500`, `64K`, `256M` or `2 GiB`; units are powers of 1,024. Raises InvalidInput."""
    found = _SIZE.fullmatch(text.replace(" ", ""))
    if found is None:
        raise InvalidInput(f"{text!r} is not a size", "write 500M or 2G")
    return int(found[1]) << _UNITS[found[2].upper()]
