"""Faults of the machine: clock jumps, a full disk, SIGTERM, SIGKILL."""

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

from tests.faults.continuity import Continuity, uninterrupted
from tests.faults.waiting import live_since
from tests.rigs.daemon import Daemon
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light import LightViewer
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import PATIENCE, within

HOUR, TEN_YEARS = 3600, 10 * 365 * 86_400
RATES = {"video": 90_000, "audio": 48_000}
RESTART = 1.0
"""Seconds after which systemd restarts the daemon."""

NOT_STORED = " storage.state_file: cannot store '", " storage.private_json: cannot store when the stream was live last "


class TimedViewer(HealthyViewer):
    """Records for each sender report the wall clock minus the media time, in seconds, by kind."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.offsets: dict[str, list[float]] = {"video": [], "audio": []}

    def _count_packets(self, transceiver: Any) -> None:
        super()._count_packets(transceiver)
        handle = transceiver.receiver._handle_rtcp_packet
        kind: str = transceiver.kind

        async def record_report(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                info = packet.sender_info
                self.offsets[kind].append(info.ntp_timestamp / 2**32 - info.rtp_timestamp / RATES[kind])
            await handle(packet)

        transceiver.receiver._handle_rtcp_packet = record_report


@pytest.mark.long
async def test_row_14_clock_jump_has_no_effect(record, tmp_path):
    library = faketime()
    if library is None:
        pytest.skip("libfaketime is not installed: apt install faketime")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    daemon = ScriptedDaemon()
    daemon.environment |= {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with daemon, TimedViewer(daemon.port) as viewer:
        await viewer.keyframe()
        await asyncio.sleep(2.5)
        async with uninterrupted(viewer) as continuity:
            for seconds in (HOUR, -HOUR, TEN_YEARS):
                offset.write_text(f"{seconds:+d}")
                await asyncio.sleep(2.5)
                stream: Any = (await daemon.status())["stream"]
                assert stream["state"] == "live"
                async with LightViewer(daemon.port) as viewer_after:
                    await viewer_after.keyframe()
        wall = await daemon.call("process", "wall_clock")
        assert abs(wall - time.time() - TEN_YEARS) < 60  # the clock has really jumped
        deviation = max(map(drift, viewer.offsets.values()))
        sender_reports = f"sender reports move by at most {deviation * 1000:.1f} ms"
        record("14", f"{continuity}, {sender_reports}, new viewers play, nobody is disconnected")
        assert deviation < 0.02
        assert daemon.log.count(" left ") == 3


def faketime() -> Path | None:
    """Return the path of Debian's libfaketime, if it is installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def drift(offsets: list[float]) -> float:
    assert len(offsets) > 5
    return max(offsets) - min(offsets)


def is_logged_once(lines: list[str]) -> bool:
    """Return whether these are one warning for each of the two files that cannot be stored."""
    return len(lines) == 2 and all(sum(text in line for line in lines) == 1 for text in NOT_STORED)


async def test_row_15_unwritable_state_directory_is_logged_once(record):
    async with ScriptedDaemon(stream__state_dir="/proc/broadcaster") as daemon, HealthyViewer(daemon.port) as viewer:
        continuity = await stop_and_start(daemon, viewer)
        token_warning, *others = warnings(daemon)
        assert "operator_token cannot be written" in token_warning
        assert is_logged_once(others), daemon.log
        record("15", f"no state directory: {continuity}, logged once")


@pytest.mark.long
@pytest.mark.parametrize("fault", ["full", "read-only"])
async def test_row_15_full_or_read_only_disk_is_logged_once(record, tmp_path, fault):
    with small_disk(tmp_path):
        async with ScriptedDaemon(stream__state_dir=tmp_path) as daemon, HealthyViewer(daemon.port) as viewer:
            await viewer.keyframe()
            if fault == "full":
                fill(tmp_path)
            else:
                mount("-o", "remount,ro", tmp_path)
            continuity = await stop_and_start(daemon, viewer)
            assert is_logged_once(warnings(daemon)), daemon.log
            record("15", f"{fault}: {continuity}, logged once")


