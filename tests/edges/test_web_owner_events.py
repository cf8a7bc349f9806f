"""The WebSocket of the owner's page: signed-in browsers only, everything first, then what changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from broadcaster.model.stream import StreamState
from broadcaster.web.owner import events
from broadcaster.web.owner.events import MAX_LISTENERS, Changes
from tests.edges.owner_rig import ELSEWHERE, TOKEN, Browser
from tests.edges.web_rig import WebServerRig, served, until

STATE = "/api/owner/state"


@pytest_asyncio.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebServerRig]:
    monkeypatch.setattr(events, "INTERVAL", 0.05)
    async with served(operator_token=TOKEN) as rig:
        yield rig


async def next_with(socket: aiohttp.ClientWebSocketResponse, name: str) -> Any:
    """Return the next message that has this section."""
    async with asyncio.timeout(5):
        while True:
            message = json.loads(await socket.receive_str())
            if name in message:
                return message


async def test_everything_comes_first_then_what_changes(rig: WebServerRig) -> None:
    browser = Browser(rig)
    await browser.sign_in()
    viewer = await rig.connect()
    await viewer.join()
    async with browser.events() as socket:
        first = json.loads(await socket.receive_str())
        assert first["stream"] | {"since": 0} == {
            "state": "live", "since": 0, "sound": "on", "muted": False, "lamp": False, "limit": 20,
        }  # fmt: skip
        assert first["source"]["video"] == "test picture"
        row = dict(zip(first["columns"], first["viewers"]["v1"], strict=True))
        assert (row["address"], row["state"], row["quality"], row["player"]) == ("127.0.0.1", "connected", "full", "")
        rig.stream.change(StreamState.OFFLINE)
        assert (await next_with(socket, "stream"))["stream"]["state"] == "offline"
        other = await rig.connect()
        await other.send("hello")
        assert set((await next_with(socket, "viewers"))["viewers"]) == {"v2"}
        await other.send("bye")
        assert (await next_with(socket, "gone"))["gone"] == ["v2"]
    assert set((await browser.request("GET", STATE))[1]) == set(first)


async def test_nothing_runs_while_nobody_listens(rig: WebServerRig) -> None:
    browser = Browser(rig)
    await browser.sign_in()

    def tasks() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "owner's page"]

    assert not tasks()
    async with browser.events() as first, browser.events() as second:
        await first.receive_str()
        await second.receive_str()
        assert len(tasks()) == 1, "one for all pages"
        await first.close()
        rig.stream.change(StreamState.OFFLINE)
        assert await next_with(second, "stream")
    await until(lambda: not tasks())


@pytest.mark.parametrize("origin", ["", "http://192.168.1.2:3000", "http://evil.example", "null", "http://192.168.1.2"])
async def test_handshake_without_sign_in_is_refused(origin: str, rig: WebServerRig) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with Browser(rig).events(Origin=origin):
            pass
    assert refused.value.status == (401 if origin in ("", "http://192.168.1.2") else 403)
    assert (await Browser(rig).request("GET", STATE))[0] == 401


@pytest.mark.parametrize("origin", ["", "http://192.168.1.2:3000", "null"])
async def test_cookie_does_not_open_the_websocket_for_other_origins(origin: str, rig: WebServerRig) -> None:
    browser = Browser(rig)
    await browser.sign_in()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with browser.events(Origin=origin):
            pass
    assert refused.value.status in (401, 403)


async def test_signing_out_closes_the_websockets_of_all_tabs(rig: WebServerRig) -> None:
    phone, computer = Browser(rig), Browser(rig, "Mozilla/5.0 (X11; Linux) Firefox/128.0")
    await phone.sign_in()
    await computer.sign_in()
    async with phone.events() as first, phone.events() as second, computer.events() as other:
        assert (await phone.request("DELETE", "/api/owner/session"))[0] == 200
        for tab in (first, second):
            async with asyncio.timeout(5):
                while not tab.closed:
                    await tab.receive()
            assert tab.close_code == 4001
        rig.stream.change(StreamState.STARTING)
        assert await next_with(other, "stream")


async def test_owner_s_page_is_told_that_the_daemon_goes_away(rig: WebServerRig) -> None:
    browser = Browser(rig)
    await browser.sign_in()
    async with browser.events() as socket:
        await socket.receive_str()
        closing = asyncio.create_task(rig.server.close())
        async with asyncio.timeout(5):
            while not socket.closed:
                await socket.receive()
        assert socket.close_code == 1001
        await closing


async def test_number_of_pages_is_limited(rig: WebServerRig) -> None:
    url, headers = f"{rig.url}/api/owner/events", ELSEWHERE | {"Authorization": f"Bearer {TOKEN}"}
    open_ = [
        await rig.client.ws_connect(url, protocols=[events.SUBPROTOCOL], headers=headers) for _ in range(MAX_LISTENERS)
    ]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await rig.client.ws_connect(url, protocols=[events.SUBPROTOCOL], headers=headers)
    assert refused.value.status == 429
    for socket in open_:
        await socket.close()


@pytest.mark.parametrize("garbage", ["x" * 60_000, "{}", '{"type":"hello"}'])
async def test_messages_of_the_page_are_ignored(garbage: str, rig: WebServerRig) -> None:
    browser = Browser(rig)
    await browser.sign_in()
    async with browser.events() as socket:
        await socket.receive_str()
        await socket.send_str(garbage)
        await socket.send_bytes(b"\0" * 1000)
        rig.stream.change(StreamState.OFFLINE)
        assert await next_with(socket, "stream")


def test_changes_are_only_what_has_changed() -> None:
    changes = Changes()
    a, b = ("Anna", 1), ("Ben", 2)
    assert changes.update({"stream": 1, "push": []}, {"v1": a}) == {"stream": 1, "push": [], "viewers": {"v1": a}}
    assert changes.update({"stream": 1, "push": []}, {"v1": a}) == {}
    assert changes.update({"stream": 2, "push": []}, {"v1": a, "v2": b}) == {"stream": 2, "viewers": {"v2": b}}
    assert changes.update({"stream": 2, "push": []}, {"v2": b}) == {"gone": ["v1"]}
    assert changes.everything["viewers"] == {"v2": b}
