"""Viewers that vanish, stop reading, never answer, disconnect, join in large numbers, or request too much."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from typing import Any

import aiohttp
import pytest
from aiortc.rtp import RTCP_PSFB_PLI, RTCP_RTPFB_NACK, RtcpPsfbPacket, RtcpRtpfbPacket

from broadcaster.signaling.protocol import SUBPROTOCOL
from tests.faults.continuity import LONGEST_PAUSE, uninterrupted
from tests.faults.waiting import HEARTBEAT_LIMIT, assert_clean, until_no_peer, until_viewers
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light import LightViewer
from tests.rigs.light_process import LightProcess
from tests.rigs.process import footprint
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import PATIENCE, within

CLEANUP_LIMIT = 1.0
"""Seconds until nothing may be left of a disconnected viewer."""
MAX_BUFFERED = 64 * 1024
LARGE_NAME = 20_000
"""Bytes of a server's name, and therefore the minimum size of an offer."""
TEXT, PONG = 0x1, 0xA
FRAME_HEADER = 10
"""Maximum size of the header of a WebSocket frame from the daemon (RFC 6455 §5.2)."""
PING_INTERVAL, RESTART_INTERVAL = 3.0, 2.1
"""Seconds between pings, and between restart messages so that none is ignored."""


@pytest.mark.long
async def test_row_1_vanished_viewer_is_removed_without_affecting_others(record):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as other:
        await other.keyframe()
        before = await daemon.resources()
        async with LightProcess(daemon.port) as vanishing:
            await until_viewers(daemon, 2)
            async with uninterrupted(other) as continuity:
                vanishing.process.send_signal(signal.SIGSTOP)
                async with within(HEARTBEAT_LIMIT) as took:
                    await until_viewers(daemon, 1)
                await assert_clean(daemon, before)
        record("1", f"closed after {took.seconds:.1f} s, clean 1 s later, {continuity}")


@pytest.mark.long
async def test_row_2_viewer_that_stops_reading_is_removed(record):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as other:
        await other.keyframe()
        before = await daemon.resources()
        _, writer = await non_reading_viewer(daemon.port)
        await until_viewers(daemon, 2)
        async with uninterrupted(other) as continuity:
            async with within(HEARTBEAT_LIMIT) as took:
                await until_viewers(daemon, 1)
            await assert_clean(daemon, before)
        writer.close()
        record("2", f"stopped reading: closed after {took.seconds:.1f} s, {continuity}")


@pytest.mark.long
async def test_row_2_viewer_is_removed_before_too_much_is_buffered(record):
    big_offers = f'[{{urls = ["stuns:{"x" * LARGE_NAME}"]}}]'
    async with ScriptedDaemon(ice__servers=big_offers) as daemon, HealthyViewer(daemon.port) as other:
        await other.keyframe()
        before, memory = await daemon.resources(), footprint(daemon.pid).memory
        _, writer = await non_reading_viewer(daemon.port)
        await until_viewers(daemon, 2)
        buffered, began = [0], time.monotonic()
        async with uninterrupted(other) as continuity, asyncio.timeout(60):
            keeping_alive = asyncio.create_task(keep_session_alive(writer))
            while (await daemon.status())["viewers"] == 2:
                buffered.append(await daemon.call("process", "buffered"))
                await asyncio.sleep(0.02)
            took = time.monotonic() - began
            keeping_alive.cancel()
            await assert_clean(daemon, before)
        writer.close()
        growth = footprint(daemon.pid).memory - memory
        text = f"{max(buffered)} bytes buffered, closed after {took:.1f} s, memory {growth:+.1f} MB, {continuity}"
        record("2", f"keeps its session alive, requests offers, reads nothing: {text}")
        assert 0 < max(buffered) <= MAX_BUFFERED + FRAME_HEADER
        assert max(buffered) + LARGE_NAME > MAX_BUFFERED, "the buffer limit ended the session"


