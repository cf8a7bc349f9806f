"""A simulated encoder of one rendition, with the real keyframe gate and rate meter."""

from __future__ import annotations

import math
from dataclasses import dataclass

from broadcaster.delivery.pacer import TICK
from broadcaster.media.rtp import MAX_PAYLOAD, RtpFrame, RtpStream
from broadcaster.stream.rendition import KeyframeGate, RateMeter

VIDEO = RtpStream(1, "0")


@dataclass(frozen=True, slots=True)
class Stream:
    """The video of an encoder: a keyframe is as large as `keyframe` other pictures; `interval` is in seconds."""

    fps: int = 30
    keyframe: float = 10
    interval: float = 2.0
    can_force: bool = True
    bitrate: float = 2_500_000

    def payloads(self, *, keyframe: bool, bitrate: float) -> list[bytes]:
        """Return the payloads of one picture."""
        pictures = max(1.0, self.fps * self.interval)
        usual = bitrate / 8 * self.interval / (pictures - 1 + self.keyframe)
        size = usual * (self.keyframe if keyframe else 1)
        count = math.ceil(size / MAX_PAYLOAD)
        return [bytes(round(size / count))] * count


class SimulatedEncoder:
    """Encodes a picture at each call, and forces the keyframes that the gate allows."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.gate = KeyframeGate()
        self.meter = RateMeter()
        self.is_on = True
        self.set_bitrate(stream.bitrate)
        self._keyframe_at = -math.inf
        self._is_forced = False

    def set_bitrate(self, bitrate: float) -> None:
        """Change the size of pictures from now on."""
        self._payloads = {
            keyframe: self.stream.payloads(keyframe=keyframe, bitrate=bitrate) for keyframe in (True, False)
        }

    def encode(self, number: int, now: float) -> RtpFrame:
        """Return a picture with `number` as its RTP timestamp."""
        keyframe = self._is_forced or now - self._keyframe_at >= self.stream.interval - TICK
        if keyframe:
            self._keyframe_at, self._is_forced = now, False
            self.gate.keyframe_published()
        frame = RtpFrame(VIDEO, self._payloads[keyframe], number, now, keyframe)
        self.meter.add(frame.size, now)
        return frame

    def turn(self, on: bool) -> None:
        """Start or stop; the first picture after a start is a keyframe."""
        if on and not self.is_on:
            self._keyframe_at = -math.inf
        self.is_on = on

    def request_keyframe(self, now: float) -> None:
        """Request a keyframe, because the viewer needs one."""
        if self.stream.can_force:
            self.gate.request("viewer")
            self.poll(now)

    def request_probe(self, now: float) -> None:
        """Request a keyframe for a bandwidth probe."""
        if self.stream.can_force:
            self.gate.request_probe()
            self.poll(now)

    def poll(self, now: float) -> None:
        """Force the keyframe that is due."""
        self._is_forced |= self.gate.poll(now)
