"""What flows from the sources: encoded pictures and encoded sound, with the time of capture."""

from __future__ import annotations

from dataclasses import dataclass


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
