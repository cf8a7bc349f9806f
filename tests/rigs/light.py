"""A viewer without a browser: signaling over aiohttp, media over aiortc; counts packets and decodes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from broadcaster.media.h264 import NalType, nal_type
from broadcaster.signaling.protocol import SUBPROTOCOL


class LightViewer:
    """Opens a session and receives the stream; use it with `async with`.

    `messages` are all received messages. `first_keyframe` is the time from `hello` to the first packet of a keyframe in
    seconds. `packets` and `video_bytes` count the video, `gaps` its missing sequence numbers.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", **hello: object) -> None:
        self.messages: list[dict[str, Any]] = []
        self.first_keyframe: float | None = None
        self.packets = 0
        self.audio_packets = 0
        self.video_bytes = 0
        self.ssrc = 0
        self.gaps = 0
        self.keyframes = 0
        self.close_code: int | None = None
        self._url = f"ws://{host}:{port}/ws"
        self._hello = {"type": "hello", **hello}
        self._last_sequence: int | None = None
        self._longest_pause = 0.0
        self._packet_at = math.inf
        self._arrived = asyncio.Condition()
        self._keyframe_received = asyncio.Event()
        self._pc: RTCPeerConnection | None = None

    async def __aenter__(self) -> LightViewer:
        await self._connect()
        return self

    async def _connect(self) -> None:
        self._http = aiohttp.ClientSession()
        try:
            self._ws = await self._http.ws_connect(self._url, protocols=[SUBPROTOCOL])
        except BaseException:
            await self._http.close()
            raise
        self._began = time.monotonic()
        await self._ws.send_json(self._hello)
        self._reading = asyncio.create_task(self._read(self._ws))

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Close WebSocket and peer connection; idempotent."""
        if not self._ws.closed:
            await self._ws.close()
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError):  # it may have been sending an answer
            await self._reading
        if self._pc is not None:
            await self._pc.close()
        await self._http.close()

    async def drop_connection(self) -> None:
        """Drop the WebSocket's TCP connection without a close frame; `leave` closes the peer connection."""
        await self._http.close()

    async def resume(self) -> dict[str, Any]:
        """Open a new WebSocket, resume the session, and return the `welcome`."""
        before = self.messages
        self._hello["resume"] = (await self.message("welcome"))["resume"]
        self.messages = []
        await self.reconnect()
        welcome = await self.message("welcome")
        self.messages = before + self.messages
        return welcome

    async def reconnect(self) -> None:
        """Drop the WebSocket, and open a new one."""
        await self.drop_connection()
        await self._connect()

    async def first_message(self, limit: float = 10.0) -> None:
        """Wait for a first message of any type."""
        async with asyncio.timeout(limit), self._arrived:
            await self._arrived.wait_for(lambda: bool(self.messages))

    async def wait_closed(self, limit: float = 10.0) -> int | None:
        """Wait until the WebSocket is closed, and return the close code."""
        await asyncio.wait_for(asyncio.shield(self._reading), limit)
        return self.close_code

    @property
    def sequence(self) -> int:
        """The sequence number of the last video packet."""
        return self._last_sequence or 0

    @property
    def longest_pause(self) -> float:
        """Longest time between video packets in seconds, including the current pause; see `reset_pauses`."""
        return max(self._longest_pause, time.monotonic() - self._packet_at)

    def reset_pauses(self) -> None:
        """Restart `longest_pause`."""
        self._longest_pause, self._packet_at = 0.0, time.monotonic()

    async def message(self, kind: str, limit: float = 5.0, **fields: object) -> dict[str, Any]:
        """Return the first message of this type with these fields, received before or within `limit` seconds."""

        def find() -> dict[str, Any] | None:
            expected = {"type": kind, **fields}
            return next((message for message in self.messages if expected.items() <= message.items()), None)

        async with asyncio.timeout(limit), self._arrived:
            await self._arrived.wait_for(lambda: find() is not None)
        return find() or {}

    async def send(self, **message: object) -> None:
        """Send a message."""
        await self._ws.send_json(message)

    async def keyframe(self, limit: float = 10.0) -> float:
        """Wait for the first packet of a keyframe, and return the seconds since `hello`."""
        async with asyncio.timeout(limit):
            await self._keyframe_received.wait()
        return self.first_keyframe or 0.0

    async def send_rtcp(self, packet: bytes) -> None:
        """Send an RTCP packet over the peer connection."""
        assert self._pc is not None
        await self._pc.getTransceivers()[0].receiver.transport._send_rtp(packet)

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async for raw in ws:
            message = raw.json()
            if message["type"] == "offer":
                await self._answer(message)
            elif message["type"] == "heartbeat" and message.get("ask"):
                await self._ws.send_json({"type": "heartbeat"})
            async with self._arrived:
                self.messages.append(message)
                self._arrived.notify_all()
        self.close_code = ws.close_code

    async def _answer(self, offer: dict[str, Any]) -> None:
        if self._pc is not None:
            await self._pc.close()
        self._last_sequence = None
        pc = self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        await pc.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        for transceiver in pc.getTransceivers():
            self._count_packets(transceiver)
        await self._ws.send_json({"type": "answer", "id": offer["id"], "sdp": pc.localDescription.sdp})

    def _count_packets(self, transceiver: Any) -> None:
        """Count packets instead of passing them to aiortc's jitter buffer."""
        video = transceiver.kind == "video"

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            if video and packet.payload_type == 101:
                self._count(packet)
            self.audio_packets += not video

        transceiver.receiver._handle_rtp_packet = handle

    def _count(self, packet: RtpPacket) -> None:
        self.packets += 1
        self.video_bytes += len(packet.payload)
        self.ssrc = packet.ssrc
        self._longest_pause, self._packet_at = self.longest_pause, time.monotonic()
        if self._last_sequence is not None:
            self.gaps += (packet.sequence_number - self._last_sequence - 1) & 0xFFFF
        self._last_sequence = packet.sequence_number
        if not _begins_keyframe(packet.payload):
            return
        self.keyframes += 1
        if self.first_keyframe is None:
            self.first_keyframe = time.monotonic() - self._began
            self._keyframe_received.set()


def _begins_keyframe(payload: bytes) -> bool:
    kind = nal_type(payload)
    return kind in (NalType.SPS, NalType.STAP_A, NalType.IDR)
