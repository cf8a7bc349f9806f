"""The owner's actions over real HTTP: sound, viewers, links, QR codes and the log."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from broadcaster.auth.links import Link, sign_link
from broadcaster.service.log_ring import CAPACITY, LogRing
from broadcaster.storage.secrets import state_secrets
from tests.edges.owner_rig import TOKEN, Browser
from tests.edges.web_rig import SignalingClient, WebServerRig, served

LINKS = "/api/owner/links"


@pytest.fixture
def ring() -> Iterator[LogRing]:
    """The daemon's ring among the handlers of the log, as `logs.set_up` installs it."""
    ring = LogRing()
    logging.getLogger().addHandler(ring)
    yield ring
    logging.getLogger().removeHandler(ring)


@pytest_asyncio.fixture
async def rig(tmp_path: Path, ring: LogRing) -> AsyncIterator[WebServerRig]:
    key = state_secrets(tmp_path).link_key
    async with served(operator_token=TOKEN, links=True, link_key=key, state_folder=tmp_path) as rig:
        yield rig


@pytest_asyncio.fixture
async def owner(rig: WebServerRig) -> Browser:
    browser = Browser(rig)
    assert (await browser.sign_in())[0] == 200
    return browser


async def joined(rig: WebServerRig, token: str) -> SignalingClient:
    viewer = await rig.connect()
    await viewer.send("hello", token=token)
    await viewer.receive("welcome")
    return viewer


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/owner/sound", {"muted": True}),
        ("DELETE", "/api/owner/viewers/v1", None),
        ("POST", "/api/owner/push/test", {"enabled": True}),
        ("POST", "/api/owner/check", {}),
        ("GET", "/api/owner/log", None),
        ("GET", LINKS, None),
        ("GET", "/api/owner/preview", None),
        ("POST", LINKS, {"name": "Anna", "hours": 1}),
        ("DELETE", LINKS, None),
        ("DELETE", f"{LINKS}/0", None),
        ("POST", "/api/owner/qr", {"text": "http://pi/"}),
    ],
)
async def test_only_the_owner_may(method: str, path: str, body: object, rig: WebServerRig) -> None:
    stranger = Browser(rig)
    assert (await stranger.request(method, path, body))[0] == 401
    assert (await stranger.request(method, path, body, Authorization="Bearer guess"))[0] == 401
    viewer = await made_link(await signed_in(rig))
    assert (await stranger.request(method, path, body, Authorization=f"Bearer {viewer}"))[0] == 401


async def signed_in(rig: WebServerRig) -> Browser:
    browser = Browser(rig)
    await browser.sign_in()
    return browser


async def made_link(owner: Browser, name: str = "Anna", hours: float = 2) -> str:
    status, link = await owner.request("POST", LINKS, {"name": name, "hours": hours})
    assert status == 200
    return str(link["token"])


async def test_sound_is_muted_also_for_the_next_start(rig: WebServerRig, owner: Browser) -> None:
    saved: list[bool] = []
    rig.server.owner_parts.save_muted = saved.append
    for muted in (True, False):
        assert await owner.request("POST", "/api/owner/sound", {"muted": muted}) == (200, {"muted": muted})
        assert rig.stream.muted is muted
    assert saved == [True, False]
    rig.stream.has_audio = False
    assert (await owner.request("POST", "/api/owner/sound", {"muted": True}))[0] == 409
    for body in ({}, {"muted": 1}, []):
        assert (await owner.request("POST", "/api/owner/sound", body))[0] == 400


async def test_viewer_is_disconnected_and_others_do_not_notice(rig: WebServerRig, owner: Browser) -> None:
    token = await made_link(owner)
    first, second = await joined(rig, token), await joined(rig, token)
    assert (await owner.request("DELETE", "/api/owner/viewers/v1"))[0] == 200
    assert await first.close_code() == 1000, "the page does not reconnect by itself"
    await second.send("heartbeat", t=1)
    assert (await second.receive("heartbeat"))["t"] == 1
    assert (await owner.request("DELETE", "/api/owner/viewers/v1"))[0] == 404


async def test_link_is_made_listed_used_and_ended(rig: WebServerRig, owner: Browser) -> None:
    anna, ben = await made_link(owner, "Анна 安娜"), await made_link(owner, "Ben")
    listed = (await owner.request("GET", LINKS))[1]
    assert [(link["name"], link["token"]) for link in listed["links"]] == [("Анна 安娜", anna), ("Ben", ben)]
    assert listed["needed"] is True
    assert 7190 < listed["links"][0]["expires"] - time.time() <= 7200
    viewer, other = await joined(rig, anna), await joined(rig, ben)
    assert (await owner.request("DELETE", f"{LINKS}/{listed['links'][0]['id']}"))[0] == 200
    assert (await viewer.receive("error"))["code"] == "token-expired"
    assert await viewer.close_code() == 4001
    late = await rig.connect()
    await late.send("hello", token=anna)
    assert (await late.receive("error"))["code"] == "token-expired"
    await other.send("heartbeat", t=1)
    await other.receive("heartbeat")
    assert [link["name"] for link in (await owner.request("GET", LINKS))[1]["links"]] == ["Ben"]
    assert (await owner.request("DELETE", f"{LINKS}/{listed['links'][0]['id']}"))[0] == 404


async def test_link_of_the_command_line_is_listed_once_it_is_used_and_can_be_ended(
    rig: WebServerRig, owner: Browser, tmp_path: Path
) -> None:
    token = sign_link(Link("Carla", int(time.time()), 3600), state_secrets(tmp_path).link_key.read())
    assert (await owner.request("GET", LINKS))[1]["links"] == []
    viewer = await joined(rig, token)
    (link,) = (await owner.request("GET", LINKS))[1]["links"]
    assert link["token"] == token
    assert (await owner.request("DELETE", f"{LINKS}/{link['id']}"))[0] == 200
    assert await viewer.close_code() == 4001


async def test_ended_link_stays_ended_after_a_restart(tmp_path: Path) -> None:
    key = state_secrets(tmp_path).link_key
    async with served(operator_token=TOKEN, links=True, link_key=key, state_folder=tmp_path) as rig:
        owner = await signed_in(rig)
        token, other = await made_link(owner), await made_link(owner, "Ben")
        id = (await owner.request("GET", LINKS))[1]["links"][0]["id"]
        await owner.request("DELETE", f"{LINKS}/{id}")
    async with served(operator_token=TOKEN, links=True, link_key=key, state_folder=tmp_path) as rig:
        viewer = await rig.connect()
        await viewer.send("hello", token=token)
        assert (await viewer.receive("error"))["code"] == "token-expired"
        await joined(rig, other)


async def test_all_links_are_ended(rig: WebServerRig, owner: Browser) -> None:
    tokens = [await made_link(owner), await made_link(owner, "Ben")]
    viewers = [await joined(rig, token) for token in tokens]
    status, answer = await owner.request("DELETE", LINKS)
    assert (status, len(answer["ended"])) == (200, 2)
    assert [await viewer.close_code() for viewer in viewers] == [4001, 4001]
    assert (await owner.request("GET", LINKS))[1]["links"] == []
    await joined(rig, await made_link(owner))


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a" * 41, "hours": 1}, {"name": "a\n", "hours": 1}, {"name": 1, "hours": 1}, {"name": "a"},
        {"hours": 0}, {"hours": -1}, {"hours": True}, {"hours": "1"}, {"hours": 9000}, {"hours": 1e309}, [],
    ],
)  # fmt: skip
async def test_invalid_link_is_refused(body: object, rig: WebServerRig, owner: Browser) -> None:
    assert (await owner.request("POST", LINKS, body))[0] == 400
    assert (await owner.request("GET", LINKS))[1]["links"] == []


