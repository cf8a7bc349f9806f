"""A live stream in this process, and aiortc peers that receive it over loopback."""

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
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality
from broadcaster.ports import VideoTraits
from broadcaster.stream.hub import Hub
from broadcaster.webrtc.factory import AiortcPeerFactory, make_streams

CONNECT_TIMEOUT = 30
"""Seconds; generous, because the tests may run on a busy machine."""


@dataclass
class Listener:
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    qualities: list[Quality] = field(default_factory=list)

    def peer_connected(self) -> None:
        self.connected.set()

    def peer_lost(self) -> None:
        self.lost.set()

    def peer_quality(self, quality: Quality) -> None:
        self.qualities.append(quality)


class Camera:
    """Encodes small frames as H.264, with keyframes on request; with `noise`, each frame has several packets."""

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
        self._keyframe_requested = True

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        self.requests += 1
        self._keyframe_requested = True

    def next(self) -> AccessUnit:
        frame = av.VideoFrame(320, 240, "yuv420p")
        for index, plane in enumerate(frame.planes):
            plane.update(self._plane(index, plane.buffer_size))
        frame.pts = self._number
        types = av.video.frame.PictureType
        frame.pict_type = types.I if self._keyframe_requested else types.NONE
        self._number, self._keyframe_requested = self._number + 1, False
        data = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        return AccessUnit(data, time.monotonic(), is_keyframe(data))

    def _plane(self, index: int, size: int) -> bytes:
        if self._random is not None:
            return self._random.randbytes(size)
        return bytes([(self._number * 7 + index * 40) % 256]) * size


class WebRtcDriver:
    """Publishes a camera's video and silence, and connects aiortc peers as viewers."""

    def __init__(self, camera: Camera) -> None:
        self.silence = b"\xf8\xff\xfe"
        self.packetizer = Packetizer(*make_streams())
        self.hub = Hub(SystemClock())
        self.fanout = Fanout(self.hub, self.packetizer, SystemClock())
        self.fanout.open()
        self.camera = camera
        self.hub.attach(self.camera)
        self.peers = AiortcPeerFactory(self.fanout, self.packetizer, SystemClock(), with_audio=True)

    async def publish(self) -> None:
        while True:
            self.hub.publish_video(self.camera.next())
            self.hub.publish_audio(OpusFrame(self.silence, time.monotonic()))
            await asyncio.sleep(1 / 30)

    async def join(self, viewer: str = "v1", *, rtx: bool = True):
        """Return our peer, the viewer's connected peer connection, and our peer's listener."""
        listener = Listener()
        ours = self.peers.create(viewer, listener)
        offer = await ours.offer()
        theirs = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        await theirs.setRemoteDescription(RTCSessionDescription(offer.sdp if rtx else without_rtx(offer.sdp), "offer"))
        await theirs.setLocalDescription(await theirs.createAnswer())
        await ours.answer(without_candidates(theirs.localDescription.sdp))
        await asyncio.wait_for(listener.connected.wait(), CONNECT_TIMEOUT)
        return ours, theirs, listener


def without_rtx(sdp: str) -> str:
    """Return the offer as for a viewer without RTX."""
    lines = sdp.replace("SAVPF 101 102", "SAVPF 101").split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(("a=rtpmap:102", "a=fmtp:102", "a=ssrc-group")))


def without_candidates(sdp: str) -> str:
    """Return the answer as the SDP filter does: the viewer's own checks must be enough to find it."""
    lines = sdp.split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))


def inbound(pc: RTCPeerConnection) -> dict[str, tuple[int, int]]:
    """Return packets received and lost, by kind, without the RTX stream.

    `getStats` cannot tell: aiortc gives all streams of a receiver the same id, so that RTX replaces the video.
    """
    counts = {}
    for receiver in pc.getReceivers():
        rtx = receiver._RTCRtpReceiver__rtx_ssrc
        for ssrc, stream in receiver._RTCRtpReceiver__remote_streams.items():
            if ssrc not in rtx:
                counts[receiver.track.kind] = stream.packets_received, stream.packets_lost
    return counts


@contextlib.asynccontextmanager
async def live(camera: Camera | None = None) -> AsyncIterator[WebRtcDriver]:
    """Publish the stream of `camera` meanwhile."""
    driver = WebRtcDriver(camera or Camera())
    publishing = asyncio.create_task(driver.publish())
    yield driver
    publishing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await publishing
