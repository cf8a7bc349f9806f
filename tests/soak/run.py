"""A whole run: viewers watch, faults happen as planned, and once a minute we look for leaks."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from tests.rigs.namespaces import unavailable
from tests.rigs.process import footprint
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.shaper import shaped
from tests.soak.accounts import Accounts
from tests.soak.crew import Crew
from tests.soak.faults import Faults
from tests.soak.leaks import Probe, left_behind
from tests.soak.page_like import TICK, UNSCHEDULED
from tests.soak.plan import KINDS, NETWORK_KINDS, Fault, plan

QUIET = 13.0
"""Seconds after a fault in which what it left may still be there: a session without a WebSocket is kept for 10 s."""
PROBE_INTERVAL = 60.0
SETTLE = 5.0
FORGOTTEN = 40.0
"""Seconds in which the last trace of those who left must go: ICE gives up by 39 s."""
JOIN_LIMIT = 60.0


class Run:
    """Use `play` once; then what happened stands in the attributes. Times are of the monotonic clock.

    `no_network` says why there is no bad link, if there is none.
    """

    def __init__(self, seed: int, minutes: float, viewers: int, say: Callable[[str], None]) -> None:
        self.accounts = Accounts()
        self.daemon = ScriptedDaemon(live=False, stream__start="last")
        self.crew = Crew(self.daemon.port, viewers, self.accounts)
        self.faults = Faults(self.daemon, self.crew)
        self.no_network = unavailable()
        kinds = KINDS if self.no_network else KINDS + NETWORK_KINDS
        self.plan = plan(seed, minutes * 60, viewers, kinds)
        self.happened: list[tuple[Fault, float]] = []
        self.probes: list[Probe] = []
        self.idle: Probe
        self.after: Probe
        self.began = self.ended = 0.0
        self.log = ""
        self._seconds = minutes * 60
        self._viewers = viewers
        self._say = say
        self._quiet_from = self._probed_at = 0.0

    async def play(self) -> None:
        """The whole run; where networks of our own can be had, it takes place on one."""
        async with AsyncExitStack() as stack:
            if not self.no_network:
                self.crew.network = await stack.enter_async_context(shaped())
                stack.enter_context(self.crew.network.near.inside())
            await stack.enter_async_context(self.daemon)
            try:
                await self._play()
            finally:
                self.log = self.daemon.log

    async def _play(self) -> None:
        await self.daemon.set_live(True)
        await asyncio.sleep(SETTLE)
        self.idle = await self._probe()
        async with self.crew:
            await self._joined()
            self.began = self._probed_at = time.monotonic()
            self.probes.append(await self._probe())
            await self._watched(self._faults())
            self.ended = time.monotonic()
            await asyncio.sleep(2 * (TICK + UNSCHEDULED))  # until they have told of the last second
            await self.crew.leave()
        self.after = await self._gone()

    async def _watched(self, playing: Any) -> None:
        others = [asyncio.create_task(self._notice_stalls()), asyncio.create_task(self._keep_running())]
        try:
            await playing
        finally:
            for task in others:
                task.cancel()
            for task in others:
                with suppress(asyncio.CancelledError):
                    await task

    async def _faults(self) -> None:
        for fault in self.plan:
            await self._wait(self.began + fault.at)
            began = time.monotonic()
            self._say(f"{began - self.began:6.0f} s  {fault.kind.name} (viewer {fault.viewer}, {fault.lasts:.0f} s)")
            self._quiet_from = math.inf
            end = began
            try:
                end = await self.faults.happen(fault)
            except Exception as error:  # noqa: BLE001 - the run goes on, and says so in the end
                self.faults.trouble.append(f"{fault.kind.name} after {began - self.began:.0f} s: {error!r}")
                end = time.monotonic()
            self._excuse(fault, began, end + fault.kind.recovery)
            self._quiet_from = max(end + fault.kind.recovery, time.monotonic()) + QUIET
            self.happened.append((fault, began))
        await self._wait(self.began + self._seconds)

    def _excuse(self, fault: Fault, begin: float, end: float) -> None:
        concerned = {"all": [None], "behind": self.crew.behind, "one": [fault.viewer], "nobody": []}
        for viewer in concerned[fault.kind.who]:
            self.accounts.excuse(fault.kind.name, viewer, begin, end)

    async def _wait(self, until: float) -> None:
        """Until then, and until the fault before is over; look for leaks when it is time."""
        while (now := time.monotonic()) < until or now - self._probed_at > PROBE_INTERVAL:
            if now - self._probed_at >= PROBE_INTERVAL and now > self._quiet_from:
                self._probed_at += PROBE_INTERVAL
                await self._look_for_leaks()
            await asyncio.sleep(0.25)

    async def _look_for_leaks(self) -> None:
        try:
            self.probes.append(await self._settled_probe())
            stream: Any = (await self.daemon.status())["stream"]
        except OSError as error:
            self.faults.trouble.append(
                f"after {time.monotonic() - self.began:.0f} s the daemon does not answer: {error}"
            )
            return
        if (stream["state"], stream["sound"]) != ("live", "on"):
            self.faults.trouble.append(f"after {time.monotonic() - self.began:.0f} s the stream is {stream}")

    async def _settled_probe(self) -> Probe:
        """The smallest of three: something may be on its way at one of them."""
        looks = [await self._probe()]
        for _ in range(2):
            await asyncio.sleep(1)
            looks.append(await self._probe())
        return min(looks, key=lambda probe: (probe.viewers, probe.peers, probe.tasks, probe.descriptors))

    async def _probe(self) -> Probe:
        held, status = await self.daemon.resources(), await self.daemon.status()
        prints = footprint(self.daemon.pid)
        viewers = int(str(status["viewers"]))
        at = time.monotonic() - self.began if self.began else 0.0
        return Probe(at, self.faults.restarts, viewers, threads=prints.threads, memory=prints.memory, **held)

    async def _joined(self) -> None:
        async with asyncio.timeout(JOIN_LIMIT):
            while (await self.daemon.status())["viewers"] != self._viewers:
                await asyncio.sleep(0.2)
        await asyncio.sleep(SETTLE)

    async def _gone(self) -> Probe:
        deadline = time.monotonic() + FORGOTTEN
        while left_behind(self.idle, probe := await self._probe()) and time.monotonic() < deadline:
            await asyncio.sleep(1)
        return probe

    async def _notice_stalls(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            if now - last > TICK + UNSCHEDULED:
                self.accounts.unscheduled(None, last, now)
            last = now

    async def _keep_running(self) -> None:
        """As systemd does: who ends without being asked is started anew. Here it is a failure."""
        while True:
            await asyncio.sleep(0.2)
            process = self.daemon.process
            if not self.faults.restarting and process is not None and process.returncode is not None:
                self.faults.trouble.append(f"the daemon ended by itself with {process.returncode}")
                with suppress(AssertionError):  # it does not start: the next round says so again
                    await self.faults.restart()
