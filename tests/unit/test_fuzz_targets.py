"""The fuzzed surfaces of `make fuzz`, each with real input and with some hundred random inputs."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

Change = tuple[int, int, bytes]


def changed(seed: bytes, changes: list[Change]) -> bytes:
    """Return the seed with some ranges replaced: each change is an offset, a length and new bytes."""
    for offset, length, new in changes:
        offset %= len(seed) + 1
        seed = seed[:offset] + new + seed[offset + length :]
    return seed


@pytest.mark.parametrize("name", TARGETS)
def test_surface_accepts_real_input(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].take(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_surface_accepts_random_and_mutated_input(name: str) -> None:
    changes = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 40), st.binary(max_size=12)), max_size=6)
    mutated = st.builds(changed, st.sampled_from(TARGETS[name].seeds), changes)

    @settings(max_examples=150)
    @example(b"")
    @given(mutated | st.binary(max_size=200))
    def scenario(data: bytes) -> None:
        TARGETS[name].take(data)

    scenario()
