"""Viewers that vanish, stop reading, never answer, cut the connection, come in crowds, or ask for too much."""

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
from tests.faults.bystanders import LONGEST_PAUSE, unnoticed
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light import LightViewer
from tests.rigs.light_process import LightProcess
from tests.rigs.process import footprint
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import PATIENCE, within

HEARTBEAT = 7.5
"""Seconds from a viewer's last sign until it is gone."""
AT_ONCE = 1.0
"""Seconds: as long as it may take until nothing is left of who has gone."""
MOST_BUFFERED = 64 * 1024
BIG = 20_000
"""Bytes of a server's name, and so the least that an offer has."""
TEXT, PONG = 0x1, 0xA
FRAME_HEADER = 10
"""Bytes, at most, that a frame of ours has more than its payload (RFC 6455 §5.2)."""
PINGS, RESTARTS = 3.0, 2.1
"""Seconds between pings, and between two restarts that are heeded."""


async def until_viewers(daemon: ScriptedDaemon, number: int) -> None:
    """Wait until so many are there."""
    began = time.monotonic()
    while (await daemon.status())["viewers"] != number:
        assert time.monotonic() - began < PATIENCE, await daemon.status()
        await asyncio.sleep(0.02)


async def assert_clean(daemon: ScriptedDaemon, before: dict[str, int]) -> None:
    """A second later nothing is left of those who have gone."""
    await asyncio.sleep(1)
    after = await daemon.held()
    assert after["peers"] <= before["peers"]
    assert after["tasks"] <= before["tasks"]
    assert after["descriptors"] <= before["descriptors"]
    assert after["timers"] <= before["timers"] + 1  # one may be between two of its ticks


@pytest.mark.long
async def test_row_1_a_viewer_that_vanishes_is_gone_and_nobody_notices(measured):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as other:
        await other.keyframe()
        before = await daemon.held()
        async with LightProcess(daemon.port) as vanishing:
            await until_viewers(daemon, 2)
            async with unnoticed(other) as seen:
                vanishing.process.send_signal(signal.SIGSTOP)
                async with within(HEARTBEAT) as took:
                    await until_viewers(daemon, 1)
                await assert_clean(daemon, before)
        measured("1", f"gone after {took.seconds:.1f} s, clean 1 s later, {seen}")


@pytest.mark.long
async def test_row_2_who_stops_reading_is_gone(measured):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as other:
        await other.keyframe()
        before = await daemon.held()
        _, writer = await deaf_viewer(daemon.port)
        await until_viewers(daemon, 2)
        async with unnoticed(other) as seen:
            async with within(HEARTBEAT) as took:
                await until_viewers(daemon, 1)
            await assert_clean(daemon, before)
        writer.close()
        measured("2", f"stopped reading: gone after {took.seconds:.1f} s, {seen}")


@pytest.mark.long
async def test_row_2_who_lets_much_pile_up_is_gone_before_it_is_too_much(measured):
    big_offers = f'[{{urls = ["stuns:{"x" * BIG}"]}}]'
    async with ScriptedDaemon(ice__servers=big_offers) as daemon, HealthyViewer(daemon.port) as other:
        await other.keyframe()
        before, memory = await daemon.held(), footprint(daemon.pid).memory
        _, writer = await deaf_viewer(daemon.port)
        await until_viewers(daemon, 2)
        buffered, began = [0], time.monotonic()
        async with unnoticed(other) as seen, asyncio.timeout(60):
            pretending = asyncio.create_task(pretend(writer))
            while (await daemon.status())["viewers"] == 2:
                buffered.append(await daemon.call("process", "buffered"))
                await asyncio.sleep(0.02)
            took = time.monotonic() - began
            pretending.cancel()
            await assert_clean(daemon, before)
        writer.close()
        grown = footprint(daemon.pid).memory - memory
        said = f"{max(buffered)} bytes buffered, gone after {took:.1f} s, memory {grown:+.1f} MB, {seen}"
        measured("2", f"says all is well, asks for more, reads nothing: {said}")
        assert 0 < max(buffered) <= MOST_BUFFERED + FRAME_HEADER
        assert max(buffered) + BIG > MOST_BUFFERED, "it was this that ended it"


