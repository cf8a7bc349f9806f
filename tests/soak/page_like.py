"""A viewer that behaves as the page does, in a process of its own.

`python -m tests.soak.page_like PORT [HOST]` watches until its standard input ends. Each line there is a command: `cut`,
`renew`, `flood`, `keyframes`, or `storm SECONDS`. It prints `{"ready": …}`, then a line of JSON for each second that is
over, for each time that it was not let run, and for what should not happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import sys
import time
from collections import Counter
from typing import Any

import aiohttp
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtpPacket,
)

from tests.rigs.light import LightViewer

TICK = 0.1
UNSCHEDULED = 0.5
"""Seconds late after which a tick says that the process did not run."""
ATTEMPT = 3.0
LATER = 15.0
GONE = 3.0
UNHEEDED = 2.5
"""Seconds, as in the page: an attempt, the wait after 4003 and 4005, no picture, a restart that brought nothing."""
HEARTBEAT = 5.0
SETTLED = 5.0
WAITS = (4003, 4005)
STOPS = (1003, 1009, 4000, 4001, 4004)

Address = tuple[int] | tuple[int, str]
"""Port, and host where it is another one."""


def retry_delay(attempt: int, lost: float) -> float:
    """Seconds to wait: up to 0.5 s, doubling to 3 s in the first minute, to 10 s afterwards, at random."""
    return random.random() * min(3.0 if lost < 60 else 10.0, 0.5 * 2 ** min(attempt, 10))


class PageLike(LightViewer):
    """Watches for ever: comes back, resumes, sends heartbeats, and asks anew when no picture comes."""

    def __init__(self, address: Address, seconds: Counter[int]) -> None:
        super().__init__(*address)
        self._seconds = seconds
        self._offer = 0
        self._live = False
        self._unanswered = False
        self._waiting_since = self._sent_at = self._asked_at = time.monotonic()

    async def watch(self) -> None:
        """Until cancelled. Raises RuntimeError when the daemon sends it away for good."""
        attempt, lost = 0, time.monotonic()
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(ATTEMPT):
                    await self._connect()
                    self.messages.clear()
                    await self.message("welcome", ATTEMPT)
                welcomed = time.monotonic()
                await self._stay()
                lost = time.monotonic()
                attempt = 0 if lost - welcomed > SETTLED else attempt
            if self.close_code in STOPS:
                raise RuntimeError(f"sent away with {self.close_code}: {self.messages[-1:]}")
            await asyncio.sleep(LATER if self.close_code in WAITS else retry_delay(attempt, time.monotonic() - lost))
            attempt += 1
            self.close_code = None
            await self.drop_connection()

    async def report(self) -> None:
        """Send a receiver report, as browsers do each second: who is not heard for 5 s gets no pictures."""
        if self.ssrc:
            highest, lost = self.sequence, min(self.gaps, 0x7FFFFF)
            info = RtcpReceiverInfo(
                ssrc=self.ssrc, fraction_lost=0, packets_lost=lost, highest_sequence=highest, jitter=0, lsr=0, dlsr=0
            )
            with contextlib.suppress(ConnectionError, AssertionError):  # not connected just now
                await self.send_rtcp(bytes(RtcpRrPacket(ssrc=1, reports=[info])))

    async def _stay(self) -> None:
        """Until the WebSocket is closed, or is taken for dead."""
        self._sent_at, self._unanswered = time.monotonic(), False
        while not self._reading.done():
            await asyncio.wait({self._reading}, timeout=0.25)
            now = time.monotonic()
            if now - self._sent_at > HEARTBEAT:
                if self._unanswered:
                    return
                self._sent_at, self._unanswered = now, True
                await self.send(type="heartbeat")
            if self._live and now - self._waiting_since > GONE and now - self._asked_at > UNHEEDED and self._offer:
                self._asked_at = now
                await self.send(type="restart", id=self._offer, reason="no-frames")

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async for raw in ws:
            message = raw.json()
            self._unanswered = False
            await self._heed(message)
            async with self._arrived:
                self.messages = [*self.messages[-20:], message]
                self._arrived.notify_all()
        self.close_code = ws.close_code

    async def _heed(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "welcome":
            self._hello["resume"] = message["resume"]
            self._told(message["stream"])
        elif kind == "stream":
            self._told(message)
        elif kind == "offer":
            self._offer, self._waiting_since = message["id"], time.monotonic()
            await self._answer(message)
        elif kind == "heartbeat" and message.get("ask"):
            self._sent_at = time.monotonic()
            await self._ws.send_json({"type": "heartbeat"})

    def _told(self, stream: dict[str, Any]) -> None:
        if not self._live:
            self._waiting_since = time.monotonic()
        self._live = stream["state"] == "live"

    def _count(self, packet: RtpPacket) -> None:
        super()._count(packet)
        self._waiting_since = time.monotonic()
        self._seconds[math.floor(self._waiting_since)] += packet.marker  # the last packet of its picture


class Place:
    """One viewer after another, and what they saw in each second."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._seconds: Counter[int] = Counter()
        self._begin()

    async def obey(self, command: str, *arguments: str) -> None:
        """Do what the line says."""
        if command == "cut":
            await self._viewer.drop_connection()
        elif command == "renew":
            await self._renew()
        elif command == "flood":
            for _ in range(40):
                await self._viewer.send(type="heartbeat")
        elif command == "keyframes":
            for _ in range(12):
                await self._viewer.send(type="keyframe")
        elif command == "storm":
            await self._storm(float(*arguments))

    async def tell(self) -> None:
        """Print a line for each second that is over."""
        told, last = math.floor(time.monotonic()), time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            if now - last > TICK + UNSCHEDULED:
                _say(unscheduled=[last, now])
            last = now
            while told < math.floor(now - TICK):
                _say(second=told, pictures=self._seconds.pop(told, 0))
                told += 1
                await self._viewer.report()
            if self.watching.done() and not self.watching.cancelled():
                _say(trouble=repr(self.watching.exception()))
                await self._renew()

    async def leave(self) -> None:
        """Say goodbye."""
        self.watching.cancel()
        await asyncio.wait({self.watching})
        with contextlib.suppress(AttributeError):  # never connected
            await self._viewer.leave()

    async def _renew(self) -> None:
        await self.leave()
        await asyncio.sleep(0.5)
        self._begin()

    def _begin(self) -> None:
        self._viewer = PageLike(self._address, self._seconds)
        self.watching = asyncio.create_task(self._viewer.watch())

    async def _storm(self, seconds: float) -> None:
        """Ask for keyframes and for everything again, some 100 times a second."""
        viewer, end = self._viewer, time.monotonic() + seconds
        while time.monotonic() < end:
            lost = [viewer.sequence - back & 0xFFFF for back in range(300)]
            nack = RtcpRtpfbPacket(RTCP_RTPFB_NACK, ssrc=1, media_ssrc=viewer.ssrc, lost=lost[::-1])
            await viewer.send_rtcp(bytes(RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=viewer.ssrc)))
            await viewer.send_rtcp(bytes(nack))
            await asyncio.sleep(0.02)


def _say(**line: object) -> None:
    print(json.dumps(line), flush=True)


async def _main(address: Address) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say(ready=time.monotonic())
    place = Place(address)
    telling = asyncio.create_task(place.tell())
    while line := await reader.readline():
        try:
            await place.obey(*line.decode().split())
        except (aiohttp.ClientError, OSError, AttributeError, AssertionError) as error:
            _say(note=f"{line.decode().strip()}: {error!r}")  # no connection to misuse just now
    telling.cancel()
    await place.leave()


if __name__ == "__main__":
    asyncio.run(_main((int(sys.argv[1]), *sys.argv[2:])))