async def keep_session_alive(writer: asyncio.StreamWriter) -> None:
    """Send heartbeats and requests for new offers, as if everything was read."""
    began, pongs, offers = time.monotonic(), 0, 0
    while True:
        elapsed = time.monotonic() - began
        if elapsed > PING_INTERVAL * (pongs + 1) + 1:
            pongs += 1
            writer.write(_frame(pongs.to_bytes(4, "big"), PONG))
        if elapsed > RESTART_INTERVAL * (offers + 1):
            offers += 1
            writer.write(_frame(b'{"type":"restart","id":%d,"reason":"no-frames"}' % offers))
            writer.write(_frame(b'{"type":"heartbeat","t":1}'))
        await asyncio.sleep(0.1)


async def non_reading_viewer(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a session that reads nothing from then on."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    own.setblocking(False)
    await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=own, limit=1)
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
    )
    writer.write(_frame(b'{"type":"hello"}'))
    return reader, writer


def _frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a WebSocket frame with a zero mask (RFC 6455 §5.2)."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


async def test_row_5_cut_websocket_causes_no_gap(record):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with uninterrupted(viewer) as continuity:
            welcome = await viewer.resume()
            await asyncio.sleep(LONGEST_PAUSE)
        assert welcome["resumed"] is True
        assert sum(message["type"] == "offer" for message in viewer.messages) == 1
        record("5", f"resumed, {continuity}")


@pytest.mark.long
async def test_row_6_join_storm_is_admitted_up_to_the_limit(record):
    slots, crowd = 20, 200
    async with ScriptedDaemon(web__max_viewers=slots) as daemon, LightProcess(daemon.port) as watching:
        await watching.reset_pauses()
        viewers = [LightViewer(daemon.port) for _ in range(crowd)]
        began = time.monotonic()

        async def join(index: int, viewer: LightViewer) -> None:
            await asyncio.sleep(index / crowd)
            await viewer.__aenter__()
            await viewer.first_message()

        await asyncio.gather(*(join(index, viewer) for index, viewer in enumerate(viewers)))
        took = time.monotonic() - began
        admitted = [viewer for viewer in viewers if viewer.messages[0]["type"] == "welcome"]
        refused = [viewer for viewer in viewers if viewer.messages[0].get("code") == "full"]
        waits = sorted([await viewer.keyframe() for viewer in admitted])
        codes = {await viewer.wait_closed() for viewer in refused}
        stats = await watching.stats()
        await asyncio.gather(*(viewer.leave() for viewer in viewers))
        assert len(admitted) == slots - 1
        assert len(refused) == crowd - len(admitted)
        assert codes == {4003}
        assert waits[-1] < 5
        record(
            "6",
            f"{crowd} in {took:.1f} s for {len(admitted)} places: {len(admitted)} play after at most {waits[-1]:.1f} s,"
            f" {len(refused)} are refused as full, {stats['gaps']} gaps,"
            f" longest pause {stats['longest_pause'] * 1000:.0f} ms",
        )
        assert stats["gaps"] == 0
        assert stats["longest_pause"] < LONGEST_PAUSE + stats["stalled"]


@pytest.mark.long
async def test_row_7_five_hundred_joins_leave_nothing_behind(record):
    async with ScriptedDaemon() as daemon:
        await join_and_leave(daemon, 50)
        before = await daemon.resources()
        memory = [footprint(daemon.pid).memory]
        for _ in range(9):
            await join_and_leave(daemon, 50)
            memory.append(footprint(daemon.pid).memory)
        await assert_clean(daemon, before)
        last = memory[-1] - memory[-4]
        assert last < 2.0
        record("7", f"nothing left; memory {memory[0]:.0f} → {memory[-1]:.0f} MB, {last:+.1f} MB in the last third")


