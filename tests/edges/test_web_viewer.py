"""Viewers over real WebSockets: joining, leaving, coming back, and being thrown out."""

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
from tests.edges.web_rig import CANDIDATE, CHROMIUM, FAST, served


async def test_joins_plays_and_leaves_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
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


async def test_the_stream_starts_stops_and_fails() -> None:
    async with served(StreamState.OFFLINE) as rig:
        viewer = await rig.connect()
        await viewer.send("hello")
        assert (await viewer.receive("welcome"))["stream"]["state"] == "offline"
        rig.stream.change(StreamState.LIVE)
        assert (await viewer.receive("stream"))["state"] == "live"
        await viewer.send("answer", id=(await viewer.receive("offer"))["id"], sdp=CHROMIUM)
        rig.stream.change(StreamState.OFFLINE)
        assert (await viewer.receive("bye"))["reason"] == "stopped"
        await asyncio.sleep(0.05)
        assert rig.peers.created[0].closed


async def test_a_viewer_hears_of_sound_that_goes_and_comes_and_keeps_its_peer_connection() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        assert (await viewer.join())["stream"]["sound"] == "on"
        for sound in (AudioState.LOST, AudioState.ON, AudioState.NONE):
            rig.stream.change(StreamState.LIVE, audio=sound)
            told = await viewer.receive("stream")
            assert (told["state"], told["sound"]) == ("live", sound)
        (peer,) = rig.peers.created
        assert peer.calls == ["offer", "answer"]
        assert not peer.closed


async def test_everyone_is_told_how_many_watch() -> None:
    async with served(timings=FAST) as rig:
        first, second = await rig.connect(), await rig.connect()
        await first.send("hello")
        await first.receive("welcome")
        await second.send("hello")
        assert (await second.receive("welcome"))["viewers"] == 2
        assert (await first.receive("viewers"))["count"] == 2
        await second.socket.close()
        assert (await first.receive("viewers"))["count"] == 1


async def test_a_take_over_leaves_media_alone_and_closes_the_old_socket() -> None:
    async with served() as rig:
        old = await rig.connect()
        welcome = await old.join()
        new = await rig.connect()
        await new.send("hello", resume=welcome["resume"])
        again = await new.receive("welcome")
        assert (again["resumed"], again["session"], again["viewers"]) == (True, welcome["session"], 1)
        assert await old.close_code() == 4004
        await new.send("heartbeat")
        await new.receive("heartbeat")
        assert [peer.closed for peer in rig.peers.created] == [False]


async def test_a_session_is_kept_while_its_media_is_alive() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        welcome = await viewer.join()
        await cut(viewer.socket)
        await asyncio.sleep(0.05)
        assert rig.server.viewers == 1
        back = await rig.connect()
        await back.send("hello", resume=welcome["resume"])
        assert (await back.receive("welcome"))["resumed"] is True
        assert [peer.closed for peer in rig.peers.created] == [False]


async def test_a_kept_session_ends_in_time() -> None:
    async with served(timings=FAST) as rig:
        viewer = await rig.connect()
        await viewer.join()
        await cut(viewer.socket)
        await asyncio.sleep(0.3)
        assert rig.server.viewers == 1
        assert await rig.is_clean()


async def test_a_cut_ends_it_at_once_when_media_is_dead() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        rig.peers.created[0].is_active = False
        await cut(viewer.socket)
        assert await rig.is_clean(0.5)


async def test_a_full_house_says_so_and_a_kept_session_gives_way() -> None:
    async with served(max_viewers=1) as rig:
        first = await rig.connect()
        await first.join()
        second = await rig.connect()
        await second.send("hello")
        error = await second.receive("error")
        assert (error["code"], error["limit"]) == ("full", 1)
        assert await second.close_code() == 4003
        await cut(first.socket)
        await asyncio.sleep(0.05)
        third = await rig.connect()
        await third.send("hello")
        assert (await third.receive("welcome"))["viewers"] == 1
        await asyncio.sleep(0.05)
        assert rig.peers.created[0].closed


async def test_heartbeats_without_a_peer_connection_do_not_keep_a_place_for_ever() -> None:
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


async def test_newcomers_are_refused_while_the_machine_cannot_keep_up() -> None:
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


