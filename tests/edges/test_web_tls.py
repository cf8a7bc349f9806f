"""Connections over TLS, and plain HTTP on the same port."""

import asyncio
import contextlib
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from broadcaster.cli.logs import log_unraisable
from broadcaster.model.stream import StreamState
from broadcaster.signaling.protocol import SUBPROTOCOL, Timings
from broadcaster.web import connection
from broadcaster.web.websocket import MAX_BUFFERED
from tests.edges.web_rig import SignalingClient, WebServerRig, served
from tests.rigs.certificates import CertificatePair, make_pair


@pytest.fixture
def pair(tmp_path: Path) -> CertificatePair:
    return make_pair(tmp_path)


@contextlib.asynccontextmanager
async def secured(pair: CertificatePair) -> AsyncIterator[WebServerRig]:
    async with served(operator_token="op", **pair.settings) as rig:
        yield rig


async def fetch(rig: WebServerRig, trusted: ssl.SSLContext, path: str = "/") -> tuple[int, str]:
    url = f"https://localhost:{rig.server.port}{path}"
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as client:
        headers = {"Authorization": "Bearer op"}
        async with client.get(url, ssl=trusted, headers=headers) as response:
            return response.status, await response.text()


async def test_page_and_websocket_work_over_tls(pair: CertificatePair) -> None:
    async with secured(pair) as rig:
        status, page = await fetch(rig, pair.trusted())
        assert status == 200
        assert "<html" in page
        socket = await rig.client.ws_connect(
            f"https://localhost:{rig.server.port}/ws",
            protocols=[SUBPROTOCOL],
            origin=f"https://localhost:{rig.server.port}",
            ssl=pair.trusted(),
        )
        viewer = SignalingClient(socket)
        await viewer.join()
        assert '"secure": true' in (await fetch(rig, pair.trusted(), "/api/status"))[1]
        await viewer.send("bye")
        assert await viewer.close_code() == 1000
        assert await rig.is_clean()


async def test_plain_http_requests_for_pages_are_redirected(
    pair: CertificatePair, caplog: pytest.LogCaptureFixture
) -> None:
    async with secured(pair) as rig:
        url = f"http://localhost:{rig.server.port}/?a=b"
        async with rig.client.get(url, allow_redirects=False) as response:
            assert response.status == 307
            assert response.headers["Location"] == f"https://localhost:{rig.server.port}/?a=b"
            assert "https only" in await response.text()
        async with rig.client.get(url, ssl=pair.trusted()) as response:
            assert (response.status, response.url.scheme) == (200, "https")
        async with rig.client.post(url, data=b"x" * 20_000) as response:
            assert response.status == 400
            assert "https only" in await response.text()
        async with rig.client.get(url, headers={"Host": "rebound.example"}, allow_redirects=False) as response:
            assert (response.status, "Location" in response.headers) == (400, False)
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
async def test_incomplete_first_bytes_time_out(
    first: bytes, pair: CertificatePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_TIMEOUT", 0.1)
    async with secured(pair) as rig:
        reader, writer = await asyncio.open_connection("localhost", rig.server.port)
        writer.write(first)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        assert (await fetch(rig, pair.trusted()))[0] == 200


async def test_a_handshake_may_arrive_byte_by_byte(pair: CertificatePair) -> None:
    async with secured(pair) as rig:
        reader, writer = await asyncio.open_connection("localhost", rig.server.port)
        for byte in client_hello("localhost"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await reader.read(1)) == b"\x16", "the server's handshake record"
        writer.close()


async def test_garbage_is_rejected_without_an_error(pair: CertificatePair, caplog: pytest.LogCaptureFixture) -> None:
    async with secured(pair) as rig:
        for garbage in (b"\0" * 2000, b"SSH-2.0-x\r\n\r\n", b"A" * 9000, b"get / http\r\n\r\n", b"\xff"):
            reader, writer = await asyncio.open_connection("localhost", rig.server.port)
            writer.write(garbage)
            writer.write_eof()
            async with asyncio.timeout(10):
                with contextlib.suppress(ConnectionError):
                    assert b"Location" not in await reader.read()
            writer.close()
        assert (await fetch(rig, pair.trusted()))[0] == 200
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


async def test_an_incomplete_handshake_times_out(pair: CertificatePair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_TIMEOUT", 0.1)
    async with secured(pair) as rig:
        reader, writer = await asyncio.open_connection("localhost", rig.server.port)
        writer.write(b"\x16\x03\x01")  # the first bytes of a handshake record
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        assert (await fetch(rig, pair.trusted()))[0] == 200


async def test_a_server_name_that_is_not_ascii_is_logged(
    pair: CertificatePair,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", log_unraisable)
    async with secured(pair) as rig:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("localhost", rig.server.port)
            writer.write(client_hello("cam.example.org").replace(b"cam.example.org", b"c\xe4m.example.org"))
            await reader.read()
            writer.close()
        assert (await fetch(rig, pair.trusted()))[0] == 200
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [UnicodeDecodeError] * 3
    assert capfd.readouterr().err == ""


def client_hello(name: str) -> bytes:
    """Return the first bytes of a TLS connection to a server of that name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


async def test_buffered_bytes_are_limited_with_tls_too(pair: CertificatePair) -> None:
    async with (
        served(timings=Timings(connect_timeout=600), **pair.settings) as rig,
        stalled(rig, pair.trusted()) as handler,
    ):
        tls = handler.transport._ssl_protocol
        tcp = tls._transport
        rig.peers.created[0].is_active = False
        buffered = count = 0
        while rig.server.viewers and count < 20_000:
            rig.stream.change(StreamState.LIVE if count % 2 else StreamState.FAILED)
            count += 1
            await asyncio.sleep(0)
            buffered = max(buffered, tls._get_write_buffer_size() + tcp.get_write_buffer_size())
        assert MAX_BUFFERED / 2 < buffered < MAX_BUFFERED + 4096, "including the overhead of TLS"
        assert await rig.is_clean()


@contextlib.asynccontextmanager
async def stalled(rig: WebServerRig, trusted: ssl.SSLContext) -> AsyncIterator[Any]:
    """Let a viewer with a small receive buffer join and stop reading; yield the server's connection handler."""
    tcp = socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tcp.setblocking(False)
    await asyncio.get_running_loop().sock_connect(tcp, ("127.0.0.1", rig.server.port))
    reader, writer = await asyncio.open_connection(sock=tcp, ssl=trusted, server_hostname="localhost", limit=1024)
    writer.write(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    writer.write(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")
    writer.write(b"Sec-WebSocket-Protocol: broadcaster.v1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x81\x90\x00\x00\x00\x00" + b'{"type":"hello"}')
    while not rig.peers.created:
        await asyncio.sleep(0.01)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    (handler,) = rig.server._runner.server.connections  # type: ignore[union-attr]
    yield handler
    writer.transport.abort()
    await asyncio.sleep(0.05)


async def test_closing_does_not_wait_for_silent_tls_viewers(pair: CertificatePair) -> None:
    async with secured(pair) as rig:
        reader, writer = await asyncio.open_connection("localhost", rig.server.port, ssl=pair.trusted())
        writer.write(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")
        writer.write(b"Sec-WebSocket-Protocol: broadcaster.v1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        began = time.monotonic()
    assert time.monotonic() - began < 2 + 2  # the server's limit, and a margin for a loaded machine
    writer.transport.abort()
