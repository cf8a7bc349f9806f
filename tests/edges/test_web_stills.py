"""`/snapshot.jpg` and `/stream.mjpeg` over a real server: one decode for all, tokens, slow clients, and the end."""

import asyncio
import logging
import socket
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from broadcaster.auth.links import Link, link_id, sign_link
from broadcaster.model.stream import StreamState
from broadcaster.storage.secrets import SecretFile
from broadcaster.web import mjpeg
from broadcaster.web.stills import MAX_CLIENTS
from tests.edges.app_rig import served
from tests.edges.stills_rig import JPEG_END, JPEG_START, MjpegReader, stills_served
from tests.edges.web_rig import until

TOKEN = "orchard-gravel-topaz-nine"


async def test_hundred_requests_at_once_cost_one_decode():
    async with stills_served() as rig:

        async def get() -> bytes:
            async with rig.client.get(f"{rig.url}/snapshot.jpg") as response:
                assert response.status == 200
                assert response.content_type == "image/jpeg"
                return await response.read()

        (picture,) = set(await asyncio.gather(*(get() for _ in range(100))))
        assert picture.startswith(JPEG_START)
        assert picture.endswith(JPEG_END)
        assert len(rig.decoded) == 1
        rig.publish(keyframe=False)
        await get()
        assert len(rig.decoded) == 1
        rig.publish()
        await get()
        assert len(rig.decoded) == 2


async def test_nothing_is_decoded_unless_somebody_asks():
    async with stills_served() as rig:
        for _ in range(10):
            rig.publish()
        async with rig.client.head(f"{rig.url}/snapshot.jpg", headers={"If-None-Match": "*"}) as response:
            assert response.status == 304
        assert not rig.decoded


async def test_picture_that_the_client_has_is_not_sent_again():
    async with stills_served() as rig:

        async def get(**headers: str) -> tuple[int, str, str]:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            async with rig.client.get(f"{rig.url}/snapshot.jpg", headers=fields) as response:
                return response.status, response.headers["ETag"], response.headers["Last-Modified"]

        status, etag, modified = await get()
        assert status == 200
        assert parsedate_to_datetime(modified).timestamp() == pytest.approx(rig.stills.last.published, abs=1)
        assert await get(If_None_Match=etag) == (304, etag, modified)
        assert await get(If_None_Match=f'"other", {etag}') == (304, etag, modified)
        assert await get(If_Modified_Since=modified) == (304, etag, modified)
        assert (await get(If_None_Match='"other"', If_Modified_Since=modified))[0] == 200
        for strange in ("yesterday", "", "Thu, 01 Jan 1970 00:00:00 GMT", "\xff"):
            assert (await get(If_Modified_Since=strange))[0] == 200
        rig.publish()
        status, other, _ = await get(If_None_Match=etag)
        assert (status, other != etag) == (200, True)


async def test_only_the_operator_gets_a_fresh_picture():
    async with stills_served(operator_token=TOKEN) as rig:
        url = f"{rig.url}/snapshot.jpg?fresh"
        async with rig.client.get(url) as response:
            assert response.status == 401
        requests = rig.source.requests
        async with rig.client.get(f"{rig.url}/snapshot.jpg") as response:
            assert response.status == 200
        assert rig.source.requests == requests, "viewers force nothing"
        before = rig.stills.last
        waiting = asyncio.create_task(rig.client.get(url, headers={"Authorization": f"Bearer {TOKEN}"}))
        async with asyncio.timeout(10):
            while rig.source.requests == requests:  # forced keyframes are half a second apart
                rig.publish(keyframe=False)
                await asyncio.sleep(0.02)
        assert not waiting.done()
        rig.publish()
        async with await waiting as response:
            assert response.status == 200
        assert rig.stills.last is not before


