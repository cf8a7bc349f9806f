"""Bad requests of players (WHEP) to a real daemon, while a viewer watches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from broadcaster.errors import BadOffer
from broadcaster.signaling.player_offer import filter_offer
from tests.edges.whep_client import CANDIDATE, Reply, WhepClient
from tests.faults.input_driver import daemon_with_viewer, send_raw, viewer_stats
from tests.faults.waiting import until_viewers
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import within
from tests.unit.player_offers import CHROMIUM, OFFERS, crowded_offer

pytestmark = pytest.mark.long

FILTERED_WITHIN = 0.005
"""Seconds of CPU time for the filter to refuse an offer."""
TOKEN = "a-token-of-many-words"
HUGE = 100_000_000


@contextlib.asynccontextmanager
async def player(daemon: ScriptedDaemon) -> AsyncIterator[WhepClient]:
    """Provide a player without media."""
    async with aiohttp.ClientSession() as http:
        yield WhepClient(http, daemon.url.removesuffix("/"))


async def test_offers_that_are_none_are_refused_quickly(record):
    bad = ["v=0\r\n" + "x" * 64 * 1024, "v=0\r\n" + "a=x\r\n" * 10_000, CHROMIUM.replace("H264", "VP8"), "{}", ""]
    bad.append(crowded_offer().replace("a=rtcp-mux", "a=x"))
    lines = [offer.splitlines(keepends=True) for offer in OFFERS.values()]
    cut = ["".join(each[:end]) for each in lines for end in range(0, len(each), 7)]
    async with daemon_with_viewer() as daemon, player(daemon) as client:
        statuses = []
        for offer in [*bad, *cut]:
            reply = await client.open(offer)
            statuses.append(reply.status)
            if reply.status == 201:
                await client.delete(reply.location)
            else:
                assert "error" in reply.text
        assert statuses[: len(bad)] == [413, 400, 406, 400, 400, 400]
        assert set(statuses) == {201, 400, 406, 413}
        assert len(await viewer_stats(daemon)) == 1
    refused = sum(status != 201 for status in statuses)
    longest = max(_filter_seconds(offer) for offer in [*bad, *cut])
    assert longest < FILTERED_WITHIN
    record("offers", f"{refused} of {len(statuses)} refused, by the filter in at most {longest * 1000:.1f} ms")


async def test_sessions_opened_without_end_take_only_the_places(record):
    async with daemon_with_viewer(web__max_viewers=4) as daemon, player(daemon) as client:
        statuses = [(await client.open()).status for _ in range(60)]
        assert statuses == [201] * 3 + [503] * 57
        began = time.monotonic()
        await until_viewers(daemon, 1)
        assert (await client.open()).status == 201
        record("sessions", f"3 of 60 let in, the others 503; places free after {time.monotonic() - began:.1f} s")


async def test_flood_of_patches_is_limited(record):
    async with daemon_with_viewer() as daemon, player(daemon) as client:
        location = (await client.open()).location
        statuses = [(await client.trickle(location, CANDIDATE * 20)).status for _ in range(500)]
        assert statuses == [204] * 30 + [429] * 470
        dropped = (await viewer_stats(daemon))[1]["candidates_dropped"]
        assert dropped == 30 * 20 - 20
        assert (await client.delete(location)).status == 200
        record("patches", f"30 of 500 accepted, the others 429; {dropped} candidates dropped")


async def test_huge_and_slow_bodies_are_given_up(record):
    head = "POST /whep HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n"
    async with daemon_with_viewer() as daemon:
        async with within(2.0):
            huge, _ = await send_raw(daemon, head.format(daemon.port, HUGE).encode() + b"x" * 200_000)
        assert huge.split(b" ")[1] == b"413"
        async with within(7.0):
            slow = await asyncio.gather(
                *(send_raw(daemon, head.format(daemon.port, 6000).encode() + b"v=0\r\n") for _ in range(20))
            )
        assert {answer.split(b" ")[1] for answer, _ in slow} == {b"408"}
        assert len(await viewer_stats(daemon)) == 1
        longest = max(seconds for _, seconds in slow)
        record("bodies", f"413 after 64 KiB; 20 bodies that do not arrive: 408, closed within {longest:.1f} s")


async def test_unknown_sessions_are_not_deleted(record):
    async with daemon_with_viewer() as daemon, player(daemon) as client:
        await client.open()
        statuses = {(await client.delete(f"/whep/guess-{number}")).status for number in range(1000)}
        assert statuses == {404}
        assert len(await viewer_stats(daemon)) == 2
        record("deletes", "1000 requests: 404, no session has ended")


async def test_player_that_retries_a_wrong_token_locks_nobody_out(record):
    async with daemon_with_viewer(web__viewer_token=TOKEN) as daemon, player(daemon) as client:
        replies: list[Reply] = [await client.open(query="?token=an-old-secret-token") for _ in range(300)]
        assert {reply.status for reply in replies} == {401}
        assert (await client.open(query=f"?token={TOKEN}")).status == 201
        assert "an-old-secret-token" not in daemon.log
        assert daemon.log.count("refused player") <= 6
        record("retries", "300 retries: 401, none in the log; then the right token from the same address: accepted")


def _filter_seconds(offer: str) -> float:
    """Return the CPU time that the filter takes: the shortest of three times."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        with contextlib.suppress(BadOffer):
            filter_offer(offer, with_audio=True)
        times.append(time.thread_time() - began)
    return min(times)
