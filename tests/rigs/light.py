"""A viewer without a browser: signaling by aiohttp, media by aiortc, everything counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from broadcaster.media.h264 import NalType, nal_type
from broadcaster.signaling.words import SUBPROTOCOL


class LightViewer:
    """Opens a session and watches; use it with `async with`.

    `messages` are all that came, `first_keyframe` is seconds from `hello` to the first packet of a keyframe,
    `gaps` counts video sequence numbers that never came.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", **hello: object) -> None:
        self.messages: list[dict[str, Any]] = []
        self.first_keyframe: float | None = None
        self.packets = 0
        self.gaps = 0
        self.close_code: int | None = None
        self._url = f"ws://{host}:{port}/ws"
        self._hello = {"type": "hello", **hello}
        self._last_sequence: int | None = None
        self._arrived = asyncio.Condition()
        self._keyframe_came = asyncio.Event()
        self._pc: RTCPeerConnection | None = None

    async def __aenter__(self) -> LightViewer:
        self._http = aiohttp.ClientSession()
        self._ws = await self._http.ws_connect(self._url, protocols=[SUBPROTOCOL])
        self._began = time.monotonic()
        await self._ws.send_json(self._hello)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Say goodbye in order; idempotent."""
        if not self._ws.closed:
            await self._ws.close()
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        if self._pc is not None:
            await self._pc.close()
        await self._http.close()

    async def vanish(self) -> None:
        """Tear the WebSocket's connection away without a close frame; the peer connection is closed by `leave`."""
        await self._http.close()

    async def message(self, kind: str, limit: float = 5.0, **fields: object) -> dict[str, Any]:
        """The first message of that type and with those fields, as soon as it is there."""

        def found() -> dict[str, Any] | None:
            wanted = {"type": kind, **fields}
            return next((m for m in self.messages if wanted.items() <= m.items()), None)

        async with asyncio.timeout(limit), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None)
        return found() or {}

    async def send(self, **message: object) -> None:
        """Send any message."""
        await self._ws.send_json(message)

    async def keyframe(self, limit: float = 10.0) -> float:
        """Wait for the first keyframe packet; seconds since `hello`."""
        async with asyncio.timeout(limit):
            await self._keyframe_came.wait()
        return self.first_keyframe or 0.0

    async def _read(self) -> None:
        async for raw in self._ws:
            message = raw.json()
            if message["type"] == "offer":
                await self._answer(message)
            elif message["type"] == "heartbeat" and message.get("ask"):
                await self._ws.send_json({"type": "heartbeat"})
            async with self._arrived:
                self.messages.append(message)
                self._arrived.notify_all()
        self.close_code = self._ws.close_code

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
        """Look at the packets before aiortc's jitter buffer; nothing is decoded."""
        video = transceiver.kind == "video"

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            if video and packet.payload_type == 101:
                self._count(packet)

        transceiver.receiver._handle_rtp_packet = handle

    def _count(self, packet: RtpPacket) -> None:
        self.packets += 1
        if self._last_sequence is not None:
            self.gaps += (packet.sequence_number - self._last_sequence - 1) & 0xFFFF
        self._last_sequence = packet.sequence_number
        if self.first_keyframe is None and _begins_keyframe(packet.payload):
            self.first_keyframe = time.monotonic() - self._began
            self._keyframe_came.set()


def _begins_keyframe(payload: bytes) -> bool:
    kind = nal_type(payload)
    return kind in (NalType.SPS, NalType.STAP_A, NalType.IDR)
