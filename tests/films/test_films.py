"""Every film of the corpus plays as ffmpeg decodes it, or is refused with one clear sentence. `make test-films`"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from tests.films.comparing import differences, sound_differences
from tests.films.film import Film
from tests.films.played import watch
from tests.films.reference import Reference, decode
from tests.films.table import FILMS

LONGEST_SENTENCE = 250
"""Characters after the name of the file."""


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
    assert played.picture_error is None
    found = differences(reference, played, film)
    assert not found
    outcome["played"] += 1


def check_refusal(film: Film, path: Path) -> None:
    """The picture is refused; sound that ffmpeg can decode is played all the same."""
    assert film.refused is not None
    reference = decode_sound(path)
    played = watch(path, reference.length + 0.7 if reference else 1.0, film.box)
    check_sentence(played.picture_error, path, film.refused)
    if reference:
        found = sound_differences(reference, played, film)
        assert not found
    elif not isinstance(played.sound_error, SourceAbsent):
        check_sentence(played.sound_error, path, film.refused)


def decode_sound(path: Path) -> Reference | None:
    """Return ffmpeg's decoding if it has sound."""
    try:
        reference = decode(path)
    except RuntimeError:
        return None
    return reference if reference.sound is not None else None


def check_sentence(error: SourceError | None, path: Path, part: str) -> None:
    """One line that names the file and the reason."""
    assert error is not None, "it was not refused"
    start, sentence = error.detail[: len(str(path)) + 2], error.detail[len(str(path)) + 2 :]
    assert (error.reason, start) == (StreamReason.FILE, f"{path}: ")
    assert part in sentence
    assert "\n" not in sentence
    assert len(sentence) <= LONGEST_SENTENCE
