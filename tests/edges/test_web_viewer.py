"""Viewers over real WebSockets: joining, leaving, resuming, and being disconnected."""

import asyncio
import contextlib
import gc
import json
import socket
import struct
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from broadcaster.errors import BadAnswer, BroadcasterError
from broadcaster.model.stream import AudioState, StreamState
from broadcaster.signaling.protocol import Timings
from broadcaster.signaling.session import Session
from broadcaster.web.viewer import Viewer
from tests.edges.web_rig import CANDIDATE, CHROMIUM, FAST, served, until


async def test_a_viewer_joins_watches_and_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with served() as rig:
        viewer = await rig.connect()
        welcome = await viewer.join()
        assert welcome["resumed"] is False
        assert welcome["viewers"] == 1
        await viewer.send("candidate", id=1, candidate=CANDIDATE)
        await viewer.send("keyframe")
        await viewer.send("heartbeat", t=5)
        assert (await viewer.receive("heartbeat"))["t"] == 5
        (peer,) = rig.peers.created
        assert peer.calls == ["offer", "answer", "keyframe"]
        assert [candidate.address for candidate in peer.candidates] == ["192.0.2.7"]
        await viewer.send("bye")
        assert await viewer.close_code() == 1000
        assert await rig.is_clean()
    lines = [record.message for record in caplog.records if record.message.startswith("viewer v1 (127.0.0.1)")]
    assert [line.split(") ")[1].split(" ")[0] for line in lines] == ["joined", "connected", "left"]
    assert "sent bye" in lines[-1]


async def test_viewers_are_notified_when_the_stream_starts_and_stops() -> None:
    async with served(StreamState.OFFLINE) as rig:
        viewer = await rig.connect()
        await viewer.send("hello")
        assert (await viewer.receive("welcome"))["stream"]["state"] == "offline"
        rig.stream.change(StreamState.LIVE)
        assert (await viewer.receive("stream"))["state"] == "live"
        await viewer.send("answer", id=(await viewer.receive("offer"))["id"], sdp=CHROMIUM)
        rig.stream.change(StreamState.OFFLINE)
        assert (await viewer.receive("bye"))["reason"] == "stopped"
        await until(lambda: rig.peers.created[0].closed)


async def test_changes_of_audio_are_announced_without_a_new_peer_connection() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        assert (await viewer.join())["stream"]["sound"] == "on"
        for audio in (AudioState.LOST, AudioState.ON, AudioState.NONE):
            rig.stream.change(StreamState.LIVE, audio=audio)
            message = await viewer.receive("stream")
            assert (message["state"], message["sound"]) == ("live", audio)
        (peer,) = rig.peers.created
        assert peer.calls == ["offer", "answer"]
        assert not peer.closed


async def test_the_number_of_viewers_is_announced_to_all() -> None:
    async with served(timings=FAST) as rig:
        first, second = await rig.connect(), await rig.connect()
        await first.send("hello")
        await first.receive("welcome")
        await second.send("hello")
        assert (await second.receive("welcome"))["viewers"] == 2
        assert (await first.receive("viewers"))["count"] == 2
        await second.socket.close()
        assert (await first.receive("viewers"))["count"] == 1


async def test_resuming_keeps_the_peer_connection_and_closes_the_old_websocket() -> None:
    async with served() as rig:
        old = await rig.connect()
        welcome = await old.join()
        new = await rig.connect()
        await new.send("hello", resume=welcome["resume"])
        resumed = await new.receive("welcome")
        assert (resumed["resumed"], resumed["session"], resumed["viewers"]) == (True, welcome["session"], 1)
        assert await old.close_code() == 4004
        await new.send("heartbeat")
        await new.receive("heartbeat")
        assert [peer.closed for peer in rig.peers.created] == [False]


async def test_a_session_without_websocket_can_be_resumed_while_media_flows() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        welcome = await viewer.join()
        await abort(viewer.socket)
        await asyncio.sleep(0.05)
        assert rig.server.viewers == 1
        resumed = await rig.connect()
        await resumed.send("hello", resume=welcome["resume"])
        assert (await resumed.receive("welcome"))["resumed"] is True
        assert [peer.closed for peer in rig.peers.created] == [False]


