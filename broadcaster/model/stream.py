"""The stream: its state as viewers, panel and service manager see it, and the media that sources deliver."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broadcaster.errors import StreamReason


class StreamState(StrEnum):
    """The state of the stream."""

    OFFLINE = "offline"
    STARTING = "starting"
    LIVE = "live"
    STOPPING = "stopping"
    FAILED = "failed"


class AudioState(StrEnum):
    """Whether the stream has audio: `none` is intended, `lost` is a fault."""

    ON = "on"
    NONE = "none"
    LOST = "lost"


class Quality(StrEnum):
    """The renditions of the video: as the settings say, or the smaller one for slow networks."""

    FULL = "full"
    SMALL = "small"


class QualityPreference(StrEnum):
    """What a viewer chose; `auto` lets congestion control decide."""

    AUTO = "auto"
    FULL = "full"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The stream's status as viewers see it; `since` is in Unix seconds.

    `has_small` is whether the small rendition is available.
    """

    state: StreamState
    since: float
    sound: AudioState
    reason: StreamReason | None = None
    has_small: bool = False


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture, all its NAL units (H.264 §3), as an Annex B byte stream.

    `captured` is the monotonic time of capture in seconds. `keyframe` is true for an IDR picture that starts with SPS
    and PPS (see `media.h264.is_keyframe`).
    """

    data: bytes
    captured: float
    keyframe: bool


@dataclass(frozen=True, slots=True)
class OpusFrame:
    """One Opus packet of 20 ms (RFC 6716); `captured` is the monotonic time of its first sample in seconds."""

    data: bytes
    captured: float
