"""Films of canned pictures and sound, composed as bytes choose."""

from __future__ import annotations

from broadcaster.devices.fakes import canned
from broadcaster.media.mp4 import Fragment, Sample, fragment, init_segment, length_prefixed, tracks_of
from broadcaster.media.timestamps import OPUS_FRAME_TICKS

_UNITS, _SOUNDS = canned.pictures(), canned.audio_frames()
TRACKS = tracks_of(_UNITS[0], audio=True)


def chosen(choices: bytes) -> list[Fragment]:
    """Return a fragment for each byte, behind one with a keyframe: some pictures, sound, both or neither."""
    begin = 90_000 * (len(choices) ** 4)
    parts = [Fragment(1, (Sample(length_prefixed(_UNITS[0]), begin, 3000, True),))]
    time, heard = begin + 3000, begin * 48 // 90
    for number, choice in enumerate(choices, 2):
        video, audio = [], []
        for index in range(choice % 5):
            unit, ticks = (choice + index) % len(_UNITS), 1 + choice * (97 if choice & 128 else 1)
            video.append(Sample(length_prefixed(_UNITS[unit]), time, ticks, unit == 0))
            time += ticks
        for index in range(choice // 32):
            audio.append(Sample(_SOUNDS[index], heard, OPUS_FRAME_TICKS))
            heard += OPUS_FRAME_TICKS
        parts.append(Fragment(number, tuple(video), tuple(audio)))
    return parts


def written(parts: list[Fragment]) -> bytes:
    """Return the film as a file."""
    return init_segment(TRACKS) + b"".join(map(fragment, parts))
