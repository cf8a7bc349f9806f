"""The proxy configurations in systemd/proxies/ with nginx and Caddy; only names, ports and files are replaced."""

import asyncio
import contextlib
import os
import re
import shutil
import ssl
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest

from broadcaster.signaling.media import MEDIA_SUBPROTOCOL
from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.storage.secrets import SecretFile
from tests.edges.media_rig import MediaPlayer, media_served
from tests.edges.web_rig import SignalingClient, WebServerRig
from tests.edges.whep_client import CANDIDATE
from tests.house.project import read
from tests.rigs.certificates import NAME, CertificatePair, make_pair
from tests.rigs.daemon import free_port
from tests.unit.player_offers import CHROMIUM as PLAYER_OFFER

PACKAGES = {"nginx": "nginx-light", "caddy": "caddy"}
ANNA, BERT = "127.0.0.5", "127.0.0.6"
"""Addresses of two viewers on this machine; neither is a trusted proxy."""


@dataclass
class ProxyDriver:
    """A proxy in front of the server, and what viewers need to reach it."""

    rig: WebServerRig
    port: int
    trusted: ssl.SSLContext
    operator_token: str
    path: str

    @contextlib.asynccontextmanager
    async def viewer(self, address: str) -> AsyncIterator[aiohttp.ClientSession]:
        """Yield an HTTP client with this local address."""
        connector = aiohttp.TCPConnector(local_addr=(address, 0), ssl=self.trusted)
        async with aiohttp.ClientSession(f"https://127.0.0.1:{self.port}", connector=connector) as client:
            yield client

    def request_options(self, **headers: str) -> dict[str, Any]:
        """Return the request options of a browser that opens the page at the proxy."""
        return {"headers": {"Host": f"{NAME}:{self.port}", **headers}, "server_hostname": NAME}

    async def connect(self, viewer: aiohttp.ClientSession, **headers: str) -> SignalingClient:
        return SignalingClient(await self._websocket(viewer, "ws", SUBPROTOCOL, headers))

    async def open_media(self, viewer: aiohttp.ClientSession, media: dict[str, str]) -> MediaPlayer:
        """Play the stream over the web; `media` is what `welcome` offers."""
        player = MediaPlayer(await self._websocket(viewer, media["url"], MEDIA_SUBPROTOCOL, {}))
        await player.socket.send_json({"type": "open", "ticket": media["ticket"]})
        return player

    async def _websocket(
        self, viewer: aiohttp.ClientSession, name: str, protocol: str, headers: dict[str, str]
    ) -> aiohttp.ClientWebSocketResponse:
        options = self.request_options(Origin=f"https://{NAME}:{self.port}", **headers)
        return await viewer.ws_connect(f"{self.path}/{name}", protocols=[protocol], **options)

    async def refusal(self, viewer: aiohttp.ClientSession, token: str) -> tuple[str, int | None]:
        signaling = await self.connect(viewer)
        await signaling.send("hello", token=token)
        return (await signaling.receive("error"))["code"], await signaling.close_code()

    async def viewer_stats(self) -> list[dict[str, Any]]:
        """Return the stats of all viewers, as the operator sees them on this machine."""
        async with self.rig.client.get(f"{self.rig.url}/api/status") as response:
            stats: list[dict[str, Any]] = (await response.json())["viewer_figures"]
            return stats


EXAMPLES = {
    "nginx.conf": ("nginx", "cam.example.org", ""),
    "nginx-below-path.conf": ("nginx", "home.example.org", "/cam"),
    "Caddyfile": ("caddy", "cam.example.org", ""),
    "Caddyfile-below-path": ("caddy", "home.example.org", "/cam"),
}
"""By file: the program, the host name in the example, and the path of the page."""


