"""How viewers end: silent or slow clients, failing peer connections, and the shutdown of the server."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest

from broadcaster.errors import BadAnswer, BroadcasterError
from broadcaster.model.stream import StreamState
from broadcaster.signaling.protocol import Timings
from tests.edges.web_rig import FAST, served, until

CLOSE, PING = 8, 9
"""Opcodes (RFC 6455 §5.2)."""


async def test_a_page_that_answers_only_pings_is_disconnected() -> None:
    async with served(timings=FAST) as rig:
        viewer = await rig.connect()
        began = time.monotonic()
        await viewer.send("hello")
        assert (await viewer.receive("heartbeat"))["ask"] is True
        assert await viewer.close_code() == 4002
        elapsed = time.monotonic() - began
        assert 0.55 < elapsed < 4  # the exact times are tested with a fake clock


async def test_a_page_that_answers_heartbeat_requests_stays_connected() -> None:
    async with served(timings=FAST) as rig:
        viewer = await rig.connect()
        await viewer.send("hello")
        for _ in range(3):
            assert (await viewer.receive("heartbeat"))["ask"] is True
            await viewer.send("heartbeat")
            await viewer.receive("heartbeat")
        assert rig.server.viewers == 1


async def test_a_viewer_that_answers_no_ping_is_disconnected() -> None:
    async with served(timings=FAST) as rig, raw_viewer(rig.server.port) as raw:
        rig.peers.created[0].is_active = False
        began = time.monotonic()
        while (opcode := await raw.frame()) != CLOSE:
            if opcode == PING:
                raw.text({"type": "heartbeat"})
        assert 0.4 < time.monotonic() - began < 4
        assert await rig.is_clean()


async def test_a_viewer_that_stops_reading_is_disconnected_with_little_buffered() -> None:
    async with served(timings=Timings(connect_timeout=600)) as rig, raw_viewer(rig.server.port):
        rig.peers.created[0].is_active = False
        count = 0
        while rig.server.viewers and count < 20_000:
            rig.stream.change(StreamState.LIVE if count % 2 else StreamState.FAILED)
            count += 1
            await asyncio.sleep(0)
        assert count * 60 < 512 * 1024, "including the buffers of both kernels"
        assert await rig.is_clean()


async def test_a_viewer_that_does_not_answer_the_offer_is_notified() -> None:
    async with served(timings=Timings(connect_timeout=0.2)) as rig:
        viewer = await rig.connect()
        await viewer.send("hello")
        await viewer.receive("offer")
        bye = await viewer.receive("bye")
        assert (bye["id"], bye["reason"]) == (1, "no-answer")
        await until(lambda: rig.peers.created[0].closed)
        await viewer.send("restart", id=1, reason="ice-failed")
        assert (await viewer.receive("offer"))["id"] == 2


async def test_a_restart_replaces_the_peer_connection() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        await viewer.send("restart", id=1, reason="no-frames")
        assert (await viewer.receive("bye"))["reason"] == "replaced"
        assert (await viewer.receive("offer"))["id"] == 2
        await until(lambda: [peer.closed for peer in rig.peers.created] == [True, False])


async def test_a_lost_peer_connection_is_reported() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        await viewer.send("keyframe")
        await until(lambda: "keyframe" in rig.peers.created[0].calls)
        rig.peers.created[0].listener.peer_lost()
        assert (await viewer.receive("bye"))["reason"] == "lost"


async def test_an_illegal_event_is_logged_with_its_traceback_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        listener = rig.peers.created[0].listener
        type(listener)(listener._viewer, 99).peer_connected()  # a peer connection that does not exist
        (record,) = [record for record in caplog.records if "illegal event ignored" in record.message]
        assert record.levelname == "ERROR"
        assert record.exc_info
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")
        assert rig.peers.open == rig.peers.created


async def test_a_bad_answer_ends_only_its_peer_connection() -> None:
    async with served() as rig:
        rig.peers.answer_error = BadAnswer("unknown codec")
        viewer = await rig.connect()
        await viewer.join()
        error = await viewer.receive("error")
        assert (error["code"], error["message"]) == ("bad-answer", "unknown codec")
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")
        assert rig.peers.open == []


@pytest.mark.parametrize("error", [KeyError("mid"), AssertionError(), StopIteration(), struct.error("short")])
async def test_an_exception_ends_only_that_viewer(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as rig:
        healthy = await rig.connect()
        await healthy.join()
        rig.peers.answer_error = error
        viewer = await rig.connect()
        await viewer.join()
        assert (await viewer.receive("error"))["code"] == "internal"
        assert await viewer.close_code() == 1012
        await healthy.send("heartbeat")
        await healthy.receive("heartbeat")
        assert len(rig.peers.open) == 1
    assert "ended by" in caplog.text


async def test_known_errors_are_logged_without_traceback(caplog, monkeypatch) -> None:
    async with served() as rig:

        def fail(*_: object) -> None:
            raise BroadcasterError("no UDP port is free")

        monkeypatch.setattr(rig.peers, "create", fail)
        viewer = await rig.connect()
        await viewer.send("hello")
        assert (await viewer.receive("error"))["code"] == "internal"
        assert await rig.is_clean()
    assert "ended by an error: no UDP port is free" in caplog.text
    assert "Traceback" not in caplog.text


async def test_an_offer_that_hangs_ends_the_viewer() -> None:
    async with served(timings=Timings(peer_timeout=0.2)) as rig:
        rig.peers.offer_hangs = True
        viewer = await rig.connect()
        await viewer.send("hello")
        assert (await viewer.receive("error"))["code"] == "internal"
        assert await rig.is_clean()


async def test_a_viewer_that_leaves_before_the_offer_leaves_nothing_behind() -> None:
    async with served() as rig:
        rig.peers.offer_hangs = True
        viewer = await rig.connect()
        await viewer.send("hello")
        await viewer.receive("welcome")
        await viewer.socket.close()
        assert await rig.is_clean()


async def test_closing_sends_1001_to_all_and_does_not_wait_for_replies() -> None:
    async with served() as rig, raw_viewer(rig.server.port):  # does not answer the close frame
        viewers = [await rig.connect() for _ in range(3)]
        await viewers[0].join()
        await viewers[1].join()
        began = time.monotonic()
        codes, _ = await asyncio.gather(
            asyncio.gather(*(viewer.close_code() for viewer in viewers)), rig.server.close()
        )
        assert codes == [1001, 1001, 1001]
        assert time.monotonic() - began < 5


class RawViewer:
    """A WebSocket that answers no ping and no close frame, and reads only on request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def text(self, message: object) -> None:
        payload = json.dumps(message).encode()
        self._writer.write(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    async def frame(self) -> int:
        """Read one frame, and return its opcode."""
        first, length = await self._reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        await self._reader.readexactly(length)
        return first & 0x0F


@contextlib.asynccontextmanager
async def raw_viewer(port: int) -> AsyncIterator[RawViewer]:
    """Connect one with a small receive buffer, send `hello`, and read the `welcome`."""
    tcp = socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tcp.setblocking(False)
    await asyncio.get_running_loop().sock_connect(tcp, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=tcp, limit=4096)
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: broadcaster.v1\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    viewer = RawViewer(reader, writer)
    viewer.text({"type": "hello"})
    await viewer.frame()
    try:
        yield viewer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
