"""What the machine does to the daemon: its clock jumps, its disk is full, it is told to end, it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc.rtp import RtcpSrPacket

from tests.faults.bystanders import Unnoticed, unnoticed
from tests.faults.test_page import live_since
from tests.rigs.daemon import Daemon
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light import LightViewer
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import PATIENCE, within

HOUR, TEN_YEARS = 3600, 10 * 365 * 86_400
RATES = {"video": 90_000, "audio": 48_000}
RESTART = 1.0
"""Seconds after which systemd starts it anew."""

FORGETS = " storage.state_file: cannot store 'live' for the next start"


class TimedViewer(HealthyViewer):
    """Notes what each sender report says: the wall clock minus the media's time, in seconds, for each kind."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.offsets: dict[str, list[float]] = {"video": [], "audio": []}

    def _count_packets(self, transceiver: Any) -> None:
        super()._count_packets(transceiver)
        handle = transceiver.receiver._handle_rtcp_packet
        kind: str = transceiver.kind

        async def note(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                info = packet.sender_info
                self.offsets[kind].append(info.ntp_timestamp / 2**32 - info.rtp_timestamp / RATES[kind])
            await handle(packet)

        transceiver.receiver._handle_rtcp_packet = note


@pytest.mark.long
async def test_row_14_a_clock_that_jumps_changes_nothing(measured, tmp_path):
    library = faketime()
    if library is None:
        pytest.skip("no libfaketime here: apt install faketime")
    shift = tmp_path / "shift"
    shift.write_text("+0")
    daemon = ScriptedDaemon()
    daemon.environment |= {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with daemon, TimedViewer(daemon.port) as viewer:
        await viewer.keyframe()
        await asyncio.sleep(2.5)
        async with unnoticed(viewer) as seen:
            for seconds in (HOUR, -HOUR, TEN_YEARS):
                shift.write_text(f"{seconds:+d}")
                await asyncio.sleep(2.5)
                since: Any = (await daemon.status())["stream"]
                assert since["state"] == "live"
                async with LightViewer(daemon.port) as newcomer:
                    await newcomer.keyframe()
        wall = await daemon.call("process", "wall")
        assert abs(wall - time.time() - TEN_YEARS) < 60  # it has really jumped
        apart = max(map(drift, viewer.offsets.values()))
        moved = f"sender reports move by at most {apart * 1000:.1f} ms"
        measured("14", f"{seen}, {moved}, newcomers play, nobody leaves")
        assert apart < 0.02
        assert daemon.log.count(" left ") == 3


def faketime() -> Path | None:
    """Where Debian has it."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def drift(offsets: list[float]) -> float:
    assert len(offsets) > 5
    return max(offsets) - min(offsets)


async def test_row_15_a_state_folder_that_cannot_be_written_is_said_once(measured):
    async with ScriptedDaemon(stream__state_dir="/proc/broadcaster") as daemon, HealthyViewer(daemon.port) as viewer:
        seen = await off_and_on_again(daemon, viewer)
        token, *told = warnings(daemon)
        assert "operator_token cannot be written" in token
        assert [FORGETS in line for line in told] == [True], daemon.log
        measured("15", f"no state folder: {seen}, said once")


@pytest.mark.long
@pytest.mark.parametrize("fault", ["full", "read-only"])
async def test_row_15_a_disk_that_takes_nothing_any_more_is_said_once(measured, tmp_path, fault):
    with disk_of_its_own(tmp_path):
        async with ScriptedDaemon(stream__state_dir=tmp_path) as daemon, HealthyViewer(daemon.port) as viewer:
            await viewer.keyframe()
            if fault == "full":
                fill(tmp_path)
            else:
                mount("-o", "remount,ro", tmp_path)
            seen = await off_and_on_again(daemon, viewer)
            assert [FORGETS in line for line in warnings(daemon)] == [True], daemon.log
            measured("15", f"{fault}: {seen}, said once")


async def off_and_on_again(daemon: Daemon, viewer: HealthyViewer) -> Unnoticed:
    """Each time that is to be remembered; what the viewer sees in the end."""
    for live in (False, True, False, True):
        viewer.messages.clear()
        await daemon.set_live(live)
        await viewer.message("stream", state="live" if live else "offline")
    async with asyncio.timeout(PATIENCE):
        before = viewer.keyframes
        while viewer.keyframes == before:
            await asyncio.sleep(0.01)
    async with unnoticed(viewer) as seen:
        await asyncio.sleep(1)
    return seen


def warnings(daemon: Daemon) -> list[str]:
    """Every line of the log that is worse than information, whatever it is about."""
    return re.findall(r"^[\d:]{8} (?:warning|error|critical) .*|^Traceback.*", daemon.log, re.MULTILINE)


@contextlib.contextmanager
def disk_of_its_own(folder: Path) -> Iterator[None]:
    """A small file system in memory."""
    try:
        mount("-t", "tmpfs", "-o", "size=64k", "broadcaster-test", folder)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system of one's own can be mounted here: root is needed")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=10)


def mount(*arguments: str | Path) -> None:
    """Raises `CalledProcessError` when it cannot."""
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=10)


def fill(folder: Path) -> None:
    """Until no byte is free."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


async def test_row_15_a_log_that_cannot_be_written_stops_nothing(measured):
    async with ScriptedDaemon(log_to="/dev/full") as daemon, HealthyViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with unnoticed(viewer) as seen:
            for _ in range(3):
                async with LightViewer(daemon.port) as newcomer:  # who comes and goes is logged
                    await newcomer.keyframe()
        assert await daemon.stop() == 0
        measured("15", f"log full: {seen}, ends in order")


async def test_row_20_sigterm_ends_it_in_order(measured, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(2)
        daemon = ScriptedDaemon()
        daemon.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        async with daemon, contextlib.AsyncExitStack() as stack:
            viewers = [await stack.enter_async_context(LightViewer(daemon.port)) for _ in range(5)]
            await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
            async with within(3) as took:
                code = await daemon.stop()
            codes = [await viewer.closed() for viewer in viewers]
            closed = daemon.closed
        told = ""
        while "STOPPING=1" not in told:
            told = systemd.recv(4096).decode()
        said = f"{len(viewers)} viewers get {codes[0]}, sources are closed, systemd is told"
        measured("20", f"{said}, exit {code} after {took.seconds:.1f} s")
        assert code == 0
        assert codes == [1001] * len(viewers)
        assert closed == ["camera", "microphone"]


@pytest.mark.long
async def test_row_21_thirty_viewers_come_back_spread_over_time(measured, open_page):
    lights = 27
    async with Daemon(
        video__width=320, video__height=180, video__bitrate=300_000, video__test_pattern="camera", web__max_viewers=40
    ) as daemon:
        pages = [await open_page(daemon.url) for _ in range(3)]
        for page in pages:
            await page.state("live")
        async with contextlib.AsyncExitStack() as stack:
            viewers = [await stack.enter_async_context(LightViewer(daemon.port)) for _ in range(lights)]
            await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
            await daemon.stop(signal.SIGKILL)
            killed = time.time()
            coming = [asyncio.create_task(comes_back(viewer)) for viewer in viewers]
            await asyncio.sleep(RESTART)
            await daemon.start()
            served = time.time() - killed
            joined, playing = zip(*[await one for one in coming], strict=True)
            shown = [await live_since(page, killed) for page in pages]
            for page in pages:
                await page.sees(10)
            spread = max(joined) - min(joined)
            last = max(*playing, *shown) - killed
        measured(
            "21",
            f"{lights + 3} viewers: served after {served:.1f} s, all live after {last:.1f} s, over {spread:.1f} s",
        )
        assert spread > 1
        assert last < 8


async def comes_back(viewer: LightViewer) -> tuple[float, float]:
    """Does as the page does when its connection is lost; Unix seconds when it was welcomed, and saw a keyframe."""
    await viewer.closed()
    viewer.messages.clear()
    for attempt in range(20):
        await asyncio.sleep(random.random() * min(3.0, 0.5 * 2**attempt))
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await viewer.reopen()
            break
    await viewer.answered()
    joined, before = time.time(), viewer.keyframes
    async with asyncio.timeout(20):
        while viewer.keyframes == before:
            await asyncio.sleep(0.02)
    return joined, time.time()
