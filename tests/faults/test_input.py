"""Bad input to a real daemon, while a viewer watches: each gets its answer, and the viewer does not notice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
import statistics
import struct
import time
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import aiohttp
import pytest

from broadcaster.errors import BadAnswer
from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.signaling.sdp import filter_answer
from broadcaster.webrtc.sockets import open_socket
from tests.faults.bystanders import LONGEST_PAUSE, unnoticed
from tests.faults.test_viewers import assert_clean
from tests.fuzz.random_input import random_datagram
from tests.rigs.healthy import HealthyViewer
from tests.rigs.process import footprint
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import within
from tests.unit.signaling_samples import CHROMIUM

pytestmark = pytest.mark.long

HEARD = 0.05
"""Seconds within which what the daemon has done at its time has come here."""
CHECKS = 1.0
"""Seconds in which ICE has long begun to check what it was told."""
LONGEST_WAIT = 7.0
"""Seconds that it waits for the other half of a request: five, and its clock for these ticks once a second."""


class Talk:
    """A stranger's end of a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, type: str, **fields: object) -> None:
        await self.socket.send_json({"type": type, **fields})

    async def hear(self, type: str) -> dict[str, Any]:
        """The next message of that type."""
        async with asyncio.timeout(10):
            while True:
                frame = await self.socket.receive()
                assert frame.type is aiohttp.WSMsgType.TEXT, f"{frame} instead of {type}"
                message: dict[str, Any] = json.loads(frame.data)
                if message["type"] == type:
                    return message

    async def open(self, **hello: object) -> dict[str, Any]:
        """Say hello; the offer."""
        await self.say("hello", **hello)
        return await self.hear("offer")

    async def close_code(self) -> int | None:
        """How the daemon closes it."""
        async with asyncio.timeout(15):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code


@contextlib.asynccontextmanager
async def talking(daemon: ScriptedDaemon, **headers: str) -> AsyncIterator[Talk]:
    url = f"ws://127.0.0.1:{daemon.port}/ws"
    protocols = [SUBPROTOCOL]
    async with aiohttp.ClientSession() as http, http.ws_connect(url, protocols=protocols, headers=headers) as socket:
        yield Talk(socket)


@contextlib.asynccontextmanager
async def watched(**settings: Any) -> AsyncIterator[ScriptedDaemon]:
    """A daemon with a viewer who watches and must not notice."""
    async with watched_by(**settings) as (daemon, _):
        yield daemon


@contextlib.asynccontextmanager
async def watched_by(**settings: Any) -> AsyncIterator[tuple[ScriptedDaemon, HealthyViewer]]:
    hello = {"token": settings["web__viewer_token"]} if "web__viewer_token" in settings else {}
    async with ScriptedDaemon(**settings) as daemon, HealthyViewer(daemon.port, **hello) as viewer:
        await viewer.keyframe()
        async with unnoticed(viewer):
            yield daemon, viewer
            await asyncio.sleep(LONGEST_PAUSE)
        assert "Traceback" not in daemon.log


async def figures(daemon: ScriptedDaemon) -> list[dict[str, Any]]:
    """What the operator sees of each viewer."""
    status: Any = await daemon.status()
    return list(status["viewer_figures"])


async def upgrade(daemon: ScriptedDaemon, **headers: str) -> int:
    """The status of a WebSocket handshake."""
    try:
        async with talking(daemon, **headers):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def test_pages_of_others_get_no_websocket(measured):
    async with watched() as daemon:
        own = f"http://127.0.0.1:{daemon.port}"
        origins = {"http://evil.example": 403, "null": 403, f"{own}0": 403, "http://127.0.0.1": 403, own: 101}
        for origin, status in origins.items():
            assert await upgrade(daemon, Origin=origin) == status, origin
        assert await upgrade(daemon) == 101
        measured("origin", "4 others: 403; our own page, and no page at all: let in")


async def test_other_names_are_refused(measured):
    names = ["rebound.example", "localhost.evil.example", "x;script-src *", "2130706433"]
    async with watched() as daemon, aiohttp.ClientSession() as http:
        for name in names:
            assert await upgrade(daemon, Host=name) == 421
            async with http.get(daemon.url, headers={"Host": name}) as page:
                assert page.status == 421
                assert "web.hosts" in await page.text()
                assert name not in str(page.headers)
        measured("host", f"{len(names)} names: 421 for page and WebSocket, in no header")