async def pretend(writer: asyncio.StreamWriter) -> None:
    """Say what keeps a session alive, and ask for new offers, as if all that comes were read."""
    began, pongs, offers = time.monotonic(), 0, 0
    while True:
        passed = time.monotonic() - began
        if passed > PINGS * (pongs + 1) + 1:
            pongs += 1
            writer.write(_frame(pongs.to_bytes(4, "big"), PONG))
        if passed > RESTARTS * (offers + 1):
            offers += 1
            writer.write(_frame(b'{"type":"restart","id":%d,"reason":"no-frames"}' % offers))
            writer.write(_frame(b'{"type":"heartbeat","t":1}'))
        await asyncio.sleep(0.1)


async def deaf_viewer(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens a session and reads nothing from then on."""
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


def _frame(payload: bytes, kind: int = TEXT) -> bytes:
    """A masked frame (RFC 6455 §5.2), whose mask is zero."""
    return bytes([0x80 | kind, 0x80 | len(payload)]) + bytes(4) + payload


async def test_row_5_a_cut_websocket_costs_no_packet(measured):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with unnoticed(viewer) as seen:
            welcome = await viewer.come_back()
            await asyncio.sleep(LONGEST_PAUSE)
        assert welcome["resumed"] is True
        assert sum(message["type"] == "offer" for message in viewer.messages) == 1
        measured("5", f"resumed, {seen}")


@pytest.mark.long
async def test_row_6_a_storm_fills_the_places_exactly(measured):
    places, crowd = 20, 200
    async with ScriptedDaemon(web__max_viewers=places) as daemon, LightProcess(daemon.port) as old:
        await old.forget_pauses()
        viewers = [LightViewer(daemon.port) for _ in range(crowd)]
        began = time.monotonic()

        async def join(index: int, viewer: LightViewer) -> None:
            await asyncio.sleep(index / crowd)
            await viewer.__aenter__()
            await viewer.answered()

        await asyncio.gather(*(join(index, viewer) for index, viewer in enumerate(viewers)))
        took = time.monotonic() - began
        inside = [viewer for viewer in viewers if viewer.messages[0]["type"] == "welcome"]
        refused = [viewer for viewer in viewers if viewer.messages[0].get("code") == "full"]
        waits = sorted([await viewer.keyframe() for viewer in inside])
        codes = {await viewer.closed() for viewer in refused}
        seen = await old.figures()
        await asyncio.gather(*(viewer.leave() for viewer in viewers))
        assert len(inside) == places - 1
        assert len(refused) == crowd - len(inside)
        assert codes == {4003}
        assert waits[-1] < 5
        measured(
            "6",
            f"{crowd} in {took:.1f} s for {len(inside)} places: {len(inside)} play after at most {waits[-1]:.1f} s,"
            f" {len(refused)} are told full, {seen['gaps']} gaps, longest pause {seen['longest_pause'] * 1000:.0f} ms",
        )
        assert seen["gaps"] == 0
        assert seen["longest_pause"] < LONGEST_PAUSE + seen["stalled"]


@pytest.mark.long
async def test_row_7_five_hundred_joins_leave_nothing(measured):
    async with ScriptedDaemon() as daemon:
        await joins(daemon, 50)
        before = await daemon.held()
        memory = [footprint(daemon.pid).memory]
        for _ in range(9):
            await joins(daemon, 50)
            memory.append(footprint(daemon.pid).memory)
        await assert_clean(daemon, before)
        last = memory[-1] - memory[-4]
        assert last < 2.0
        measured("7", f"nothing left; memory {memory[0]:.0f} → {memory[-1]:.0f} MB, {last:+.1f} MB in the last third")


async def joins(daemon: ScriptedDaemon, number: int, at_once: int = 5) -> None:
    """So many come, see a keyframe and leave."""
    for _ in range(number // at_once):
        viewers = [LightViewer(daemon.port) for _ in range(at_once)]
        await asyncio.gather(*(viewer.__aenter__() for viewer in viewers))
        await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
        await asyncio.gather(*(viewer.leave() for viewer in viewers))
    await until_viewers(daemon, 0)


@pytest.mark.long
async def test_row_8_who_never_answers_costs_a_peer_connection_for_ten_seconds(measured):
    async with ScriptedDaemon() as daemon, aiohttp.ClientSession() as http:
        before = await daemon.held()
        async with http.ws_connect(f"ws://127.0.0.1:{daemon.port}/ws", protocols=[SUBPROTOCOL]) as ws:
            await ws.send_json({"type": "hello"})
            async with within(11) as took:
                while (message := await ws.receive_json(timeout=PATIENCE))["type"] != "bye":
                    if message.get("ask"):
                        await ws.send_json({"type": "heartbeat"})
                await until_no_peer(daemon)
        assert message["reason"] == "no-answer"
        await assert_clean(daemon, before)
        measured("8", f"never answers: its peer connection is closed after {took.seconds:.1f} s; clean")


async def test_row_8_garbage_for_an_answer_ends_it_at_once(measured):
    async with ScriptedDaemon() as daemon, aiohttp.ClientSession() as http:
        before = await daemon.held()
        async with http.ws_connect(f"ws://127.0.0.1:{daemon.port}/ws", protocols=[SUBPROTOCOL]) as ws:
            await ws.send_json({"type": "hello"})
            while (message := await ws.receive_json(timeout=5))["type"] != "offer":
                pass
            async with within(AT_ONCE) as closed:
                async with within(AT_ONCE) as took:
                    await ws.send_json({"type": "answer", "id": message["id"], "sdp": "v=0\r\ngarbage"})
                    while (message := await ws.receive_json(timeout=5))["type"] != "error":
                        pass
                await until_no_peer(daemon)
        assert message["code"] == "bad-answer"
        await assert_clean(daemon, before)
        told, gone = took.seconds * 1000, closed.seconds * 1000
        measured("8", f"garbage: refused after {told:.0f} ms, peer connection closed after {gone:.0f} ms; clean")


async def until_no_peer(daemon: ScriptedDaemon) -> None:
    """Wait until it has no peer connection."""
    async with asyncio.timeout(PATIENCE):
        while (await daemon.held())["peers"]:
            await asyncio.sleep(0.05)


@pytest.mark.long
async def test_row_19_a_storm_of_requests_is_held_by_gate_and_budget(measured):
    seconds = 5
    async with (
        ScriptedDaemon(
            video__source="test",
            video__test_pattern="camera",
            video__width=640,
            video__height=360,
            video__bitrate=1_000_000,
        ) as daemon,
        LightViewer(daemon.port) as stormy,
        HealthyViewer(daemon.port) as other,
    ):
        await asyncio.gather(stormy.keyframe(), other.keyframe())
        await asyncio.sleep(3)
        quiet = await received(other, seconds)
        before = await forced_keyframes(daemon)
        async with unnoticed(other) as seen:
            storm = asyncio.create_task(request_all(stormy, seconds))
            stormed = await received(other, seconds)
            sent = await storm
        forced = await forced_keyframes(daemon) - before
        change = stormed / quiet - 1
        assert forced <= seconds // 2 + 1
        assert abs(change) < 0.2
        measured("19", f"{sent} requests in {seconds} s: {forced} keyframes, the others' rate {change:+.0%}, {seen}")


async def forced_keyframes(daemon: ScriptedDaemon) -> int:
    forced: Any = (await daemon.status())["keyframes_forced"]
    return int(forced)


async def received(viewer: LightViewer, seconds: float) -> int:
    """Bytes of video within so many seconds."""
    before = viewer.octets
    await asyncio.sleep(seconds)
    return viewer.octets - before


async def request_all(viewer: LightViewer, seconds: float) -> int:
    """Ask for keyframes and for everything again, some 100 times a second; how often."""
    asked, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        pli = RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=viewer.ssrc)
        lost = [viewer.sequence - back & 0xFFFF for back in range(300)]
        nack = RtcpRtpfbPacket(RTCP_RTPFB_NACK, ssrc=1, media_ssrc=viewer.ssrc, lost=lost[::-1])
        await viewer.send_rtcp(bytes(pli))
        await viewer.send_rtcp(bytes(nack))
        asked += 2
        await asyncio.sleep(0.02)
    return asked
