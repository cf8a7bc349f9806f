"""A stream on air in this process, and viewers made of aiortc that get it over loopback."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from broadcaster.delivery.fanout import Fanout
from broadcaster.devices.clock import SystemClock
from broadcaster.media.h264 import is_keyframe
from broadcaster.media.rtp import Packetizer
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.ports import VideoTraits
from broadcaster.stream.hub import Hub
from broadcaster.webrtc.factory import AiortcPeerFactory, make_streams


@dataclass
class Listener:
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def peer_connected(self) -> None:
        self.connected.set()

    def peer_lost(self) -> None:
        self.lost.set()


class Camera:
    """Real H.264 of a small picture, a keyframe whenever asked; with `noise`, pictures of many packets."""

    traits = VideoTraits("test", "libx264", 320, 240, 30, True, False)

    def __init__(self, *, noise: bool = False) -> None:
        self._encoder = av.CodecContext.create("libx264", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = 320, 240, "yuv420p"
        self._encoder.time_base = Fraction(1, 30)
        self._encoder.bit_rate = 2_000_000
        self._encoder.options = {"tune": "zerolatency", "profile": "baseline", "x264-params": "keyint=300"}
        self._random = random.Random(1) if noise else None
        self._number = 0
        self.requests = 0
        self._asked = True

    def request_keyframe(self) -> None:
        self.requests += 1
        self._asked = True

    def next(self) -> AccessUnit:
        frame = av.VideoFrame(320, 240, "yuv420p")
        for index, plane in enumerate(frame.planes):
            plane.update(self._plane(index, plane.buffer_size))
        frame.pts = self._number
        frame.pict_type = av.video.frame.PictureType.I if self._asked else av.video.frame.PictureType.NONE
        self._number, self._asked = self._number + 1, False
        data = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        return AccessUnit(data, time.monotonic(), is_keyframe(data))

    def _plane(self, index: int, size: int) -> bytes:
        if self._random is not None:
            return self._random.randbytes(size)
        return bytes([(self._number * 7 + index * 40) % 256]) * size


class WebRtcRig:
    """A stream on air, and viewers made of aiortc."""

    def __init__(self, camera: Camera) -> None:
        self.packetizer = Packetizer(*make_streams())
        self.hub = Hub(SystemClock())
        self.fanout = Fanout(self.hub, self.packetizer, SystemClock())
        self.fanout.open()
        self.camera = camera
        self.hub.attach(self.camera)
        self.peers = AiortcPeerFactory(self.fanout, self.packetizer, SystemClock(), with_audio=True)

    async def play(self) -> None:
        while True:
            self.hub.publish_video(self.camera.next())
            self.hub.publish_audio(OpusFrame(b"\xf8\xff\xfe", time.monotonic()))
            await asyncio.sleep(1 / 30)

    async def join(self, viewer: str = "v1", *, rtx: bool = True):
        listener = Listener()
        ours = self.peers.create(viewer, listener)
        offer = await ours.offer()
        theirs = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        await theirs.setRemoteDescription(RTCSessionDescription(offer.sdp if rtx else without_rtx(offer.sdp), "offer"))
        await theirs.setLocalDescription(await theirs.createAnswer())
        await ours.answer(without_candidates(theirs.localDescription.sdp))
        await asyncio.wait_for(listener.connected.wait(), 5)
        return ours, theirs, listener


def without_rtx(sdp: str) -> str:
    """The offer for a viewer that does not know RTX."""
    lines = sdp.replace("SAVPF 101 102", "SAVPF 101").split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(("a=rtpmap:102", "a=fmtp:102", "a=ssrc-group")))


def without_candidates(sdp: str) -> str:
    """As the filter passes it on: the viewer's own checks must be enough to find it."""
    lines = sdp.split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))


async def inbound(pc: RTCPeerConnection) -> dict[str, tuple[int, int]]:
    """Packets received and lost, for each kind."""
    report = await pc.getStats()
    return {s.kind: (s.packetsReceived, s.packetsLost) for s in report.values() if s.type == "inbound-rtp"}


@contextlib.asynccontextmanager
async def on_air(camera: Camera | None = None) -> AsyncIterator[WebRtcRig]:
    """A rig that plays."""
    rig = WebRtcRig(camera or Camera())
    playing = asyncio.create_task(rig.play())
    yield rig
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing
