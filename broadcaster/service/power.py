"""Powering the machine off by the service manager."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)

POWER_OFF = ("systemctl", "--no-ask-password", "poweroff")
_TIMEOUT = 10.0
"""Seconds for the service manager to accept the request."""


class PowerSwitch:
    """Asks the service manager to power off; a service needs the polkit rule in `systemd/` for this."""

    def __init__(self, command: Sequence[str] = POWER_OFF) -> None:
        self._command = command
        self._task: asyncio.Task[None] | None = None

    def press(self) -> None:
        """Power off; errors are logged. Does nothing while a request is in progress."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="power off")

    async def close(self) -> None:
        """Wait for a request in progress; idempotent."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        log.warning("long press: powering off")
        try:
            error_text = await self._ask()
        except OSError as error:
            error_text = str(error)
        except TimeoutError:
            error_text = f"no answer in {_TIMEOUT:g} s"
        if error_text:
            log.error("cannot power off: %s (see hardware/README.md for what this needs)", error_text)

    async def _ask(self) -> str:
        """Run the command; return its error message, empty on success. Raises OSError and TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_TIMEOUT):
                _, message = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        if process.returncode == 0:
            return ""
        return message.decode(errors="replace").strip() or f"exit code {process.returncode}"
