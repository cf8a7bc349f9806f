"""The examples in systemd/proxies/, as they stand but for names, ports and files: nginx and Caddy before the server."""

import asyncio
import contextlib
import os
import re
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest

from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.storage.secrets import SecretFile
from tests.edges.web_rig import SignalingClient, WebServerRig, served
from tests.house.project import read
from tests.rigs.certificates import NAME, CertificatePair, make_pair
from tests.rigs.daemon import free_port

PACKAGES = {"nginx": "nginx-light", "caddy": "caddy"}
ANNA, BERT = "127.0.0.5", "127.0.0.6"
"""Two viewers on this machine, that neither the proxy nor the server takes for a proxy."""


@dataclass
class Front:
    """A proxy in front of the server, and what viewers need to reach it."""

    rig: WebServerRig
    port: int
    trusted: ssl.SSLContext
    operator_token: str
    path: str

    @contextlib.asynccontextmanager
    async def viewer(self, address: str) -> AsyncIterator[aiohttp.ClientSession]:
        """Somebody at that address of this machine."""
        connector = aiohttp.TCPConnector(local_addr=(address, 0), ssl=self.trusted)
        async with aiohttp.ClientSession(f"https://127.0.0.1:{self.port}", connector=connector) as client:
            yield client

    def asked(self, **headers: str) -> dict[str, Any]:
        """What a browser sends that was told this name and port."""
        return {"headers": {"Host": f"{NAME}:{self.port}", **headers}, "server_hostname": NAME}

    async def connect(self, viewer: aiohttp.ClientSession, **headers: str) -> SignalingClient:
        origin = {"Origin": f"https://{NAME}:{self.port}"}
        return SignalingClient(
            await viewer.ws_connect(f"{self.path}/ws", protocols=[SUBPROTOCOL], **self.asked(**origin, **headers))
        )

    async def refused(self, viewer: aiohttp.ClientSession, token: str) -> tuple[str, int | None]:
        signaling = await self.connect(viewer)
        await signaling.send("hello", token=token)
        return (await signaling.receive("error"))["code"], await signaling.close_code()

    async def figures(self) -> list[dict[str, Any]]:
        """What the operator sees, who is on this machine."""
        async with self.rig.client.get(f"{self.rig.url}/api/status") as response:
            found: list[dict[str, Any]] = (await response.json())["viewer_figures"]
            return found


EXAMPLES = {
    "nginx.conf": ("nginx", "cam.example.org", ""),
    "nginx-below-path.conf": ("nginx", "home.example.org", "/cam"),
    "Caddyfile": ("caddy", "cam.example.org", ""),
    "Caddyfile-below-path": ("caddy", "home.example.org", "/cam"),
}
"""By file: the program, the name that the example is for, and the path below which the page is."""


@pytest.fixture(params=EXAMPLES)
async def front(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Front]:
    name, site, path = EXAMPLES[request.param]
    program = find(name)
    pair, port = make_pair(tmp_path), free_port()
    made = SecretFile(tmp_path / "operator_token")
    async with served(
        viewer_token="right", operator_token_file=made, hosts=(NAME,), trusted_proxies=("127.0.0.1",)
    ) as rig:
        config = tmp_path / "config"
        example = read(f"systemd/proxies/{request.param}").replace(site, NAME)
        config.write_text({"nginx": nginx, "caddy": caddy}[name](example, port, rig.server.port, pair, tmp_path))
        arguments = {
            "nginx": ["-p", str(tmp_path), "-c", str(config), "-e", "stderr", "-g", "daemon off;"],
            "caddy": ["run", "--adapter", "caddyfile", "--config", str(config)],
        }[name]
        async with running(program, *arguments, home=tmp_path, port=port):
            yield Front(rig, port, pair.trusted(), made.read(), path)


async def test_a_viewer_behind_the_proxy_is_who_it_is(front: Front) -> None:
    async with front.viewer(ANNA) as anna, front.viewer(BERT) as bert:
        await sees_the_page(front, anna)
        await joins_by_its_own_address(front, anna)
        await claims_in_vain(front, bert)
        await is_not_the_operator_by_being_forwarded(front, anna)
        await guesses_for_itself_only(front, anna, bert)


