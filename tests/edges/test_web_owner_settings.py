"""The owner changes settings: by API with the real daemon, over a restart, and with a broken file."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from broadcaster.cli.commands import main
from broadcaster.errors import BroadcasterError
from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.storage.settings_source import SettingsSource
from tests.rigs.daemon import ROOT, Daemon

SMALL = {"video__width": 320, "video__height": 180, "video__fps": 10, "audio__source": "none"}
URL = "api/owner/settings"
SECRETS = {"viewer_token": "velvet-hammer-lagoon-four", "operator_token": "orchard-gravel-topaz-nine"}


class Owner:
    """The owner's requests to a daemon."""

    def __init__(self, daemon: Daemon, client: aiohttp.ClientSession) -> None:
        self.daemon = daemon
        self.client = client

    async def request(self, method: str, path: str = URL, body: object = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {SECRETS['operator_token']}"}
        async with self.client.request(method, self.daemon.url + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def setting(self, path: str) -> dict[str, Any]:
        _, answer = await self.request("GET")
        return next(row for row in answer["settings"] if row["path"] == path)

    async def welcome(self) -> dict[str, Any]:
        """Join as a viewer, and return the first message."""
        async with self.client.ws_connect(f"{self.daemon.url}ws", protocols=[SUBPROTOCOL]) as viewer:
            await viewer.send_json({"type": "hello", "token": SECRETS["viewer_token"]})
            message: dict[str, Any] = await viewer.receive_json()
            return message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "broadcaster.toml"
    tokens = "".join(f'{name} = "{value}"\n' for name, value in SECRETS.items())
    file.write_text(f'[web]\nmax_viewers = 7\n{tokens}[station]\ntitle = "Garden"\n')
    return file


def rename(file: Path, before: str, after: str) -> None:
    file.write_text(file.read_text().replace(before, after))


def daemon(file: Path, *arguments: str, live: bool = False, **settings: object) -> Daemon:
    made = Daemon("--settings", str(file), *arguments, live=live, **SMALL | settings)
    made.in_new_session = True  # without a controlling terminal, as a service
    return made


async def wait_for_log(daemon: Daemon, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in daemon.log:
            await asyncio.sleep(0.02)


async def effective(file: Path, state: Path) -> tuple[str, str]:
    """Return what `broadcaster settings` prints, and its errors."""
    command = ("-m", "broadcaster", "settings", "--changed", "--settings", file, "--set", f"stream.state_dir={state}")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, stderr=pipe, cwd=ROOT)
    output, errors = await process.communicate()
    return output.decode(), errors.decode()


async def test_settings_are_changed_applied_reset_and_kept(file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    running = daemon(file, live=True, stream__state_dir=state, video__bitrate_min=100_000)
    async with aiohttp.ClientSession() as client, running:
        owner = Owner(running, client)
        await check_wrong_changes(owner)
        await check_bit_rate(owner)
        _, answer = await owner.request("GET")
        origins = {row["path"]: row["origin"] for row in answer["settings"]}
        assert [origins[path] for path in ("video.fps", "web.max_viewers", "web.links")] == [
            "command line", "file", "default"
        ]  # fmt: skip
        assert not any(secret in json.dumps(answer) for secret in SECRETS.values())

        change = {"web.max_viewers": 3, "station.line": "On the 三楼", "video.keyframe_interval": 4}
        status, answer = await owner.request("POST", body=change)
        assert (status, answer["pending"]) == (200, ["video.keyframe_interval"])
        assert (await owner.request("GET", "api/status"))[1]["limit"] == 3
        station = (await owner.welcome())["station"]
        assert (station["title"], station["line"]) == ("Garden", "On the 三楼")
        assert (state / "owner.toml").stat().st_mode & 0o777 == 0o600
        assert 'owner: program "Python": setting web.max_viewers set to 3\n' in running.log
        assert "video.keyframe_interval set to 4 after the next start" in running.log

        covered = await owner.request("POST", body={"video.fps": 20})
        assert covered[0] == 200
        assert (await owner.setting("video.fps"))["origin"] == "command line", "which is above the page"
        text, _ = await effective(file, state)
        assert "; set on the owner's page)\nmax_viewers = 3\n" in text
        assert "fps = 20\n" in text

        rename(file, "Garden", "Garage")
        running.signal(signal.SIGHUP)
        await wait_for_log(running, "SIGHUP: settings reloaded; changed: station.title")
        assert (await owner.setting("web.max_viewers"))["value"] == 3, "the page is above the file"

        assert await running.stop() == 0
        await running.start()
        row = await owner.setting("video.keyframe_interval")
        assert (row["value"], row["origin"], row["pending"]) == (4.0, "page", False)
        assert (await owner.request("DELETE", f"{URL}/web.max_viewers"))[0] == 200
        assert (await owner.setting("web.max_viewers"))["value"] == 7
        assert (await owner.setting("video.bitrate"))["value"] == 500_000
        assert (await owner.request("DELETE"))[0] == 200
        assert not (state / "owner.toml").exists()
        assert "Traceback" not in running.log


WRONG = [
    ({"web.max_viewers": 0}, "web.max_viewers = 0: must be a whole number from 1 to 1000"),
    ({"web.max_viewers": 5, "video.fps": "ten"}, "video.fps"),
    ({"web.operator_token": "x" * 30}, "web.operator_token: cannot be changed"),
    ({"web.nonsense": 1}, "cannot be changed"),
    ({"station.title": ["a"]}, "must be a single value"),
    ({"station.title": "two\nlines"}, "station.title"),
    ({"station.title": "\ud800"}, "station.title"),
    ({"station.next": "soon"}, "station.next"),
    ({"video.keyframe_interval": float("nan")}, "video.keyframe_interval"),
    ({"video.fps": 10**300}, "video.fps"),
    ({}, "The body must be"),
    ([1], "The body must be"),
]


async def check_wrong_changes(owner: Owner) -> None:
    """Wrong changes are refused with the reason, and change nothing; strangers may do nothing."""
    before = await owner.request("GET")
    for body, problem in WRONG:
        status, answer = await owner.request("POST", body=body)
        assert status == 400, body
        assert problem in answer["error"]
    assert await owner.request("GET") == before
    assert (await owner.request("DELETE", f"{URL}/web.port"))[0] == 404
    for method, path in (("GET", URL), ("POST", URL), ("DELETE", URL), ("DELETE", f"{URL}/web.max_viewers")):
        async with owner.client.request(method, owner.daemon.url + path, json={"web.max_viewers": 9}) as response:
            assert response.status == 401


async def check_bit_rate(owner: Owner) -> None:
    """The encoder's bit rate changes while the stream is live."""
    async with asyncio.timeout(60):
        while (await owner.request("GET", "api/status"))[1]["stream"]["state"] != "live":
            await asyncio.sleep(0.05)
    status, answer = await owner.request("POST", body={"video.bitrate": 500_000})
    assert (status, answer["pending"]) == (200, [])
    assert (await owner.request("GET", "api/status"))[1]["capacity"]["bitrate_wanted"] <= 500_000


@pytest.mark.parametrize("content", [b"[video]\nfps = 0\n", b"\xff\xfe", b"x" * 100_000, b"[web]\nport = 1\n"])
def test_broken_file_is_set_aside(file: Path, content: bytes, capsys: Any, caplog: Any) -> None:
    state = file.parent
    (state / "owner.toml").write_bytes(content)
    assert main(["settings", "--settings", str(file), "--set", f"stream.state_dir={state}"]) == 0
    assert "broadcaster: ignoring the settings of the owner's page: " in capsys.readouterr().err
    assert (state / "owner.toml").read_bytes() == content, "only the daemon sets it aside"
    source = SettingsSource(file.read_text, [f"stream.state_dir={state}"])
    assert source.read(set_aside=True).settings.web.max_viewers == 7
    assert caplog.text.count("the settings of the owner's page are invalid, and moved to ") == 1
    assert (state / "owner.toml.invalid").read_bytes() == content
    source.change({"web.max_viewers": 3})
    assert source.read(set_aside=True).settings.web.max_viewers == 3


def test_folder_that_cannot_be_written(file: Path) -> None:
    source = SettingsSource(file.read_text, ["stream.state_dir=/proc/nowhere"])
    before = source.read(set_aside=True)
    with pytest.raises(BroadcasterError, match=r"owner\.toml cannot be written"):
        source.change({"web.max_viewers": 3})
    assert source.current == before