async def test_source_that_forces_nothing_gives_its_last_picture(monkeypatch):
    monkeypatch.setattr("broadcaster.outputs.stills.FRESH_LIMIT", 0.05)
    async with stills_served() as rig, rig.client.get(f"{rig.url}/snapshot.jpg?fresh") as response:
        assert response.status == 200


@pytest.mark.parametrize("path", ["/snapshot.jpg", "/snapshot.jpg?fresh", "/stream.mjpeg"])
async def test_offline_stream_is_unavailable(path):
    async with stills_served(StreamState.OFFLINE) as rig, rig.client.get(f"{rig.url}{path}") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert await response.text() == "the stream is not live\n"


async def test_stream_without_a_picture_yet_is_unavailable():
    async with stills_served() as rig:
        rig.hub.attach(rig.source)
        async with rig.client.get(f"{rig.url}/snapshot.jpg") as response:
            assert response.status == 503


async def test_keyframe_that_cannot_be_decoded_is_unavailable_and_skipped():
    async with stills_served() as rig, rig.client.get(f"{rig.url}/stream.mjpeg") as response:
        reader = MjpegReader(response)
        await reader.begin()
        first = await reader.picture()
        rig.publish(b"\0\0\0\1\x65garbage")
        async with rig.client.get(f"{rig.url}/snapshot.jpg") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        rig.publish()
        assert await reader.picture() == first


@pytest.mark.parametrize("path", ["/snapshot.jpg", "/stream.mjpeg"])
async def test_viewer_token_is_needed_and_never_logged(path, caplog):
    caplog.set_level(logging.DEBUG)
    async with stills_served(viewer_token=TOKEN) as rig:
        url = f"{rig.url}{path}"
        for right in ({"params": {"token": TOKEN}}, {"headers": {"Authorization": f"Bearer {TOKEN}"}}):
            async with rig.client.get(url, **right) as response:
                assert response.status == 200
        for wrong in (
            {},
            {"params": {"token": "wrong-wrong-wrong-wrong"}},
            {"headers": {"Authorization": "Basic eDp5"}},
        ):
            async with rig.client.get(url, **wrong) as response:
                assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        for number in range(10):
            async with rig.client.get(url, params={"token": f"wrong-wrong-wrong-{number}"}) as response:
                status = response.status
        assert (status, response.headers["Retry-After"]) == (429, "60")
    assert TOKEN not in caplog.text
    assert "wrong-wrong" not in caplog.text


async def test_mjpeg_sends_each_keyframe_with_the_next_header_behind_it():
    async with stills_served() as rig, rig.client.get(f"{rig.url}/stream.mjpeg") as response:
        reader = MjpegReader(response)
        await reader.begin()
        await reader.picture()
        for _ in range(3):
            rig.publish(keyframe=False)
            rig.publish()
            await reader.picture()
        assert len(rig.decoded) == 4
        assert "no-store" in response.headers["Cache-Control"]


async def test_mjpeg_clients_share_the_work_and_their_number_is_limited():
    async with stills_served() as rig:
        responses = [await rig.client.get(f"{rig.url}/stream.mjpeg") for _ in range(MAX_CLIENTS)]
        readers = [MjpegReader(response) for response in responses]
        for reader in readers:
            await reader.begin()
        await asyncio.gather(*(reader.picture() for reader in readers))
        assert len(rig.decoded) == 1
        async with rig.client.get(f"{rig.url}/stream.mjpeg") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "15")
        responses.pop().close()
        rig.publish()

        async def is_free() -> bool:
            async with rig.client.get(f"{rig.url}/stream.mjpeg") as response:
                return response.status == 200

        async with asyncio.timeout(10):
            while not await is_free():
                await asyncio.sleep(0.01)
        for response in responses:
            response.close()


async def test_mjpeg_ends_cleanly_when_the_stream_goes_off_air():
    async with stills_served() as rig, rig.client.get(f"{rig.url}/stream.mjpeg") as response:
        reader = MjpegReader(response)
        await reader.begin()
        await reader.picture()
        rig.stream.change(StreamState.STOPPING)
        assert (await reader.end()).strip() == f"--{mjpeg.BOUNDARY}--".encode()


