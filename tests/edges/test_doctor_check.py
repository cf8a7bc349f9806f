"""`broadcaster check` as people run it, on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping

import pytest

from broadcaster.doctor.names import NAMES
from tests.rigs.daemon import Daemon, free_port
from tests.rigs.fifo_microphone import FifoMicrophone

SMALL = ("video.source=test", "video.width=320", "video.height=180", "audio.source=test")
TIME_LIMIT = 90
"""Seconds; it takes about seven, and some machines stand still now and then."""


def start(
    *arguments: str, settings: tuple[str, ...] = SMALL, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "broadcaster", "check", "--as-me", *arguments]
    for one in settings:
        command += ["--set", one]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | dict(environment or {})
    )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    with process:
        try:
            out, err = process.communicate(timeout=TIME_LIMIT)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def check(*arguments: str, settings: tuple[str, ...] = SMALL) -> subprocess.CompletedProcess[str]:
    return finish(start(*arguments, settings=settings))


def lines(ended: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    assert ended.stderr == ""
    return {line["what"]: line for line in json.loads(ended.stdout)}


def code_of(found: dict[str, dict[str, str]]) -> int:
    return max(["ok", "warning", "broken"].index(line["level"]) for line in found.values())


@pytest.fixture(scope="module", autouse=True)
def whole(tmp_path_factory):
    """A check of everything, begun before the first test and looked at by the last: most of its time it waits."""
    state = tmp_path_factory.mktemp("state")
    process = start("--json", "--set", f"web.port={free_port()}", "--set", f"stream.state_dir={state}")
    yield process
    process.kill()


async def test_a_running_broadcaster_is_recognised_and_left_alone():
    async with Daemon(video__width=320, video__height=180, video__bitrate=200_000) as daemon:
        async with asyncio.timeout(20):
            while (await daemon.status())["stream"]["state"] != "live":
                await asyncio.sleep(0.05)
        names = ("port", "camera", "encoder", "microphone")
        found = lines(await asyncio.to_thread(check, "--json", *names, settings=(*SMALL, f"web.port={daemon.port}")))
        assert found["port"]["found"] == f"{daemon.port}, in use by the running broadcaster: fine"
        assert found["camera"]["found"] == "in use by the running broadcaster: fine (test, 320×180)"
        assert found["microphone"]["found"].startswith("in use by the running broadcaster: fine")
        assert "pictures a second live at 320×180" in found["encoder"]["found"]
        assert (await daemon.status())["stream"]["state"] == "live"


def test_settings_that_are_wrong_are_a_line_and_the_rest_is_looked_at():
    ended = check("--json", "settings", "clock", "port", settings=("video.fps=0", "web.prot=1"))
    found = lines(ended)
    assert ended.returncode == 2
    assert found["settings"]["level"] == "broken"
    assert "web.prot: no such setting; did you mean web.port?" in found["settings"]["found"]
    assert "video.fps = 0: must be a whole number from 1 to 120" in found["settings"]["found"]
    assert set(found) == {"settings", "clock", "port"}
    assert "8080" in found["port"]["found"]


def test_a_port_that_somebody_holds_is_broken_and_says_who():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
        ended = check("--json", "port", settings=(f"web.port={port}", "web.host=127.0.0.1"))
    line = lines(ended)["port"]
    assert ended.returncode == 2
    assert line["level"] == "broken"
    assert f"(process {os.getpid()})" in line["found"]
    assert f"sudo kill {os.getpid()}" in line["fix"]


def test_a_microphone_is_opened_by_arecord_and_its_level_taken(tmp_path):
    settings = ("audio.source=alsa", "audio.device=fifo-mono", "audio.gain=-20")
    with FifoMicrophone(tmp_path).running() as microphone:
        ended = finish(start("--json", "microphone", settings=settings, environment=microphone.environment))
    line = lines(ended)["microphone"]
    assert line["level"] == "ok"
    assert line["found"].startswith("fifo-mono: recording, mono: level -")


def test_people_get_text_without_colour_where_no_terminal_is():
    ended = check("board", "memory", settings=())
    assert ended.stderr == ""
    assert "\x1b" not in ended.stdout
    first, _, board, *_, last = ended.stdout.rstrip().splitlines()
    assert first.startswith("broadcaster ")
    assert board[8:].startswith("board        ")
    assert last.endswith((" to look at.", "are fine."))


def test_a_name_that_there_is_not_is_wrong_usage():
    ended = check("camra", settings=())
    assert ended.returncode == 2
    assert "there is no 'camra'; there are board, system," in ended.stderr


def test_everything_is_looked_at_and_the_worst_is_the_exit_code(whole):
    ended = finish(whole)
    found = lines(ended)
    assert tuple(found) == NAMES
    assert ended.returncode == code_of(found)
    assert not [line for line in found.values() if "could not be looked at" in line["found"]]
    assert found["camera"]["found"].startswith("test, 320×180, first picture after ")
    assert "libx264 manages" in found["encoder"]["found"]
    assert found["microphone"]["found"].startswith("test: level -")
    assert found["ways"]["found"].startswith("direct: ")
    for line in found.values():
        assert line["why"]
        assert bool(line["fix"]) == (line["level"] != "ok")
