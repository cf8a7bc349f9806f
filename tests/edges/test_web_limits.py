"""Bad input at the door: names, origins, sizes, floods, tokens, and who says nothing."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.web import endpoint
from tests.edges.web_rig import CANDIDATE, FAST, served


async def handshake(url: str, protocols: tuple[str, ...] = (SUBPROTOCOL,), **headers: str) -> int:
    """Status of a WebSocket handshake."""
    async with aiohttp.ClientSession() as client:
        try:
            async with client.ws_connect(f"{url}/ws", protocols=protocols, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


@pytest.mark.parametrize("protocols", [(), ("other",), ("broadcaster.v2",)])
async def test_without_the_subprotocol_400(protocols: tuple[str, ...]) -> None:
    async with served() as rig:
        assert await handshake(rig.url, protocols) == 400


async def test_the_subprotocol_may_be_one_of_several() -> None:
    async with served() as rig:
        assert await handshake(rig.url, ("broadcaster.v9", SUBPROTOCOL)) == 101


async def test_a_plain_get_is_no_websocket() -> None:
    async with served() as rig, rig.client.get(f"{rig.url}/ws") as response:
        assert response.status == 400


@pytest.mark.parametrize("key", ["é", "AAAA", "=", "é" * 24])
async def test_a_handshake_with_an_odd_key_gets_400(key: str, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        lines = ["GET /ws HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: {SUBPROTOCOL}"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
    assert not caplog.records


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
        ("http://127.0.0.1", 403),
        ("https://site.example", 101),
        ("https://SITE.example:443", 101),
        ("http://site.example", 403),
    ],
)
async def test_pages_of_other_origins_get_403(origin: str, status: int) -> None:
    async with served(origins=("https://site.example",)) as rig:
        assert await handshake(rig.url, Origin=origin) == status


async def test_our_own_page_gets_through() -> None:
    async with served() as rig:
        assert await handshake(rig.url, Origin=rig.url) == 101
        assert await handshake(rig.url, Origin=rig.url.replace("http", "https")) == 101, "behind a proxy"


@pytest.mark.parametrize(("host", "status"), [("rebound.example", 421), ("cam.example.org:99", 101), ("[::1]", 101)])
async def test_other_names_get_421(host: str, status: int) -> None:
    async with served(hosts=("cam.example.org",)) as rig:
        assert await handshake(rig.url, Host=host) == status


async def test_421_names_the_setting() -> None:
    async with served() as rig, rig.client.get(rig.url, headers={"Host": "rebound.example"}) as response:
        assert response.status == 421
        assert "web.hosts" in await response.text()
        assert "rebound" not in response.headers["Content-Security-Policy"]


async def test_no_hello_4000() -> None:
    async with served(timings=FAST) as rig:
        talk = await rig.talk()
        assert (await talk.hear("error"))["code"] == "no-hello"
        assert await talk.close_code() == 4000
        assert await rig.is_clean()


async def test_something_else_before_hello_4000() -> None:
    async with served() as rig:
        talk = await rig.talk()
        await talk.say("keyframe")
        assert (await talk.hear("error"))["code"] == "no-hello"
        assert await talk.close_code() == 4000


@pytest.mark.parametrize("welcomed", [False, True])
async def test_binary_1003(welcomed: bool) -> None:
    async with served() as rig:
        talk = await rig.talk()
        if welcomed:
            await talk.play()
        await talk.socket.send_bytes(b"\x00" * 100)
        assert await talk.close_code() == 1003
        assert await rig.is_clean()


@pytest.mark.parametrize("welcomed", [False, True])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 4 * 1024 * 1024])
async def test_too_big_1009(welcomed: bool, size: int) -> None:
    async with served() as rig:
        talk = await rig.talk()
        if welcomed:
            await talk.play()
        sending = asyncio.create_task(talk.socket.send_str("x" * size))
        assert await talk.close_code() == 1009
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert await rig.is_clean()


async def test_exactly_64_kib_is_read() -> None:
    async with served() as rig:
        talk = await rig.talk()
        await talk.play()
        text = json.dumps({"type": "later", "x": ""})
        await talk.socket.send_str(text.replace('""', '"' + "x" * (64 * 1024 - len(text)) + '"'))
        await talk.say("heartbeat")
        await talk.hear("heartbeat")


@pytest.mark.parametrize("welcomed", [False, True])
async def test_a_flood_4005(welcomed: bool) -> None:
    async with served() as rig:
        talk = await rig.talk()
        if welcomed:
            await talk.play()
        for _ in range(200):
            await talk.socket.send_str('{"type":"later"}')
        assert (await talk.hear("error"))["code"] == "too-many"
        assert await talk.close_code() == 4005
        assert await rig.is_clean()


async def test_a_flood_of_pings_4005() -> None:
    async with served() as rig:
        talk = await rig.talk()
        await talk.play()
        for _ in range(60):
            await talk.socket.ping(b"x")
        assert await talk.close_code() == 4005


async def test_twenty_candidates_do_not_count_as_messages() -> None:
    async with served() as rig:
        talk = await rig.talk()
        await talk.play()
        for _ in range(20):
            await talk.say("candidate", id=1, candidate=CANDIDATE)
        for _ in range(25):
            await talk.say("later")
        await talk.say("heartbeat")
        await talk.hear("heartbeat")
        assert 0 < len(rig.peers.made[0].candidates) <= 20


@pytest.mark.parametrize(
    ("message", "field"),
    [("[]", "type"), ("{", "type"), ('{"type":"answer","sdp":""}', "id"), ('{"type":"heartbeat","t":1e999}', "t")],
)
async def test_bad_messages_are_named_and_survived(message: str, field: str) -> None:
    async with served() as rig:
        talk = await rig.talk()
        await talk.play()
        await talk.socket.send_str(message)
        error = await talk.hear("error")
        assert (error["code"], error["field"]) == ("bad-message", field)
        assert rig.server.viewers == 1


async def hello(rig: Any, **fields: object) -> tuple[str, int | None]:
    """Say hello; the code of the error and of the close, or "welcome"."""
    talk = await rig.talk()
    await talk.say("hello", **fields)
    message = json.loads((await talk.socket.receive()).data)
    if message["type"] == "welcome":
        await talk.socket.close()
        return "welcome", None
    return message["code"], await talk.close_code()


async def test_tokens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with served(viewer_token="ßecret") as rig:
        assert await hello(rig) == ("token-missing", 4001)
        assert await hello(rig, token="ßecret") == ("welcome", None)
        for number in range(5):
            assert await hello(rig, token=f"guess{number}") == ("token-wrong", 4001)
        assert await hello(rig, token="ßecret") == ("too-many", 4005)
    assert "guess" not in caplog.text
    assert "ßecret" not in caplog.text


async def test_the_token_is_checked_at_every_hello() -> None:
    async with served(viewer_token="right") as rig:
        talk = await rig.talk()
        await talk.say("hello", token="right")
        resume = (await talk.hear("welcome"))["resume"]
        assert await hello(rig, resume=resume, token="wrong") == ("token-wrong", 4001)
        assert rig.server.viewers == 1


async def test_sixteen_silent_sockets_of_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint.access, "is_loopback", lambda address: False)
    async with served() as rig:
        silent = [await rig.talk() for _ in range(16)]
        assert await hello(rig) == ("too-many", 4005)
        await silent[0].socket.close()
        assert await hello(rig) == ("welcome", None)


async def test_loopback_may_have_more_but_not_without_end_and_the_oldest_that_is_silent_goes() -> None:
    async with served(max_viewers=2) as rig:
        watching = await rig.talk()
        await watching.play()
        silent = [await rig.talk() for _ in range(65)]
        newcomer = await rig.talk()
        resume = (await newcomer.play())["resume"]
        assert (await silent[0].hear("error"))["code"] == "too-many"
        assert await silent[0].close_code() == 4005
        silent += [await rig.talk() for _ in range(5)]
        again = await rig.talk()
        await again.say("hello", resume=resume)
        assert (await again.hear("welcome"))["resumed"] is True
        await watching.say("heartbeat")
        await watching.hear("heartbeat")
        assert await silent[1].close_code() == 4003, "the house is full"
