"""The messages of `/media` as bytes on the wire, made once and shared by all viewers, WebSocket header included."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from broadcaster.media.mp4 import Fragment, Sample, Tracks, fragment, init_segment
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE
from broadcaster.model.stream import Quality
from broadcaster.signaling.media import InitMessage, serialize_init

_TEXT, _BINARY = 0x81, 0x82
"""First byte of an unfragmented message (RFC 6455 §5.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class InitMessages:
    """The text that announces an init segment, and the init segment, one behind the other."""

    frames: bytes
    tracks: Tracks


@dataclass(frozen=True, slots=True, eq=False)
class FragmentMessage:
    """One fragment, and the init segment that it needs; `time` is that of its first sample, in seconds of media.

    `audio_start` and `audio_end` are in ticks, None without audio.
    """

    frame: bytes
    content: Fragment
    init: InitMessages
    keyframe: bool
    has_picture: bool
    time: float
    audio_start: int | None
    audio_end: int | None


def init_messages(tracks: Tracks, base: float, quality: Quality) -> InitMessages:
    """Return the messages before the first keyframe of these tracks; `base` is the time zero in monotonic seconds."""
    announcement = serialize_init(InitMessage(tracks.mime_type, round(base * 1000, 3), quality))
    return InitMessages(_frame(_TEXT, announcement) + _frame(_BINARY, init_segment(tracks)), tracks)


def fragment_message(content: Fragment, init: InitMessages) -> FragmentMessage:
    """Return the message of a fragment."""
    video, audio = content.video, content.audio
    time = video[0].time / VIDEO_RATE if video else audio[0].time / AUDIO_RATE
    return FragmentMessage(
        frame=_frame(_BINARY, fragment(content)),
        content=content,
        init=init,
        keyframe=bool(video) and video[0].keyframe,
        has_picture=bool(video),
        time=time,
        audio_start=audio[0].time if audio else None,
        audio_end=audio[-1].time + audio[-1].duration if audio else None,
    )


def with_audio_from(message: FragmentMessage, start: int, recent: Iterable[Sample]) -> FragmentMessage:
    """Return a fragment with the same pictures, and audio from `start` on as far as `recent` has it, in ticks."""
    content, end = message.content, message.audio_end
    if end is None or not message.init.tracks.audio:
        return message
    audio = tuple(sample for sample in recent if start <= sample.time < end)
    if not audio and not content.video:
        return message
    return fragment_message(Fragment(content.number, content.video, audio), message.init)


def _frame(first: int, payload: bytes) -> bytes:
    """Return a WebSocket frame from the server, which is not masked (RFC 6455 §5.1, §5.2)."""
    size = len(payload)
    if size < 126:
        header = bytes([first, size])
    elif size < 1 << 16:
        header = struct.pack("!BBH", first, 126, size)
    else:
        header = struct.pack("!BBQ", first, 127, size)
    return header + payload
