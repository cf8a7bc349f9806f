"""The processes of the viewers, and what they report."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from typing import Any

from tests.rigs.shaper import Shaper
from tests.soak.availability import Availability

START_LIMIT = 60.0
"""Seconds in which a process must start; generous, because the machine may be busy."""


class ViewerProcesses:
    """Processes with one viewer each, and those of other `outputs` behind them; use it with `async with`.

    `viewer` is the module of the viewers, `outputs` are modules and ports. With `links`, every other viewer is behind
    one of them. Received frames are added to `availability`; `notes` are remarkable events, `problems` what must not
    happen.
    """

    def __init__(
        self,
        port: int,
        number: int,
        availability: Availability,
        viewer: str = "tests.soak.page_like",
        outputs: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.links: list[Shaper] = []
        self.notes: list[str] = []
        self.problems: list[str] = []
        self._number = number
        self._programs = [(viewer, port)] * number + list(outputs)
        self._availability = availability
        self._processes: list[asyncio.subprocess.Process] = [None] * len(self._programs)  # type: ignore[list-item]
        self._readers: set[asyncio.Task[None]] = set()

    @property
    def behind_link(self) -> range:
        """The indices of the viewers behind a link."""
        return range(1, self._number, 2) if self.links else range(0)

    async def __aenter__(self) -> ViewerProcesses:
        for index in reversed(range(len(self._processes))):  # the media server first: the daemon's retries get rarer
            await self._start(index)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                await process.wait()

    def send_command(self, index: int, *command: object) -> None:
        """Send a command to a viewer."""
        stdin = self._processes[index].stdin
        assert stdin is not None
        stdin.write(" ".join(map(str, command)).encode() + b"\n")

    async def freeze(self, index: int, seconds: float) -> None:
        """Stop a process for `seconds`."""
        self._processes[index].send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._processes[index].send_signal(signal.SIGCONT)

    async def replace(self, index: int) -> None:
        """Kill a process and start another one in its place; return when that is ready to join."""
        self._processes[index].kill()
        await self._processes[index].wait()
        await self._start(index)

    async def leave(self) -> None:
        """Let all viewers leave with `bye`."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        await asyncio.gather(*(asyncio.wait_for(process.wait(), START_LIMIT) for process in self._processes))

    async def _start(self, index: int) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self._command(index), stdin=pipe, stdout=pipe)
        self._processes[index] = process
        ready = asyncio.Event()
        reader = asyncio.create_task(self._read(index, process, ready))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        await asyncio.wait_for(ready.wait(), START_LIMIT)

    def _command(self, index: int) -> list[str]:
        module, port = self._programs[index]
        command = [sys.executable, "-m", module, str(port)]
        if index not in self.behind_link:
            return command
        link = self.links[index // 2 % len(self.links)]
        return link.far.command(*command, link.host)

    async def _read(self, index: int, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._handle(index, json.loads(line))
            ready.set()

    def _handle(self, index: int, line: dict[str, Any]) -> None:
        if "second" in line:
            self._availability.add_frames(index, line["second"], line["frames"])
        elif "unscheduled" in line:
            self._availability.add_unscheduled(index, *line["unscheduled"])
        elif "problems" in line:
            self.problems.append(f"viewer {index}: {line['problems']}")
        elif "note" in line:
            self.notes.append(f"viewer {index}: {line['note']}")