async def test_frames_that_nobody_sends(measured):
    async with watched() as daemon:
        before = await daemon.held()
        async with talking(daemon) as silent, within(5 + HEARD) as silence:
            assert await silent.close_code() == 4000
        async with talking(daemon) as talk:
            await talk.open()
            await talk.socket.send_bytes(b"\0" * 100)
            assert await talk.close_code() == 1003
        async with talking(daemon) as talk:
            await talk.open()
            await talk.socket.send_str("x" * (64 * 1024 + 1))
            assert await talk.close_code() == 1009
        await assert_clean(daemon, before)
        assert silence.seconds > 4.9
        measured("frames", f"4000 after {silence.seconds:.1f} s; 1003; 1009; clean 1 s later")


async def told_off_after(daemon: ScriptedDaemon, message: str) -> int:
    """How many such messages it takes until the daemon has had enough."""
    async with talking(daemon) as talk:
        await talk.open()
        for number in range(100):
            await talk.socket.send_str(message)
            await talk.say("heartbeat")
            heard = ""
            while heard not in ("heartbeat", "too-many"):
                frame = await talk.socket.receive(timeout=10)
                assert frame.type is aiohttp.WSMsgType.TEXT
                heard = json.loads(frame.data).get("code", json.loads(frame.data)["type"])
            if heard == "too-many":
                assert await talk.close_code() == 4005
                return number
    raise AssertionError("never")


async def test_a_flood_ends_who_floods(measured):
    """With a heartbeat after each, which counts one."""
    async with watched() as daemon:
        plain, bad = await told_off_after(daemon, '{"type":"later"}'), await told_off_after(daemon, "{")
        assert (plain, bad) == (15, 7)
        async with talking(daemon) as talk:
            offer = await talk.open()
            for port in range(2000, 2020):
                await talk.say("candidate", id=offer["id"], candidate={"candidate": candidate("192.0.2.7", port)})
            for _ in range(29):
                await talk.say("later")
            await talk.say("heartbeat")
            await talk.hear("heartbeat")
        measured("flood", "4005 after 30 messages, or 10 bad ones; 20 candidates beside 30 messages: let through")


async def test_bad_messages_are_named(measured):
    bad = {
        "[]": "type", "{": "type", "7": "type", '{"type":7}': "type", '{"type":"answer","sdp":""}': "id",
        '{"type":"answer","id":1}': "sdp", '{"type":"heartbeat","t":1e999}': "t",
        '{"type":"heartbeat","t":NaN}': "type",
        '{"type":"answer","id":1,"sdp":"\\ud800"}': "type", '{"type":"restart","id":1,"reason":"x"}': "reason",
        '{"type":"candidate","id":1,"candidate":7}': "candidate", "[" * 60_000: "type",
        '{"type":"answer","id":' + "9" * 5000 + ',"sdp":""}': "id",
    }  # fmt: skip
    async with watched() as daemon:
        for message, field in bad.items():
            async with talking(daemon) as talk:
                await talk.open()
                await talk.socket.send_str(message)
                error = await talk.hear("error")
                assert (error["code"], error["field"]) == ("bad-message", field), message[:60]
        async with talking(daemon) as talk:
            await talk.open()
            for _ in range(5):
                await talk.say("of-tomorrow")
            await talk.say("heartbeat")
            await talk.hear("heartbeat")
        assert daemon.log.count("of-tomorrow") == 1
        measured("json", f"{len(bad)} kinds: each named, nobody ended; five of an unknown type: one line")


def bad_answers() -> list[str]:
    """Each wrong in a way of its own, the costly ones first."""
    fingerprint = next(line for line in CHROMIUM.splitlines() if line.startswith("a=fingerprint"))
    return [
        CHROMIUM + "a=x-" + "y" * 30_000,
        CHROMIUM + "a=x\r\n" * 290,
        CHROMIUM + "a=rtpmap:96 opus/48000/2\r\n" * 33,
        CHROMIUM + "a=rtcp-fb:96 nack\r\n" * 65,
        CHROMIUM + "a=rtcp-fb:96 " + "x" * 9000,
        "m=" * 8000,
        "\n" * 16_000,
        "",
        CHROMIUM + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n",
        CHROMIUM.replace("m=audio", "m=video"),
        CHROMIUM.replace(fingerprint, ""),
        CHROMIUM.replace("sha-256", "sha-1"),
        CHROMIUM.replace("a=setup:active", "a=setup:passive"),
        CHROMIUM.replace("a=setup:active", "a=setup:actpass"),
    ]


async def test_bad_answers_are_refused_at_once(measured):
    times, filtering = [], []
    async with watched() as daemon:
        before = await daemon.held()
        for bad in bad_answers():
            async with talking(daemon) as talk:
                offer = await talk.open()
                began = time.perf_counter()
                await talk.say("answer", id=offer["id"], sdp=bad)
                assert (await talk.hear("error"))["code"] == "bad-answer"
                times.append((time.perf_counter() - began) * 1000)
                filtering.append(min(filtering_time(offer["sdp"], bad) for _ in range(3)))
        await assert_clean(daemon, before)
        assert max(filtering) < 5
        assert statistics.median(times) < 50, "with both ways, on a machine that is shared"
    refused = f"refused by the filter in {statistics.median(filtering):.2f} ms, longest {max(filtering):.2f} ms"
    measured("answer", f"{len(times)} kinds {refused}; told after {statistics.median(times):.1f} ms, both ways; clean")