@pytest.fixture(params=EXAMPLES)
async def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProxyDriver]:
    name, site, path = EXAMPLES[request.param]
    program = find(name)
    pair, port = make_pair(tmp_path), free_port()
    token_file = SecretFile(tmp_path / "operator_token")
    async with media_served(
        viewer_token="right", operator_token_file=token_file, hosts=(NAME,), trusted_proxies=("127.0.0.1",)
    ) as media:
        rig = media.web
        config = tmp_path / "config"
        example = read(f"systemd/proxies/{request.param}").replace(site, NAME)
        config.write_text({"nginx": nginx, "caddy": caddy}[name](example, port, rig.server.port, pair, tmp_path))
        arguments = {
            "nginx": ["-p", str(tmp_path), "-c", str(config), "-e", "stderr", "-g", "daemon off;"],
            "caddy": ["run", "--adapter", "caddyfile", "--config", str(config)],
        }[name]
        async with running(program, *arguments, home=tmp_path, port=port):
            yield ProxyDriver(rig, port, pair.trusted(), token_file.read(), path)


async def test_proxy_forwards_page_and_session_and_identifies_viewers(proxy: ProxyDriver) -> None:
    async with proxy.viewer(ANNA) as anna, proxy.viewer(BERT) as bert:
        await check_page(proxy, anna)
        await check_session_has_the_address_of_the_viewer(proxy, anna)
        await check_stream_over_the_web(proxy, anna)
        await check_standard_player(proxy, anna)
        await check_forged_headers_are_ignored(proxy, bert)
        await check_operator_needs_a_token(proxy, anna)
        await check_wrong_tokens_are_limited_by_viewer(proxy, anna, bert)


async def check_page(proxy: ProxyDriver, viewer: aiohttp.ClientSession) -> None:
    async with viewer.get(f"{proxy.path}/", **proxy.request_options()) as response:
        assert response.status == 200
        host = f"{NAME}:{proxy.port}"
        assert f"connect-src 'self' ws://{host} wss://{host};" in response.headers["Content-Security-Policy"]
        page = await response.text()
    for named in re.findall(r'(?:src|href)="([a-z][^":]*)"', page):
        async with viewer.get(urljoin(f"{proxy.path}/", named), **proxy.request_options()) as response:
            assert response.status == 200, named
    if proxy.path:
        async with viewer.get(proxy.path, **proxy.request_options(), allow_redirects=False) as response:
            assert urlsplit(response.headers["Location"]).path == f"{proxy.path}/"


async def check_session_has_the_address_of_the_viewer(proxy: ProxyDriver, viewer: aiohttp.ClientSession) -> None:
    signaling = await proxy.connect(viewer)
    await signaling.send("hello", token="right")
    assert (await signaling.receive("welcome"))["resumed"] is False
    await signaling.receive("offer")
    (stats,) = await proxy.viewer_stats()
    assert (stats["address"], stats["secure"]) == (ANNA, True)
    await signaling.send("heartbeat", t=1.5)
    assert (await signaling.receive("heartbeat"))["t"] == 1.5
    await signaling.send("bye")
    assert await signaling.close_code() == 1000


async def check_stream_over_the_web(proxy: ProxyDriver, viewer: aiohttp.ClientSession) -> None:
    signaling = await proxy.connect(viewer)
    await signaling.send("hello", token="right")
    player = await proxy.open_media(viewer, (await signaling.receive("welcome"))["media"])
    began = time.monotonic()
    await player.play(80)
    assert time.monotonic() - began > 0.5, "it is live: a second of pictures and audio does not come at once"
    assert sum(len(fragment.video) for fragment in player.movie.fragments) > 10
    await signaling.send("bye")
    assert await player.close_code() == 1000


async def check_standard_player(proxy: ProxyDriver, viewer: aiohttp.ClientSession) -> None:
    """The URL of the session is relative, so it is right below the path of the proxy; preflights pass."""
    headers = {"Content-Type": "application/sdp", "Authorization": "Bearer right"}
    async with viewer.options(f"{proxy.path}/whep", **proxy.request_options()) as response:
        assert (response.status, response.headers["Accept-Post"]) == (204, "application/sdp")
    large = PLAYER_OFFER + "a=x\r\n" * 1000
    async with viewer.post(f"{proxy.path}/whep", data=large, **proxy.request_options(**headers)) as response:
        assert response.status == 201
        session = urljoin(f"{proxy.path}/whep", response.headers["Location"])
        etag = response.headers["ETag"]
    (stats,) = await proxy.viewer_stats()
    assert (stats["address"], stats["secure"]) == (ANNA, True)
    headers = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": etag}
    async with viewer.patch(session, data=CANDIDATE, **proxy.request_options(**headers)) as response:
        assert response.status == 204
    async with viewer.delete(session, **proxy.request_options()) as response:
        assert response.status == 200
    assert await proxy.viewer_stats() == []


