"""The stream: its state as viewers, panel and service manager see it, and what flows from the sources."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broadcaster.errors import StreamReason


class StreamState(StrEnum):
    """States of the one stream."""

    OFFLINE = "offline"
    STARTING = "starting"
    LIVE = "live"
    STOPPING = "stopping"
    FAILED = "failed"


class AudioState(StrEnum):
    """Whether the stream has sound: `none` is on purpose, `lost` is a fault."""

    ON = "on"
    NONE = "none"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What viewers are told about the stream; `since` is in Unix seconds."""

    state: StreamState
    since: float
    sound: AudioState
    reason: StreamReason | None = None


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture, all its NAL units (H.264 §3), as an Annex B byte stream.

    `captured` is the monotonic time of capture in seconds. `keyframe` promises an IDR picture with
    SPS and PPS in front (`media.h264.is_keyframe` tells).
    """

    data: bytes
    captured: float
    keyframe: bool


@dataclass(frozen=True, slots=True)
class OpusFrame:
    """One Opus packet of 20 ms (RFC 6716); `captured` is the monotonic time of its first sample in seconds."""

    data: bytes
    captured: float
