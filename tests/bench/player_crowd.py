"""Players (WHEP) in a process of their own, each with a packet format of its own if there are so many.

`python -m tests.bench.player_crowd PORT NUMBER FORMATS` lets NUMBER players join, and prints a line of JSON for each
line on its standard input, until that ends. They count packets by their headers, and decrypt nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, pack_remb_fci

from tests.rigs.healthy import BANDWIDTH
from tests.rigs.payload_types import with_extension_ids, with_payload_types

_VIDEO, _RTX = 101, 102
_FIRST = 35
"""First payload type of the players, two for each format (RFC 8829 §5.1.1: 35 to 63 and 96 to 127 are dynamic)."""
_LAYOUTS = ((2, 5), (4, 0), (0, 0), (3, 4))
"""Ids of abs-send-time and playout-delay, 0 without: players like Chromium, werift and GStreamer, and others."""


class Player:
    """Receives the video with the packet format of this number, and reports good reception."""

    def __init__(self, port: int, packet_format: int) -> None:
        self.packets = 0
        self._url = f"http://127.0.0.1:{port}/whep"
        self._format = packet_format
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._arrived = asyncio.Event()

    async def join(self, http: aiohttp.ClientSession) -> None:
        """Open a session, and wait for the first packet."""
        receiver = self._peer.addTransceiver("video", direction="recvonly").receiver
        await self._peer.setLocalDescription(await self._peer.createOffer())
        mine = {_VIDEO: _FIRST + 2 * self._format % 28, _RTX: _FIRST + 1 + 2 * self._format % 28}
        send_time, delay = _LAYOUTS[self._format % len(_LAYOUTS)]
        sdp = with_payload_types(self._peer.localDescription.sdp, mine)
        sdp = with_extension_ids(sdp, {3: send_time, 4: delay})
        async with http.post(self._url, data=sdp, headers={"Content-Type": "application/sdp"}) as response:
            assert response.status == 201, await response.text()
            answer = await response.text()
        (ssrc,) = re.findall(r"a=ssrc-group:FID (\d+) ", answer)
        self._ssrc = int(ssrc)
        self._transport: Any = receiver.transport
        self._transport._handle_rtp_data = self._count
        theirs = with_payload_types(answer, {new: old for old, new in mine.items()})
        theirs = with_extension_ids(theirs, {send_time: 3, delay: 4})
        await self._peer.setRemoteDescription(RTCSessionDescription(theirs, "answer"))
        await asyncio.wait_for(self._arrived.wait(), 30)

    async def report(self) -> None:
        """Send a receiver report without loss and a REMB."""
        block = RtcpReceiverInfo(
            self._ssrc, fraction_lost=0, packets_lost=0, highest_sequence=0, jitter=0, lsr=0, dlsr=0
        )
        remb = RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(BANDWIDTH, [self._ssrc]))
        await self._transport._send_rtp(bytes(RtcpRrPacket(ssrc=1, reports=[block])) + bytes(remb))

    async def close(self) -> None:
        """Close the connection."""
        await self._peer.close()

    async def _count(self, data: bytes, arrival_time_ms: int) -> None:
        """Count a packet of the video by the SSRC, which SRTP does not encrypt."""
        if int.from_bytes(data[8:12]) == self._ssrc:
            self.packets += 1
            self._arrived.set()


class PlayerCrowd:
    """The process with the players; use it with `async with`, which waits until all have received something."""

    def __init__(self, port: int, number: int, formats: int) -> None:
        self._command = (sys.executable, "-m", "tests.bench.player_crowd", str(port), str(number), str(formats))
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> PlayerCrowd:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        await self.packets()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def packets(self) -> list[int]:
        """Return how many packets of the video each player has received."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        packets: list[int] = json.loads(await asyncio.wait_for(self._process.stdout.readline(), 60))
        return packets


async def _main(port: int, number: int, formats: int) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    players = [Player(port, index % formats) for index in range(number)]
    async with aiohttp.ClientSession() as http:
        for player in players:
            await player.join(http)
    reporting = asyncio.create_task(_report(players))
    while await reader.readline():
        print(json.dumps([player.packets for player in players]), flush=True)
    reporting.cancel()
    for player in players:
        await player.close()


async def _report(players: list[Player]) -> None:
    while True:
        for player in players:
            with contextlib.suppress(ConnectionError):  # the engine has ended
                await player.report()
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(_main(*map(int, sys.argv[1:4])))
