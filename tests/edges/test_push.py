"""Pushing to a WHIP server made of aiohttp and aiortc: sessions, redirections, tokens, restarts."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from pathlib import Path

import pytest
from aiohttp import web
from aiortc import RTCPeerConnection

from broadcaster.model.push import PushState
from broadcaster.model.stream import StreamState
from broadcaster.storage.push_sessions import PushSwitches
from broadcaster.web.push.client import WhipClient
from broadcaster.web.push.machine import SILENCE_LIMIT
from broadcaster.webrtc.factory import OfferingPushPeer
from tests.edges.push_rig import pushing
from tests.edges.test_webrtc_sending import drop_video
from tests.edges.web_rig import until
from tests.rigs.whip_server import WhipServer

RECONNECT_LIMIT = 5.0 + 5.0
"""Seconds: the requirement, and as much for a busy machine."""


async def test_stream_is_received_and_the_session_deleted_at_its_end(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        publication = await server.published()
        await server.until(lambda: publication.frames > 10 and publication.audio_frames > 10)
        stats = await rig.until(PushState.CONNECTED)
        assert (stats.http_status, stats.reason, stats.attempts, stats.connections) == (201, "", 1, 1)
        assert stats.peer is not None
        assert stats.peer.route == "direct"
        assert rig.driver.peers.traffic().packets == 0, "a push target is no viewer"
        rig.stream.change(StreamState.STOPPING)
        await server.until(lambda: publication.deleted)
        assert rig.stats.state is PushState.IDLE
        rig.stream.change(StreamState.LIVE)
        await server.published(2)
    assert [method for method, _, _ in server.requests] == ["OPTIONS", "POST", "DELETE"] * 2


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("session/{number}", "/session/0"),
        ("/a/session/{number}", "/a/session/0"),
        ("http://127.0.0.1:{port}/b/{number}", "/b/0"),
    ],
)
async def test_location_may_be_relative_or_absolute(tmp_path, location, path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        server.location = location
        rig.push(server.url)
        publication = await server.published()
        await rig.targets.close()
        assert publication.deleted
    assert server.requests[-1] == ("DELETE", path, "")


@pytest.mark.parametrize("status", [307, 308])
async def test_redirections_are_followed_with_the_token(tmp_path, status):
    async with WhipServer(token="hush") as server, pushing(tmp_path) as rig:

        async def redirect(request: web.Request) -> web.StreamResponse:
            if request.path == "/whip":
                return web.Response(status=status, headers={"Location": "/b/whip"})
            return await server.accept(request)

        server.post = redirect
        rig.push(server.url, token="hush")
        publication = await server.published()
        await rig.targets.close()
        assert publication.deleted
        assert [(method, path) for method, path, _ in server.requests] == [
            ("OPTIONS", "/whip"),
            ("POST", "/whip"),
            ("POST", "/b/whip"),
            ("DELETE", "/b/session/0"),
        ]
        assert {authorization for _, _, authorization in server.requests} == {"Bearer hush"}


async def test_token_is_sent_to_the_server_to_which_the_first_one_redirects(tmp_path):
    async with WhipServer(token="hush") as server, WhipServer(token="hush") as front, pushing(tmp_path) as rig:

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": server.url})

        front.post = front.options = redirect
        rig.push(front.url, token="hush")
        publication = await server.published()
        await rig.targets.close()
        assert publication.deleted
        assert {authorization for _, _, authorization in front.requests + server.requests} == {"Bearer hush"}


async def test_session_at_another_server_is_deleted_with_the_token(tmp_path):
    async with WhipServer(token="hush") as server, WhipServer() as other, pushing(tmp_path) as rig:
        server.location = f"http://127.0.0.1:{other.port}/session/0"
        rig.push(server.url, token="hush")
        await server.published()
        await rig.targets.close()
        assert other.requests == [("DELETE", "/session/0", "Bearer hush")]


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
async def test_session_at_an_invalid_host_name_ends_the_attempt_only(tmp_path, host):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        server.location = f"http://{host}/x"
        rig.push(server.url)
        stats = await rig.until_stats(lambda stats: stats.reason)
        assert stats.reason == "the server's Location header is missing or no http URL"
        assert (stats.state, stats.http_status) == (PushState.WAITING, 201)
        server.location = "session/{number}"
        await server.published(2)


@pytest.mark.parametrize("session", ["http://a..b/x", "http://[a/x", "x"])
async def test_stored_session_that_cannot_be_deleted_does_not_stop_the_target(tmp_path, session):
    (tmp_path / "push_sessions").write_text(json.dumps({"test": session}))
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        await server.published()


async def test_unexpected_exceptions_at_the_end_of_an_attempt_do_not_stop_the_target(tmp_path, monkeypatch, caplog):
    close = OfferingPushPeer.close

    async def fail(*_: object) -> bool:
        raise RuntimeError("bug in delete")

    async def fail_at_its_end(peer: OfferingPushPeer) -> None:
        await close(peer)
        raise RuntimeError("bug in close")

    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        await server.published()
        with monkeypatch.context() as patch:
            patch.setattr(WhipClient, "delete", fail)
            patch.setattr(OfferingPushPeer, "close", fail_at_its_end)
            rig.stream.change(StreamState.STOPPING)
            await until(lambda: "bug in close" in caplog.text and "bug in delete" in caplog.text)
        rig.stream.change(StreamState.LIVE)
        await server.published(2)
    assert 'push target "test": internal error' in caplog.text


async def test_token_comes_from_a_file_that_may_change(tmp_path):
    file = tmp_path / "token"
    async with WhipServer(token="hush") as server, pushing(tmp_path) as rig:
        rig.push(server.url, token_file=str(file))
        stats = await rig.until_stats(lambda stats: stats.reason)
        assert stats.reason == f"{file} cannot be read: No such file or directory"
        assert stats.state is PushState.WAITING
        file.write_text("hush\n")
        await server.published()


async def test_refused_token_is_not_tried_again_until_the_settings_are_reloaded(tmp_path):
    async with WhipServer(token="hush") as server, pushing(tmp_path) as rig:
        rig.push(server.url, token="wrong")
        stats = await rig.until(PushState.REFUSED)
        assert (stats.http_status, stats.retry_in) == (401, None)
        assert (
            stats.reason
            == 'the server requires a token, or rejects the one in the settings (HTTP 401): "no such token"'
        )
        rig.stream.change(StreamState.OFFLINE)
        rig.stream.change(StreamState.LIVE)
        assert rig.stats.state is PushState.REFUSED
        rig.push(server.url, token="hush")
        await server.published()
        posts = [authorization for method, _, authorization in server.requests if method == "POST"]
        assert posts == ["Bearer wrong", "Bearer hush"]


async def test_refused_target_is_tried_again_after_a_reload_without_changes(tmp_path):
    async with WhipServer(token="hush") as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        await rig.until(PushState.REFUSED)
        server.token = ""
        rig.push(server.url)
        await server.published()


async def test_unchanged_target_stays_connected_at_a_reload(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        publication = await server.published()
        rig.push(server.url)
        frames = publication.frames
        await server.until(lambda: publication.frames > frames + 5)
        assert len(server.publications) == 1
        rig.push(server.url, enabled=False)
        await server.until(lambda: publication.deleted)
        assert rig.stats.state is PushState.DISABLED


async def test_target_is_switched_off_and_on(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        await rig.until(PushState.CONNECTED)
        assert rig.targets.set_enabled("test", False)
        assert rig.stats.state is PushState.DISABLED
        rig.push(server.url)
        assert rig.stats.state is PushState.DISABLED, "the owner's switch is above the settings"
        assert not PushSwitches(tmp_path).get("test", True), "and kept for the next start"
        assert rig.targets.set_enabled("test", True)
        assert (await rig.until(PushState.CONNECTED)).connections == 1
        assert not rig.targets.set_enabled("other", True)


async def test_dtls_server_role_is_accepted(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        server.is_passive = True
        rig.push(server.url)
        publication = await server.published()
        assert "a=setup:passive" in publication.pc.localDescription.sdp


async def test_offer_has_both_parameters_for_stereo(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.driver.silence = b"\xfc\xff\xfe"  # two channels (RFC 6716 §3.1)
        await until(lambda: rig.driver.packetizer.stereo)
        rig.push(server.url)
        publication = await server.published()
        assert "a=fmtp:96 stereo=1;sprop-stereo=1;useinbandfec=1" in publication.offer


async def test_lost_packets_are_sent_once_more(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        publication = await server.published()
        packetizer = rig.driver.packetizer
        dropped = drop_video(publication.pc, lambda count: count % 20 == 0, packetizer.video.ssrc)
        repeated = count_packets(publication.pc, rig.driver.peers._context.rtx.ssrc)
        frames = publication.frames
        await server.until(lambda: publication.frames > frames + 60)
        assert len(dropped) > 15
        assert 0.8 * len(dropped) <= len(repeated) <= 1.3 * len(dropped)


def count_packets(theirs, ssrc: int) -> list[int]:
    """Return the list of sequence numbers of this stream, to which later ones are added."""
    transport = theirs.getReceivers()[0].transport
    receive, numbers = transport._handle_rtp_data, []

    async def counting(data: bytes, arrival_time_ms: int) -> None:
        if int.from_bytes(data[8:12], "big") == ssrc:
            numbers.append(int.from_bytes(data[2:4], "big"))
        await receive(data, arrival_time_ms)

    transport._handle_rtp_data = counting
    return numbers


async def test_server_that_is_killed_and_restarted_has_the_stream_again(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        await server.published()
        await server.kill()
        await server.start()
        began = time.monotonic()
        await server.published(2)
        assert SILENCE_LIMIT * 0.5 < time.monotonic() - began < RECONNECT_LIMIT
        assert ("DELETE", "/session/0", "") in server.requests
        assert rig.stats.connections == 2


async def test_server_that_stops_is_tried_again_until_it_is_back(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        await server.published()
        await server.stop()
        stats = await rig.until_stats(lambda stats: stats.reason.startswith("cannot connect"))
        assert stats.reason == f"cannot connect to 127.0.0.1 port {server.port}: Connection refused"
        await server.start()
        await server.published(2, RECONNECT_LIMIT)


async def test_quiet_server_is_kept_by_connectivity_checks(tmp_path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        rig.push(server.url)
        publication = await server.published()
        for receiver in publication.pc.getReceivers():  # no more receiver reports
            receiver._RTCRtpReceiver__rtcp_task.cancel()
        frames = publication.frames
        await server.until(lambda: publication.frames > frames + 30 * (SILENCE_LIMIT + 2))
        assert len(server.publications) == 1


async def test_session_of_a_crashed_process_is_deleted_before_the_next_offer(tmp_path):
    async with WhipServer() as server:
        old = f"http://127.0.0.1:{server.port}/session/7"
        file = tmp_path / "push_sessions"
        file.write_text(json.dumps({"test": old, "other": "http://127.0.0.1:9/x"}))
        async with pushing(tmp_path) as rig:
            rig.push(server.url)
            await server.published()
            assert [(method, path) for method, path, _ in server.requests] == [
                ("DELETE", "/session/7"),
                ("OPTIONS", "/whip"),
                ("POST", "/whip"),
            ]
            assert json.loads(file.read_text())["test"] == f"http://127.0.0.1:{server.port}/session/0"
            assert file.stat().st_mode & 0o077 == 0
        assert json.loads(file.read_text()) == {"other": "http://127.0.0.1:9/x"}


async def test_ice_servers_in_link_headers_are_used(tmp_path):
    queries: list[bytes] = []

    class StunServer(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            queries.append(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(StunServer, local_addr=("127.0.0.1", 0))
    async with WhipServer() as server, pushing(tmp_path) as rig:
        server.links = [f'<stun:127.0.0.1:{transport.get_extra_info("sockname")[1]}>; rel="ice-server"']
        rig.push(server.url)
        await server.published()
        assert queries
    transport.close()


@pytest.mark.parametrize("status", [404, 405, 500])
async def test_options_that_fail_do_not_matter(tmp_path, status):
    async with WhipServer() as server, pushing(tmp_path) as rig:

        async def refuse(request: web.Request) -> web.Response:
            return web.Response(status=status)

        server.options = refuse
        rig.push(server.url)
        await server.published()


async def test_stream_that_ends_does_not_wait_for_a_server_that_hangs(tmp_path: Path):
    async with WhipServer() as server, pushing(tmp_path) as rig:
        asked, forever = asyncio.Event(), asyncio.Event()

        async def hang(request: web.Request) -> web.Response:
            asked.set()
            await forever.wait()
            return web.Response()

        server.post = hang
        rig.push(server.url)
        await asyncio.wait_for(asked.wait(), 20)
        rig.stream.change(StreamState.STOPPING)
        assert rig.stats.state is PushState.IDLE
        server.post = None
        rig.stream.change(StreamState.LIVE)
        await server.published()
        forever.set()


async def test_attempts_that_fail_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("broadcaster.stream.backoff.FIRST_DELAY", 0.01)
    monkeypatch.setattr("broadcaster.stream.backoff.LONGEST_DELAY", 0.01)
    peers, descriptors = [], []
    async with WhipServer() as server, pushing(tmp_path) as rig:

        async def garbage(request: web.Request) -> web.Response:
            headers = {"Location": "session/9"}
            return web.Response(status=201, text="v=0\r\n", content_type="application/sdp", headers=headers)

        server.post = garbage
        rig.push(server.url)
        for attempts in (10, 40):
            await rig.until_stats(lambda stats, attempts=attempts: stats.attempts >= attempts)
            peers.append(sum(isinstance(thing, RTCPeerConnection) for thing in gc.get_objects()))
            descriptors.append(len(os.listdir("/proc/self/fd")))
        assert descriptors[1] <= descriptors[0] + 4
        assert peers[1] <= peers[0] + 2
        server.post = None
        await server.published()
