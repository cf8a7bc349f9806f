"""Bad WebSocket messages to a real daemon, while a viewer watches."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import aiohttp
import pytest

from tests.faults.input_driver import (
    MESSAGE_DELAY,
    candidate,
    daemon_with_viewer,
    open_session,
)
from tests.faults.waiting import assert_clean
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import within

pytestmark = pytest.mark.long


async def test_missing_hello_binary_and_oversized_frames_close_the_websocket(record):
    async with daemon_with_viewer() as daemon:
        before = await daemon.resources()
        async with open_session(daemon) as silent, within(5 + MESSAGE_DELAY) as silence:
            assert await silent.close_code() == 4000
        async with open_session(daemon) as session:
            await session.open()
            await session.socket.send_bytes(b"\0" * 100)
            assert await session.close_code() == 1003
        async with open_session(daemon) as session:
            await session.open()
            await session.socket.send_str("x" * (64 * 1024 + 1))
            assert await session.close_code() == 1009
        await assert_clean(daemon, before)
        assert silence.seconds > 4.9
        record("frames", f"4000 after {silence.seconds:.1f} s; 1003; 1009; clean 1 s later")


async def messages_until_too_many(daemon: ScriptedDaemon, message: str) -> int:
    """Return how many such messages the daemon accepts until it closes the WebSocket."""
    async with open_session(daemon) as session:
        await session.open()
        for number in range(100):
            await session.socket.send_str(message)
            await session.send("heartbeat")
            reply = ""
            while reply not in ("heartbeat", "too-many"):
                frame = await session.socket.receive(timeout=10)
                assert frame.type is aiohttp.WSMsgType.TEXT
                reply = json.loads(frame.data).get("code", json.loads(frame.data)["type"])
            if reply == "too-many":
                assert await session.close_code() == 4005
                return number
    raise AssertionError("never")


async def test_flood_of_messages_closes_the_websocket(record):
    """Each message is followed by a heartbeat, which counts as one message."""
    async with daemon_with_viewer() as daemon:
        plain, bad = (
            await messages_until_too_many(daemon, '{"type":"later"}'),
            await messages_until_too_many(daemon, "{"),
        )
        assert (plain, bad) == (15, 7)
        async with open_session(daemon) as session:
            offer = await session.open()
            for port in range(2000, 2020):
                await session.send("candidate", id=offer["id"], candidate={"candidate": candidate("192.0.2.7", port)})
            for _ in range(29):
                await session.send("later")
            await session.send("heartbeat")
            await session.receive("heartbeat")
        record("flood", "4005 after 30 messages, or 10 bad ones; 20 candidates beside 30 messages: accepted")


async def test_bad_messages_are_answered_with_the_field(record):
    bad = {
        "[]": "type", "{": "type", "7": "type", '{"type":7}': "type", '{"type":"answer","sdp":""}': "id",
        '{"type":"answer","id":1}': "sdp", '{"type":"heartbeat","t":1e999}': "t",
        '{"type":"heartbeat","t":NaN}': "type",
        '{"type":"answer","id":1,"sdp":"\\ud800"}': "type", '{"type":"restart","id":1,"reason":"x"}': "reason",
        '{"type":"candidate","id":1,"candidate":7}': "candidate", "[" * 60_000: "type",
        '{"type":"answer","id":' + "9" * 5000 + ',"sdp":""}': "id",
    }  # fmt: skip
    async with daemon_with_viewer() as daemon:
        for message, field in bad.items():
            async with open_session(daemon) as session:
                await session.open()
                await session.socket.send_str(message)
                error = await session.receive("error")
                assert (error["code"], error["field"]) == ("bad-message", field), message[:60]
        async with open_session(daemon) as session:
            await session.open()
            for _ in range(5):
                await session.send("future-type")
            await session.send("heartbeat")
            await session.receive("heartbeat")
        assert daemon.log.count("future-type") == 1
        record("json", f"{len(bad)} kinds: field named, nobody is disconnected; five of an unknown type: one log line")


async def test_viewers_over_the_limit_are_refused(record):
    async with daemon_with_viewer(web__max_viewers=1) as daemon, contextlib.AsyncExitStack() as stack:
        began = time.monotonic()
        async with open_session(daemon) as session:
            await session.send("hello")
            error = await session.receive("error")
            assert (error["code"], error["limit"]) == ("full", 1)
            assert await session.close_code() == 4003
        silent = [await stack.enter_async_context(open_session(daemon)) for _ in range(70)]
        codes = await asyncio.gather(*(one.close_code() for one in silent))
        assert codes.count(4003) >= 70 - 64, "refused at once: too many WebSockets without `hello`"
        assert set(codes) == {4000, 4003}
        closed_after = time.monotonic() - began
        record(
            "full",
            f"full, 1, 4003; of 70 silent WebSockets {codes.count(4003)} are refused at once,"
            f" all closed after {closed_after:.1f} s",
        )


async def test_guessing_tokens_is_rate_limited(record):
    async with daemon_with_viewer(web__viewer_token="open-sesame-open-sesame") as daemon:
        codes = []
        for number in range(8):
            async with open_session(daemon) as session:
                await session.send("hello", token=f"a-guess-{number}")
                codes.append(await session.close_code())
        assert codes == [4001] * 5 + [4005] * 3
        assert "guess" not in daemon.log
        assert "sesame" not in daemon.log
        record("token", f"{codes.count(4001)} times 4001, then 4005; none in the log")


async def test_log_lines_cannot_be_forged(record):
    forged = "\n12:00:00 error all is lost \x1b[2J\u202e" + "x" * 1000
    async with daemon_with_viewer() as daemon:
        before = len(daemon.log.splitlines())
        for number in range(30):
            async with open_session(daemon) as session:
                await session.open()
                await session.send(f"{number}{forged}")
                await session.send("bye")
                await session.close_code()
        lines = daemon.log.splitlines()[before:]
        unknown = [line for line in lines if "of unknown type" in line]
        assert unknown
        assert not [line for line in lines if line.startswith("12:00:00 error")]
        assert not set("".join(lines)) & set("\x1b\u202e")
        longest = max(map(len, lines))
        assert longest < 300
        seconds = [line[:8] for line in unknown]
        most = max(map(seconds.count, seconds))
        assert most <= 20, "ten per second, and the clock's seconds are not those of the limit"
        record(
            "log",
            f"30 lines requested: {len(unknown)} written, at most {most} per second, longest {longest} characters",
        )
