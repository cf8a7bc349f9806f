"""Whether H.264 can be sent as it is: what keeps a browser, or the cache of the last keyframe, from taking it."""

from __future__ import annotations

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from broadcaster.media.h264 import is_keyframe
from broadcaster.stream.rendition import LARGEST, LONGEST

LONGEST_PAUSE = 1.0
"""Seconds between two pictures that pass; in a longer pause the last one must be repeated, and so encoded."""
_ROUNDING = 0.001
"""Seconds by which times of some containers are off."""


def header_obstacle(stream: VideoStream) -> str | None:
    """What the headers say against passing the pictures through."""
    if stream.codec_context.name != "h264":
        return f"it is {stream.codec_context.name}"
    if stream.codec_context.profile != "Constrained Baseline":
        return f"its profile is {stream.codec_context.profile}"
    if stream.pix_fmt != "yuv420p":
        return f"its pixels are {stream.pix_fmt}"
    return None


class Damaged(Exception):
    """Libav cannot make access units of it; the text is an obstacle like those of `PassCheck`."""


class AnnexB:
    """Access units as they are sent: with start codes, and with SPS and PPS in front of keyframes (H.264 annex B)."""

    def __init__(self, stream: Stream) -> None:
        """Raises `Damaged`."""
        try:
            self._filter = BitStreamFilterContext("h264_mp4toannexb", stream)
        except av.FFmpegError as error:
            raise Damaged("its H.264 has no valid header") from error

    def units(self, packet: Packet[Stream]) -> list[bytes]:
        """What a packet holds; this empties the packet. Raises `Damaged`."""
        try:
            return [bytes(unit) for unit in self._filter.filter(packet)]
        except av.FFmpegError as error:
            raise Damaged("a picture in it is damaged") from error


class PassCheck:
    """Looks at access units one after the other, with SPS and PPS in front of keyframes.

    An IDR picture without them, which only a raw or transport stream can have, is no keyframe.
    """

    def __init__(self) -> None:
        self._latest = float("-inf")
        self._keyframe: float | None = None
        self._size = 0

    def obstacle(self, unit: bytes, time: float, *, shown: bool) -> str | None:
        """What is in the way of this access unit, which is due at `time` and perhaps not `shown`; None if nothing."""
        if not shown:
            return "it has pictures that are decoded and not shown"
        if is_keyframe(unit):
            self._keyframe, self._size = time, 0
        self._size += len(unit)
        latest, self._latest = self._latest, time
        if self._keyframe is None:
            return "it does not begin with a keyframe"
        if time - self._keyframe > LONGEST + _ROUNDING or self._size > LARGEST:
            return f"keyframes are more than {LONGEST:g} s or {LARGEST >> 20} MiB apart"
        if time <= latest:
            return "its pictures are not in the order of their times"
        if time - latest > LONGEST_PAUSE + _ROUNDING and latest != float("-inf"):
            return f"its pictures pause for more than {LONGEST_PAUSE:g} s"
        return None