async def test_mjpeg_ends_cleanly_at_shutdown():
    async with stills_served() as rig, rig.client.get(f"{rig.url}/stream.mjpeg") as response:
        reader = MjpegReader(response)
        await reader.begin()
        await reader.picture()
        closing = asyncio.create_task(rig.server.close())
        assert (await reader.end()).strip() == f"--{mjpeg.BOUNDARY}--".encode()
        await closing


async def test_mjpeg_ends_with_its_link(tmp_path: Path):
    key = SecretFile(tmp_path / "key")
    key.path.write_text("k" * 43)
    async with stills_served(link_key=key, links=True) as rig:
        now, end_links = int(rig.stills.last.published), rig.server._routes._end_links
        for seconds, ended in ((2, "none"), (3600, "all"), (3600, "this")):
            link = Link("Ann", now, seconds)
            token = sign_link(link, "k" * 43)
            async with rig.client.get(f"{rig.url}/stream.mjpeg", params={"token": token}) as response:
                reader = MjpegReader(response)
                await reader.begin()
                await reader.picture()
                end_links("another link")
                rig.publish()
                await reader.picture()
                if ended != "none":
                    end_links(None if ended == "all" else link_id(link, "k" * 43))
                async with asyncio.timeout(10):
                    while not response.content.at_eof():
                        rig.publish()
                        await response.content.readany()
            await until(lambda: rig.server._routes._stills.report() == {"mjpeg_clients": 0})


async def test_slow_reader_skips_pictures_and_disturbs_nobody():
    """It reads nothing at all for a while: a few pictures wait for it in the kernel, and the rest is skipped."""
    async with stills_served() as rig, rig.client.get(f"{rig.url}/stream.mjpeg") as other:
        with raw_client(rig.server.port) as slow:
            reader = MjpegReader(other)
            await reader.begin()
            await reader.picture()
            await until(lambda: len(rig.server._routes._stills._clients) == 2)
            for _ in range(150):
                rig.publish()
                await reader.picture()
            slow.setblocking(False)
            received = bytearray()
            async with asyncio.timeout(10):
                while received.count(JPEG_END + b"\r\n") < 5:
                    received += await asyncio.get_running_loop().sock_recv(slow, 1 << 16)
            await asyncio.sleep(0.2)
        assert received.count(JPEG_START) < 100


async def test_reader_that_takes_nothing_is_disconnected(monkeypatch):
    monkeypatch.setattr(mjpeg, "STALL_LIMIT", 0.3)
    async with stills_served() as rig:
        with raw_client(rig.server.port):
            clients = rig.server._routes._stills._clients
            await until(lambda: bool(clients))
            async with asyncio.timeout(20):
                while clients:
                    rig.publish()
                    await asyncio.sleep(0.005)


def raw_client(port: int) -> socket.socket:
    """Return a client that reads nothing, with a small buffer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /stream.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client


async def test_overloaded_machine_takes_no_mjpeg_client():
    async with stills_served() as rig:
        rig.server.refuse_new_viewers(True)
        async with rig.client.get(f"{rig.url}/stream.mjpeg") as response:
            assert response.status == 503
        async with rig.client.get(f"{rig.url}/snapshot.jpg") as response:
            assert response.status == 200


async def test_pages_exist_only_if_the_setting_says_so(tmp_path):
    for more, expected in (([], 404), (["web.stills=true"], 200)):
        async with served(tmp_path, "test", *more) as daemon:
            await daemon.until("live")
            status, body = await asyncio.to_thread(fetch, daemon.port)
            assert status == expected
            if expected == 200:
                assert body.startswith(JPEG_START)


def fetch(port: int) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/snapshot.jpg?fresh", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
