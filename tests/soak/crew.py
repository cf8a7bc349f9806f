"""The viewers' processes, and what they tell."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import Any

from tests.rigs.shaper import NEAR, Shaper
from tests.soak.accounts import Accounts

START_LIMIT = 60.0
"""Seconds in which a process must be there; generous, because machines are shared."""


class Crew:
    """So many processes with one viewer each; use it with `async with`.

    With a `network` every other one lives behind its link. What they see goes into `accounts`; `notes` are what they
    found remarkable, `trouble` what must not be.
    """

    def __init__(self, port: int, number: int, accounts: Accounts) -> None:
        self.network: Shaper | None = None
        self.notes: list[str] = []
        self.trouble: list[str] = []
        self._port = port
        self._accounts = accounts
        self._processes: list[asyncio.subprocess.Process] = [None] * number  # type: ignore[list-item]
        self._readers: set[asyncio.Task[None]] = set()

    @property
    def behind(self) -> range:
        """The places behind the link."""
        return range(1, len(self._processes), 2) if self.network else range(0)

    async def __aenter__(self) -> Crew:
        for place in range(len(self._processes)):
            await self._start(place)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                await process.wait()

    def tell(self, place: int, *command: object) -> None:
        """Let a viewer do something."""
        stdin = self._processes[place].stdin
        assert stdin is not None
        stdin.write(" ".join(map(str, command)).encode() + b"\n")

    async def freeze(self, place: int, seconds: float) -> None:
        """Stop a process for so long."""
        self._processes[place].send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._processes[place].send_signal(signal.SIGCONT)

    async def replace(self, place: int) -> None:
        """Kill a process, and start another in its place; returns when that is ready to join."""
        self._processes[place].kill()
        await self._processes[place].wait()
        await self._start(place)

    async def leave(self) -> None:
        """Let all say goodbye."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        await asyncio.gather(*(asyncio.wait_for(process.wait(), START_LIMIT) for process in self._processes))

    async def _start(self, place: int) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self._command(place), stdin=pipe, stdout=pipe)
        self._processes[place] = process
        ready = asyncio.Event()
        reader = asyncio.create_task(self._read(place, process, ready))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        await asyncio.wait_for(ready.wait(), START_LIMIT)

    def _command(self, place: int) -> list[str]:
        command = [sys.executable, "-m", "tests.soak.page_like", str(self._port)]
        if self.network is None or place not in self.behind:
            return command
        return self.network.far.command(*command, NEAR)

    async def _read(self, place: int, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._heed(place, json.loads(line))
            ready.set()

    def _heed(self, place: int, line: dict[str, Any]) -> None:
        if "second" in line:
            self._accounts.seen(place, line["second"], line["pictures"])
        elif "unscheduled" in line:
            self._accounts.unscheduled(place, *line["unscheduled"])
        elif "trouble" in line:
            self.trouble.append(f"viewer {place}: {line['trouble']}")
        elif "note" in line:
            self.notes.append(f"viewer {place}: {line['note']}")