async def stop_and_start(daemon: Daemon, viewer: HealthyViewer) -> Continuity:
    """Change the desired state four times, each of which is saved; return what the viewer received afterwards."""
    for live in (False, True, False, True):
        viewer.messages.clear()
        await daemon.set_live(live)
        await viewer.message("stream", state="live" if live else "offline")
    async with asyncio.timeout(PATIENCE):
        before = viewer.keyframes
        while viewer.keyframes == before:
            await asyncio.sleep(0.01)
    async with uninterrupted(viewer) as continuity:
        await asyncio.sleep(1)
    return continuity


def warnings(daemon: Daemon) -> list[str]:
    """Return all lines of the log above INFO."""
    return re.findall(r"^[\d:]{8} (?:warning|error|critical) .*|^Traceback.*", daemon.log, re.MULTILINE)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small file system in memory at `folder`."""
    try:
        mount("-t", "tmpfs", "-o", "size=64k", "broadcaster-test", folder)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=10)


def mount(*arguments: str | Path) -> None:
    """Run `mount`. Raises `CalledProcessError`."""
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=10)


def fill(folder: Path) -> None:
    """Fill the disk to its last byte."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


async def test_row_15_full_log_has_no_effect(record):
    async with ScriptedDaemon(log_to="/dev/full") as daemon, HealthyViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with uninterrupted(viewer) as continuity:
            for _ in range(3):
                async with LightViewer(daemon.port) as viewer_after:  # joins and leaves are logged
                    await viewer_after.keyframe()
        assert await daemon.stop() == 0
        record("15", f"log full: {continuity}, exits cleanly")


async def test_row_20_sigterm_ends_the_daemon_in_order(record, tmp_path):
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
            codes = [await viewer.wait_closed() for viewer in viewers]
            closed = daemon.closed
        message = ""
        while "STOPPING=1" not in message:
            message = systemd.recv(4096).decode()
        summary = f"{len(viewers)} viewers receive {codes[0]}, sources closed, systemd notified"
        record("20", f"{summary}, exit code {code} after {took.seconds:.1f} s")
        assert code == 0
        assert codes == [1001] * len(viewers)
        assert closed == ["camera", "microphone"]


@pytest.mark.long
async def test_row_21_thirty_viewers_reconnect_spread_over_time(record, open_page):
    light_viewers = 27
    async with Daemon(
        video__width=320, video__height=180, video__bitrate=300_000, video__test_pattern="camera", web__max_viewers=40
    ) as daemon:
        pages = [await open_page(daemon.url) for _ in range(3)]
        for page in pages:
            await page.state("live")
        async with contextlib.AsyncExitStack() as stack:
            viewers = [await stack.enter_async_context(LightViewer(daemon.port)) for _ in range(light_viewers)]
            await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
            await daemon.stop(signal.SIGKILL)
            killed = time.time()
            reconnecting = [asyncio.create_task(reconnect(viewer)) for viewer in viewers]
            await asyncio.sleep(RESTART)
            await daemon.start()
            listening = time.time() - killed
            joined, playing = zip(*[await task for task in reconnecting], strict=True)
            shown = [await live_since(page, killed) for page in pages]
            for page in pages:
                await page.wait_for_frames(10)
            spread = max(joined) - min(joined)
            last = max(*playing, *shown) - killed
        record(
            "21",
            f"{light_viewers + 3} viewers: listening again after {listening:.1f} s, all live after {last:.1f} s,"
            f" reconnections spread over {spread:.1f} s",
        )
        assert spread > 1
        assert last < 8


async def reconnect(viewer: LightViewer) -> tuple[float, float]:
    """Reconnect as the page does; return when the viewer was welcomed and received a keyframe, in Unix seconds."""
    await viewer.wait_closed()
    viewer.messages.clear()
    for attempt in range(20):
        await asyncio.sleep(random.random() * min(3.0, 0.5 * 2**attempt))
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await viewer.reconnect()
            break
    await viewer.first_message()
    joined, before = time.time(), viewer.keyframes
    async with asyncio.timeout(20):
        while viewer.keyframes == before:
            await asyncio.sleep(0.02)
    return joined, time.time()