async def join_and_leave(daemon: ScriptedDaemon, number: int, at_once: int = 5) -> None:
    """Let `number` viewers join, receive a keyframe and leave."""
    for _ in range(number // at_once):
        viewers = [LightViewer(daemon.port) for _ in range(at_once)]
        await asyncio.gather(*(viewer.__aenter__() for viewer in viewers))
        await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
        await asyncio.gather(*(viewer.leave() for viewer in viewers))
    await until_viewers(daemon, 0)


@pytest.mark.long
async def test_row_8_unanswered_offer_is_closed_after_ten_seconds(record):
    async with ScriptedDaemon() as daemon, aiohttp.ClientSession() as http:
        before = await daemon.resources()
        async with http.ws_connect(f"ws://127.0.0.1:{daemon.port}/ws", protocols=[SUBPROTOCOL]) as ws:
            await ws.send_json({"type": "hello"})
            async with within(11) as took:
                while (message := await ws.receive_json(timeout=PATIENCE))["type"] != "bye":
                    if message.get("ask"):
                        await ws.send_json({"type": "heartbeat"})
                await until_no_peer(daemon)
        assert message["reason"] == "no-answer"
        await assert_clean(daemon, before)
        record("8", f"never answers: peer connection closed after {took.seconds:.1f} s; clean")


async def test_row_8_invalid_answer_is_refused_at_once(record):
    async with ScriptedDaemon() as daemon, aiohttp.ClientSession() as http:
        before = await daemon.resources()
        async with http.ws_connect(f"ws://127.0.0.1:{daemon.port}/ws", protocols=[SUBPROTOCOL]) as ws:
            await ws.send_json({"type": "hello"})
            while (message := await ws.receive_json(timeout=5))["type"] != "offer":
                pass
            async with within(CLEANUP_LIMIT) as closed:
                async with within(CLEANUP_LIMIT) as took:
                    await ws.send_json({"type": "answer", "id": message["id"], "sdp": "v=0\r\ngarbage"})
                    while (message := await ws.receive_json(timeout=5))["type"] != "error":
                        pass
                await until_no_peer(daemon)
        assert message["code"] == "bad-answer"
        await assert_clean(daemon, before)
        refused_ms, closed_ms = took.seconds * 1000, closed.seconds * 1000
        record(
            "8", f"garbage: refused after {refused_ms:.0f} ms, peer connection closed after {closed_ms:.0f} ms; clean"
        )


@pytest.mark.long
async def test_row_19_request_storm_is_limited(record):
    seconds = 5
    async with (
        ScriptedDaemon(
            video__source="test",
            video__test_pattern="camera",
            video__width=640,
            video__height=360,
            video__bitrate=1_000_000,
        ) as daemon,
        LightViewer(daemon.port) as storming,
        HealthyViewer(daemon.port) as other,
    ):
        await asyncio.gather(storming.keyframe(), other.keyframe())
        await asyncio.sleep(3)
        normal = await received_bytes(other, seconds)
        before = await forced_keyframes(daemon)
        async with uninterrupted(other) as continuity:
            storm = asyncio.create_task(request_all(storming, seconds))
            during_storm = await received_bytes(other, seconds)
            sent = await storm
        forced = await forced_keyframes(daemon) - before
        change = during_storm / normal - 1
        assert forced <= seconds // 2 + 1
        assert abs(change) < 0.2
        record(
            "19",
            f"{sent} requests in {seconds} s: {forced} keyframes, bit rate at other viewers {change:+.0%},"
            f" {continuity}",
        )


async def forced_keyframes(daemon: ScriptedDaemon) -> int:
    forced: Any = (await daemon.status())["keyframes_forced"]
    return int(forced)


async def received_bytes(viewer: LightViewer, seconds: float) -> int:
    """Return the bytes of video received within `seconds`."""
    before = viewer.video_bytes
    await asyncio.sleep(seconds)
    return viewer.video_bytes - before


async def request_all(viewer: LightViewer, seconds: float) -> int:
    """Request keyframes and retransmissions about 100 times per second; return the number of requests."""
    requests, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        pli = RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=viewer.ssrc)
        lost = [viewer.sequence - back & 0xFFFF for back in range(300)]
        nack = RtcpRtpfbPacket(RTCP_RTPFB_NACK, ssrc=1, media_ssrc=viewer.ssrc, lost=lost[::-1])
        await viewer.send_rtcp(bytes(pli))
        await viewer.send_rtcp(bytes(nack))
        requests += 2
        await asyncio.sleep(0.02)
    return requests
