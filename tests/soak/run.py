"""A soak run: viewers watch, faults are injected as planned, and resources are sampled once per minute."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from tests.rigs.daemon import free_port
from tests.rigs.namespaces import unavailable
from tests.rigs.process import footprint
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.shaper import Link, shaped_links
from tests.soak.availability import Availability
from tests.soak.faults import FaultInjector
from tests.soak.leaks import Sample, left_behind
from tests.soak.plan import KINDS, KINDS_BESIDE_BAD_LINKS, NETWORK_KINDS, OUTPUT_KINDS, Fault, link_states, plan
from tests.soak.seconds import TICK, UNSCHEDULED
from tests.soak.viewers import ViewerProcesses

OUTPUTS = {"/media": "tests.soak.media_viewer", "WHEP": "tests.soak.whep_player", "push": "tests.soak.push_server"}
"""Modules of those who get the stream beside the viewers."""
NO_SESSION, NO_PEER = frozenset({"push"}), frozenset({"/media"})
"""Outputs that are no viewer of the daemon, and that have no peer connection."""

SETTLE_AFTER_FAULT = 13.0
"""Seconds until nothing is left of a fault: a session without a WebSocket is kept for 10 s."""
SAMPLE_INTERVAL = 60.0
SETTLE = 5.0
CLEANUP_LIMIT = 40.0
"""Seconds until nothing may be left of viewers who have left: ICE gives up after 39 s."""
JOIN_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What to run: with `bad_links`, half of the viewers have bad links that change, and the camera does not fail.

    `settings` are the daemon's, as for `--set`; `tree` is the folder of its source code if it is not this one. Without
    bad links and another tree, there are the other `OUTPUTS` beside the viewers.
    """

    seed: int
    minutes: float
    viewers: int
    bad_links: bool = False
    settings: Sequence[str] = ()
    tree: str = ""

    @property
    def groups(self) -> dict[str, list[int]]:
        """The indices of the viewers, and that of each other output."""
        names = () if self.bad_links or self.tree else OUTPUTS
        outputs = {name: [self.viewers + index] for index, name in enumerate(names)}
        return {"viewers": list(range(self.viewers))} | outputs


