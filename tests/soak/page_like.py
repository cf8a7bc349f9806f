"""A viewer in a process of its own that behaves like the page.

`python -m tests.soak.page_like PORT [HOST]` watches until its standard input ends. Each input line is a command: `cut`,
`replace`, `flood`, `keyframes`, or `storm SECONDS`. It prints `{"ready": …}`, then lines of JSON: one per second, one
for each time in which the process did not run, and one for each problem.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
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
from tests.soak.seconds import commands, print_json, ticks

ATTEMPT_LIMIT = 3.0
LONG_DELAY = 15.0
NO_VIDEO_LIMIT = 3.0
RESTART_INTERVAL = 2.5
"""Seconds, as in the page: limit of an attempt, delay after 4003 and 4005, time without video before a restart is
requested, time between restart requests."""
HEARTBEAT = 5.0
SETTLED = 5.0
LONG_DELAY_CODES = (4003, 4005)
FINAL_CODES = (1003, 1009, 4000, 4001, 4004)


def retry_delay(attempt: int, lost: float) -> float:
    """Return a random delay in seconds: up to 0.5 s, doubling to 3 s in the first minute and to 10 s afterwards."""
    return random.random() * min(3.0 if lost < 60 else 10.0, 0.5 * 2 ** min(attempt, 10))


class PageLikeViewer(LightViewer):
    """Watches forever: reconnects, resumes, sends heartbeats, and requests a restart when no video arrives."""

    def __init__(self, address: tuple[int, str], seconds: Counter[int]) -> None:
        super().__init__(*address)
        self._seconds = seconds
        self._offer = 0
        self._live = False
        self._unanswered = False
        self._waiting_since = self._sent_at = self._asked_at = time.monotonic()

    async def watch(self) -> None:
        """Watch until cancelled. Raises `RuntimeError` if the daemon closes the connection with a final code."""
        attempt, lost = 0, time.monotonic()
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(ATTEMPT_LIMIT):
                    await self._connect()
                    self.messages.clear()
                    await self.message("welcome", ATTEMPT_LIMIT)
                welcomed = time.monotonic()
                await self._until_disconnected()
                lost = time.monotonic()
                attempt = 0 if lost - welcomed > SETTLED else attempt
            if self.close_code in FINAL_CODES:
                raise RuntimeError(f"closed with {self.close_code}: {self.messages[-1:]}")
            await asyncio.sleep(
                LONG_DELAY if self.close_code in LONG_DELAY_CODES else retry_delay(attempt, time.monotonic() - lost)
            )
            attempt += 1
            self.close_code = None
            await self.drop_connection()

    async def report(self) -> None:
        """Send a receiver report, as browsers do each second: a viewer that is silent for 5 s is not sent any video."""
        if self.ssrc:
            highest, lost = self.sequence, min(self.gaps, 0x7FFFFF)
            info = RtcpReceiverInfo(
                ssrc=self.ssrc, fraction_lost=0, packets_lost=lost, highest_sequence=highest, jitter=0, lsr=0, dlsr=0
            )
            with contextlib.suppress(ConnectionError, AssertionError):  # not connected at the moment
                await self.send_rtcp(bytes(RtcpRrPacket(ssrc=1, reports=[info])))

    async def _until_disconnected(self) -> None:
        """Wait until the WebSocket is closed, or a heartbeat is not answered."""
        self._sent_at, self._unanswered = time.monotonic(), False
        while not self._reading.done():
            await asyncio.wait({self._reading}, timeout=0.25)
            now = time.monotonic()
            if now - self._sent_at > HEARTBEAT:
                if self._unanswered:
                    return
                self._sent_at, self._unanswered = now, True
                await self.send(type="heartbeat")
            if (
                self._live
                and now - self._waiting_since > NO_VIDEO_LIMIT
                and now - self._asked_at > RESTART_INTERVAL
                and self._offer
            ):
                self._asked_at = now
                await self.send(type="restart", id=self._offer, reason="no-frames")

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async for raw in ws:
            message = raw.json()
            self._unanswered = False
            await self._handle(message)
            async with self._arrived:
                self.messages = [*self.messages[-20:], message]
                self._arrived.notify_all()
        self.close_code = ws.close_code

    async def _handle(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "welcome":
            self._hello["resume"] = message["resume"]
            self._stream_changed(message["stream"])
        elif kind == "stream":
            self._stream_changed(message)
        elif kind == "offer":
            self._offer, self._waiting_since = message["id"], time.monotonic()
            await self._answer(message)
        elif kind == "heartbeat" and message.get("ask"):
            self._sent_at = time.monotonic()
            await self._ws.send_json({"type": "heartbeat"})

    def _stream_changed(self, stream: dict[str, Any]) -> None:
        if not self._live:
            self._waiting_since = time.monotonic()
        self._live = stream["state"] == "live"

    def _count(self, packet: RtpPacket) -> None:
        super()._count(packet)
        self._waiting_since = time.monotonic()
        self._seconds[math.floor(self._waiting_since)] += packet.marker  # the last packet of its frame


class ViewerSlot:
    """One viewer after another, and the frames received in each second."""

    def __init__(self, viewer: type[PageLikeViewer], port: int, host: str = "127.0.0.1") -> None:
        self._class = viewer
        self._address = port, host
        self._seconds: Counter[int] = Counter()
        self._start()

    async def execute(self, command: str, *arguments: str) -> None:
        """Execute a command."""
        if command == "cut":
            await self._viewer.drop_connection()
        elif command == "replace":
            await self._replace()
        elif command == "flood":
            for _ in range(40):
                await self._viewer.send(type="heartbeat")
        elif command == "keyframes":
            for _ in range(12):
                await self._viewer.send(type="keyframe")
        elif command == "storm":
            await self._storm(float(*arguments))

    async def report_seconds(self) -> None:
        """Print a line for each second that has passed."""
        async for passed in ticks():
            for second in passed:
                print_json(second=second, frames=self._seconds.pop(second, 0))
                await self._viewer.report()
            if self.watching.done() and not self.watching.cancelled():
                print_json(problems=repr(self.watching.exception()))
                await self._replace()

    async def leave(self) -> None:
        """Leave with `bye`."""
        self.watching.cancel()
        await asyncio.wait({self.watching})
        with contextlib.suppress(AttributeError):  # never connected
            await self._viewer.leave()

    async def _replace(self) -> None:
        await self.leave()
        await asyncio.sleep(0.5)
        self._start()

    def _start(self) -> None:
        self._viewer = self._class(self._address, self._seconds)
        self.watching = asyncio.create_task(self._viewer.watch())

    async def _storm(self, seconds: float) -> None:
        """Request keyframes and retransmissions about 100 times per second."""
        viewer, end = self._viewer, time.monotonic() + seconds
        while time.monotonic() < end:
            lost = sorted(viewer.sequence - back & 0xFFFF for back in range(300))  # aiortc takes no wrap-around
            nack = RtcpRtpfbPacket(RTCP_RTPFB_NACK, ssrc=1, media_ssrc=viewer.ssrc, lost=lost)
            await viewer.send_rtcp(bytes(RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=viewer.ssrc)))
            await viewer.send_rtcp(bytes(nack))
            await asyncio.sleep(0.02)


async def main(viewer: type[PageLikeViewer], arguments: Sequence[str]) -> None:
    """Let a viewer of this class watch until standard input ends; `arguments` are port and host."""
    reader = await commands()
    slot = ViewerSlot(viewer, int(arguments[0]), *arguments[1:])
    reporting = asyncio.create_task(slot.report_seconds())
    while line := await reader.readline():
        try:
            await slot.execute(*line.decode().split())
        except (aiohttp.ClientError, OSError, AttributeError, AssertionError) as error:
            print_json(note=f"{line.decode().strip()}: {error!r}")  # not connected at the moment
    reporting.cancel()
    await slot.leave()


if __name__ == "__main__":
    asyncio.run(main(PageLikeViewer, sys.argv[1:]))
