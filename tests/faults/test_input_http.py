"""Bad HTTP requests to a real daemon, while a viewer watches."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.faults.input_driver import (
    MESSAGE_DELAY,
    daemon_with_viewer,
    send_raw,
    upgrade,
)
from tests.rigs.stalls import within

pytestmark = pytest.mark.long

REQUEST_LIMIT = 7.0
"""Seconds that the daemon waits for the rest of a request: five, with a clock that ticks once per second."""


async def test_pages_of_other_origins_are_refused(record):
    async with daemon_with_viewer() as daemon:
        own = f"http://127.0.0.1:{daemon.port}"
        origins = {"http://evil.example": 403, "null": 403, f"{own}0": 403, "http://127.0.0.1": 403, own: 101}
        for origin, status in origins.items():
            assert await upgrade(daemon, Origin=origin) == status, origin
        assert await upgrade(daemon) == 101
        record("origin", "4 others: 403; our own page, and no origin: accepted")


async def test_other_host_names_are_refused(record):
    names = ["rebound.example", "localhost.evil.example", "x;script-src *", "2130706433"]
    async with daemon_with_viewer() as daemon, aiohttp.ClientSession() as http:
        for name in names:
            assert await upgrade(daemon, Host=name) == 421
            async with http.get(daemon.url, headers={"Host": name}) as page:
                assert page.status == 421
                assert "web.hosts" in await page.text()
                assert name not in str(page.headers)
        record("host", f"{len(names)} names: 421 for page and WebSocket, in no header")


async def test_invalid_and_incomplete_http_requests(record):
    async with daemon_with_viewer() as daemon:
        host = f"Host: 127.0.0.1:{daemon.port}\r\n".encode()
        garbage = [
            b"\x16\x03\x01\x02\x00\x01" + bytes(200),
            b"GET / HTTP/1.1\r\n" + host + b"X: " + b"y" * 17_000 + b"\r\n\r\n",
        ]
        garbage += [b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 100 + b"\r\n", b"\r\n\r\nHELLO\r\n\r\n"]
        for text in garbage:
            answer, _ = await send_raw(daemon, text)
            assert answer.split(b" ")[1] == b"400", answer[:200]
        headers = b"POST /api/live HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: 9\r\n"
        halves = [b"", b"GET / HTTP/1.1\r\nHo", headers + b"\r\n{", b"GET / HTTP/1.1\r\n" + host + b"\r\n"]
        async with within(REQUEST_LIMIT):
            *_, late, _ = closed = await asyncio.gather(*(send_raw(daemon, text) for text in halves))
        assert late[0].split(b" ")[1] == b"408"
        seconds = [after for _, after in closed]
        assert min(seconds) > 4.9
        record(
            "http",
            f"{len(garbage)} kinds: 400; half a request, half a body and idle connections: closed after"
            f" {min(seconds):.1f} to {max(seconds):.1f} s",
        )


async def test_viewer_that_ignores_the_close_frame_is_disconnected(record):
    upgrade_to = (
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: broadcaster.v1\r\n\r\n"
    )
    binary = bytes([0x82, 0x81, 0, 0, 0, 0, 7])
    async with daemon_with_viewer() as daemon:
        async with within(0.5 + MESSAGE_DELAY):
            answer, seconds = await send_raw(daemon, upgrade_to.format(port=daemon.port).encode() + binary)
        assert b"101" in answer
        assert b"\x88\x02\x03\xeb" in answer, "1003"
        record("close", f"close frame with 1003, disconnected after {seconds:.2f} s")
