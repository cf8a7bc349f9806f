"""Bad input at `/media` of a real daemon, while one viewer watches over WebRTC and one over the web."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from broadcaster.signaling.media import MEDIA_SUBPROTOCOL
from tests.edges.media_rig import MediaPlayer
from tests.faults.input_driver import MESSAGE_DELAY, RawSession, daemon_with_viewer, open_session
from tests.faults.waiting import assert_clean
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import within

pytestmark = pytest.mark.long


@contextlib.asynccontextmanager
async def connected(daemon: ScriptedDaemon) -> AsyncIterator[MediaPlayer]:
    """Connect a WebSocket to `/media`; no ticket is sent yet."""
    url, protocols = f"ws://127.0.0.1:{daemon.port}/media", [MEDIA_SUBPROTOCOL]
    async with aiohttp.ClientSession() as http, http.ws_connect(url, protocols=protocols) as socket:
        yield MediaPlayer(socket)


@contextlib.asynccontextmanager
async def session_with_ticket(daemon: ScriptedDaemon) -> AsyncIterator[tuple[RawSession, str]]:
    """Open a session that stays alive, and return it with its ticket."""
    async with open_session(daemon) as session:
        await session.send("hello")
        ticket = (await session.receive("welcome"))["media"]["ticket"]
        tasks = [asyncio.create_task(_read(session)), asyncio.create_task(_beat(session))]
        yield session, ticket
        for task in tasks:
            task.cancel()


async def _read(session: RawSession) -> None:
    """Read, so that pings are answered."""
    async for _ in session.socket:
        pass


async def _beat(session: RawSession) -> None:
    while not session.socket.closed:
        await session.send("heartbeat")
        await asyncio.sleep(2)


@contextlib.asynccontextmanager
async def playing(daemon: ScriptedDaemon) -> AsyncIterator[MediaPlayer]:
    """Open a session, and play over `/media`."""
    async with session_with_ticket(daemon) as (_, ticket), connected(daemon) as player:
        await open_with(player, ticket)
        await player.play(3)
        yield player


async def open_with(player: MediaPlayer, ticket: object) -> None:
    await player.socket.send_json({"type": "open", "ticket": ticket})


@contextlib.asynccontextmanager
async def watched_over_the_web() -> AsyncIterator[ScriptedDaemon]:
    """Run a daemon with a viewer over WebRTC and one over the web, neither of whom must notice anything."""
    async with daemon_with_viewer() as daemon, playing(daemon) as player, asyncio.TaskGroup() as group:
        stop = asyncio.Event()

        async def play() -> None:
            while not stop.is_set():
                await player.receive()

        group.create_task(play())
        yield daemon
        await asyncio.sleep(0.5)
        stop.set()
    pictures = [sample for part in player.movie.fragments for sample in part.video]
    assert all(after.time == before.time + before.duration for before, after in pairwise(pictures)), (
        "nothing is skipped"
    )


async def test_tickets_that_are_wrong_used_or_late(record):
    async with watched_over_the_web() as daemon:
        before = await daemon.resources()
        refused = 0
        for guess in ("", "x", "A" * 22, "\u00e9" * 1000, 7, None, {"a": 1}):
            async with connected(daemon) as player:
                await open_with(player, guess)
                refused += await player.close_code() == 4001
        async with (
            session_with_ticket(daemon) as (_, ticket),
            connected(daemon) as first,
            connected(daemon) as second,
        ):
            await open_with(first, ticket)
            await first.play(2)
            await open_with(second, ticket)
            assert await second.close_code() == 4001
            await first.play(10)
        async with connected(daemon) as late:
            await open_with(late, ticket)
            assert await late.close_code() == 4001, "the session is over"
        await assert_clean(daemon, before)
        assert refused == 7
        assert ticket not in daemon.log
        record(
            "tickets", f"4001 for {refused} guesses, a used ticket, and one of a session that is over; not in the log"
        )


async def test_no_ticket_binary_and_oversized_messages(record):
    async with watched_over_the_web() as daemon:
        before = await daemon.resources()
        async with connected(daemon) as silent, within(5 + MESSAGE_DELAY) as silence:
            assert await silent.close_code(8) == 4001
        codes = []
        for play in (False, True):
            for send in ("binary", "big"):
                async with session_with_ticket(daemon) as (_, ticket), connected(daemon) as player:
                    if play:
                        await open_with(player, ticket)
                        await player.play(2)
                    await (player.socket.send_bytes(b"x") if send == "binary" else player.socket.send_str("x" * 65_537))
                    codes.append(await player.close_code())
        assert codes == [1003, 1009] * 2
        await assert_clean(daemon, before)
        assert silence.seconds > 4.9
        record("media-frames", f"4001 after {silence.seconds:.1f} s; 1003; 1009, before and after the ticket; clean")


async def test_wrong_acknowledgements_and_floods(record):
    wrong = ["-1", "0", "1", "1000000", "1e300", "9" * 400, '"1"', "null", "[]"]
    async with watched_over_the_web() as daemon:
        before = await daemon.resources()
        for count in wrong:
            async with playing(daemon) as player:
                for _ in range(9):
                    await player.socket.send_str(f'{{"type":"ack","count":{count}}}')
                await player.play(10)
                for _ in range(5):
                    await player.socket.send_str(f'{{"type":"ack","count":{count}}}')
                assert await player.close_code() == 4005, count
        for flood in ("{", "", '{"type":"open","ticket":"x"}', '{"type":"later"}'):
            async with playing(daemon) as player:
                for _ in range(1000):
                    await player.socket.send_str(flood)
                assert await player.close_code() == 4005, flood
        async with playing(daemon) as player:
            for _ in range(40):
                await player.socket.ping()
            assert await player.close_code() == 4005
        await assert_clean(daemon, before)
        record("acks", f"{len(wrong)} kinds of wrong acknowledgements: ignored, 4005 after ten; floods: 4005")


async def test_readers_that_are_slow_stop_or_vanish(record):
    async with watched_over_the_web() as daemon:
        before = await daemon.resources()
        async with playing(daemon) as player, within(10 + 2) as stopped:
            player.acknowledges = False
            assert await player.close_code(15) == 4002
        async with playing(daemon) as frozen:
            transport = frozen.socket._response.connection.transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            transport.pause_reading()
            async with within(10 + 2) as silent:
                most = await most_unsent(daemon, until_players=1)
            transport.resume_reading()
            assert await frozen.close_code(15) in (4002, 1006), "1006 if it reads again too late for the close frame"
        async with playing(daemon) as vanishing:
            vanishing.socket._response.connection.transport.abort()
            await most_unsent(daemon, until_players=1)
        await assert_clean(daemon, before)
        assert stopped.seconds > 9
        assert silent.seconds > 9
        record(
            "readers",
            f"4002 after {stopped.seconds:.1f} and {silent.seconds:.1f} s; at most {most / 1000:.0f} kB unsent; clean",
        )
        assert most < 200_000


async def most_unsent(daemon: ScriptedDaemon, until_players: int) -> int:
    """Wait until so few viewers play over the web; return the most bytes that waited for one, in process and kernel."""
    most = 0
    while (await daemon.status())["media"]["viewers"] > until_players:
        most = max(most, await daemon.call("process", "buffered") + longest_send_queue(daemon.port))
        await asyncio.sleep(0.2)
    return most


def longest_send_queue(port: int) -> int:
    """Return the most bytes in the kernel's send queue of a connection to this port (proc_net_tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return max((int(row[4].split(":")[0], 16) for row in rows if int(row[1].split(":")[1], 16) == port), default=0)


async def test_many_sockets_without_ticket(record):
    async with watched_over_the_web() as daemon, contextlib.AsyncExitStack() as stack:
        closed = []
        for _ in range(120):
            silent = await stack.enter_async_context(connected(daemon))
            closed.append(asyncio.create_task(silent.close_code(15)))
        began = time.monotonic()
        async with playing(daemon) as player:
            await player.play(10)
            joined = time.monotonic() - began
        codes = await asyncio.gather(*closed)
        assert set(codes) == {4001, 4005}
        assert codes.count(4005) >= 120 - 20 - 64
        record(
            "media-sockets", f"of 120 silent ones {codes.count(4005)} closed at once; a player joins in {joined:.1f} s"
        )