def filtering_time(offer: str, answer: str) -> float:
    """Milliseconds until it is refused."""
    began = time.perf_counter()
    with pytest.raises(BadAnswer):
        filter_answer(offer, answer)
    return (time.perf_counter() - began) * 1000


def candidate(address: str, port: int, protocol: str = "udp") -> str:
    return f"candidate:1 1 {protocol} 1677729535 {address} {port} typ host"


async def test_nobody_aims_our_packets_at_others(measured):
    async with watched() as daemon, talking(daemon) as talk:
        offer = await talk.open()
        lines = [line.split() for line in offer["sdp"].splitlines() if line.startswith("a=candidate")]
        own = sorted({line[4] for line in lines})
        with target() as (heard, port):
            addresses = [*own, "127.0.0.1", "::1", "::ffff:127.0.0.1", "224.0.0.251", "ff02::fb", "0.0.0.0", "::"]
            bad = [candidate(address, port) for address in [*addresses, "255.255.255.255"]]
            bad += [candidate("192.0.2.7", 1023), candidate("192.0.2.7", 9, "tcp"), candidate("rebound.example", 9999)]
            bad += ["candidate:", "x" * 600]
            within_earshot = [address for address in addresses if reaches(address, heard)]
            assert {*own, "127.0.0.1"} <= set(within_earshot)
            await talk.say("answer", id=offer["id"], sdp=CHROMIUM)
            for text in bad:
                await talk.say("candidate", id=offer["id"], candidate={"candidate": text})
            await talk.say("heartbeat")
            await talk.hear("heartbeat")
            (mine,) = [one for one in await figures(daemon) if not one["connected"]]
            assert mine["candidates_dropped"] == len(bad) + 1, "and the name in the answer"
            await asyncio.sleep(CHECKS)
            assert not comes(heard)
        measured(
            "candidates",
            f"{len(bad)} kinds: dropped and counted; nothing is sent to the {len(within_earshot)} where one can listen",
        )


@contextlib.contextmanager
def target() -> Iterator[tuple[socket.socket, int]]:
    """A UDP port on every address of this machine, and on the multicast addresses that mDNS has."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as heard:
        heard.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        heard.bind(("::", 0))
        heard.setblocking(False)
        with contextlib.suppress(OSError):  # a machine without a network has no multicast
            group = socket.inet_pton(socket.AF_INET6, "ff02::fb")
            heard.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("@I", 0))
            heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + bytes(4))
        yield heard, heard.getsockname()[1]


def reaches(address: str, heard: socket.socket) -> bool:
    """Whether a datagram of ours that goes there comes to that socket."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as own, contextlib.suppress(OSError):
        own.sendto(b"?", (address, heard.getsockname()[1]))
    return comes(heard)


def comes(heard: socket.socket) -> bool:
    """Whether something has come, or comes at once; it is taken."""
    if not select.select([heard], [], [], 0.05)[0]:
        return False
    heard.recv(2048)
    return True


async def test_strangers_are_not_heard(measured):
    """At every port that the viewer's peer connection has."""
    chance, count = Random(1), 20_000
    async with watched_by() as (daemon, viewer):
        offer = await viewer.message("offer")
        lines = [line.split() for line in offer["sdp"].splitlines() if line.startswith("a=candidate")]
        targets = sorted({(line[4], int(line[5])) for line in lines})
        before, memory = await daemon.held(), footprint(daemon.pid).memory
        with contextlib.ExitStack() as stack:
            strangers = [(stack.enter_context(open_socket(host, range(0))), (host, port)) for host, port in targets]
            for number in range(count):
                stranger, target = strangers[number % len(strangers)]
                with contextlib.suppress(BlockingIOError):
                    stranger.sendto(random_datagram(chance) if number % 10 else b"", target)
                if number % 40 == 0:
                    await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)
        (mine,) = await figures(daemon)
        dropped = mine["peers"][0]["datagrams_dropped"]
        grown = footprint(daemon.pid).memory - memory
        await assert_clean(daemon, before)
        assert dropped > count / 4, "the kernel drops what a flood leaves no room for"
        figure = f"{viewer.gaps} gaps, longest pause {viewer.longest_pause * 1000:.0f} ms, memory {grown:+.1f} MB"
        measured("strangers", f"{count} sent, {dropped} came and were dropped, {figure}")


