"""Injects each kind of fault into a running daemon and its viewers."""

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
from tests.soak.plan import Fault
from tests.soak.viewers import ViewerProcesses

RESTART = 1.0
"""Seconds after which systemd restarts the daemon (RestartSec)."""
STOP_LIMIT = 3.0
HANG_LIMIT = 12.0
FLOOD_DELAY = 15.0
"""Seconds: for a stop by SIGTERM, until a hanging camera ends the process, for which a flooding viewer must wait."""


class FaultInjector:
    """Injects faults with `inject`.

    `restarts` counts restarts of the daemon, `problems` lists what must not happen.
    """

    def __init__(self, daemon: ScriptedDaemon, processes: ViewerProcesses) -> None:
        self.restarts = 0
        self.restarting = False
        self.problems: list[str] = []
        self._daemon = daemon
        self._processes = processes
        self._handlers = self._camera() | self._microphone() | self._viewer() | self._process() | self._network()
        self._handlers |= self._outputs()

    async def inject(self, fault: Fault) -> float:
        """Inject the fault; return the monotonic time at which it was over and recovery starts."""
        try:
            end = await self._handlers[fault.kind.name](fault)
        finally:
            self.restarting = False
        return time.monotonic() if end is None else end

    async def restart(self) -> None:
        """Restart the daemon as systemd does."""
        await asyncio.sleep(RESTART)
        await self._daemon.start()
        self.restarts += 1

    def _camera(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "camera stalls": self._call("camera", "stall"),
            "camera unplugged, back at once": self._call("camera", "vanish"),
            "camera unplugged, plugged in later": self._unplug,
            "camera hangs for good": self._hang,
            "camera delivers garbage": self._call("camera", "garble"),
            "camera delivers a huge keyframe": self._call("camera", "bloat"),
            "camera changes size and back": self._resize,
            "camera timestamps jump back": self._call("camera", "shift_time", -5),
            "camera timestamps jump ahead": self._call("camera", "shift_time", 3600),
        }

    def _microphone(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "microphone unplugged": self._call("microphone", "vanish"),
            "microphone stalls for a while": self._stall_microphone,
            "microphone cannot be opened for a while": self._unplug_microphone,
        }

    def _viewer(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "viewer stopped (SIGSTOP) and continued": self._freeze,
            "viewer killed and replaced": self._replace,
            "viewer leaves and is replaced": self._command("replace"),
            "WebSocket cut": self._command("cut"),
            "storm of PLI and NACK": self._storm,
            "storm of keyframe messages": self._command("keyframes"),
            "viewer floods with messages": self._flood,
            "new viewer never answers": self._never_answer,
            "new viewer answers with garbage": self._answer_with_garbage,
        }

    def _process(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "stopped and started by HTTP": self._stop_and_start,
            "stopped and started by SIGUSR1": self._toggle_twice,
            "kill -9, restarted": self._kill,
            "SIGTERM, restarted": self._terminate,
        }

    def _network(self) -> dict[str, Callable[[Fault], Awaitable[None]]]:
        return {
            "network down": self._link(Link(loss=1.0)),
            "network loses 20 % of packets": self._link(Link(loss=0.2)),
        }

    def _outputs(self) -> dict[str, Callable[[Fault], Awaitable[float | None]]]:
        return {
            "/media: viewer stopped (SIGSTOP) and continued": self._freeze,
            "/media: viewer killed and replaced": self._replace,
            "WHEP: player killed and replaced": self._replace,
            "push: server killed and restarted": self._replace,
        }

    def _call(self, *call: str | float) -> Callable[[Fault], Awaitable[None]]:
        async def inject(_: Fault) -> None:
            await self._daemon.call(str(call[0]), str(call[1]), *call[2:])

        return inject

    def _command(self, command: str) -> Callable[[Fault], Awaitable[None]]:
        async def inject(fault: Fault) -> None:
            self._processes.send_command(fault.viewer, command)

        return inject

    def _link(self, link: Link) -> Callable[[Fault], Awaitable[None]]:
        async def inject(fault: Fault) -> None:
            (network,) = self._processes.links
            network.set(link)
            await asyncio.sleep(fault.lasts)
            network.set(Link())

        return inject

    async def _freeze(self, fault: Fault) -> None:
        await self._processes.freeze(fault.viewer, fault.lasts)

    async def _replace(self, fault: Fault) -> None:
        await self._processes.replace(fault.viewer)

    async def _unplug(self, fault: Fault) -> None:
        await self._daemon.call("camera", "fail_open", "no-camera", "scripted: nothing there", 1000)
        await self._daemon.call("camera", "vanish")
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("camera", "mend")
        await self._daemon.call("devices", "add", f"video{time.monotonic_ns()}")

    async def _hang(self, _: Fault) -> float:
        assert self._daemon.process is not None
        self.restarting = True
        await self._daemon.call("camera", "hang")
        code = await asyncio.wait_for(self._daemon.process.wait(), HANG_LIMIT)
        ended = time.monotonic()
        if code != 1:
            self.problems.append(f"the daemon exited with code {code} after its camera hung")
        await self.restart()
        return ended

    async def _resize(self, fault: Fault) -> None:
        await self._daemon.call("camera", "resize", 160, 90)
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("camera", "resize", 320, 180)

    async def _stall_microphone(self, fault: Fault) -> None:
        await self._daemon.call("microphone", "stall")
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("microphone", "resume")

    async def _unplug_microphone(self, fault: Fault) -> None:
        await self._daemon.call("microphone", "fail_open", "internal", "scripted: nothing there", 1000)
        await self._daemon.call("microphone", "vanish")
        await asyncio.sleep(fault.lasts)
        await self._daemon.call("microphone", "mend")

    async def _storm(self, fault: Fault) -> None:
        self._processes.send_command(fault.viewer, "storm", fault.lasts)
        await asyncio.sleep(fault.lasts)

    async def _flood(self, fault: Fault) -> None:
        self._processes.send_command(fault.viewer, "flood")
        await asyncio.sleep(FLOOD_DELAY)

    async def _never_answer(self, fault: Fault) -> None:
        async with aiohttp.ClientSession() as http, self._connect(http) as ws:
            await ws.send_json({"type": "hello"})
            with suppress(TimeoutError):
                async with asyncio.timeout(fault.lasts):
                    while True:
                        if (await ws.receive_json()).get("ask"):
                            await ws.send_json({"type": "heartbeat"})

    async def _answer_with_garbage(self, _: Fault) -> None:
        async with aiohttp.ClientSession() as http, self._connect(http) as ws:
            await ws.send_json({"type": "hello"})
            async with asyncio.timeout(5):
                while (message := await ws.receive_json())["type"] != "offer":
                    pass
            await ws.send_json({"type": "answer", "id": message["id"], "sdp": "v=0\r\ngarbage"})
            await asyncio.sleep(1)

    def _connect(self, http: aiohttp.ClientSession) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        return http.ws_connect(f"ws://127.0.0.1:{self._daemon.port}/ws", protocols=[SUBPROTOCOL])

    async def _stop_and_start(self, fault: Fault) -> None:
        await self._daemon.set_live(False)
        await asyncio.sleep(fault.lasts)
        await self._daemon.set_live(True)

    async def _toggle_twice(self, fault: Fault) -> None:
        self._daemon.signal(signal.SIGUSR1)
        await asyncio.sleep(fault.lasts)
        self._daemon.signal(signal.SIGUSR1)

    async def _kill(self, _: Fault) -> float:
        self.restarting = True
        await self._daemon.stop(signal.SIGKILL)
        ended = time.monotonic()
        await self.restart()
        return ended

    async def _terminate(self, _: Fault) -> float:
        self.restarting = True
        began = time.monotonic()
        code = await self._daemon.stop(signal.SIGTERM)
        ended = time.monotonic()
        if code != 0 or ended - began > STOP_LIMIT:
            self.problems.append(f"the daemon exited with code {code} {ended - began:.1f} s after SIGTERM")
        await self.restart()
        return ended