async def test_preview_needs_no_link_of_its_own_in_the_list(rig: WebServerRig, owner: Browser) -> None:
    tokens = [(await owner.request("GET", "/api/owner/preview"))[1]["token"] for _ in range(2)]
    assert tokens[0] == tokens[1]
    await joined(rig, tokens[0])
    assert (await owner.request("GET", LINKS))[1]["links"] == []


@pytest.mark.parametrize("token", ["", TOKEN[::-1]])
async def test_preview_uses_the_viewer_token_if_there_is_one(token: str) -> None:
    async with served(operator_token=TOKEN, viewer_token=token) as rig:
        assert (await (await signed_in(rig)).request("GET", "/api/owner/preview"))[1] == {"token": token}


async def test_links_need_the_setting() -> None:
    async with served(operator_token=TOKEN) as rig:
        owner = await signed_in(rig)
        assert (await owner.request("GET", LINKS))[1] == {"needed": False, "links": []}
        for method, body in (("POST", {"hours": 1}), ("DELETE", None)):
            status, text = await owner.request(method, LINKS, body)
            assert status == 409
            assert "web.links" in text


async def test_qr_code(owner: Browser) -> None:
    status, code = await owner.request("POST", "/api/owner/qr", {"text": "http://192.168.1.2:8080/#t=abc"})
    assert (status, code["size"]) == (200, 25)
    assert code["path"].startswith("M0 0h1v1h-1zM1 0h1v1h-1z"), "the finder pattern"
    for text in ("", "é", "a" * 501, 1):
        assert (await owner.request("POST", "/api/owner/qr", {"text": text}))[0] == 400


async def test_log_is_filtered_by_level_and_number(rig: WebServerRig, owner: Browser) -> None:
    log = logging.getLogger("broadcaster.test")
    log.warning("first")
    log.error("second")
    lines = (await owner.request("GET", "/api/owner/log?level=warning"))[1]["lines"]
    assert [(line["level"], line["text"]) for line in lines] == [("warning", "first"), ("error", "second")]
    later = (await owner.request("GET", f"/api/owner/log?after={lines[0]['number']}&level=error"))[1]["lines"]
    assert [line["text"] for line in later] == ["second"]
    for query in ("level=all", "after=-1", "after=x", "after=" + "9" * 99):
        assert (await owner.request("GET", f"/api/owner/log?{query}"))[0] == 400
    for number in range(CAPACITY + 10):
        log.error("%d", number)
    lines = (await owner.request("GET", "/api/owner/log"))[1]["lines"]
    assert (len(lines), lines[-1]["text"]) == (CAPACITY, str(CAPACITY + 9))


async def test_every_action_is_in_the_log_with_who_did_it(
    rig: WebServerRig, owner: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    token = await made_link(owner)
    await joined(rig, token)
    id = (await owner.request("GET", LINKS))[1]["links"][0]["id"]
    await owner.request("POST", "/api/live", {"live": False})
    await owner.request("POST", "/api/owner/sound", {"muted": True})
    await owner.request("DELETE", "/api/owner/viewers/v1")
    await owner.request("DELETE", f"{LINKS}/{id}")
    await owner.request("DELETE", LINKS)
    await owner.request("POST", "/api/owner/code", {})
    await owner.request("DELETE", "/api/owner/session")
    who = 'owner: phone "Pixel 7"'
    lines = [record.message for record in caplog.records if record.message.startswith("owner: ")]
    assert lines == [
        f"{who} made a link for Anna, valid for 2 h",
        f"{who} at 127.0.0.1 requested stop",
        f"{who} muted the sound",
        f"{who} disconnected viewer v1",
        f"{who} ended the link of Anna",
        f"{who} ended all links",
        f"{who} requested a code to sign in",
        f"{who} signed out 1 browser",
    ]
    assert token not in caplog.text
