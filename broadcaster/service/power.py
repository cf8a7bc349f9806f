"""Switching the machine off, the clean way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)

POWER_OFF = ("systemctl", "--no-ask-password", "poweroff")
_LONGEST = 10.0
"""Seconds for the service manager to accept it."""


class PowerSwitch:
    """Asks the service manager to power off; a service needs the polkit rule in `systemd/` for that."""

    def __init__(self, command: Sequence[str] = POWER_OFF) -> None:
        self._command = command
        self._task: asyncio.Task[None] | None = None

    def press(self) -> None:
        """Power off; what goes wrong is logged. Nothing happens while it is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="power off")

    async def close(self) -> None:
        """Wait until the service manager has heard it; idempotent."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        log.warning("switching the machine off, as the button asked")
        try:
            problem = await self._ask()
        except OSError as error:
            problem = str(error)
        except TimeoutError:
            problem = f"no answer in {_LONGEST:g} s"
        if problem:
            log.error("it does not switch off: %s (hardware/README.md says what that needs)", problem)

    async def _ask(self) -> str:
        """Run the command; what it complains of, or nothing. Raises OSError and TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_LONGEST):
                _, complaint = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        if process.returncode == 0:
            return ""
        return complaint.decode(errors="replace").strip() or f"exit code {process.returncode}"
