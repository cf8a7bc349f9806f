"""The surfaces of `make fuzz`, each with some hundred inputs, and what once broke one of them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

Change = tuple[int, int, bytes]


def changed(seed: bytes, changes: list[Change]) -> bytes:
    """The seed with other bytes in some places."""
    for at, length, put in changes:
        at %= len(seed) + 1
        seed = seed[:at] + put + seed[at + length :]
    return seed


@pytest.mark.parametrize("name", TARGETS)
def test_it_takes_real_input(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].take(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_it_takes_whatever_comes(name: str) -> None:
    changes = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 40), st.binary(max_size=12)), max_size=6)
    odd = st.builds(changed, st.sampled_from(TARGETS[name].seeds), changes)

    @settings(max_examples=150)
    @example(b"")
    @given(odd | st.binary(max_size=200))
    def scenario(data: bytes) -> None:
        TARGETS[name].take(data)

    scenario()