async def test_a_crowd_is_told_that_it_is_full(measured):
    async with watched(web__max_viewers=1) as daemon, contextlib.AsyncExitStack() as stack:
        began = time.monotonic()
        async with talking(daemon) as talk:
            await talk.say("hello")
            error = await talk.hear("error")
            assert (error["code"], error["limit"]) == ("full", 1)
            assert await talk.close_code() == 4003
        silent = [await stack.enter_async_context(talking(daemon)) for _ in range(70)]
        codes = await asyncio.gather(*(one.close_code() for one in silent))
        assert codes.count(4003) >= 70 - 64, "at once: there is no room for so many who wait"
        assert set(codes) == {4000, 4003}
        gone = time.monotonic() - began
        measured(
            "crowd", f"full, 1, 4003; of 70 silent WebSockets {codes.count(4003)} at once, all gone in {gone:.1f} s"
        )


async def raw(daemon: ScriptedDaemon, text: bytes) -> tuple[bytes, float]:
    """Say that, and nothing else; what comes back until the daemon closes, and seconds until then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    began = time.monotonic()
    writer.write(text)
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer, time.monotonic() - began


async def test_what_is_hardly_http(measured):
    async with watched() as daemon:
        host = f"Host: 127.0.0.1:{daemon.port}\r\n".encode()
        garbage = [
            b"\x16\x03\x01\x02\x00\x01" + bytes(200),
            b"GET / HTTP/1.1\r\n" + host + b"X: " + b"y" * 17_000 + b"\r\n\r\n",
        ]
        garbage += [b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 100 + b"\r\n", b"\r\n\r\nHELLO\r\n\r\n"]
        for text in garbage:
            answer, _ = await raw(daemon, text)
            assert answer.split(b" ")[1] == b"400", answer[:200]
        headers = b"POST /api/live HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: 9\r\n"
        halves = [b"", b"GET / HTTP/1.1\r\nHo", headers + b"\r\n{", b"GET / HTTP/1.1\r\n" + host + b"\r\n"]
        async with within(LONGEST_WAIT):
            *_, late, _ = cut = await asyncio.gather(*(raw(daemon, text) for text in halves))
        assert late[0].split(b" ")[1] == b"408"
        seconds = [after for _, after in cut]
        assert min(seconds) > 4.9
        measured(
            "http",
            f"{len(garbage)} kinds: 400; half a request, half a body and idle ones: gone after"
            f" {min(seconds):.1f} to {max(seconds):.1f} s",
        )


async def test_who_does_not_close_is_cut_off(measured):
    upgrade_to = (
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: broadcaster.v1\r\n\r\n"
    )
    binary = bytes([0x82, 0x81, 0, 0, 0, 0, 7])
    async with watched() as daemon:
        async with within(0.5 + HEARD):
            answer, seconds = await raw(daemon, upgrade_to.format(port=daemon.port).encode() + binary)
        assert b"101" in answer
        assert b"\x88\x02\x03\xeb" in answer, "1003"
        measured("close", f"close frame with 1003, cut off after {seconds:.2f} s")


async def test_guessing_tokens_leads_nowhere(measured):
    async with watched(web__viewer_token="open-sesame-open-sesame") as daemon:
        codes = []
        for number in range(8):
            async with talking(daemon) as talk:
                await talk.say("hello", token=f"a-guess-{number}")
                codes.append(await talk.close_code())
        assert codes == [4001] * 5 + [4005] * 3
        assert "guess" not in daemon.log
        assert "sesame" not in daemon.log
        measured("token", f"{codes.count(4001)} times 4001, then 4005; none in the log")


async def test_nobody_writes_into_our_log(measured):
    forged = "\n12:00:00 error all is lost \x1b[2J\u202e" + "x" * 1000
    async with watched() as daemon:
        before = len(daemon.log.splitlines())
        for number in range(30):
            async with talking(daemon) as talk:
                await talk.open()
                await talk.say(f"{number}{forged}")
                await talk.say("bye")
                await talk.close_code()
        lines = daemon.log.splitlines()[before:]
        unknown = [line for line in lines if "of unknown type" in line]
        assert unknown
        assert not [line for line in lines if line.startswith("12:00:00 error")]
        assert not set("".join(lines)) & set("\x1b\u202e")
        longest = max(map(len, lines))
        assert longest < 300
        seconds = [line[:8] for line in unknown]
        most = max(map(seconds.count, seconds))
        assert most <= 20, "ten a second, and seconds of the clock are not those of the limit"
        measured(
            "log", f"30 lines wanted: {len(unknown)} written, at most {most} in a second, longest {longest} characters"
        )
