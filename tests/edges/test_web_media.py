"""`/media` over real WebSockets: playing, tickets, and the end of the session."""

import asyncio
import gc
import time
from itertools import pairwise

import aiohttp
import pytest

from broadcaster.auth.tickets import LIFETIME
from broadcaster.devices.clock import SystemClock
from broadcaster.model.stream import QualityPreference
from broadcaster.outputs.tail import Tail
from broadcaster.outputs.viewer import MuxedViewer
from broadcaster.signaling.protocol import SUBPROTOCOL, Timings
from broadcaster.web import access
from broadcaster.web.media_connection import MediaConnection
from broadcaster.web.pending import PENDING_LIMITS
from tests.edges.media_rig import media_served
from tests.edges.web_rig import FAST, served, until


async def test_a_viewer_plays_what_the_sources_deliver(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with media_served() as rig:
        session, ticket = await rig.join()
        player = await rig.open(ticket)
        await player.play(60)
        (init,) = player.inits
        movie = player.movie
        assert init["type"] == "init"
        assert init["mime"] == movie.tracks.mime_type
        assert init["quality"] == "full"
        assert (movie.tracks.format.width, movie.tracks.format.height) == (320, 180)
        assert movie.fragments[0].video[0].keyframe
        for track in ("video", "audio"):
            samples = [sample for fragment in movie.fragments for sample in getattr(fragment, track)]
            assert len(samples) > 10
            ends = [sample.time + sample.duration for sample in samples]
            assert [sample.time for sample in samples[1:]] == ends[:-1], "no gap"
        await player.socket.close()
        await until(lambda: len(rig.stream) == 0)
        await session.send("bye")
        await session.close_code()
    lines = [record.message for record in caplog.records if "over the web" in record.message]
    assert len(lines) == 2


async def test_muxing_stops_when_nobody_plays() -> None:
    async with media_served() as rig:
        _, ticket = await rig.join()
        assert not rig.hub._subscriptions
        player = await rig.open(ticket)
        await player.play(3)
        assert len(rig.hub._subscriptions) == 2
        await player.socket.close()
        await until(lambda: not rig.hub._subscriptions)


async def test_base_is_the_capture_time_of_media_time_zero() -> None:
    async with media_served() as rig:
        _, ticket = await rig.join()
        player = await rig.open(ticket)
        await player.play(10)
        picture = player.movie.fragments[0].video[0]
        age = rig.stream.now() * 1000 - (player.inits[0]["base"] + picture.time / 90)
        assert 0 < age < 2000


@pytest.mark.parametrize("ticket", ["", "wrong", "x" * 5000])
async def test_wrong_ticket_is_refused(ticket: str) -> None:
    async with media_served() as rig:
        await rig.join()
        player = await rig.open(ticket)
        assert await player.close_code() == 4001
        assert len(rig.stream) == 0


async def test_ticket_is_valid_once_and_a_new_one_can_be_had() -> None:
    async with media_served() as rig:
        session, ticket = await rig.join()
        first = await rig.open(ticket)
        await first.play(2)
        assert await (await rig.open(ticket)).close_code() == 4001
        await session.send("media")
        fresh = await session.receive("media")
        assert fresh["url"] == "media"
        second = await rig.open(fresh["ticket"])
        await second.play(2)
        assert await first.close_code() == 4004
        assert len(rig.stream) == 1


async def test_late_ticket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = 0.0
    monkeypatch.setattr(SystemClock, "monotonic", lambda _: time.monotonic() + shift)
    patient = Timings(server_timeout=1000, idle=1000, pong_timeout=1000, connect_timeout=1000, close_timeout=0.1)
    async with media_served(patient) as rig:
        (_, early), (session, late) = await rig.join(), await rig.join()
        shift = LIFETIME - 1
        await (await rig.open(early)).play(1)
        shift = LIFETIME + 1
        assert await (await rig.open(late)).close_code() == 4001
        await session.send("media")
        await (await rig.open((await session.receive("media"))["ticket"])).play(1)


async def test_no_ticket_in_time_is_refused() -> None:
    async with media_served(FAST) as rig:
        assert await (await rig.connect()).close_code() == 4001


async def test_websockets_without_ticket_are_limited_per_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "is_loopback", lambda address: False)
    async with media_served() as rig:
        silent = [await rig.connect() for _ in range(PENDING_LIMITS[0])]
        assert await (await rig.connect()).close_code() == 4005
        await silent[0].socket.close()
        _, ticket = await rig.join()
        await (await rig.open(ticket)).play(2)


