"""Quantities as texts for people."""

import pytest

from broadcaster.model.quantities import count_text, duration_text, size_text


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (812, "812 bytes"),
        (1000, "1 kB"),
        (999_600, "1 MB"),
        (45_678_901, "45.7 MB"),
        (1_234_567_890, "1.23 GB"),
    ],
)
def test_sizes_have_the_unit_that_fits(size, shown):
    assert size_text(size) == shown


def test_counts_have_a_plural():
    assert [count_text(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (7500, "2 h 5 min"), (90000, "1 d 1 h")],
)
def test_duration(seconds, shown):
    assert duration_text(seconds) == shown
