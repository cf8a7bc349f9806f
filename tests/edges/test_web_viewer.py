"""Viewers over real WebSockets: joining, leaving, resuming, and being disconnected."""

import asyncio
import gc
import json

import aiohttp
import pytest
from aiohttp import web

from broadcaster.model.stream import AudioState, Quality, QualityPreference, StreamState
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
    assert "left the page" in lines[-1]


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


async def test_the_chosen_quality_reaches_the_current_and_the_next_peer_connection() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        (first,) = rig.peers.created
        assert first.preference is QualityPreference.AUTO
        await viewer.send("quality", want="small")
        await until(lambda: first.preference is QualityPreference.SMALL)
        await viewer.send("restart", id=1, reason="decoder")
        await viewer.send("answer", id=(await viewer.receive("offer"))["id"], sdp=CHROMIUM)
        await until(lambda: first.closed)
        assert rig.peers.created[1].preference is QualityPreference.SMALL
        await viewer.send("quality", want="auto")
        await until(lambda: rig.peers.created[1].preference is QualityPreference.AUTO)


async def test_the_chosen_quality_survives_resuming_but_not_the_session() -> None:
    async with served() as rig:
        old = await rig.connect()
        welcome = await old.join()
        await old.send("quality", want="small")
        await until(lambda: rig.peers.created[0].preference is QualityPreference.SMALL)
        new = await rig.connect()
        await new.send("hello", resume=welcome["resume"])
        assert (await new.receive("welcome"))["resumed"] is True
        await new.send("restart", id=1, reason="decoder")
        await new.receive("offer")
        assert rig.peers.created[1].preference is QualityPreference.SMALL
        await new.send("bye")
        other = await rig.connect()
        await other.join()
        assert rig.peers.created[2].preference is QualityPreference.AUTO


async def test_the_quality_received_is_announced() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        rig.stream.change(StreamState.LIVE, has_small=True)
        assert (await viewer.receive("stream"))["quality"] == "full"
        rig.peers.created[0].listener.peer_quality(Quality.SMALL)
        assert (await viewer.receive("stream"))["quality"] == "small"


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


async def abort(socket: aiohttp.ClientWebSocketResponse) -> None:
    """End the TCP connection without a close frame."""
    assert socket._response.connection is not None
    transport = socket._response.connection.transport
    assert transport is not None
    transport.abort()
    await asyncio.sleep(0.01)
