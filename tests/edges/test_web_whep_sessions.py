"""Sessions of players: places, ends, and bad input beside a viewer who must not notice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from broadcaster.auth.links import Link, sign_link
from broadcaster.errors import BadOffer, BroadcasterError
from broadcaster.model.stream import StreamState
from broadcaster.signaling.protocol import Timings
from broadcaster.storage.secrets import SecretFile
from broadcaster.web import viewers
from tests.edges.web_rig import FAST, SignalingClient, WebServerRig, served, until
from tests.edges.whep_client import CANDIDATE, WhepClient
from tests.unit.player_offers import CHROMIUM

SLOW = Timings(player_silence=30, close_timeout=0.1)


def player(rig: WebServerRig) -> WhepClient:
    return WhepClient(rig.client, rig.url)


@contextlib.asynccontextmanager
async def watched(**settings: Any) -> AsyncIterator[tuple[WebServerRig, WhepClient]]:
    """Run a server with a viewer on the page, who must not notice what happens meanwhile."""
    async with served(**settings) as rig:
        page = await rig.connect()
        await page.join()
        yield rig, player(rig)
        await page.send("heartbeat", t=7)
        assert (await page.receive("heartbeat"))["t"] == 7
        assert not rig.peers.created[0].closed


async def test_session_that_does_not_connect_ends_after_a_while() -> None:
    async with served(timings=FAST) as rig:
        assert (await player(rig).open()).status == 201
        assert rig.server.viewers == 1
        assert await rig.is_clean(10)


async def test_connected_session_lasts_while_datagrams_come_and_ends_when_they_stop() -> None:
    async with served(timings=FAST) as rig:
        await player(rig).open()
        (peer,) = rig.peers.created
        peer.listener.peer_connected()
        await asyncio.sleep(3 * FAST.player_silence)
        assert rig.server.viewers == 1, "it is not the connect timeout that counts, nor a heartbeat"
        peer.is_active = False
        assert await rig.is_clean(10)


async def test_lost_peer_connection_ends_the_session() -> None:
    async with served() as rig:
        await player(rig).open()
        rig.peers.created[0].listener.peer_connected()
        rig.peers.created[0].listener.peer_lost()
        assert await rig.is_clean()


@pytest.mark.parametrize("state", [StreamState.STOPPING, StreamState.OFFLINE])
async def test_going_offline_ends_every_session(state: StreamState) -> None:
    async with served() as rig:
        locations = [(await player(rig).open()).location for _ in range(3)]
        rig.stream.change(state)
        assert await rig.is_clean()
        assert [(await player(rig).delete(location)).status for location in locations] == [200] * 3
        assert (await player(rig).open()).status == 409


async def test_sessions_stay_while_a_source_has_failed() -> None:
    async with served() as rig:
        await player(rig).open()
        rig.stream.change(StreamState.FAILED)
        assert rig.server.viewers == 1
        assert (await player(rig).open()).status == 409


async def test_stream_that_ends_while_an_offer_is_answered_is_reported() -> None:
    async with served() as rig:
        rig.peers.may_answer.clear()
        rig.peers.answer_error = BadOffer("closed")
        opening = asyncio.create_task(player(rig).open())
        await until(lambda: bool(rig.peers.created))
        rig.stream.change(StreamState.OFFLINE)
        rig.peers.may_answer.set()
        assert (await opening).status == 409
        assert await rig.is_clean()


@pytest.mark.parametrize(
    ("error", "status"), [(BadOffer("unusable"), 400), (BroadcasterError("no network"), 503), (KeyError("bug"), 500)]
)
async def test_offer_that_cannot_be_answered_leaves_nothing_behind(error: Exception, status: int) -> None:
    async with served() as rig:
        rig.peers.answer_error = error
        assert (await player(rig).open()).status == status
        assert await rig.is_clean()


async def test_player_that_leaves_before_the_answer_leaves_nothing_behind() -> None:
    async with served() as rig:
        rig.peers.may_answer.clear()
        opening = asyncio.create_task(player(rig).open())
        await until(lambda: bool(rig.peers.created))
        opening.cancel()
        assert await rig.is_clean(5)


async def test_answer_that_takes_too_long_is_given_up() -> None:
    async with served(timings=Timings(peer_timeout=0.2, close_timeout=0.1)) as rig:
        rig.peers.may_answer.clear()
        reply = await player(rig).open()
        assert (reply.status, "Retry-After" in reply.headers) == (503, True)
        assert await rig.is_clean()


async def test_players_take_places_and_are_refused_when_there_is_none() -> None:
    async with served(max_viewers=2) as rig:
        page = await rig.connect()
        await page.join()
        location = (await player(rig).open()).location
        full = await player(rig).open()
        assert (full.status, full.headers["Retry-After"]) == (503, "15")
        late = await rig.connect()
        await late.send("hello")
        assert (await late.receive("error"))["code"] == "full"
        await player(rig).delete(location)
        assert (await player(rig).open()).status == 201


async def test_without_a_place_the_offer_is_not_even_read() -> None:
    async with served(max_viewers=1) as rig:
        await player(rig).open()
        assert (await player(rig).open("nonsense")).status == 503
        rig.server.refuse_new_viewers(True)
        assert (await player(rig).open("nonsense")).status == 503
        rig.stream.change(StreamState.OFFLINE)
        assert (await player(rig).open("nonsense")).status == 409


async def test_player_displaces_a_viewer_whose_connection_is_lost() -> None:
    async with served(max_viewers=1) as rig:
        page = await rig.connect()
        await page.join()
        transport = page.socket._response.connection.transport
        transport.abort()
        await until(lambda: next(iter(rig.server._routes.viewers.sessions)).is_detached)
        assert (await player(rig).open()).status == 201
        assert rig.server.viewers == 1


async def test_overloaded_machine_accepts_no_new_players() -> None:
    async with served() as rig:
        await player(rig).open()
        rig.server.refuse_new_viewers(True)
        assert (await player(rig).open()).status == 503
        assert rig.server.viewers == 1


async def test_expired_link_ends_the_session(tmp_path: Path) -> None:
    key = SecretFile(tmp_path / "key")
    async with served(links=True, link_key=key) as rig:
        assert (await player(rig).open(query=f"?token={_link(key, 1.5)}")).status == 201
        rig.peers.created[0].listener.peer_connected()
        assert await rig.is_clean(10)


async def test_revoked_links_end_their_sessions(tmp_path: Path) -> None:
    key = SecretFile(tmp_path / "key")
    async with served(links=True, link_key=key, viewer_token="a-token-of-many-words") as rig:
        await player(rig).open(query=f"?token={_link(key, 3600)}")
        await player(rig).open(query="?token=a-token-of-many-words")
        key.renew()
        rig.server._read_files()
        assert rig.server.viewers == 1
        await until(lambda: [peer.viewer for peer in rig.peers.open] == ["v2"])


async def test_sessions_opened_without_end_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "is_own", lambda caller: False)
    async with watched(max_viewers=2) as (rig, client):
        statuses = []
        for _ in range(40):
            reply = await client.open()
            statuses.append(reply.status)
            if reply.status == 201:
                await client.delete(reply.location)
        assert statuses == [201] * 23 + [429] * 17, "four for each place, 16 more, and one is the page's"
        assert len(rig.peers.open) == 1


async def test_sessions_that_stay_open_take_only_the_places() -> None:
    async with watched(max_viewers=3) as (rig, client):
        assert [(await client.open()).status for _ in range(50)] == [201, 201] + [503] * 48
        assert rig.server.viewers == 3


async def test_flood_of_patches_is_limited() -> None:
    async with watched(timings=SLOW) as (rig, client):
        location = (await client.open()).location
        statuses = [(await client.trickle(location, CANDIDATE * 10)).status for _ in range(50)]
        assert statuses == [204] * 30 + [429] * 20
        assert len(rig.peers.created[1].candidates) == 20
        async with rig.client.get(f"{rig.url}/api/status") as response:
            assert (await response.json())["viewer_figures"][1]["candidates_dropped"] == 280
        assert (await client.trickle(location, "x" * 70_000)).status == 429
        assert (await client.delete(location)).status == 200


async def test_fragments_of_ten_thousand_lines_and_64_kib_are_refused() -> None:
    async with watched() as (rig, client):
        location = (await client.open()).location
        assert (await client.trickle(location, "a=x\n" * 10_000)).status == 400
        assert (await client.trickle(location, "x" * 64 * 1024)).status == 204
        assert (await client.trickle(location, "x" * (64 * 1024 + 1))).status == 413
        assert rig.server.viewers == 2


async def test_unknown_sessions_are_not_deleted() -> None:
    async with watched() as (rig, client):
        await client.open()
        for number in range(300):
            assert (await client.delete(f"/whep/unknown-{number}")).status == 404
        assert rig.server.viewers == 2


async def test_slow_bodies_are_given_up_and_take_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadcaster.web.bodies._TIMEOUT", 0.3)
    async with watched() as (rig, client):

        async def drip() -> AsyncIterator[bytes]:
            for character in CHROMIUM:
                yield character.encode()
                await asyncio.sleep(0.05)

        with contextlib.suppress(aiohttp.ClientError):
            reply = await client.request("POST", data=drip(), Content_Type="application/sdp")
            assert reply.status == 408
        assert rig.server.viewers == 1
        assert len(rig.peers.created) == 1


def _link(key: SecretFile, seconds: float) -> str:
    """Return a link that expires in so many seconds."""
    return sign_link(Link("Anna", round(time.time() + seconds - 3600), 3600), key.read_or_create())


async def test_page_of_the_daemon_itself_may_play() -> None:
    async with served() as rig:
        reply = await WhepClient(rig.client, rig.url, Origin=rig.url).open()
        assert reply.status == 201


async def test_hello_cannot_resume_the_session_of_a_player() -> None:
    async with served() as rig:
        location = (await player(rig).open()).location
        page: SignalingClient = await rig.connect()
        await page.send("hello", resume=location.removeprefix("/whep/"))
        assert not (await page.receive("welcome"))["resumed"]
        assert rig.server.viewers == 2
