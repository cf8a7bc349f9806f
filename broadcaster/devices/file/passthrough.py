"""Whether H.264 can be sent without re-encoding: what browsers, or the keyframe cache, would not accept."""

from __future__ import annotations

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from broadcaster.media.h264 import is_keyframe
from broadcaster.stream.rendition import MAX_CACHE_DURATION, MAX_CACHE_SIZE

MAX_GAP = 1.0
"""Seconds between two pictures that pass through; in a longer gap the last one has to be repeated, thus encoded."""
_ROUNDING = 0.001
"""Seconds by which timestamps of some containers are off."""


def header_obstacle(stream: VideoStream) -> str | None:
    """Return what in the stream's headers prevents passthrough; None if nothing does."""
    if stream.codec_context.name != "h264":
        return f"its codec is {stream.codec_context.name}"
    if stream.codec_context.profile != "Constrained Baseline":
        return f"its profile is {stream.codec_context.profile}"
    if stream.pix_fmt != "yuv420p":
        return f"its pixel format is {stream.pix_fmt}"
    return None


class InvalidBitstream(Exception):
    """Libav cannot make access units of the stream; the text is an obstacle like those of `PassthroughCheck`."""


class AnnexBConverter:
    """Converts packets to access units with start codes, and SPS and PPS before keyframes (H.264 annex B)."""

    def __init__(self, stream: Stream) -> None:
        """Raises `InvalidBitstream`."""
        try:
            self._filter = BitStreamFilterContext("h264_mp4toannexb", stream)
        except av.FFmpegError as error:
            raise InvalidBitstream("its H.264 has no valid header") from error

    def convert(self, packet: Packet[Stream]) -> list[bytes]:
        """Return the access units of a packet; this empties the packet. Raises `InvalidBitstream`."""
        try:
            return [bytes(unit) for unit in self._filter.filter(packet)]
        except av.FFmpegError as error:
            raise InvalidBitstream("a picture in it is damaged") from error


class PassthroughCheck:
    """Checks successive access units, with SPS and PPS before keyframes.

    An IDR picture without them, which only a raw or transport stream can have, is not a keyframe.
    """

    def __init__(self) -> None:
        self._last_time = float("-inf")
        self._keyframe_at: float | None = None
        self._size = 0

    def obstacle(self, unit: bytes, time: float, *, shown: bool) -> str | None:
        """Return what prevents passthrough of an access unit at `time` seconds; None if nothing does.

        `shown` is false for a picture that is only decoded, because others refer to it.
        """
        if not shown:
            return "it has pictures that are decoded but not shown"
        if is_keyframe(unit):
            self._keyframe_at, self._size = time, 0
        self._size += len(unit)
        last_time, self._last_time = self._last_time, time
        if self._keyframe_at is None:
            return "it does not begin with a keyframe"
        if time - self._keyframe_at > MAX_CACHE_DURATION + _ROUNDING or self._size > MAX_CACHE_SIZE:
            return f"keyframes are more than {MAX_CACHE_DURATION:g} s or {MAX_CACHE_SIZE >> 20} MiB apart"
        if time <= last_time:
            return "its pictures are not in presentation order"
        if time - last_time > MAX_GAP + _ROUNDING and last_time != float("-inf"):
            return f"two of its pictures are more than {MAX_GAP:g} s apart"
        return None
