"""Amounts of data."""

from __future__ import annotations

import pytest

from qwebhook.model.errors import InvalidInput
from qwebhook.model.sizes import size_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("500", 500), ("64K", 65_536), ("256m", 268_435_456), ("2 GiB", 2 << 30), ("1TB", 1 << 40), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1.5G", "1P", "1 Gigabyte", "9999999999999"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a size"):
        size_bytes(text)