async def test_a_session_without_websocket_ends_in_time() -> None:
    async with served(timings=FAST) as rig:
        viewer = await rig.connect()
        await viewer.join()
        await abort(viewer.socket)
        await asyncio.sleep(0.3)
        assert rig.server.viewers == 1
        assert await rig.is_clean()


async def test_a_lost_websocket_ends_the_session_at_once_if_no_media_flows() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        rig.peers.created[0].is_active = False
        await abort(viewer.socket)
        assert await rig.is_clean(0.5)


async def test_viewers_beyond_the_limit_are_refused_unless_a_session_is_detached() -> None:
    async with served(max_viewers=1) as rig:
        first = await rig.connect()
        await first.join()
        second = await rig.connect()
        await second.send("hello")
        error = await second.receive("error")
        assert (error["code"], error["limit"]) == ("full", 1)
        assert await second.close_code() == 4003
        await abort(first.socket)
        await asyncio.sleep(0.05)
        third = await rig.connect()
        await third.send("hello")
        assert (await third.receive("welcome"))["viewers"] == 1
        await until(lambda: rig.peers.created[0].closed)


async def test_a_session_without_peer_connection_is_displaced_despite_heartbeats() -> None:
    timings = Timings(unconnected_limit=0.2, close_timeout=0.1)
    async with served(timings=timings, max_viewers=1) as rig:
        first = await rig.connect()
        await first.send("hello")
        await first.receive("offer")
        second = await rig.connect()
        await second.send("hello")
        assert (await second.receive("error"))["code"] == "full"
        await asyncio.sleep(0.2)
        await first.send("heartbeat")
        third = await rig.connect()
        await third.send("hello")
        assert (await third.receive("welcome"))["viewers"] == 1
        error = await first.receive("error")
        assert (error["code"], error["limit"]) == ("full", 1)
        assert await first.close_code() == 4003


async def test_new_viewers_are_refused_on_request_of_load_shedding() -> None:
    async with served() as rig:
        first = await rig.connect()
        await first.join()
        rig.server.refuse_new_viewers(True)
        second = await rig.connect()
        await second.send("hello")
        assert (await second.receive("error"))["code"] == "full"
        assert await second.close_code() == 4003
        assert rig.server.viewers == 1
        rig.server.refuse_new_viewers(False)
        third = await rig.connect()
        await third.send("hello")
        assert (await third.receive("welcome"))["viewers"] == 2


async def test_of_many_viewers_at_once_exactly_the_limit_is_admitted() -> None:
    async with served(max_viewers=5) as rig:

        async def join() -> str:
            viewer = await rig.connect()
            await viewer.send("hello")
            message = json.loads((await viewer.socket.receive()).data)
            return str(message.get("code", message["type"]))

        results = await asyncio.gather(*(join() for _ in range(50)))
        assert results.count("welcome") == 5
        assert results.count("full") == 45


async def test_a_hundred_viewers_leave_nothing_behind() -> None:
    async with served() as rig:
        for _ in range(100):
            viewer = await rig.connect()
            await viewer.join()
            await viewer.socket.close()
        assert await rig.is_clean()
        assert len(rig.peers.created) == 100


def count_viewer_objects() -> int:
    """Return the number of objects of viewers in this process."""
    return sum(isinstance(item, Viewer | Session | web.WebSocketResponse) for item in gc.get_objects())


async def test_viewers_that_have_left_are_freed_without_the_garbage_collector() -> None:
    async with served() as rig:
        gc.collect()
        gc.disable()
        before = count_viewer_objects()
        try:
            for _ in range(10):
                viewer = await rig.connect()
                await viewer.join()
                await viewer.send("bye")
                assert await viewer.close_code() == 1000
            assert await rig.is_clean()
            rig.peers.created.clear()  # each refers to its viewer
            await until(lambda: count_viewer_objects() <= before, limit=2)
        finally:
            gc.enable()


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


async def abort(socket: aiohttp.ClientWebSocketResponse) -> None:
    """End the TCP connection without a close frame."""
    assert socket._response.connection is not None
    transport = socket._response.connection.transport
    assert transport is not None
    transport.abort()
    await asyncio.sleep(0.01)


CLOSE, PING = 8, 9
"""Opcodes (RFC 6455 §5.2)."""


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
