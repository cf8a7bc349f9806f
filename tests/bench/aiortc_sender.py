"""aiortc's own sender, for comparison: fed with encoded packets, behind our web server and signaling."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction

import av
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from broadcaster.media.timestamps import VIDEO_RATE
from broadcaster.model.offers import IceCandidate, Offer
from broadcaster.model.stats import PeerStats
from broadcaster.model.stream import AccessUnit, Quality, QualityPreference
from broadcaster.ports import PeerListener
from tests.bench.synthetic_source import SyntheticSource


class PacketTrack(MediaStreamTrack):
    """Yields encoded frames, starting when aiortc first asks for one."""

    kind = "video"

    def __init__(self, factory: AiortcPeers) -> None:
        super().__init__()
        self._factory = factory
        self._pictures: asyncio.Queue[av.Packet] = asyncio.Queue()

    async def recv(self) -> av.Packet:
        self._factory.begin(self._pictures)
        return await self._pictures.get()

    def stop(self) -> None:
        self._factory.end(self._pictures)
        super().stop()


class AiortcPeers:
    """`ports.PeerFactory` based on aiortc alone; each frame becomes one `av.Packet` for all viewers."""

    def __init__(self, source: SyntheticSource) -> None:
        self._source = source
        self._queues: dict[int, asyncio.Queue[av.Packet]] = {}
        source.watch(self._send)

    async def turn(self, *, answer: bool) -> None:
        pass

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> AiortcPeer:
        return AiortcPeer(PacketTrack(self), listener)

    def begin(self, frames: asyncio.Queue[av.Packet]) -> None:
        """Add every following frame to the queue, and request a keyframe."""
        if id(frames) not in self._queues:
            self._queues[id(frames)] = frames
            self._source.request_keyframe()

    def end(self, frames: asyncio.Queue[av.Packet]) -> None:
        self._queues.pop(id(frames), None)

    def _send(self, unit: AccessUnit) -> None:
        packet = av.Packet(unit.data)
        packet.pts = round(unit.captured * VIDEO_RATE)
        packet.time_base = Fraction(1, VIDEO_RATE)
        for frames in self._queues.values():
            frames.put_nowait(packet)


class AiortcPeer:
    """`ports.Peer`: a peer connection as in aiortc's documentation, with the codec that we need."""

    def __init__(self, track: PacketTrack, listener: PeerListener) -> None:
        self._listener = listener
        self._track = track
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._pc = RTCPeerConnection(configuration)
        self._pc.on("connectionstatechange", self._state_changed)
        transceiver = self._pc.addTransceiver(track, direction="sendonly")
        transceiver.setCodecPreferences([codec for codec in _codecs() if _is_offered(codec)])
        self._sender = transceiver.sender

    async def offer(self) -> Offer:
        await self._pc.setLocalDescription(await self._pc.createOffer())
        candidates = self._sender.transport.transport.iceGatherer.getLocalCandidates()
        return Offer(self._pc.localDescription.sdp, addresses=frozenset(candidate.ip for candidate in candidates))

    async def answer(self, sdp: str) -> None:
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def add_candidate(self, candidate: IceCandidate) -> None:
        await self._pc.addIceCandidate(
            RTCIceCandidate(
                candidate.component,
                candidate.foundation,
                candidate.address,
                candidate.port,
                candidate.priority,
                candidate.protocol,
                candidate.type,
                sdpMLineIndex=0,
            )
        )

    def prefer(self, preference: QualityPreference, last: Quality = Quality.FULL) -> None:
        """There is one rendition."""

    def request_keyframe(self) -> None:
        """Do nothing: aiortc's sender ignores keyframe requests for encoded packets."""

    def last_activity(self) -> float | None:
        return time.monotonic() if self._pc.connectionState == "connected" else None

    def stats(self) -> PeerStats:
        """Return aiortc's packet count; `getStats` has it too, but is a coroutine."""
        sent: int = self._sender._RTCRtpSender__packet_count
        return PeerStats(connected=self._pc.connectionState == "connected", video_packets=sent)

    async def close(self) -> None:
        self._track.stop()
        await self._pc.close()

    def _state_changed(self) -> None:
        if self._pc.connectionState == "connected":
            self._listener.peer_connected()
        elif self._pc.connectionState in ("failed", "closed"):
            self._listener.peer_lost()


def _codecs() -> list[RTCRtpCodecCapability]:
    return RTCRtpSender.getCapabilities("video").codecs


def _is_offered(codec: RTCRtpCodecCapability) -> bool:
    """Whether `codec` is H.264 constrained baseline or RTX, as in our own offer."""
    return codec.mimeType == "video/rtx" or codec.parameters.get("profile-level-id") == "42e01f"
