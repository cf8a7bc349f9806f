"""Every film of the corpus plays as ffmpeg decodes it, or is refused with one clear sentence (`make test-films`)."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from tests.films.comparison import audio_differences, differences
from tests.films.film import Film
from tests.films.played import watch
from tests.films.reference import Reference, decode
from tests.films.table import FILMS

MAX_MESSAGE_LENGTH = 250
"""Characters of an error message after the file name."""


def needs_ffmpeg() -> None:
    if not all(map(shutil.which, ("ffmpeg", "ffprobe"))):
        pytest.skip("the films are made by ffmpeg; to install it: sudo apt install ffmpeg")


@pytest.mark.long
@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.name)
def test_film_plays_as_ffmpeg_decodes_it_or_is_refused(film: Film, tmp_path: Path, outcome: Counter[str]) -> None:
    needs_ffmpeg()
    path = film.make(tmp_path)
    outcome["made"] += 1
    if film.refused is not None:
        check_refusal(film, path)
        outcome["refused"] += 1
        return
    reference = decode(path)
    played = watch(path, reference.length + 0.7, film.box)
    assert played.video_error is None
    found = differences(reference, played, film)
    assert not found
    outcome["played"] += 1


def check_refusal(film: Film, path: Path) -> None:
    """Check that the video is refused, and that audio which ffmpeg can decode is played nevertheless."""
    assert film.refused is not None
    reference = decode_audio(path)
    played = watch(path, reference.length + 0.7 if reference else 1.0, film.box)
    check_message(played.video_error, path, film.refused)
    if reference:
        found = audio_differences(reference, played, film)
        assert not found
    elif not isinstance(played.audio_error, SourceAbsent):
        check_message(played.audio_error, path, film.refused)


def decode_audio(path: Path) -> Reference | None:
    """Return ffmpeg's decoding if it contains audio."""
    try:
        reference = decode(path)
    except RuntimeError:
        return None
    return reference if reference.audio is not None else None


def check_message(error: SourceError | None, path: Path, part: str) -> None:
    """Check that an error message is one line that names the file and the reason."""
    assert error is not None, "it was not refused"
    start, sentence = error.detail[: len(str(path)) + 2], error.detail[len(str(path)) + 2 :]
    assert (error.reason, start) == (StreamReason.FILE, f"{path}: ")
    assert part in sentence
    assert "\n" not in sentence
    assert len(sentence) <= MAX_MESSAGE_LENGTH
