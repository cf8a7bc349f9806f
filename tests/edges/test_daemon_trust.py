"""The daemon as a process: its secrets, and viewer links from the command line that expire."""

from __future__ import annotations

import asyncio
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import aiohttp

from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.storage.secrets import state_secrets
from tests.rigs.certificates import NAME, make_pair
from tests.rigs.daemon import START_LIMIT, free_port


async def test_links_from_the_command_line_work_over_tls_until_they_expire(tmp_path):
    pair, port, state = make_pair(tmp_path), free_port(), tmp_path / "state"
    file = tmp_path / "settings.toml"
    file.write_text(
        f'[stream]\nstate_dir = "{state}"\nstart = "offline"\n[video]\nsource = "test"\n[audio]\nsource = "none"\n'
        f'[web]\nhost = "127.0.0.1"\nport = {port}\nlinks = true\n'
        f'certificate = "{pair.certificate}"\nkey = "{pair.key}"\n'
    )
    command = [sys.executable, "-m", "broadcaster", "run", "--settings", str(file)]
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        await wait_until_listening(port, process)
        links = await asyncio.gather(*(asyncio.to_thread(create_link, file, hours) for hours in ("0.0004", "0.5")))
        async with aiohttp.ClientSession() as client:
            await watch_by_links(client, port, pair.trusted(), *links)
            await use_operator_token(client, port, pair.trusted(), state)
        wrong = await asyncio.to_thread(link_command, file, "--set", f"stream.state_dir={make_key(tmp_path / 'other')}")
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert "is not the link key of the running daemon" in wrong.stderr
        revoked = await asyncio.to_thread(link_command, file, "--revoke")
        assert "the running daemon has revoked all existing links" in revoked.stdout
    finally:
        if process.returncode is None:
            process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    output = (tmp_path / "log").read_text()
    assert f"listening on 127.0.0.1:{port}" in output
    assert f"broadcaster link --settings {file} --name NAME" in output
    assert f"anyone with the token in {state}/operator_token" in output
    assert "joined with the link of Anna" in output
    for secret in ("link_key", "operator_token"):
        assert stat.S_IMODE((state / secret).stat().st_mode) == 0o600
        assert (state / secret).read_text().strip() not in output
    assert not any(link.split("#t=")[1] in output for link in links)


async def watch_by_links(client: aiohttp.ClientSession, port: int, trusted: ssl.SSLContext, *links: str) -> None:
    """The short link has expired, or expires soon, and closes the session with 4001; the long one is accepted."""
    short, long = (link.split("#t=")[1] for link in links)
    assert links[0].startswith(f"https://{NAME}:{port}/#t=")
    url = f"https://localhost:{port}/ws"
    async with client.ws_connect(url, protocols=[SUBPROTOCOL], ssl=trusted) as socket:
        await socket.send_json({"type": "hello", "token": short})
        messages = [message.json() async for message in socket if message.type is aiohttp.WSMsgType.TEXT]
        assert messages[-1]["code"] == "token-expired"
        assert socket.close_code == 4001
    async with client.ws_connect(url, protocols=[SUBPROTOCOL], ssl=trusted) as socket:
        await socket.send_json({"type": "hello", "token": long})
        assert (await socket.receive_json())["type"] == "welcome"


async def use_operator_token(client: aiohttp.ClientSession, port: int, trusted: ssl.SSLContext, state: Path) -> None:
    url, token = f"https://localhost:{port}/api/status", (state / "operator_token").read_text().strip()
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    async with client.get(url, ssl=trusted, headers=forwarded) as response:
        assert "viewer_figures" not in await response.json()
    async with client.get(url, ssl=trusted, headers=forwarded | {"Authorization": f"Bearer {token}"}) as response:
        assert "viewer_figures" in await response.json()


def make_key(folder: Path) -> Path:
    """Return the state folder of another daemon."""
    state_secrets(folder).link_key.read_or_create()
    return folder


def link_command(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broadcaster", "link", "--settings", str(file), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def create_link(file: Path, hours: str) -> str:
    """Return the first link, which has the name of the certificate."""
    return link_command(file, "--name", "Anna", "--hours", hours).stdout.splitlines()[0]


async def wait_until_listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_LIMIT):
        while True:
            assert process.returncode is None
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
