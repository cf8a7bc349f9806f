"""Debian's STUN and TURN server coturn."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence

from tests.rigs.namespaces import Namespace

SECRET = "north-wind"
"""The secret from which the server's credentials are derived."""
PORT = 3478

_START_LIMIT = 15.0


def unavailable() -> str | None:
    """Return what is missing on this machine; None if nothing is."""
    return None if shutil.which("turnserver") else "not installed: turnserver (apt install coturn)"


@contextlib.asynccontextmanager
async def coturn(addresses: Sequence[str], *options: str, host: Namespace | None = None) -> AsyncIterator[None]:
    """Run a server that listens on these addresses and relays from them, on `host` if given."""
    with tempfile.TemporaryDirectory(prefix="broadcaster-coturn-") as folder:
        command = [
            *("turnserver", "-n", "--no-cli", "--no-dtls", "--allow-loopback-peers", "--log-file=stdout"),
            *(f"--listening-ip={address}" for address in addresses),
            *("--realm=example.org", "--use-auth-secret", f"--static-auth-secret={SECRET}"),
            *(f"--userdb={folder}/db", f"--pidfile={folder}/pid", *options),
        ]
        server = await asyncio.create_subprocess_exec(
            *(host.command(*command) if host else command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            await _until_listening(addresses, host, server)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                server.kill()
            await server.wait()


async def _until_listening(
    addresses: Sequence[str], host: Namespace | None, server: asyncio.subprocess.Process
) -> None:
    async with asyncio.timeout(_START_LIMIT):
        for address in addresses:
            while not await _is_listening(address, host):
                assert server.returncode is None, "turnserver has exited"
                await asyncio.sleep(0.02)


async def _is_listening(address: str, host: Namespace | None) -> bool:
    with host.inside() if host else contextlib.nullcontext():
        probe = socket.socket()
    with probe:
        probe.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(probe, (address, PORT))
        except OSError:
            return False
    return True
