"""Bad input: hosts, origins, sizes, floods, wrong tokens, and pending clients."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.web import access
from tests.edges.web_rig import CANDIDATE, FAST, served


async def handshake(url: str, protocols: tuple[str, ...] = (SUBPROTOCOL,), **headers: str) -> int:
    """Attempt a WebSocket handshake, and return the HTTP status."""
    async with aiohttp.ClientSession() as client:
        try:
            async with client.ws_connect(f"{url}/ws", protocols=protocols, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


@pytest.mark.parametrize("protocols", [(), ("other",), ("broadcaster.v2",)])
async def test_a_handshake_without_the_subprotocol_gets_400(protocols: tuple[str, ...]) -> None:
    async with served() as rig:
        assert await handshake(rig.url, protocols) == 400


async def test_the_subprotocol_may_be_one_of_several() -> None:
    async with served() as rig:
        assert await handshake(rig.url, ("broadcaster.v9", SUBPROTOCOL)) == 101


async def test_a_plain_get_gets_400() -> None:
    async with served() as rig, rig.client.get(f"{rig.url}/ws") as response:
        assert response.status == 400


@pytest.mark.parametrize("key", ["é", "AAAA", "=", "é" * 24])
async def test_a_handshake_with_an_invalid_key_gets_400(key: str, caplog: pytest.LogCaptureFixture) -> None:
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


async def test_the_own_page_is_accepted() -> None:
    async with served() as rig:
        assert await handshake(rig.url, Origin=rig.url) == 101
        assert await handshake(rig.url, Origin=rig.url.replace("http", "https")) == 101, "behind a TLS proxy"


@pytest.mark.parametrize(("host", "status"), [("rebound.example", 421), ("cam.example.org:99", 101), ("[::1]", 101)])
async def test_other_hosts_get_421(host: str, status: int) -> None:
    async with served(hosts=("cam.example.org",)) as rig:
        assert await handshake(rig.url, Host=host) == status


async def test_the_421_response_names_the_setting() -> None:
    async with served() as rig, rig.client.get(rig.url, headers={"Host": "rebound.example"}) as response:
        assert response.status == 421
        assert "web.hosts" in await response.text()
        assert "rebound" not in response.headers["Content-Security-Policy"]


async def test_no_hello_closes_with_4000() -> None:
    async with served(timings=FAST) as rig:
        viewer = await rig.connect()
        assert (await viewer.receive("error"))["code"] == "no-hello"
        assert await viewer.close_code() == 4000
        assert await rig.is_clean()


async def test_another_message_before_hello_closes_with_4000() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.send("keyframe")
        assert (await viewer.receive("error"))["code"] == "no-hello"
        assert await viewer.close_code() == 4000


@pytest.mark.parametrize("welcomed", [False, True])
async def test_a_binary_message_closes_with_1003(welcomed: bool) -> None:
    async with served() as rig:
        viewer = await rig.connect()
        if welcomed:
            await viewer.join()
        await viewer.socket.send_bytes(b"\x00" * 100)
        assert await viewer.close_code() == 1003
        assert await rig.is_clean()


@pytest.mark.parametrize("welcomed", [False, True])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 4 * 1024 * 1024])
async def test_a_message_over_64_kib_closes_with_1009(welcomed: bool, size: int) -> None:
    async with served() as rig:
        viewer = await rig.connect()
        if welcomed:
            await viewer.join()
        sending = asyncio.create_task(viewer.socket.send_str("x" * size))
        assert await viewer.close_code() == 1009
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert await rig.is_clean()


async def test_a_message_of_64_kib_is_accepted() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        text = json.dumps({"type": "later", "x": ""})
        await viewer.socket.send_str(text.replace('""', '"' + "x" * (64 * 1024 - len(text)) + '"'))
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")


@pytest.mark.parametrize("welcomed", [False, True])
async def test_too_many_messages_close_with_4005(welcomed: bool) -> None:
    async with served() as rig:
        viewer = await rig.connect()
        if welcomed:
            await viewer.join()
        for _ in range(200):
            await viewer.socket.send_str('{"type":"later"}')
        assert (await viewer.receive("error"))["code"] == "too-many"
        assert await viewer.close_code() == 4005
        assert await rig.is_clean()


async def test_too_many_pings_close_with_4005() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        for _ in range(60):
            await viewer.socket.ping(b"x")
        assert await viewer.close_code() == 4005


async def test_twenty_candidates_do_not_count_as_messages() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        for _ in range(20):
            await viewer.send("candidate", id=1, candidate=CANDIDATE)
        for _ in range(25):
            await viewer.send("later")
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")
        assert 0 < len(rig.peers.created[0].candidates) <= 20


@pytest.mark.parametrize(
    ("message", "field"),
    [("[]", "type"), ("{", "type"), ('{"type":"answer","sdp":""}', "id"), ('{"type":"heartbeat","t":1e999}', "t")],
)
async def test_a_bad_message_is_reported_and_the_session_continues(message: str, field: str) -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        await viewer.socket.send_str(message)
        error = await viewer.receive("error")
        assert (error["code"], error["field"]) == ("bad-message", field)
        assert rig.server.viewers == 1


async def hello(rig: Any, **fields: object) -> tuple[str, int | None]:
    """Send `hello`; return the codes of the error and of the close frame, or "welcome"."""
    viewer = await rig.connect()
    await viewer.send("hello", **fields)
    message = json.loads((await viewer.socket.receive()).data)
    if message["type"] == "welcome":
        await viewer.socket.close()
        return "welcome", None
    return message["code"], await viewer.close_code()


async def test_wrong_tokens_are_refused_rate_limited_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
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
        viewer = await rig.connect()
        await viewer.send("hello", token="right")
        resume = (await viewer.receive("welcome"))["resume"]
        assert await hello(rig, resume=resume, token="wrong") == ("token-wrong", 4001)
        assert rig.server.viewers == 1


async def test_pending_websockets_are_limited_per_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "is_loopback", lambda address: False)
    async with served() as rig:
        pending = [await rig.connect() for _ in range(16)]
        assert await hello(rig) == ("too-many", 4005)
        await pending[0].socket.close()
        assert await hello(rig) == ("welcome", None)


async def test_the_oldest_pending_websocket_is_closed_at_the_limit_in_total() -> None:
    async with served(max_viewers=2) as rig:
        watching = await rig.connect()
        await watching.join()
        pending = [await rig.connect() for _ in range(65)]
        joining = await rig.connect()
        resume = (await joining.join())["resume"]
        assert (await pending[0].receive("error"))["code"] == "too-many"
        assert await pending[0].close_code() == 4005
        pending += [await rig.connect() for _ in range(5)]
        resumed = await rig.connect()
        await resumed.send("hello", resume=resume)
        assert (await resumed.receive("welcome"))["resumed"] is True
        await watching.send("heartbeat")
        await watching.receive("heartbeat")
        assert await pending[1].close_code() == 4003, "the limit of viewers is reached, too"
