"""Recordings made of the fake camera's pictures and the fake microphone's audio, without a recorder."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from broadcaster.devices.fakes import canned
from broadcaster.media.mp4 import Fragment, Sample, Tracks, fragment, length_prefixed, tracks_of
from broadcaster.media.mp4_mend import ReadAt
from broadcaster.media.mp4_plain import MARK_OFFSET, MovieIndex, closed, header

PICTURES_PER_FRAGMENT, FRAMES_PER_FRAGMENT = 6, 10
"""Pictures and Opus frames in 0.2 s."""
VIDEO_TICKS, AUDIO_TICKS = 3000, 960

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


@cache
def tracks(audio: bool = True) -> Tracks:
    return tracks_of(canned.pictures()[0], audio=audio)


@cache
def fragments(count: int, *, audio: bool = True, late: int = 0) -> tuple[Fragment, ...]:
    """Return fragments of 0.2 s; every fifth begins with a keyframe. The audio begins `late` ticks after the video."""
    units, frames = canned.pictures(), canned.audio_frames()
    made = []
    for number in range(count):
        first, begin = number * PICTURES_PER_FRAGMENT, number * FRAMES_PER_FRAGMENT
        video = [
            Sample(length_prefixed(units[index % 30]), index * VIDEO_TICKS, VIDEO_TICKS, index % 30 == 0)
            for index in range(first, first + PICTURES_PER_FRAGMENT)
        ]
        sound = [
            Sample(frames[index % 50], index * AUDIO_TICKS + late, AUDIO_TICKS)
            for index in range(begin, begin + FRAMES_PER_FRAGMENT)
        ]
        made.append(Fragment(number + 1, tuple(video), tuple(sound) if audio else ()))
    return tuple(made)


def opened(parts: tuple[Fragment, ...], *, audio: bool = True) -> tuple[bytes, list[int]]:
    """Return a recording that is still being written, and the offsets at which the fragments end."""
    data, ends = header(tracks(audio)), []
    for part in parts:
        data += fragment(part)
        ends.append(len(data))
    return data, ends


def index_of(parts: tuple[Fragment, ...], *, audio: bool = True) -> MovieIndex:
    index = MovieIndex(tracks(audio))
    for part in parts:
        index.add(part, len(fragment(part)))
    return index


def ended(data: bytes, index: MovieIndex) -> bytes:
    """Return a recording that ends where `index` does."""
    mark = closed(index.end)
    return data[:MARK_OFFSET] + mark + data[MARK_OFFSET + len(mark) : index.end] + index.movie()


def reader(data: bytes) -> ReadAt:
    def read_at(size: int, offset: int) -> bytes:
        file = io.BytesIO(data)
        file.seek(offset)
        return file.read(size)

    return read_at


def probe(path: Path, level: str = "warning") -> dict[str, Any]:
    """Return what ffprobe reads of the file, with the number of decoded frames; it must have nothing to say.

    `level` "error" allows pauses in the video, of which it warns.
    """
    entries = "stream=codec_type,width,height,nb_frames,nb_read_frames,start_time,duration:format=duration"
    command = ["ffprobe", "-v", level, "-count_frames", "-show_entries", entries, "-of", "json", str(path)]
    result = subprocess.run(command, capture_output=True, check=True, text=True)
    assert not result.stderr, result.stderr
    return dict(json.loads(result.stdout))


def pictures_in(path: Path) -> int:
    """Return how many pictures ffmpeg decodes."""
    video = next(one for one in probe(path)["streams"] if one["codec_type"] == "video")
    return int(video["nb_read_frames"])