class SoakRun:
    """Run `play` once; the results are in the attributes afterwards. Times are those of the monotonic clock.

    `network_problem` says why there is no bad link, if so.
    """

    def __init__(self, options: Options, print_line: Callable[[str], None]) -> None:
        self.options = options
        self.availability = Availability()
        push_port = free_port()
        self.daemon = _daemon(options, push_port)
        viewer = "tests.soak.browser_like" if options.bad_links else "tests.soak.page_like"
        ports = {"push": push_port}
        outputs = [(OUTPUTS[name], ports.get(name, self.daemon.port)) for name in list(options.groups)[1:]]
        self.processes = ViewerProcesses(self.daemon.port, options.viewers, self.availability, viewer, outputs)
        self.faults = FaultInjector(self.daemon, self.processes)
        self.network_problem = unavailable()
        self.plan = _plan(options, has_network=not self.network_problem)
        self.injected: list[tuple[Fault, float]] = []
        self.samples: list[Sample] = []
        self.idle: Sample
        self.after: Sample
        self.began = self.ended = 0.0
        self.log = ""
        self._seconds = options.minutes * 60
        self._print_line = print_line
        self._quiet_from = self._sampled_at = 0.0

    @property
    def sessions(self) -> int:
        """How many viewers the daemon should have."""
        return self.options.viewers + len(self.options.groups.keys() - NO_SESSION) - 1

    @property
    def peers(self) -> int:
        """How many peer connections the daemon should have."""
        return self.options.viewers + len(self.options.groups.keys() - NO_PEER) - 1

    async def play(self) -> None:
        """Run everything, in network namespaces if they can be created."""
        async with AsyncExitStack() as stack:
            if not self.network_problem:
                number = self.options.viewers // 2 if self.options.bad_links else 1
                links = self.processes.links = await stack.enter_async_context(shaped_links(number))
                stack.enter_context(links[0].near.inside())
            await stack.enter_async_context(self.daemon)
            try:
                await self._play()
            finally:
                self.log = self.daemon.log

    async def _play(self) -> None:
        await self.daemon.set_live(True)
        await asyncio.sleep(SETTLE)
        self.idle = await self._sample()
        if self.options.bad_links:
            for index, link in enumerate(self.processes.links):
                link.set(self._link_states(index)[0][1])
        async with self.processes:
            await self._until_joined()
            self.began = self._sampled_at = time.monotonic()
            self.samples.append(await self._sample())
            await self._with_monitors(self._inject_faults())
            self.ended = time.monotonic()
            await asyncio.sleep(2 * (TICK + UNSCHEDULED))  # until the last second has been reported
            await self.processes.leave()
        self.after = await self._until_gone()

    async def _with_monitors(self, playing: Any) -> None:
        others = [asyncio.create_task(self._record_stalls()), asyncio.create_task(self._restart_after_crash())]
        if self.options.bad_links:
            others += [asyncio.create_task(self._change_link(index)) for index in range(len(self.processes.links))]
        try:
            await playing
        finally:
            for task in others:
                task.cancel()
            for task in others:
                with suppress(asyncio.CancelledError):
                    await task

    async def _inject_faults(self) -> None:
        for fault in self.plan:
            await self._wait(self.began + fault.at)
            began = time.monotonic()
            self._print_line(
                f"{began - self.began:6.0f} s  {fault.kind.name} (viewer {fault.viewer}, {fault.lasts:.0f} s)"
            )
            self._quiet_from = math.inf
            end = began
            try:
                end = await self.faults.inject(fault)
            except Exception as error:  # noqa: BLE001 - reported at the end of the run
                self.faults.problems.append(f"{fault.kind.name} after {began - self.began:.0f} s: {error!r}")
                end = time.monotonic()
            self._excuse(fault, began, end + fault.kind.recovery)
            self._quiet_from = max(end + fault.kind.recovery, time.monotonic()) + SETTLE_AFTER_FAULT
            self.injected.append((fault, began))
        await self._wait(self.began + self._seconds)

    async def _change_link(self, index: int) -> None:
        for at, state in self._link_states(index):
            await asyncio.sleep(self.began + at - time.monotonic())
            self.processes.links[index].set(state)

    def _link_states(self, index: int) -> list[tuple[float, Link]]:
        return link_states(self.options.seed, index, self._seconds)

    def _excuse(self, fault: Fault, begin: float, end: float) -> None:
        affected = {"all": [None], "behind_link": self.processes.behind_link, "one": [fault.viewer], "none": []}
        for viewer in affected[fault.kind.affected]:
            self.availability.excuse(fault.kind.name, viewer, begin, end)

    async def _wait(self, until: float) -> None:
        """Wait until the given time; take a resource sample when one is due, even if that takes longer."""
        while (now := time.monotonic()) < until or now - self._sampled_at > SAMPLE_INTERVAL:
            if now - self._sampled_at >= SAMPLE_INTERVAL and now > self._quiet_from:
                self._sampled_at += SAMPLE_INTERVAL
                await self._sample_resources()
            await asyncio.sleep(0.25)

    async def _sample_resources(self) -> None:
        try:
            self.samples.append(await self._settled_sample())
            stream: Any = (await self.daemon.status())["stream"]
        except OSError as error:
            self.faults.problems.append(
                f"after {time.monotonic() - self.began:.0f} s the daemon does not answer: {error}"
            )
            return
        if (stream["state"], stream["sound"]) != ("live", "on"):
            self.faults.problems.append(f"after {time.monotonic() - self.began:.0f} s the stream is {stream}")

    async def _settled_sample(self) -> Sample:
        """Return the smallest of three samples, because something may be in progress at one of them."""
        samples = [await self._sample()]
        for _ in range(2):
            await asyncio.sleep(1)
            samples.append(await self._sample())
        return min(samples, key=lambda sample: (sample.viewers, sample.peers, sample.tasks, sample.descriptors))

    async def _sample(self) -> Sample:
        held, status = await self.daemon.resources(), await self.daemon.status()
        usage = footprint(self.daemon.pid)
        viewers = int(str(status["viewers"]))
        at = time.monotonic() - self.began if self.began else 0.0
        return Sample(at, self.faults.restarts, viewers, threads=usage.threads, memory=usage.memory, **held)

    async def _until_joined(self) -> None:
        async with asyncio.timeout(JOIN_LIMIT):
            sample = await self._sample()
            while (sample.viewers, sample.peers) != (self.sessions, self.peers):
                await asyncio.sleep(0.2)
                sample = await self._sample()
        await asyncio.sleep(SETTLE_AFTER_FAULT)  # until an offer that is not answered has ended as well

    async def _until_gone(self) -> Sample:
        deadline = time.monotonic() + CLEANUP_LIMIT
        while left_behind(self.idle, sample := await self._sample()) and time.monotonic() < deadline:
            await asyncio.sleep(1)
        return sample

    async def _record_stalls(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            if now - last > TICK + UNSCHEDULED:
                self.availability.add_unscheduled(None, last, now)
            last = now

    async def _restart_after_crash(self) -> None:
        """Restart the daemon as systemd does if it exits unexpectedly, and record that as a problem."""
        while True:
            await asyncio.sleep(0.2)
            process = self.daemon.process
            if not self.faults.restarting and process is not None and process.returncode is not None:
                self.faults.problems.append(f"the daemon exited unexpectedly with code {process.returncode}")
                with suppress(AssertionError):  # if it does not start, the next iteration reports it again
                    await self.faults.restart()


def _plan(options: Options, *, has_network: bool) -> list[Fault]:
    """Return the faults; those of an output have its index."""
    groups = options.groups
    kinds = [*KINDS, *(NETWORK_KINDS if has_network else ()), *(kind for kind in OUTPUT_KINDS if kind.output in groups)]
    faults = plan(
        options.seed,
        options.minutes * 60,
        options.viewers,
        KINDS_BESIDE_BAD_LINKS if options.bad_links else kinds,
    )
    return [replace(fault, viewer=groups[fault.kind.output][0]) if fault.kind.output else fault for fault in faults]


def _daemon(options: Options, push_port: int) -> ScriptedDaemon:
    """Return the daemon: with scripted sources, or camera-like video of 2.5 Mbit/s if there are bad links."""
    arguments = [argument for setting in options.settings for argument in ("--set", setting)]
    settings = {"video__source": "test", "video__test_pattern": "camera"} if options.bad_links else {}
    if "push" in options.groups:
        settings["push"] = f'[{{name = "soak", url = "http://127.0.0.1:{push_port}/whip"}}]'
    daemon = ScriptedDaemon(*arguments, live=False, stream__start="last", **settings)
    if options.tree:
        daemon.environment["PYTHONPATH"] = options.tree
    return daemon
