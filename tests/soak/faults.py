"""Makes each kind of fault happen to a running daemon and its viewers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress

import aiohttp

from broadcaster.signaling.protocol import SUBPROTOCOL
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.shaper import Link
from tests.soak.crew import Crew
from tests.soak.plan import Fault

RESTART = 1.0
"""Seconds after which systemd starts the daemon anew (RestartSec)."""
ENDS_WITHIN = 3.0
HANG_NOTICED = 12.0
PENALTY = 15.0
"""Seconds: for SIGTERM; from a camera that hangs to the end of the process; what who floods must wait."""
OFFLINE_WITHIN = 10.0


class Faults:
    """`happen` lets a fault happen and returns when it was over, by the monotonic clock; from then on recovery counts.

    `restarts` counts how often the daemon was started anew, `trouble` is what should not have been.
    """

    def __init__(self, daemon: ScriptedDaemon, crew: Crew) -> None:
        self.restarts = 0
        self.restarting = False
        self.trouble: list[str] = []
        self._daemon = daemon
        self._crew = crew
        self._ways = self._camera() | self._microphone() | self._viewer() | self._process() | self._network()

    async def happen(self, fault: Fault) -> float:
        """Returns the monotonic time at which the fault itself was over."""
        try:
            end = await self._ways[fault.kind.name](fault)
        finally:
            self.restarting = False
        return time.monotonic() if end is None else end

    async def restart(self) -> None:
        """As systemd does."""
        await asyncio.sleep(RESTART)
        await self._daemon.start()
        self.restarts += 1

    def _camera(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "camera stalls": self._calls("camera", "stall"),
            "camera unplugged, back at once": self._calls("camera", "vanish"),
            "camera away, plugged in later": self._away,
            "camera hangs for good": self._hang,
            "camera gives garbage": self._calls("camera", "garble"),
            "camera gives a huge keyframe": self._calls("camera", "bloat"),
            "camera changes size and back": self._resize,
            "camera's time goes back": self._calls("camera", "shift_time", -5),
            "camera's time jumps ahead": self._calls("camera", "shift_time", 3600),
        }

    def _microphone(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "microphone unplugged": self._calls("microphone", "vanish"),
            "microphone stalls for a while": self._stall,
            "microphone cannot be opened for a while": self._mute,
        }

    def _viewer(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "viewer frozen (SIGSTOP), goes on": lambda fault: self._crew.freeze(fault.viewer, fault.lasts),
            "viewer killed, another comes": lambda fault: self._crew.replace(fault.viewer),
            "viewer leaves, another comes": self._tells("renew"),
            "WebSocket cut": self._tells("cut"),
            "storm of PLI and NACK": self._storm,
            "storm of keyframe messages": self._tells("keyframes"),
            "viewer floods with messages": self._flood,
            "stranger never answers": self._mute_stranger,
            "stranger answers garbage": self._rude_stranger,
        }

    def _process(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "stopped and started by HTTP": self._stop_and_start,
            "stopped and started by SIGUSR1": self._press_twice,
            "kill -9, restarted": self._kill,
            "SIGTERM, restarted": self._end,
        }

    def _network(self) -> dict[str, Callable[[Fault], Awaitable[None]]]:
        return {
            "network gone": self._link(Link(loss=1.0)),
            "network loses a fifth": self._link(Link(loss=0.2)),
        }

    def _calls(self, *call: str | float) -> Callable[[Fault], Awaitable[None]]:
        async def happen(_: Fault) -> None:
            await self._daemon.call(str(call[0]), str(call[1]), *call[2:])

        return happen

    def _tells(self, command: str) -> Callable[[Fault], Awaitable[None]]:
        async def happen(fault: Fault) -> None:
            self._crew.tell(fault.viewer, command)

        return happen

    def _link(self, link: Link) -> Callable[[Fault], Awaitable[None]]:
        async def happen(fault: Fault) -> None:
            assert self._crew.network is not None
            self._crew.network.set(link)
            await asyncio.sleep(fault.lasts)
            self._crew.network.set(Link())

        return happen

    async def _away(self, fault: Fault) -> None:
        await self._daemon.call("camera", "fail_open", "no-camera", "scripted: nothing there", 1000)
        await self._daemon.call("camera", "vanish")
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("camera", "mend")
        await self._daemon.call("devices", "add", f"video{time.monotonic_ns()}")

    async def _hang(self, _: Fault) -> float:
        assert self._daemon.process is not None
        self.restarting = True
        await self._daemon.call("camera", "hang")
        code = await asyncio.wait_for(self._daemon.process.wait(), HANG_NOTICED)
        ended = time.monotonic()
        if code != 1:
            self.trouble.append(f"a camera that hangs ended the daemon with {code}")
        await self.restart()
        return ended

    async def _resize(self, fault: Fault) -> None:
        await self._daemon.call("camera", "resize", 160, 90)
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("camera", "resize", 320, 180)

    async def _stall(self, fault: Fault) -> None:
        await self._daemon.call("microphone", "stall")
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("microphone", "resume")

    async def _mute(self, fault: Fault) -> None:
        await self._daemon.call("microphone", "fail_open", "internal", "scripted: nothing there", 1000)
        await self._daemon.call("microphone", "vanish")
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("microphone", "mend")

    async def _storm(self, fault: Fault) -> None:
        self._crew.tell(fault.viewer, "storm", fault.lasts)
        await asyncio.sleep(fault.lasts)

    async def _flood(self, fault: Fault) -> None:
        self._crew.tell(fault.viewer, "flood")
        await asyncio.sleep(PENALTY)

    async def _mute_stranger(self, fault: Fault) -> None:
        async with aiohttp.ClientSession() as http, self._stranger(http) as ws:
            await ws.send_json({"type": "hello"})
            with suppress(TimeoutError):
                async with asyncio.timeout(fault.lasts):
                    while True:
                        if (await ws.receive_json()).get("ask"):
                            await ws.send_json({"type": "heartbeat"})

    async def _rude_stranger(self, _: Fault) -> None:
        async with aiohttp.ClientSession() as http, self._stranger(http) as ws:
            await ws.send_json({"type": "hello"})
            async with asyncio.timeout(5):
                while (message := await ws.receive_json())["type"] != "offer":
                    pass
            await ws.send_json({"type": "answer", "id": message["id"], "sdp": "v=0\r\ngarbage"})
            await asyncio.sleep(1)

    def _stranger(self, http: aiohttp.ClientSession) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        return http.ws_connect(f"ws://127.0.0.1:{self._daemon.port}/ws", protocols=[SUBPROTOCOL])

    async def _stop_and_start(self, fault: Fault) -> None:
        await self._daemon.set_live(False)
        await asyncio.sleep(fault.lasts)
        await self._daemon.set_live(True)

    async def _press_twice(self, fault: Fault) -> None:
        self._daemon.signal(signal.SIGUSR1)
        await asyncio.sleep(fault.lasts)
        self._daemon.signal(signal.SIGUSR1)

    async def _kill(self, _: Fault) -> float:
        self.restarting = True
        await self._daemon.stop(signal.SIGKILL)
        ended = time.monotonic()
        await self.restart()
        return ended

    async def _end(self, _: Fault) -> float:
        self.restarting = True
        began = time.monotonic()
        code = await self._daemon.stop(signal.SIGTERM)
        ended = time.monotonic()
        if code != 0 or ended - began > ENDS_WITHIN:
            self.trouble.append(f"SIGTERM ended the daemon with {code} after {ended - began:.1f} s")
        await self.restart()
        return ended