async def check_forged_headers_are_ignored(proxy: ProxyDriver, viewer: aiohttp.ClientSession) -> None:
    """Forge the headers that an attacker would use to evade the rate limit, or to pass for this machine."""
    forged = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Real-IP": "127.0.0.1"}
    signaling = await proxy.connect(viewer, **forged)
    await signaling.send("hello", token="right")
    await signaling.receive("welcome")
    (stats,) = await proxy.viewer_stats()
    assert (stats["address"], stats["secure"]) == (BERT, True)
    await signaling.send("bye")
    assert await signaling.close_code() == 1000


async def check_operator_needs_a_token(proxy: ProxyDriver, viewer: aiohttp.ClientSession) -> None:
    async with viewer.post(f"{proxy.path}/api/live", json={"live": True}, **proxy.request_options()) as response:
        assert response.status == 401
    async with viewer.post(f"{proxy.path}/api/live", json={"live": True}, **proxy.request_options(Host="localhost")):
        pass  # Caddy has no such site, and answers itself
    assert proxy.rig.stream.requested == []
    operator = proxy.request_options(Authorization=f"Bearer {proxy.operator_token}")
    async with viewer.post(f"{proxy.path}/api/live", json={"live": True}, **operator) as response:
        assert response.status == 200
    assert proxy.rig.stream.requested == [True]


async def check_wrong_tokens_are_limited_by_viewer(
    proxy: ProxyDriver, one: aiohttp.ClientSession, other: aiohttp.ClientSession
) -> None:
    for number in range(5):
        assert await proxy.refusal(one, f"guess{number}") == ("token-wrong", 4001)
    assert await proxy.refusal(one, "right") == ("too-many", 4005)
    assert await proxy.refusal(other, "guess") == ("token-wrong", 4001)


def nginx(text: str, port: int, server: int, pair: CertificatePair, folder: Path) -> str:
    """Return the example in a configuration that needs no files of the system."""
    text = replaced(text, "listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = replaced(text, "listen [::]:443 ssl;", "")
    text = replaced(text, f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(pair.certificate))
    text = replaced(text, f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(pair.key))
    text = replaced(text, "http://127.0.0.1:8080", f"http://127.0.0.1:{server}")
    user = "user root;" if os.geteuid() == 0 else ""
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"{user} pid {folder}/pid; events {{}} http {{ access_log off; {paths} {text} }}"


def caddy(text: str, port: int, server: int, pair: CertificatePair, folder: Path) -> str:
    """Return the example without a certificate authority and Caddy's admin API."""
    text = replaced(
        text,
        f"\n{NAME} {{",
        f"\nhttps://{NAME}:{port} {{\n bind 127.0.0.1\n tls {pair.certificate} {pair.key}",
    )
    text = replaced(text, "reverse_proxy 127.0.0.1:8080", f"reverse_proxy 127.0.0.1:{server}")
    return "{\n admin off\n auto_https disable_redirects\n}\n" + text


def replaced(text: str, before: str, after: str) -> str:
    assert text.count(before) == 1, f"{before} occurs {text.count(before)} times in the example"
    return text.replace(before, after)


def find(name: str) -> str:
    """Return the path of the program. No test installs it, because its package starts a service."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed: sudo apt install {PACKAGES[name]}")
    return program


@contextlib.asynccontextmanager
async def running(program: str, *arguments: str, home: Path, port: int) -> AsyncIterator[None]:
    """Run the proxy inside the block, which starts when it listens; print its log for the output of a failed test."""
    with (home / "log").open("wb") as log:
        environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=log, stderr=log, env=environment)
    try:
        await wait_until_listening(process, port)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        sys.stdout.write((home / "log").read_text(errors="replace"))


async def wait_until_listening(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the proxy ended")
