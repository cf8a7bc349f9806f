"""`broadcaster check` as people run it, on this machine, with shorter trials of camera and encoder."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from broadcaster.doctor.names import NAMES
from tests.rigs.daemon import Daemon, free_port
from tests.rigs.fifo_microphone import FifoMicrophone

SMALL = ("video.source=test", "video.width=320", "video.height=180", "audio.source=test")
PROGRAM = """
import sys
from broadcaster.cli import main
from broadcaster.doctor.checks import camera

camera.TRIAL = camera.GLANCE = 0.5
sys.exit(main())
"""
TIME_LIMIT = 120
"""Seconds; alone it takes about four, and some machines stand still now and then."""
ATTEMPTS = 3
"""A machine that stands still for two seconds makes the daemon believe that its source does."""


@dataclass(frozen=True)
class Ended:
    """How a check ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> dict[str, dict[str, str]]:
        """What it found, by what it was."""
        assert self.err == ""
        return {line["what"]: line for line in json.loads(self.out)}


async def check(
    *arguments: str, settings: tuple[str, ...] = SMALL, environment: Mapping[str, str] | None = None
) -> Ended:
    command = [sys.executable, "-c", PROGRAM, "check", "--as-me", *arguments]
    for one in settings:
        command += ["--set", one]
    pipe, variables = asyncio.subprocess.PIPE, os.environ | dict(environment or {})
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=variables)
    try:
        async with asyncio.timeout(TIME_LIMIT):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def attempts(attempt: Callable[[], Awaitable[Ended]], good: Callable[[Ended], bool]) -> Ended:
    for _ in range(ATTEMPTS - 1):
        ended = await attempt()
        if good(ended):
            return ended
    return await attempt()


async def everything(folder: Path) -> Ended:
    return await check("--json", "--set", f"web.port={free_port()}", "--set", f"stream.state_dir={folder}")


async def beside_a_broadcaster(folder: Path) -> Ended:
    names = ("port", "camera", "encoder", "microphone")
    async with Daemon(video__width=320, video__height=180, video__bitrate=200_000) as daemon:
        async with asyncio.timeout(20):
            while (await daemon.status())["stream"]["state"] != "live":
                await asyncio.sleep(0.05)
        return await attempts(
            lambda: check("--json", *names, settings=(*SMALL, f"web.port={daemon.port}")),
            lambda ended: "live at" in ended.lines["encoder"]["found"],
        )


async def at_a_port_that_is_taken(folder: Path) -> Ended:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await check("--json", "port", settings=(f"web.port={port}", "web.host=127.0.0.1"))


async def with_a_microphone(folder: Path) -> Ended:
    settings = ("audio.source=alsa", "audio.device=fifo-mono", "audio.gain=-20")

    async def attempt() -> Ended:
        return await check("--json", "microphone", settings=settings, environment=microphone.environment)

    with FifoMicrophone(folder).running() as microphone:
        return await attempts(attempt, lambda ended: ended.code == 0)


async def with_wrong_settings(folder: Path) -> Ended:
    return await check("--json", "settings", "clock", "port", settings=("video.fps=0", "web.prot=1"))


async def for_people(folder: Path) -> Ended:
    return await check("board", "memory", settings=())


async def of_what_there_is_not(folder: Path) -> Ended:
    return await check("camra", settings=())


SCENES = (
    everything,
    beside_a_broadcaster,
    at_a_port_that_is_taken,
    with_a_microphone,
    with_wrong_settings,
    for_people,
    of_what_there_is_not,
)


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict[object, Ended]:
    """How each of the scenes ended; they play all at once, because most of their time they wait."""

    async def play() -> list[Ended]:
        return await asyncio.gather(*(scene(tmp_path_factory.mktemp(scene.__name__)) for scene in SCENES))

    return dict(zip(SCENES, asyncio.run(play()), strict=True))


def test_everything_is_looked_at_and_the_worst_is_the_exit_code(ended):
    found = ended[everything].lines
    assert tuple(found) == NAMES
    assert ended[everything].code == max(["ok", "warning", "broken"].index(line["level"]) for line in found.values())
    assert not [line for line in found.values() if "could not be looked at" in line["found"]]
    assert found["camera"]["found"].startswith("test, 320×180, first picture after ")
    assert "libx264 manages" in found["encoder"]["found"]
    assert found["microphone"]["found"].startswith("test: level -")
    assert found["ways"]["found"].startswith("direct: ")
    for line in found.values():
        assert line["why"]
        assert bool(line["fix"]) == (line["level"] != "ok")


def test_a_running_broadcaster_is_recognised_and_left_alone(ended):
    found = ended[beside_a_broadcaster].lines
    assert found["port"]["found"].endswith(", in use by the running broadcaster: fine")
    assert found["camera"]["found"] == "in use by the running broadcaster: fine (test, 320×180)"
    assert found["microphone"]["found"].startswith("in use by the running broadcaster: fine")
    assert "pictures a second live at 320×180" in found["encoder"]["found"]


def test_a_port_that_somebody_holds_is_broken_and_says_who(ended):
    line = ended[at_a_port_that_is_taken].lines["port"]
    assert (ended[at_a_port_that_is_taken].code, line["level"]) == (2, "broken")
    assert f"(process {os.getpid()})" in line["found"]
    assert f"sudo kill {os.getpid()}" in line["fix"]


def test_a_microphone_is_opened_by_arecord_and_its_level_taken(ended):
    line = ended[with_a_microphone].lines["microphone"]
    assert line["level"] == "ok"
    assert line["found"].startswith("fifo-mono: recording, mono: level -")


def test_settings_that_are_wrong_are_a_line_and_the_rest_is_looked_at(ended):
    found = ended[with_wrong_settings].lines
    assert (ended[with_wrong_settings].code, found["settings"]["level"]) == (2, "broken")
    assert "web.prot: no such setting; did you mean web.port?" in found["settings"]["found"]
    assert "video.fps = 0: must be a whole number from 1 to 120" in found["settings"]["found"]
    assert set(found) == {"settings", "clock", "port"}
    assert "8080" in found["port"]["found"]


def test_people_get_text_without_colour_where_no_terminal_is(ended):
    assert ended[for_people].err == ""
    assert "\x1b" not in ended[for_people].out
    first, _, board, *_, last = ended[for_people].out.rstrip().splitlines()
    assert first.startswith("broadcaster ")
    assert board[8:].startswith("board        ")
    assert last.endswith((" to look at.", "are fine."))


def test_a_name_that_there_is_not_is_wrong_usage(ended):
    assert ended[of_what_there_is_not].code == 2
    assert "there is no 'camra'; there are board, system," in ended[of_what_there_is_not].err
