"""Janus, the C media server, for comparison where it is installed (Debian's package `janus`).

Its streaming plugin gets the synthetic video as RTP over loopback, and sends it to the yardstick's viewers.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct

from tests.bench.synthetic_source import IDR, PARAMETER_SETS, SLICE, Shape
from tests.rigs.daemon import free_port
from tests.rigs.janus import Janus as Server
from tests.rigs.janus import missing

_KEYFRAME_SECONDS = 2
_VIDEO_RATE = 90_000
_STAP_A = 24
"""NAL unit type of an aggregation packet (RFC 6184 §5.7.1)."""
_STREAM = """bench: {
  type = "rtp"
  id = 1
  media = ( { type = "video", mid = "v", label = "v", port = %d, iface = "127.0.0.1", pt = 96, codec = "h264",
    fmtp = "profile-level-id=42e01f;packetization-mode=1" } )
}
"""


def is_installed() -> bool:
    """Return whether Janus can be measured."""
    return not missing()


class Janus(Server):
    """Runs Janus with one stream, as an async context manager; `event_loops` 0 is its default, a thread per viewer."""

    def __init__(self, shape: Shape, event_loops: int) -> None:
        self._shape = shape
        self._rtp = free_port()
        general = f"event_loops = {event_loops}" if event_loops else ""
        super().__init__("streaming", _STREAM % self._rtp, general=general)
        self._source: asyncio.Task[None]

    async def __aenter__(self) -> Janus:
        await super().__aenter__()
        self._source = asyncio.create_task(_send_rtp(self._shape, self._rtp))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._source.cancel()
        await super().__aexit__()


async def _send_rtp(shape: Shape, port: int) -> None:
    """Send the synthetic video until cancelled."""
    loop = asyncio.get_running_loop()
    begin, sequence = loop.time(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
        rtp.connect(("127.0.0.1", port))
        for number in itertools.count():
            await asyncio.sleep(max(0.0, begin + number / shape.fps - loop.time()))
            payloads = _payloads(shape, keyframe=number % (_KEYFRAME_SECONDS * shape.fps) == 0)
            for index, payload in enumerate(payloads):
                marker = 0x80 if index == len(payloads) - 1 else 0
                timestamp = number * _VIDEO_RATE // shape.fps & 0xFFFFFFFF
                rtp.send(struct.pack("!BBHLL", 0x80, 96 | marker, sequence & 0xFFFF, timestamp, 1) + payload)
                sequence += 1


def _payloads(shape: Shape, *, keyframe: bool) -> list[bytes]:
    nal = bytes([IDR if keyframe else SLICE]) + bytes([1]) * (shape.size - 1)
    sets = b"".join(struct.pack("!H", len(data)) + data for data in PARAMETER_SETS)
    return ([bytes([_STAP_A]) + sets] if keyframe else []) + [nal] * shape.packets