async def test_a_join_storm_lets_in_exactly_the_limit() -> None:
    async with served(max_viewers=5) as rig:

        async def join() -> str:
            viewer = await rig.connect()
            await viewer.send("hello")
            message = json.loads((await viewer.socket.receive()).data)
            return str(message.get("code", message["type"]))

        words = await asyncio.gather(*(join() for _ in range(50)))
        assert words.count("welcome") == 5
        assert words.count("full") == 45


async def test_a_hundred_joins_and_leaves_leave_nothing() -> None:
    async with served() as rig:
        for _ in range(100):
            viewer = await rig.connect()
            await viewer.join()
            await viewer.socket.close()
        assert await rig.is_clean()
        assert len(rig.peers.created) == 100


def number_of_viewers() -> int:
    """How many objects of viewers there are in this process."""
    return sum(isinstance(thing, Viewer | Session | web.WebSocketResponse) for thing in gc.get_objects())


async def test_who_has_left_is_freed_without_the_garbage_collector() -> None:
    async with served() as rig:
        gc.collect()
        gc.disable()
        before = number_of_viewers()
        try:
            for _ in range(10):
                viewer = await rig.connect()
                await viewer.join()
                await viewer.send("bye")
                assert await viewer.close_code() == 1000
            assert await rig.is_clean()
            rig.peers.created.clear()  # each refers to its viewer
            async with asyncio.timeout(2):
                while number_of_viewers() > before:
                    await asyncio.sleep(0.01)
        finally:
            gc.enable()


async def test_answered_pings_do_not_save_a_page_that_hangs() -> None:
    async with served(timings=FAST) as rig:
        viewer = await rig.connect()
        began = time.monotonic()
        await viewer.send("hello")
        assert (await viewer.receive("heartbeat"))["ask"] is True
        assert await viewer.close_code() == 4002
        assert (
            0.55 < time.monotonic() - began < 4
        )  # machines are shared; the times themselves are tested by a fake clock


async def test_an_answered_ask_keeps_a_hidden_tab() -> None:
    async with served(timings=FAST) as rig:
        viewer = await rig.connect()
        await viewer.send("hello")
        for _ in range(3):
            assert (await viewer.receive("heartbeat"))["ask"] is True
            await viewer.send("heartbeat")
            await viewer.receive("heartbeat")
        assert rig.server.viewers == 1


async def test_who_answers_no_ping_is_gone() -> None:
    async with served(timings=FAST) as rig, raw_viewer(rig.server.port) as raw:
        rig.peers.created[0].is_active = False
        began = time.monotonic()
        while (opcode := await raw.frame()) != CLOSE:
            if opcode == PING:
                raw.text({"type": "heartbeat"})
        assert 0.4 < time.monotonic() - began < 4
        assert await rig.is_clean()


async def test_who_stops_reading_is_ended_and_little_is_buffered() -> None:
    async with served(timings=Timings(connect_timeout=600)) as rig, raw_viewer(rig.server.port):
        rig.peers.created[0].is_active = False
        said = 0
        while rig.server.viewers and said < 20_000:
            rig.stream.change(StreamState.LIVE if said % 2 else StreamState.FAILED)
            said += 1
            await asyncio.sleep(0)
        assert said * 60 < 512 * 1024, "with what the kernel holds on both sides"
        assert await rig.is_clean()


async def test_who_never_answers_is_told() -> None:
    async with served(timings=Timings(connect_timeout=0.2)) as rig:
        viewer = await rig.connect()
        await viewer.send("hello")
        await viewer.receive("offer")
        bye = await viewer.receive("bye")
        assert (bye["id"], bye["reason"]) == (1, "no-answer")
        await asyncio.sleep(0.05)
        assert rig.peers.created[0].closed
        await viewer.send("restart", id=1, reason="ice-failed")
        assert (await viewer.receive("offer"))["id"] == 2


async def test_a_restart_closes_the_old_when_the_new_offer_is_out() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        await viewer.send("restart", id=1, reason="no-frames")
        assert (await viewer.receive("bye"))["reason"] == "replaced"
        assert (await viewer.receive("offer"))["id"] == 2
        await asyncio.sleep(0.05)
        assert [peer.closed for peer in rig.peers.created] == [True, False]


