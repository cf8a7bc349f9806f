"""RTP timestamps: linear functions of the monotonic capture time, one for each clock rate."""

from __future__ import annotations

from dataclasses import dataclass

VIDEO_RATE = 90_000
"""Clock rate of H.264 in Hz (RFC 6184 §8.2.1)."""

AUDIO_RATE = 48_000
"""Clock rate of Opus in Hz (RFC 7587 §4.1)."""

OPUS_FRAME_TICKS = AUDIO_RATE // 50
"""Ticks of one Opus frame of 20 ms."""

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905 §6)."""


@dataclass(frozen=True, slots=True)
class RtpClock:
    """Converts monotonic seconds to RTP timestamps; `offset` is random, as RFC 3550 §5.1 requires."""

    rate: int
    offset: int

    def at(self, captured: float) -> int:
        """Return the 32-bit RTP timestamp of a capture time."""
        return (round(captured * self.rate) + self.offset) & 0xFFFFFFFF


class AudioTimeline:
    """Keeps Opus timestamps evenly spaced as long as capture times agree with them.

    A step that is off by a few samples is audible as a click. So each timestamp is the previous one plus exactly
    20 ms, unless that differs from the capture time by half a frame or more: then the capture time is used.
    """

    def __init__(self, clock: RtpClock) -> None:
        self._clock = clock
        self._next: int | None = None

    def at(self, captured: float) -> int:
        """Return the RTP timestamp of the frame whose first sample was captured at `captured`."""
        timestamp = self._clock.at(captured)
        if self._next is not None and abs(_difference(timestamp, self._next)) < OPUS_FRAME_TICKS // 2:
            timestamp = self._next
        self._next = (timestamp + OPUS_FRAME_TICKS) & 0xFFFFFFFF
        return timestamp


def ntp_time(unix: float) -> int:
    """Return the 64-bit NTP timestamp of a Unix time, as sender reports carry it (RFC 3550 §4)."""
    return round((unix + _NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def absolute_send_time(seconds: float) -> int:
    """Return the 24-bit value (6.18 fixed point) of the abs-send-time header extension; wraps every 64 s."""
    return int((seconds % 64) * (1 << 18)) & 0xFFFFFF


def _difference(a: int, b: int) -> int:
    """Return the signed difference `a - b` of 32-bit timestamps, modulo 2^32."""
    return (a - b + 0x80000000 & 0xFFFFFFFF) - 0x80000000