async def sees_the_page(front: Front, viewer: aiohttp.ClientSession) -> None:
    async with viewer.get(f"{front.path}/", **front.asked()) as response:
        assert response.status == 200
        host = f"{NAME}:{front.port}"
        assert f"connect-src 'self' ws://{host} wss://{host};" in response.headers["Content-Security-Policy"]
        page = await response.text()
    for named in re.findall(r'(?:src|href)="([a-z][^":]*)"', page):
        async with viewer.get(urljoin(f"{front.path}/", named), **front.asked()) as response:
            assert response.status == 200, named
    if front.path:
        async with viewer.get(front.path, **front.asked(), allow_redirects=False) as response:
            assert urlsplit(response.headers["Location"]).path == f"{front.path}/"


async def joins_by_its_own_address(front: Front, viewer: aiohttp.ClientSession) -> None:
    signaling = await front.connect(viewer)
    await signaling.send("hello", token="right")
    assert (await signaling.receive("welcome"))["resumed"] is False
    await signaling.receive("offer")
    (figures,) = await front.figures()
    assert (figures["address"], figures["secure"]) == (ANNA, True)
    await signaling.send("heartbeat", t=1.5)
    assert (await signaling.receive("heartbeat"))["t"] == 1.5
    await signaling.send("bye")
    assert await signaling.close_code() == 1000


async def claims_in_vain(front: Front, viewer: aiohttp.ClientSession) -> None:
    """Say to come from elsewhere, as who wants to guess for ever, or to be this machine itself."""
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Real-IP": "127.0.0.1"}
    signaling = await front.connect(viewer, **claims)
    await signaling.send("hello", token="right")
    await signaling.receive("welcome")
    (figures,) = await front.figures()
    assert (figures["address"], figures["secure"]) == (BERT, True)
    await signaling.send("bye")
    assert await signaling.close_code() == 1000


async def is_not_the_operator_by_being_forwarded(front: Front, viewer: aiohttp.ClientSession) -> None:
    async with viewer.post(f"{front.path}/api/live", json={"live": True}, **front.asked()) as response:
        assert response.status == 401
    async with viewer.post(f"{front.path}/api/live", json={"live": True}, **front.asked(Host="localhost")):
        pass  # Caddy knows no such site and answers by itself
    assert front.rig.stream.requested == []
    operator = front.asked(Authorization=f"Bearer {front.operator_token}")
    async with viewer.post(f"{front.path}/api/live", json={"live": True}, **operator) as response:
        assert response.status == 200
    assert front.rig.stream.requested == [True]


async def guesses_for_itself_only(front: Front, one: aiohttp.ClientSession, other: aiohttp.ClientSession) -> None:
    for number in range(5):
        assert await front.refused(one, f"guess{number}") == ("token-wrong", 4001)
    assert await front.refused(one, "right") == ("too-many", 4005)
    assert await front.refused(other, "guess") == ("token-wrong", 4001)


def nginx(text: str, port: int, server: int, pair: CertificatePair, folder: Path) -> str:
    """The example, in a configuration that needs nothing of the system's."""
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
    """The example, without a certificate authority and Caddy's own administration."""
    text = replaced(
        text,
        f"\n{NAME} {{",
        f"\nhttps://{NAME}:{port} {{\n bind 127.0.0.1\n tls {pair.certificate} {pair.key}",
    )
    text = replaced(text, "reverse_proxy 127.0.0.1:8080", f"reverse_proxy 127.0.0.1:{server}")
    return "{\n admin off\n auto_https disable_redirects\n}\n" + text


def replaced(text: str, before: str, after: str) -> str:
    assert text.count(before) == 1, f"{before} stands {text.count(before)} times in the example"
    return text.replace(before, after)


def find(name: str) -> str:
    """The program; its package starts a service, so that no test installs it."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"{name} is not here: sudo apt install {PACKAGES[name]}")
    return program


@contextlib.asynccontextmanager
async def running(program: str, *arguments: str, home: Path, port: int) -> AsyncIterator[None]:
    """Run the proxy until the end, from when it listens on; what it writes belongs to a failed test's output."""
    with (home / "log").open("wb") as log:
        environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=log, stderr=log, env=environment)
    try:
        await until_listening(process, port)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        sys.stdout.write((home / "log").read_text(errors="replace"))


async def until_listening(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the proxy ended")
