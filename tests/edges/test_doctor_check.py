"""The command `broadcaster check` on this machine, with short measurements of camera and encoder."""

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

camera.MEASUREMENT = camera.SHORT_MEASUREMENT = 0.5
sys.exit(main())
"""
TIME_LIMIT = 120
"""Seconds; alone the check takes about four, but some test machines stall now and then."""
ATTEMPTS = 3
"""Retries, because on a machine that stalls for two seconds the daemon regards its source as stalled."""


@dataclass(frozen=True)
class Completed:
    """Exit code and output of a check."""

    code: int
    out: str
    err: str

    @property
    def results(self) -> dict[str, dict[str, str]]:
        """The results of `--json` by name."""
        assert self.err == ""
        return {result["what"]: result for result in json.loads(self.out)}


async def check(
    *arguments: str, settings: tuple[str, ...] = SMALL, environment: Mapping[str, str] | None = None
) -> Completed:
    command = [sys.executable, "-c", PROGRAM, "check", "--as-me", *arguments]
    for setting in settings:
        command += ["--set", setting]
    pipe, variables = asyncio.subprocess.PIPE, os.environ | dict(environment or {})
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=variables)
    try:
        async with asyncio.timeout(TIME_LIMIT):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Completed(process.returncode or 0, out.decode(), err.decode())


async def retry(attempt: Callable[[], Awaitable[Completed]], is_good: Callable[[Completed], bool]) -> Completed:
    for _ in range(ATTEMPTS - 1):
        completed = await attempt()
        if is_good(completed):
            return completed
    return await attempt()


async def everything(folder: Path) -> Completed:
    return await check("--json", "--set", f"web.port={free_port()}", "--set", f"stream.state_dir={folder}")


async def next_to_a_running_daemon(folder: Path) -> Completed:
    names = ("port", "camera", "encoder", "rendition", "microphone")
    async with Daemon(video__width=320, video__height=180, video__bitrate=200_000) as daemon:
        async with asyncio.timeout(20):
            while (await daemon.status())["stream"]["state"] != "live":
                await asyncio.sleep(0.05)
        return await retry(
            lambda: check("--json", *names, settings=(*SMALL, f"web.port={daemon.port}")),
            lambda completed: "fps live at" in completed.results["encoder"]["found"],
        )


async def with_a_port_in_use(folder: Path) -> Completed:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await check("--json", "port", settings=(f"web.port={port}", "web.host=127.0.0.1"))


async def with_a_microphone(folder: Path) -> Completed:
    settings = ("audio.source=alsa", "audio.device=fifo-mono", "audio.gain=-20")

    async def attempt() -> Completed:
        return await check("--json", "microphone", settings=settings, environment=microphone.environment)

    with FifoMicrophone(folder).running() as microphone:
        return await retry(attempt, lambda completed: completed.code == 0)


async def with_invalid_settings(folder: Path) -> Completed:
    return await check("--json", "settings", "clock", "port", settings=("video.fps=0", "web.prot=1"))


async def as_text(folder: Path) -> Completed:
    return await check("board", "memory", settings=())


async def with_an_unknown_name(folder: Path) -> Completed:
    return await check("camra", settings=())


SCENARIOS = (
    everything,
    next_to_a_running_daemon,
    with_a_port_in_use,
    with_a_microphone,
    with_invalid_settings,
    as_text,
    with_an_unknown_name,
)


@pytest.fixture(scope="module")
def completed(tmp_path_factory) -> dict[object, Completed]:
    """The scenarios and their results; they run in parallel, because most of their time they wait."""

    async def run_all() -> list[Completed]:
        return await asyncio.gather(*(scenario(tmp_path_factory.mktemp(scenario.__name__)) for scenario in SCENARIOS))

    return dict(zip(SCENARIOS, asyncio.run(run_all()), strict=True))


def test_all_results_are_complete_and_the_worst_is_the_exit_code(completed):
    results = completed[everything].results
    assert tuple(results) == NAMES
    levels = ["ok", "warning", "broken"]
    assert completed[everything].code == max(levels.index(result["level"]) for result in results.values())
    assert not [result for result in results.values() if "could not be checked" in result["found"]]
    assert results["camera"]["found"].startswith("test, 320×180, first picture after ")
    assert "libx264 can encode" in results["encoder"]["found"]
    assert results["rendition"]["found"].startswith("none: the video of 320x180 is too small")
    assert results["microphone"]["found"].startswith("test: level -")
    assert results["candidates"]["found"].startswith("direct: ")
    for result in results.values():
        assert result["why"]
        assert bool(result["fix"]) == (result["level"] != "ok")


def test_running_daemon_is_recognised_and_left_alone(completed):
    results = completed[next_to_a_running_daemon].results
    assert results["port"]["found"].endswith(" is in use by the running broadcaster")
    assert results["camera"]["found"] == "in use by the running broadcaster (test, 320×180)"
    assert results["rendition"]["found"].startswith("not checked: the camera is in use")
    assert results["microphone"]["found"].startswith("in use by the running broadcaster (")
    assert "fps live at 320×180" in results["encoder"]["found"]


def test_port_in_use_is_broken_and_names_the_process(completed):
    result = completed[with_a_port_in_use].results["port"]
    assert (completed[with_a_port_in_use].code, result["level"]) == (2, "broken")
    assert f"(process {os.getpid()})" in result["found"]
    assert f"sudo kill {os.getpid()}" in result["fix"]


def test_microphone_is_opened_by_arecord_and_its_level_measured(completed):
    result = completed[with_a_microphone].results["microphone"]
    assert result["level"] == "ok"
    assert result["found"].startswith("fifo-mono: recording, mono: level -")


def test_invalid_settings_are_broken_and_the_other_checks_use_defaults(completed):
    results = completed[with_invalid_settings].results
    assert (completed[with_invalid_settings].code, results["settings"]["level"]) == (2, "broken")
    assert "web.prot: no such setting; did you mean web.port?" in results["settings"]["found"]
    assert "video.fps = 0: must be a whole number from 1 to 120" in results["settings"]["found"]
    assert set(results) == {"settings", "clock", "port"}
    assert "8080" in results["port"]["found"]


def test_text_has_no_colour_without_a_terminal(completed):
    assert completed[as_text].err == ""
    assert "\x1b" not in completed[as_text].out
    first, _, board, *_, last = completed[as_text].out.rstrip().splitlines()
    assert first.startswith("broadcaster ")
    assert board[9:].startswith("board        ")
    assert last.startswith("2 checked: ")


def test_unknown_name_is_a_usage_error(completed):
    assert completed[with_an_unknown_name].code == 2
    assert "there is no check 'camra'; choose from board, system," in completed[with_an_unknown_name].err
