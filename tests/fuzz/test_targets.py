"""The targets in short: their seeds, what hypothesis makes of them, and arbitrary bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS


def test_each_target_has_seeds() -> None:
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with a part replaced by something, or by a part of another one."""
    seed = draw(st.sampled_from(seeds))
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, min(len(seed), start + 20)))
    other = draw(st.sampled_from(seeds))
    part = draw(
        st.one_of(st.binary(max_size=8), st.just(other[start:end]), st.sampled_from([b'"', b"\\", b"{", b"null"]))
    )
    return seed[:start] + part + seed[end:]


@pytest.mark.parametrize("name", TARGETS)
def test_changed_seeds_and_arbitrary_bytes(name: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.one_of(changed(SEEDS[name]), st.binary(max_size=200)))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()