async def test_a_lost_peer_connection_is_told() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        await viewer.send("keyframe")
        await asyncio.sleep(0.05)
        rig.peers.created[0].listener.peer_lost()
        assert (await viewer.receive("bye"))["reason"] == "lost"


async def test_an_illegal_event_is_logged_with_its_traceback_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        listener = rig.peers.created[0].listener
        type(listener)(listener._viewer, 99).peer_connected()  # a peer connection that was never requested
        (record,) = [record for record in caplog.records if "illegal event ignored" in record.message]
        assert record.levelname == "ERROR"
        assert record.exc_info
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")
        assert rig.peers.open == rig.peers.created


async def test_a_bad_answer_ends_only_its_peer_connection() -> None:
    async with served() as rig:
        rig.peers.answer_error = BadAnswer("codec of the moon")
        viewer = await rig.connect()
        await viewer.join()
        error = await viewer.receive("error")
        assert (error["code"], error["message"]) == ("bad-answer", "codec of the moon")
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")
        assert rig.peers.open == []


@pytest.mark.parametrize("broken", [KeyError("mid"), AssertionError(), StopIteration(), struct.error("short")])
async def test_what_breaks_a_parser_ends_that_viewer_only(broken: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as rig:
        healthy = await rig.connect()
        await healthy.join()
        rig.peers.answer_error = broken
        viewer = await rig.connect()
        await viewer.join()
        assert (await viewer.receive("error"))["code"] == "internal"
        assert await viewer.close_code() == 1012
        await healthy.send("heartbeat")
        await healthy.receive("heartbeat")
        assert len(rig.peers.open) == 1
    assert "ended by" in caplog.text


async def test_a_fault_that_has_a_name_gets_a_sentence_and_no_traceback(caplog, monkeypatch) -> None:
    async with served() as rig:

        def no_port(*_: object) -> None:
            raise BroadcasterError("no way from viewers to here: no port is free")

        monkeypatch.setattr(rig.peers, "create", no_port)
        viewer = await rig.connect()
        await viewer.send("hello")
        assert (await viewer.receive("error"))["code"] == "internal"
        assert await rig.is_clean()
    assert "ended by an error: no way from viewers to here" in caplog.text
    assert "Traceback" not in caplog.text


async def test_an_offer_that_never_comes_ends_the_viewer() -> None:
    async with served(timings=Timings(peer_timeout=0.2)) as rig:
        rig.peers.offer_hangs = True
        viewer = await rig.connect()
        await viewer.send("hello")
        assert (await viewer.receive("error"))["code"] == "internal"
        assert await rig.is_clean()


async def test_leaving_while_the_offer_is_made_leaves_nothing() -> None:
    async with served() as rig:
        rig.peers.offer_hangs = True
        viewer = await rig.connect()
        await viewer.send("hello")
        await viewer.receive("welcome")
        await viewer.socket.close()
        assert await rig.is_clean()


async def test_closing_says_1001_to_all_and_waits_for_nobody() -> None:
    async with served() as rig, raw_viewer(rig.server.port):  # which does not answer our close frame
        viewers = [await rig.connect() for _ in range(3)]
        await viewers[0].join()
        await viewers[1].join()
        began = time.monotonic()
        codes, _ = await asyncio.gather(
            asyncio.gather(*(viewer.close_code() for viewer in viewers)), rig.server.close()
        )
        assert codes == [1001, 1001, 1001]
        assert time.monotonic() - began < 5


async def cut(viewer: aiohttp.ClientWebSocketResponse) -> None:
    """End the TCP connection without a close frame."""
    assert viewer._response.connection is not None
    transport = viewer._response.connection.transport
    assert transport is not None
    transport.abort()
    await asyncio.sleep(0.01)


CLOSE, PING = 8, 9
"""Opcodes (RFC 6455 §5.2)."""


class RawViewer:
    """A WebSocket by hand, which answers no ping and no close, and reads only when told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def text(self, message: object) -> None:
        payload = json.dumps(message).encode()
        self._writer.write(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    async def frame(self) -> int:
        """Read one frame; its opcode."""
        first, length = await self._reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        await self._reader.readexactly(length)
        return first & 0x0F


@contextlib.asynccontextmanager
async def raw_viewer(port: int) -> AsyncIterator[RawViewer]:
    """One that has said hello and has its welcome, with little room for what it does not read."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=4096)
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
