"""Media servers that misbehave, while a viewer watches: each only ends the attempt to push to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Record
from tests.faults.continuity import uninterrupted
from tests.rigs.daemon import Daemon
from tests.rigs.healthy import HealthyViewer

pytestmark = pytest.mark.long

ANSWER = (Path(__file__).parents[1] / "unit" / "sdp" / "whip-janus.sdp").read_bytes()
CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\n"
MEGABYTE = bytes(1_000_000)
WAIT = 40.0
"""Seconds for the slowest reason: 2 s for OPTIONS, 15 s for POST, and a busy machine."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answers(*parts: bytes) -> Serve:
    """Send these bytes to whoever connects."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return serve


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for number in itertools.count():
        writer.write(b"HTTP/1.1 201 Created\r\nX: " if number == 0 else b"y")
        await writer.drain()
        await asyncio.sleep(0.1)


async def speaks_plain_text(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def hangs_in_its_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answers(CREATED + b"Location: /s\r\nContent-Length: 9999\r\n\r\nv=0\r\n")(reader, writer)
    await asyncio.Event().wait()


def sized(body: bytes, location: str = "/s") -> bytes:
    return CREATED + f"Location: {location}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


QUICK: dict[str, tuple[Serve, str]] = {
    "closes": (answers(), "closed the connection without an answer"),
    "no HTTP": (answers(b"\x16\x03\x01" + bytes(500)), "does not speak HTTP as it should"),
    "huge header": (answers(CREATED, b"X: " + b"y" * 100_000 + b"\r\n\r\n"), "does not speak HTTP as it should"),
    "100 MB": (
        answers(CREATED + b"Location: /s\r\nContent-Length: 100000000\r\n\r\n", *[MEGABYTE] * 100),
        "the server's answer cannot be used: longer than 16384 bytes",
    ),
    "garbage SDP": (answers(sized(b"v=0\r\n" + bytes(range(256)))), "the server's answer cannot be used"),
    "redirects": (
        answers(b"HTTP/1.1 307 Moved\r\nLocation: /whip\r\nContent-Length: 0\r\n\r\n"),
        "redirects more than 5 times",
    ),
    "no session": (answers(CREATED + b"Content-Length: 5\r\n\r\nv=0\r\n"), "Location header is missing"),
    "another scheme": (answers(sized(ANSWER, "file:///etc/passwd")), "Location header is missing or no http URL"),
}
HOST_NAMES: dict[str, tuple[Serve, str]] = {
    name: (answers(sized(ANSWER, f"http://{host}/x")), "Location header is missing or no http URL")
    for name, host in {"empty label": "a..b", "long label": "a" * 64}.items()
}
SLOW: dict[str, tuple[Serve, str]] = {
    "hangs": (hangs, "has not answered within 15 s"),
    "drips": (drips, "has not answered within 15 s"),
    "hangs in its answer": (hangs_in_its_answer, "has not answered within 15 s"),
    "no media": (answers(sized(ANSWER)), "no media connection within 10 s"),
    "no TLS": (speaks_plain_text, "does not speak TLS"),
    "401 with 100 MB": (
        answers(b"HTTP/1.1 401 No\r\nContent-Length: 100000000\r\n\r\n", *[MEGABYTE] * 100),
        "rejects the one in the settings (HTTP 401)",
    ),
}


@contextlib.asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Serve connections on loopback; yield the port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError):
                await serve(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def reasons(daemon: Daemon) -> dict[str, str]:
    status: Any = await daemon.status()
    return {target["name"]: target["reason"] for target in status["push"]}


@pytest.mark.parametrize("servers", [QUICK, HOST_NAMES, SLOW], ids=["quick", "host names", "slow"])
async def test_servers_that_misbehave(record: Record, servers: dict[str, tuple[Serve, str]]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        ports = {name: await stack.enter_async_context(listening(serve)) for name, (serve, _) in servers.items()}
        tables = [
            f'{{name = "{name}", url = "{"https" if name == "no TLS" else "http"}://127.0.0.1:{port}/whip"}}'
            for name, port in ports.items()
        ]
        daemon = await stack.enter_async_context(Daemon(push=f"[{', '.join(tables)}]"))
        viewer = await stack.enter_async_context(HealthyViewer(daemon.port))
        await viewer.keyframe()
        seen: dict[str, str] = {}
        deadline = asyncio.get_running_loop().time() + WAIT
        async with uninterrupted(viewer) as continuity:
            while missing := [name for name, (_, reason) in servers.items() if reason not in seen.get(name, "")]:
                assert asyncio.get_running_loop().time() < deadline, f"{missing}: {seen}"
                seen |= {name: reason for name, reason in (await reasons(daemon)).items() if reason}
                await asyncio.sleep(0.1)
        assert await daemon.stop() == 0
        assert "Traceback" not in daemon.log
        record("push-server", f"{len(servers)} kinds at once, the reason of each, {continuity}")
