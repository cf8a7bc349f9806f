"""The daemon as a process: start, signals and exit, with viewers connected."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rigs.daemon import Daemon, free_port
from tests.rigs.light import LightViewer

SMALL = {"video__width": 320, "video__height": 180, "video__bitrate": 200_000}


async def test_viewer_receives_every_packet():
    async with Daemon(**SMALL) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with asyncio.timeout(10):
            while viewer.packets <= 60:
                await asyncio.sleep(0.02)
        assert viewer.gaps == 0
        assert (await daemon.status())["stream"]["state"] == "live"


async def test_sigusr1_toggles_live():
    async with Daemon(live=False, stream__start="offline", **SMALL) as daemon, LightViewer(daemon.port) as viewer:
        assert (await viewer.message("welcome"))["stream"]["state"] == "offline"
        daemon.signal(signal.SIGUSR1)
        await viewer.message("stream", state="live")
        await viewer.keyframe()
        daemon.signal(signal.SIGUSR1)
        await viewer.message("bye", reason="stopped")
        await viewer.message("stream", state="offline")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stop_signal_exits_cleanly_within_three_seconds(number):
    async with Daemon(**SMALL) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        began = time.monotonic()
        assert await daemon.stop(number) == 0
        assert time.monotonic() - began < 3
        assert await viewer.wait_closed() == 1001
        assert "Traceback" not in daemon.log
        assert "never retrieved" not in daemon.log


async def test_source_that_hangs_while_opening_does_not_delay_the_exit(tmp_path):
    os.mkfifo(tmp_path / "a.ts")  # without a writer, opening it blocks
    file = tmp_path / "film.m3u8"
    file.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\na.ts\n#EXT-X-ENDLIST\n")
    async with Daemon(live=False, **SMALL) as usual, Daemon(video__source="file", video__file=file) as hanging:
        async with asyncio.timeout(10):
            while (await hanging.status())["stream"]["state"] != "starting":
                await asyncio.sleep(0.01)
        as_usual, took = await asyncio.gather(seconds_to_stop(usual), seconds_to_stop(hanging))
        assert took < 3 + as_usual, "on a busy machine, both take longer"


async def seconds_to_stop(daemon: Daemon) -> float:
    began = time.monotonic()
    assert await daemon.stop() == 0
    return time.monotonic() - began


async def test_desired_state_survives_a_crash():
    async with Daemon(live=False, stream__start="last", **SMALL) as daemon:
        await daemon.set_live(True)
        await daemon.stop(signal.SIGKILL)
        await daemon.start()
        async with LightViewer(daemon.port) as viewer:
            await viewer.keyframe()
        await daemon.set_live(False)
        await daemon.stop(signal.SIGKILL)
        await daemon.start()
        assert (await daemon.status())["stream"]["state"] == "offline"


async def test_source_that_cannot_be_opened_is_reported_and_not_replaced(tmp_path):
    async with Daemon(video__source="file", video__file=tmp_path / "nothing.mp4") as daemon:
        async with LightViewer(daemon.port) as viewer:
            status = (await viewer.message("welcome"))["stream"]
            if status["state"] != "failed":
                status = await viewer.message("stream", state="failed")
            assert status["reason"] == "file"
        assert "nothing.mp4" in daemon.log


async def test_port_in_use_is_an_error_that_names_the_setting():
    async with Daemon(**SMALL) as daemon:
        command = [sys.executable, "-m", "broadcaster", "run", "--set", f"web.port={daemon.port}"]
        command += ["--set", "stream.start=offline"]
        ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=20)
        assert ended.returncode == 1
        assert "web.port" in ended.stderr
        assert str(daemon.port) in ended.stderr
        assert "Traceback" not in ended.stderr


def test_invalid_settings_exit_with_2():
    command = [sys.executable, "-m", "broadcaster", "run", "--set", "web.prot=1", "--set", f"web.port={free_port()}x"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "web.port" in ended.stderr
    assert "web.prot" in ended.stderr


async def test_second_stop_signal_is_ignored():
    async with Daemon(**SMALL) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        daemon.signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert await daemon.stop(signal.SIGTERM) == 0


async def test_toggle_signal_during_start_does_not_kill_the_daemon():
    daemon = Daemon(live=False, stream__start="offline", **SMALL)
    starting = asyncio.create_task(daemon.__aenter__())
    try:
        sent = 0
        while not starting.done():
            await asyncio.sleep(0.02)
            if daemon.process is not None and ignores_toggle_signal(daemon.pid):
                daemon.signal(signal.SIGUSR1)
                sent += 1
        await starting
        assert sent > 0
        assert daemon.process.returncode is None
    finally:
        await daemon.__aexit__()


def ignores_toggle_signal(pid: int) -> bool:
    """Return whether the process ignores SIGUSR1 (proc(5), SigIgn), as it does until its event loop runs."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(mask, 16) >> (signal.SIGUSR1 - 1) & 1)
