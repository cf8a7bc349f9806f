"""WHEP over HTTP: status codes, headers, CORS, tokens."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from broadcaster.auth.links import Link, sign_link
from broadcaster.model.stream import QualityPreference, StreamState
from broadcaster.storage.secrets import SecretFile
from tests.edges.web_rig import WebServerRig, served
from tests.edges.whep_client import CANDIDATE, WhepClient
from tests.unit.player_offers import CHROMIUM, OFFERS

ORIGIN = "https://player.example"
STUN = {"urls": ["stun:stun.example.org"]}
TURN = {"urls": ["turn:turn.example.org"], "username": "u", "credential": "c"}
TOKEN = "a-token-of-many-words"


def player(rig: WebServerRig, **headers: str) -> WhepClient:
    return WhepClient(rig.client, rig.url, **headers)


@pytest.mark.parametrize("name", OFFERS)
async def test_offer_is_answered_with_a_session(name: str) -> None:
    async with served() as rig:
        reply = await player(rig).open(OFFERS[name])
        assert (reply.status, reply.headers["Content-Type"]) == (201, "application/sdp; charset=utf-8")
        assert reply.text.startswith("v=0\r\n")
        assert reply.text.count("a=candidate:") == 2
        assert re.fullmatch(r"whep/[\w-]{22}", reply.headers["Location"]), "128 bits"
        assert re.fullmatch(r'"\w+"', reply.headers["ETag"])
        assert reply.headers["Cache-Control"] == "no-store"
        assert "Link" not in reply.headers
        assert rig.peers.reached_at == ["127.0.0.1"]


async def test_location_is_right_below_the_path_of_a_proxy() -> None:
    async with served() as rig:
        location = (await player(rig).open(query="?token=x")).headers["Location"]
    assert urljoin("https://cam.example/garden/whep?token=x", location) == f"https://cam.example/garden/{location}"


async def test_each_ice_server_has_a_link() -> None:
    async with served() as rig:
        rig.peers.servers = (STUN, TURN)
        assert (await player(rig).open()).headers.getall("Link") == [
            '<stun:stun.example.org>; rel="ice-server"',
            '<turn:turn.example.org>; rel="ice-server"; username="u"; credential="c"; credential-type="password"',
        ]


@pytest.mark.parametrize("state", [state for state in StreamState if state is not StreamState.LIVE])
async def test_without_a_live_stream_players_are_told_to_try_again(state: StreamState) -> None:
    async with served(state) as rig:
        reply = await player(rig).open()
        assert (reply.status, int(reply.headers["Retry-After"])) == (409, 5)
        assert not rig.peers.created


@pytest.mark.parametrize(
    ("offer", "headers", "status"),
    [
        (CHROMIUM, {"Content-Type": "text/plain"}, 415),
        (CHROMIUM, {"Content-Type": "application/sdp; charset=utf-8"}, 201),
        ("nonsense", {}, 400),
        (CHROMIUM.replace("a=rtcp-mux", "a=x"), {}, 400),
        (CHROMIUM.replace("H264", "VP8"), {}, 406),
        (CHROMIUM + "a=x\r\n" * 10_000, {}, 400),
        ("v=0\r\n" + "x" * 64 * 1024, {}, 413),
        ("x" * 1_000_000, {}, 413),
    ],
)
async def test_unusable_offers_are_refused_with_json(offer: str, headers: dict[str, str], status: int) -> None:
    async with served() as rig:
        reply = await player(rig).open(offer, **headers)
        assert reply.status == status
        if status != 201:
            assert reply.headers["Content-Type"].startswith("application/json")
            assert json.loads(reply.text)["error"]
            assert rig.server.viewers == 0


async def test_bodies_that_are_not_text_are_refused() -> None:
    async with served() as rig:
        reply = await player(rig).request("POST", data=b"v=0\xff", Content_Type="application/sdp")
        assert reply.status == 400


async def test_other_routes_keep_their_small_bodies() -> None:
    async with served() as rig:
        reply = await player(rig).request("POST", "/api/live", b"x" * 5000, Content_Type="application/json")
        assert reply.status == 413


async def test_get_and_head_are_answered_and_other_methods_are_not_allowed() -> None:
    async with served() as rig:
        assert [(await player(rig).request(method)).status for method in ("GET", "HEAD")] == [200, 200]
        assert (await player(rig).request("GET")).text == ""
        assert (await player(rig).request("PUT")).status == 405
        location = (await player(rig).open()).location
        assert (await player(rig).request("GET", location)).status == 405


async def test_quality_is_chosen_in_the_url() -> None:
    async with served() as rig:
        for quality in QualityPreference:
            assert (await player(rig).open(query=f"?quality={quality}")).status == 201
        assert [peer.preference for peer in rig.peers.created] == list(QualityPreference)
        assert (await player(rig).open()).status == 201
        assert rig.peers.created[-1].preference is QualityPreference.AUTO
        assert (await player(rig).open(query="?quality=best")).status == 400


async def test_candidates_of_the_offer_and_of_patches_are_filtered_and_added() -> None:
    async with served() as rig:
        reply = await player(rig).open(OFFERS["werift"])
        (peer,) = rig.peers.created
        assert [candidate.address for candidate in peer.candidates] == ["192.0.2.2", "fd00::2"]
        for host in ("192.0.2.7", "192.0.2.1", "127.0.0.1", "name.local"):
            fragment = CANDIDATE.replace("192.0.2.7", host)
            assert (await player(rig).trickle(reply.location, fragment)).status == 204
        assert [candidate.address for candidate in peer.candidates][2:] == ["192.0.2.7"], "not our own, nor loopback"


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 204), ({"If_Match": "*"}, 204), ({"If_Match": '"other"'}, 412), ({"Content-Type": "application/json"}, 415)],
)
async def test_headers_of_patch(headers: dict[str, str], status: int) -> None:
    async with served() as rig:
        location = (await player(rig).open()).location
        assert (await player(rig).trickle(location, **headers)).status == status


async def test_patch_with_the_etag_passes_and_an_ice_restart_is_refused() -> None:
    async with served() as rig:
        reply = await player(rig).open()
        assert (await player(rig).trickle(reply.location, If_Match=reply.headers["ETag"])).status == 204
        restart = await player(rig).trickle(reply.location, "a=ice-ufrag:new\r\na=ice-pwd:0123456789012345678901\r\n")
        assert restart.status == 422
        assert (await player(rig).trickle("/whep/unknown")).status == 404
        assert rig.server.viewers == 1


async def test_delete_ends_the_session_and_may_come_again() -> None:
    async with served() as rig:
        location = (await player(rig).open()).location
        assert (await player(rig).delete(location)).status == 200
        assert rig.server.viewers == 0
        assert (await player(rig).delete(location)).status == 200
        assert (await player(rig).trickle(location)).status == 404
        assert (await player(rig).delete("/whep/unknown")).status == 404
        assert await rig.is_clean()


async def test_options_tell_what_is_possible() -> None:
    async with served() as rig:
        reply = await player(rig).request("OPTIONS")
        assert (reply.status, reply.headers["Accept-Post"]) == (204, "application/sdp")
        assert "POST" in reply.headers["Allow"]
        session = await player(rig).request("OPTIONS", "/whep/any")
        assert (session.status, session.headers["Accept-Patch"]) == (204, "application/trickle-ice-sdpfrag")


async def test_options_name_turn_servers_only_to_those_who_may_watch() -> None:
    async with served(viewer_token=TOKEN) as rig:
        rig.peers.servers = (STUN, TURN)

        async def servers(query: str = "", **headers: str) -> int:
            reply = await player(rig).request("OPTIONS", f"/whep{query}", **headers)
            assert reply.status == 204
            return len(reply.headers.getall("Link"))

        assert await servers() == 1
        assert await servers(Authorization="Bearer wrong") == 1
        assert await servers(Authorization=f"Bearer {TOKEN}") == 2
        assert await servers(f"?token={TOKEN}") == 2


async def test_pages_of_allowed_origins_may_play() -> None:
    async with served(origins=(ORIGIN,)) as rig:
        client = player(rig, Origin=ORIGIN)
        asked = await client.request("OPTIONS", Access_Control_Request_Method="POST")
        assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert {"POST", "PATCH", "DELETE"} <= set(asked.headers["Access-Control-Allow-Methods"].split(", "))
        opened = await client.open()
        failed = await client.open("nonsense")
        for reply in (opened, failed, await client.trickle(opened.location), await client.delete(opened.location)):
            assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert reply.headers["Access-Control-Expose-Headers"] == "Location, ETag, Link, Retry-After"
            assert reply.headers["Vary"] == "Origin"


@pytest.mark.parametrize(("method", "path"), [("POST", "/whep"), ("OPTIONS", "/whep"), ("DELETE", "/whep/x")])
async def test_pages_of_other_origins_may_not(method: str, path: str) -> None:
    async with served(origins=("https://other.example",)) as rig:
        reply = await player(rig, Origin=ORIGIN).request(method, path)
        assert reply.status == 403
        assert "Access-Control-Allow-Origin" not in reply.headers


async def test_token_is_required_in_the_header_or_in_the_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with served(viewer_token=TOKEN) as rig:
        missing = await player(rig).open()
        assert (missing.status, missing.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await player(rig).open(query="?token=some-wrong-secret")).status == 401
        assert (await player(rig).open(Authorization="Bearer some-other-wrong-secret")).status == 401
        assert (await player(rig).open(Authorization=f"Bearer {TOKEN}")).status == 201
        reply = await player(rig).open(query=f"?token={TOKEN}")
        assert reply.status == 201
        assert (await player(rig).trickle(reply.location)).status == 204, "the URL of the session is the permission"
        assert (await player(rig).delete(reply.location)).status == 200
    assert "refused player at 127.0.0.1: the token is wrong" in caplog.text
    assert TOKEN not in caplog.text
    assert "wrong-secret" not in caplog.text


async def test_guessing_tokens_is_rate_limited_and_retrying_one_is_not() -> None:
    async with served(viewer_token=TOKEN) as rig:
        for _ in range(40):
            assert (await player(rig).open(query="?token=old")).status == 401
        assert (await player(rig).open(query=f"?token={TOKEN}")).status == 201
        for number in range(4):
            assert (await player(rig).open(query=f"?token=guess-{number}")).status == 401
        limited = await player(rig).open(query="?token=guess-5")
        assert (limited.status, limited.headers["Retry-After"]) == (429, "60")


async def test_players_may_use_links(tmp_path: Path) -> None:
    key = SecretFile(tmp_path / "key")
    async with served(links=True, link_key=key) as rig:
        link = sign_link(Link("Anna", round(time.time()), 3600), key.path.read_text().strip())
        assert (await player(rig).open()).status == 401
        assert (await player(rig).open(query=f"?token={link}")).status == 201
        async with rig.client.get(f"{rig.url}/api/status") as response:
            (stats,) = (await response.json())["viewer_figures"]
        assert stats["link"]["name"] == "Anna"


async def test_players_are_off_when_the_setting_says_so() -> None:
    async with served(whep=False) as rig:
        assert (await player(rig).open()).status == 404
        assert (await player(rig).request("OPTIONS")).status == 404


async def test_player_is_shown_among_the_viewers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with served() as rig:
        page = await rig.connect()
        await page.join()
        await player(rig, User_Agent="Player/1.0 ü").open()
        assert (await page.receive("viewers"))["count"] == 2
        async with rig.client.get(f"{rig.url}/api/status") as response:
            status: dict[str, Any] = await response.json()
        assert status["viewers"] == 2
        stats = status["viewer_figures"][1]
        assert set(status["viewer_figures"][0]) <= set(stats)
        assert (stats["viewer"], stats["address"], stats["connected"]) == ("v2", "127.0.0.1", False)
        assert stats["player"].startswith("Player/1.0")
        rig.peers.created[1].listener.peer_connected()
        rig.peers.created[1].listener.peer_connected()
        rig.peers.created[1].listener.peer_lost()
        assert (await page.receive("viewers"))["count"] == 1
    assert caplog.messages.count("viewer v2 (127.0.0.1) connected") == 1
    assert "viewer v2 (127.0.0.1) joined by WHEP: Player/1.0 ü" in caplog.messages
    assert any("viewer v2 (127.0.0.1) left" in message for message in caplog.messages)
