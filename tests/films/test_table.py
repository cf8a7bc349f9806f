"""The corpus has the documented size, and the comparison reports each kind of difference."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from broadcaster.devices.opus import RATE
from tests.films.comparison import differences
from tests.films.film import Film
from tests.films.reference import HEIGHT, WIDTH, Reference
from tests.films.table import FILMS

COUNT = 20
PERIOD = 0.04
LENGTH = COUNT * PERIOD


def test_corpus_has_at_least_145_files_with_different_names():
    assert len({film.name for film in FILMS}) == len(FILMS) >= 145


def pictures() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(16, 235, (3, HEIGHT, WIDTH)).astype(np.int16) for _ in range(COUNT)]


def tones() -> np.ndarray:
    time = np.arange(round(LENGTH * RATE)) / RATE
    return np.array([0.3 * np.sin(2 * np.pi * (start * time + 200 * time**2)) for start in (300, 550)], np.float32)


def compared(**changes: Any) -> list[str]:
    """Return the differences between a reference and a copy of it with `changes`."""
    times = [index * PERIOD for index in range(COUNT)]
    reference = Reference(times, pictures(), WIDTH / HEIGHT, tones(), 0.0)
    same = {
        "positions": times,
        "thumbnails": pictures(),
        "aspect": WIDTH / HEIGHT,
        "audio": tones(),
        "loop_end": LENGTH,
    }
    return differences(reference, SimpleNamespace(**same | changes), Film("a.mp4"))  # type: ignore[arg-type]


def test_equal_video_and_audio_have_no_differences():
    assert compared() == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"loop_end": LENGTH + 0.2}, "a loop of 1.00 s"),
        ({"aspect": 1.0}, "an aspect ratio"),
        ({"thumbnails": [picture[:, :, ::-1] for picture in pictures()]}, "20 of 20 pictures differ"),
        ({"thumbnails": [picture + 10 for picture in pictures()]}, "20 of 20 pictures differ"),
        ({"thumbnails": [*pictures()[1:], pictures()[-1]]}, "19 of 20 pictures differ"),
        (
            {"thumbnails": pictures()[:-2], "positions": [index * PERIOD for index in range(18)]},
            "2 of 20 pictures are missing",
        ),
        ({"audio": np.roll(tones(), round(0.04 * RATE), axis=1)}, "left: +40 ms off"),
        ({"audio": tones()[::-1]}, "left: a correlation"),
        ({"audio": tones() * 0.5}, "right: -6.0 dB"),
        ({"audio": tones() * 0}, "left: a correlation"),
        ({"audio": None, "audio_error": "gone"}, "played False"),
    ],
)
def test_difference_is_reported(changes: dict[str, Any], text: str):
    assert any(text in difference for difference in compared(**changes))
