"""`broadcaster check` as a child process of the daemon, for the owner's page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

log = logging.getLogger(__name__)

LIMIT = 60.0
"""Seconds after which a check is ended."""
MAX_RESULTS = 200


class CheckProcess:
    """Runs one check at a time; `report` has its results as they come. `options` are those of the settings."""

    def __init__(self, options: Sequence[str], limit: float = LIMIT) -> None:
        self._command = (sys.executable, "-m", "broadcaster", "check", "--json", *options)
        self._limit = limit
        self._task: asyncio.Task[None] | None = None
        self._state = ""
        self._results: list[dict[str, Any]] = []

    @property
    def report(self) -> dict[str, Any] | None:
        """State (`running`, `done`, `failed`) and results of the last check; None before the first one."""
        return {"state": self._state, "results": list(self._results)} if self._state else None

    def start(self) -> bool:
        """Start a check; false if one is running."""
        if self._state == "running":
            return False
        self._state, self._results = "running", []
        self._task = asyncio.create_task(self._run(), name="check")
        return True

    def close(self) -> None:
        """End the check."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._state = "failed"

    async def _run(self) -> None:
        state = "failed"
        try:
            async with asyncio.timeout(self._limit):
                await self._read_results()
            state = "done"
        except (OSError, ValueError) as error:
            log.warning("the check ended without a result: %s", error)
        except TimeoutError:
            log.warning("the check took longer than %g s, and was ended", self._limit)
        finally:
            self._state = state

    async def _read_results(self) -> None:
        """Read results, one a line, until the process has ended. Raises OSError and ValueError."""
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=null, stdout=pipe, stderr=null, start_new_session=True
        )
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                text = line.decode("utf-8", "replace").strip().lstrip(",")
                if text not in ("[", "]", "") and len(self._results) < MAX_RESULTS:
                    self._results.append(json.loads(text))
            if await process.wait() > 2 or not self._results:
                raise ValueError(f"exit code {process.returncode}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the processes in which it isolates its parts
            await process.wait()