async def test_media_is_checked_as_the_signaling_is() -> None:
    async with media_served() as rig:
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await rig.connect(**headers)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await rig.web.client.ws_connect(f"{rig.web.url}/media", protocols=[SUBPROTOCOL])


async def test_media_ends_with_the_session() -> None:
    async with media_served() as rig:
        session, ticket = await rig.join()
        player = await rig.open(ticket)
        await player.play(2)
        await session.send("bye")
        assert await player.close_code() == 1000
        assert await session.close_code() == 1000
        assert len(rig.stream) == 0


async def test_shutdown_closes_with_1001() -> None:
    async with media_served() as rig:
        _, ticket = await rig.join()
        player = await rig.open(ticket)
        await player.play(2)
        code, _ = await asyncio.gather(player.close_code(), rig.web.server.close())
        assert code == 1001


async def test_a_session_that_plays_survives_its_websocket() -> None:
    """The page holds no peer connection: the acknowledgements show that it is alive."""
    timings = Timings(ping_interval=0.2, pong_timeout=0.3, ask_after=0.4, server_timeout=0.6, close_timeout=0.1)
    async with media_served(timings) as rig:
        client = await rig.web.connect()
        await client.send("hello")
        welcome = await client.receive("welcome")
        player = await rig.open(welcome["media"]["ticket"])
        await player.play(2)
        transport = client.socket._response.connection.transport
        transport.abort()
        await player.play(40)
        again = await rig.web.connect()
        await again.send("hello", resume=welcome["resume"])
        assert (await again.receive("welcome"))["resumed"] is True
        await player.play(20)


async def test_without_acknowledgements_pictures_are_skipped_up_to_a_keyframe() -> None:
    async with media_served() as rig:
        _, ticket = await rig.join()
        player = await rig.open(ticket)
        player.acknowledges = False
        await player.play(3)
        await until(lambda: rig.stream._viewers["v1"].stats().skipped > 0)
        unacknowledged = rig.stream._viewers["v1"].stats().unacknowledged
        assert unacknowledged < 0.7 * 80 + 20, "nothing more is sent"
        await player.play(unacknowledged - len(player.segments))
        player.acknowledges = True
        await player.ack(len(player.segments))
        await player.play(150)
        gaps = [
            after.time - before.time - before.duration
            for before, after in pairwise(sample for part in player.movie.fragments for sample in part.video)
        ]
        assert sum(gap > 0 for gap in gaps) == 1


async def test_keyframe_and_quality_of_the_signaling_act_on_media() -> None:
    async with media_served() as rig:
        session, ticket = await rig.join()
        player = await rig.open(ticket)
        await player.play(2)
        before = rig.camera.keyframe_requests
        await session.send("keyframe")
        await session.send("quality", want="small")
        await session.send("heartbeat")
        await session.receive("heartbeat")
        assert rig.stream._viewers["v1"]._choice.preference is QualityPreference.SMALL
        await until(lambda: rig.camera.keyframe_requests > before)


async def test_media_off_has_neither_ticket_nor_endpoint() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        assert "media" not in await viewer.join()
        await viewer.send("media")
        await viewer.send("heartbeat", t=1)
        assert (await viewer.receive("heartbeat"))["t"] == 1
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await rig.client.ws_connect(f"{rig.url}/media")


async def test_players_that_have_left_are_freed_without_the_garbage_collector() -> None:
    kinds = (MediaConnection, MuxedViewer, Tail)
    async with media_served() as rig:
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                session, ticket = await rig.join()
                player = await rig.open(ticket)
                await player.play(3)
                await session.send("bye")
                await player.close_code()
                await session.close_code()
            await until(lambda: not [item for item in gc.get_objects() if isinstance(item, kinds)], limit=3)
        finally:
            gc.enable()
