"""Push targets of a real daemon: status, reload, shutdown; nothing is loaded without a target."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request

from aiohttp import web

from tests.edges.test_daemon_reload import wait_for_log
from tests.rigs.daemon import ROOT, Daemon
from tests.rigs.stalls import within
from tests.rigs.whip_server import WhipServer

SMALL = {"video__width": 320, "video__height": 180, "video__bitrate": 200_000}


def toml(server: WhipServer, token: str = "hush") -> str:
    return f'[[push]]\nname = "relay"\nurl = "{server.url}"\ntoken = "{token}"\n'


def status_as_operator(daemon: Daemon) -> str:
    request = urllib.request.Request(f"{daemon.url}api/status")
    request.add_header("Authorization", "Bearer operator-of-this-test")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


async def test_sighup_applies_changed_push_targets(tmp_path):
    file = tmp_path / "broadcaster.toml"
    async with WhipServer(token="hush-hush") as server:
        file.write_text(toml(server, "wrong-wrong"))
        daemon = Daemon("--settings", str(file), **SMALL)
        daemon.in_new_session = True  # without a controlling terminal, as a service
        async with daemon:
            await wait_for_log(daemon, "not tried again until the settings are reloaded")
            file.write_text(toml(server, "hush-hush"))
            daemon.signal(signal.SIGHUP)
            await wait_for_log(daemon, "SIGHUP: settings reloaded; changed: push")
            publication = await server.published()
            file.write_text("")
            daemon.signal(signal.SIGHUP)
            await server.until(lambda: publication.deleted)
            assert (await daemon.status())["push"] == []
            file.write_text(toml(server, "hush-hush"))
            daemon.signal(signal.SIGHUP)
            publication = await server.published(2)
            assert await daemon.stop() == 0
            assert publication.deleted
        assert "hush" not in daemon.log
        assert "Traceback" not in daemon.log


async def test_session_of_a_daemon_that_was_killed_is_deleted_by_the_next_one():
    async with WhipServer() as server, Daemon(push=f'[{{name = "relay", url = "{server.url}"}}]', **SMALL) as daemon:
        await server.published()
        await daemon.stop(signal.SIGKILL)
        server.requests.clear()
        await daemon.start()
        await server.published(2)
        assert [(method, path) for method, path, _ in server.requests] == [
            ("DELETE", "/session/0"),
            ("OPTIONS", "/whip"),
            ("POST", "/whip"),
        ]


async def test_server_that_hangs_does_not_delay_the_exit():
    forever = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await forever.wait()
        return web.Response()

    async with WhipServer() as server, Daemon(push=f'[{{name = "relay", url = "{server.url}"}}]', **SMALL) as daemon:
        server.delete = hang
        await server.published()
        async with within(3.0):
            assert await daemon.stop() == 0
        forever.set()
        assert server.requests[-1][0] == "DELETE"


async def test_status_shows_push_targets_to_the_operator_only():
    async with WhipServer() as server:
        push = f'[{{name = "relay", url = "{server.url}?key=hush"}}]'
        async with Daemon(push=push, web__operator_token="operator-of-this-test", **SMALL) as daemon:
            await server.published()
            assert "push" not in await daemon.status()
            text = await asyncio.to_thread(status_as_operator, daemon)
            (target,) = json.loads(text)["push"]
            assert (target["name"], target["state"], target["http_status"]) == ("relay", "connected", 201)
            assert target["server"] == f"http://127.0.0.1:{server.port}"
            assert target["peer"]["connected"]
            assert "hush" not in text


def test_nothing_is_loaded_without_a_target():
    program = (
        "import sys, broadcaster.app; print([name for name in sys.modules if name.startswith('broadcaster.web.push')])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
