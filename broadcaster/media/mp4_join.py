"""Joins parts of recordings to one plain MP4: nothing is encoded, and their bytes are copied as they are.

A part is a range of a file's bytes, from one keyframe to another, with the fragments' headers in it. Players skip
those, because the index names only the samples. All parts must have the same parameter sets.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from broadcaster.media.mp4 import Tracks, init_segment, movie_box
from broadcaster.media.mp4_fragments import Span
from broadcaster.media.mp4_plain import MARK_OFFSET, TrackIndex
from broadcaster.media.mp4_reader import refusing_damage
from broadcaster.media.mp4_samples import FileSamples, TrackSamples
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE

MAX_DURATION = 12 * 3600.0
"""Seconds that a joined file may have: its tables hold 13 hours."""

_LARGE_BOX_HEADER = 16


class Join:
    """The index of a joined file: `size` counts the bytes of its parts, `duration` its seconds."""

    def __init__(self) -> None:
        self.size = 0
        self.tracks: Tracks | None = None
        self._video = TrackIndex(VIDEO_RATE)
        self._audio = TrackIndex(AUDIO_RATE)

    @property
    def duration(self) -> float:
        """The duration of the video in seconds, which is where the next part may begin."""
        return self._video.end if len(self._video) else 0.0

    @refusing_damage()
    def add(self, samples: FileSamples, span: Span, pause: float) -> float:
        """Add a part, which begins so many seconds after the one before ends; return when that is in the file.

        Raises `Mp4Error`.
        """
        begins = self.duration + pause if self.size else 0.0
        self.tracks = samples.tracks if self.tracks is None else self.tracks
        self._video.extend(self._moved(samples.video, span, begins))
        self._audio.extend(self._moved(samples.audio, span, begins))
        self.size += span.size
        return begins

    def head(self) -> bytes:
        """Return what stands before the parts in a file that can be played while it is being loaded."""
        start = init_segment(self._tracks())[:MARK_OFFSET]
        size = len(start) + len(self._movie()) + _LARGE_BOX_HEADER
        for index in (self._video, self._audio):
            index.move(size)
        return start + self._movie() + struct.pack(">L4sQ", 1, b"mdat", _LARGE_BOX_HEADER + self.size)

    def index_behind(self, header: int) -> bytes:
        """Return the `moov` that follows the parts in a file that has so many bytes before them."""
        for index in (self._video, self._audio):
            index.move(header)
        return self._movie()

    def _movie(self) -> bytes:
        audio = self._audio.tables(all_keyframes=True) if len(self._audio) else None
        return movie_box(self._tracks(), self._video.tables(all_keyframes=False), audio)

    def _tracks(self) -> Tracks:
        assert self.tracks is not None
        return replace(self.tracks, audio=len(self._audio) > 0)

    def _moved(self, samples: TrackSamples, span: Span, begins: float) -> TrackSamples:
        start = round((span.time - begins) * samples.rate)
        return samples.part(span.offset, span.offset + span.size, self.size - span.offset, start)


def is_same_format(tracks: Tracks, others: Tracks) -> bool:
    """Return whether parts with these tracks can be joined."""
    return (tracks.sps, tracks.pps) == (others.sps, others.pps)
