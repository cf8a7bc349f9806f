"""A standard player in a process of its own: it plays `/whep` with aiortc.

`python -m tests.soak.whep_player PORT` counts the pictures that it decodes, until its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections import Counter
from urllib.parse import urljoin

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from tests.soak.seconds import commands, print_json, ticks

_RETRY = 1.0
_NO_VIDEO_LIMIT = 3.0
_ATTEMPT_LIMIT = 5.0


class WhepPlayer:
    """Plays, and opens a new session when there are no pictures any more."""

    def __init__(self, url: str) -> None:
        self.seconds: Counter[int] = Counter()
        self._url = url
        self._shown_at = 0.0

    async def watch(self) -> None:
        """Play until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_ATTEMPT_LIMIT)) as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    await self._play(http)
                await asyncio.sleep(_RETRY)

    async def _play(self, http: aiohttp.ClientSession) -> None:
        pc, tasks = RTCPeerConnection(RTCConfiguration(iceServers=[])), set()
        pc.on("track", lambda track: tasks.add(asyncio.create_task(self._consume(track))))
        session = ""
        try:
            for kind in ("video", "audio"):
                pc.addTransceiver(kind, direction="recvonly")
            await pc.setLocalDescription(await pc.createOffer())
            headers = {"Content-Type": "application/sdp"}
            async with http.post(self._url, data=pc.localDescription.sdp.encode(), headers=headers) as response:
                if response.status != 201:
                    return
                session = urljoin(self._url, response.headers["Location"])
                await pc.setRemoteDescription(RTCSessionDescription(await response.text(), "answer"))
            await self._until_silent()
        finally:
            for task in tasks:
                task.cancel()
            await pc.close()
            if session:
                async with http.delete(session):
                    pass

    async def _until_silent(self) -> None:
        self._shown_at = time.monotonic() + _ATTEMPT_LIMIT - _NO_VIDEO_LIMIT
        while time.monotonic() - self._shown_at < _NO_VIDEO_LIMIT:
            await asyncio.sleep(0.1)

    async def _consume(self, track: MediaStreamTrack) -> None:
        while True:
            await track.recv()
            if track.kind == "video":
                self._shown_at = time.monotonic()
                self.seconds[math.floor(self._shown_at)] += 1


async def _report(player: WhepPlayer) -> None:
    async for passed in ticks():
        for second in passed:
            print_json(second=second, frames=player.seconds.pop(second, 0))


async def _main(port: int) -> None:
    player = WhepPlayer(f"http://127.0.0.1:{port}/whep")
    reader = await commands()
    tasks = [asyncio.create_task(player.watch()), asyncio.create_task(_report(player))]
    await reader.read()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
