"""Faults of the disk that is recorded to, and power cuts: on a real ext4, with the recorder in a process of its own."""

from __future__ import annotations

import asyncio
import faulthandler
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import av
import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.model.recording import Recording
from broadcaster.outputs.recording.retention import Limits
from broadcaster.storage.recordings.disk import Disk
from broadcaster.storage.recordings.folder import Folder
from tests.edges.recording_rig import DiskRig
from tests.faults.continuity import uninterrupted
from tests.rigs.daemon import Daemon
from tests.rigs.healthy import HealthyViewer
from tests.rigs.loop_disk import LoopDisk, loop_disk, mounted, run
from tests.rigs.recorder_process import RecorderProcess
from tests.unit.recordings import probe

pytestmark = pytest.mark.long

FPS = 30
MAX_LOST = 2.5
"""Seconds that a power cut may cost."""
POWER_CUTS = 200
KILLS = 10
PATIENCE = 40.0
FREEZE = 5.0
StartRecorder = Callable[[Path], RecorderProcess]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path) as disk:
        yield disk


@pytest.fixture
def start_recorder(tmp_path: Path) -> Iterator[StartRecorder]:
    """A function that starts a recorder into a folder; it is killed at the end, also if the test fails."""
    started: list[RecorderProcess] = []

    def start(folder: Path) -> RecorderProcess:
        started.append(RecorderProcess(folder, tmp_path / "status"))
        return started[-1]

    yield start
    for recorder in started:
        recorder.kill()


def recordings_after_start(folder: Path) -> tuple[tuple[Recording, ...], float]:
    """Open the folder as the next daemon does; return the recordings, and how many seconds that took."""
    disk, began = Disk(Folder(folder), Limits(), SystemClock()), time.monotonic()
    disk.open()
    took = time.monotonic() - began
    assert not disk.problem, disk.problem
    disk.close()
    return disk.recordings, took


def pictures(folder: Path, recordings: tuple[Recording, ...]) -> int:
    """Return how many pictures are in the files, all of which must have been ended."""
    count = 0
    for recording in recordings:
        assert not recording.open, recording
        assert not recording.broken, recording
        with av.open(folder / recording.name) as file:
            count += file.streams.video[0].frames
    return count


def wait_for(condition: Callable[[], bool], limit: float = PATIENCE) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def size(folder: Path) -> int:
    """Return the bytes of all recordings."""
    return sum(file.stat().st_size for file in folder.glob("*.mp4"))


def is_larger(folder: Path, before: int) -> bool:
    return size(folder) > before


def fill(file: Path) -> None:
    """Fill the disk."""
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(1 << 16))
        except OSError:
            pass


def stopped(log: str) -> list[str]:
    """Return why recording stopped, each time."""
    return re.findall(r"cannot record to \S+: (.*)", log)


def test_power_cuts_at_random_moments(disk, tmp_path, record, start_recorder):
    """What has reached the disk is copied, and the copy is mounted and opened, as after a power cut."""
    faulthandler.cancel_dump_traceback_later()  # it takes minutes
    generator, folder = random.Random(12), disk.folder / "recordings"
    recorder = start_recorder(folder)
    lost, mending = [], []
    wait_for(lambda: size(folder) > 0)
    for number in range(POWER_CUTS):
        time.sleep(generator.uniform(0.1, 1.5))
        recorder.send(signal.SIGSTOP)
        published = recorder.pictures
        disk.copy(tmp_path / "cut.img")
        recorder.send(signal.SIGCONT)
        with mounted(tmp_path / "cut.img", tmp_path / "cut") as cut:
            recordings, took = recordings_after_start(cut.folder / "recordings")
            lost.append((published - pictures(cut.folder / "recordings", recordings)) / FPS)
            mending.append(took)
            for recording in recordings if number % 50 == 49 else recordings[-1:]:
                probe(cut.folder / "recordings" / recording.name, level="error")
    log = recorder.end()
    assert not stopped(log)
    figures = f"{POWER_CUTS} power cuts: at most {max(lost):.1f} s lost, {sum(lost) / len(lost):.1f} s on average"
    record("power", f"{figures}; started within {max(mending):.2f} s")
    assert max(lost) <= MAX_LOST
    assert max(mending) < 2


def test_kills_at_random_moments(tmp_path, record, start_recorder):
    generator, folder = random.Random(12), tmp_path / "recordings"
    lost, published, before = [], 0, 0
    for _ in range(KILLS):
        recorder = start_recorder(folder)
        wait_for(partial(is_larger, folder, before))
        time.sleep(generator.uniform(0, 4))
        recorder.end(signal.SIGKILL)
        recordings, _ = recordings_after_start(folder)
        published += recorder.pictures
        lost.append((published - pictures(folder, recordings)) / FPS)
        published, before = pictures(folder, recordings), size(folder)
    record("kill", f"{KILLS} kills: at most {max(lost):.1f} s lost each time")
    assert max(lost) <= MAX_LOST


def test_full_disk(disk, record, start_recorder):
    folder = disk.folder / "recordings"
    recorder = start_recorder(folder)
    wait_for(lambda: size(folder) > 200_000)
    fill(disk.folder / "filler")
    before = recorder.pictures
    wait_for(lambda: recorder.pictures > before + 6 * FPS)
    (disk.folder / "filler").unlink()
    files = len(list(folder.glob("*.mp4")))
    wait_for(lambda: len(list(folder.glob("*.mp4"))) > files)
    recorder_pictures = recorder.pictures
    wait_for(lambda: recorder.pictures > recorder_pictures + 5 * FPS)
    log = recorder.end(signal.SIGTERM)
    recordings, _ = recordings_after_start(folder)
    recorded = pictures(folder, recordings)
    assert stopped(log) == ["No space left on device"]
    gap = (recorder.pictures - recorded) / FPS
    record("disk-full", f"one warning, recording again by itself; {gap:.0f} s lost, all files play")
    assert gap < 25


@pytest.mark.parametrize("fault", ["read-only", "pulled"])
def test_disk_that_fails_and_returns(disk, record, start_recorder, fault):
    """The file system refuses every write; the disk is unmounted, and mounted again later."""
    folder = disk.folder / "recordings"
    recorder = start_recorder(folder)
    wait_for(lambda: size(folder) > 200_000)
    before, device = recorder.pictures, disk.folder.stat().st_dev
    if fault == "pulled":
        disk.shut_down()
    else:
        run("mount", "-o", "remount,abort", disk.folder)
    wait_for(lambda: recorder.pictures > before + 4 * FPS)
    disk.unmount()
    wait_for(
        lambda: not recorder.has_open_files(device)
    )  # else it would be the failed file system that is mounted again
    assert not list(disk.folder.iterdir())  # nothing is recorded to the disk below
    disk.mount()
    files = len(list(folder.glob("*.mp4")))
    wait_for(lambda: len(list(folder.glob("*.mp4"))) > files)
    before = recorder.pictures
    wait_for(lambda: recorder.pictures > before + 5 * FPS)
    log = recorder.end(signal.SIGTERM)
    recordings, _ = recordings_after_start(folder)
    assert pictures(folder, recordings) > 6 * FPS
    assert len(stopped(log)) <= 3, log
    assert "is gone" in log
    record(f"disk-{fault}", f"recording again after it is back, all files play; {len(stopped(log))} warnings")


async def test_frozen_disk_does_not_disturb_the_stream(disk, record):
    settings = {"record__mode": "live", "record__folder": disk.folder, "record__keep_free": 0}
    async with (
        Daemon(**settings) as daemon,
        HealthyViewer(daemon.port) as first,
        HealthyViewer(daemon.port) as second,
    ):
        await asyncio.gather(first.keyframe(), second.keyframe())
        async with asyncio.timeout(PATIENCE):
            while not await asyncio.to_thread(size, disk.folder):
                await asyncio.sleep(0.1)
        async with uninterrupted(first, second) as continuity:
            await asyncio.to_thread(freeze, disk)
            await asyncio.sleep(1)
        status = await daemon.status()
        assert status["recorder"]["state"] == "recording"
        assert status["recorder"]["gaps"] == 0
        lag = status["capacity"]["loop_lag_p99"]
        assert await daemon.stop() == 0
        assert not stopped(daemon.log)
    recordings, _ = recordings_after_start(disk.folder)
    assert sum(recording.duration for recording in recordings) > FREEZE
    assert len(recordings) == 1
    record("disk-frozen", f"{FREEZE:g} s: {continuity} at viewers, nothing lost; loop lag {lag:g} ms (99th percentile)")


async def test_downloads_do_not_disturb_the_stream(tmp_path, record):
    rig = DiskRig(tmp_path)
    rig.disk.open()
    for _ in range(3):
        rig.record(150)
    rig.disk.close()
    settings = {"record__mode": "demand", "record__folder": tmp_path, "record__keep_free": 0, "record__keep_days": 0}
    async with (
        Daemon(**settings) as daemon,
        HealthyViewer(daemon.port) as first,
        HealthyViewer(daemon.port) as second,
        aiohttp.ClientSession(daemon.url) as client,
    ):
        await asyncio.gather(first.keyframe(), second.keyframe())
        async with uninterrupted(first, second) as continuity:
            sizes = await asyncio.gather(*(download(client, name, 5.0) for name in rig.files.names()))
        status = await daemon.status()
    lag = status["capacity"]["loop_lag_p99"]
    rate = f"{sum(sizes) / 5e6:.0f} MB/s in all"
    record("downloads", f"{rate}: {continuity} at viewers; loop lag {lag:g} ms (99th percentile)")


async def download(client: aiohttp.ClientSession, name: str, seconds: float) -> int:
    """Download a recording again and again; return the bytes."""
    size, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        async with client.get(f"/recordings/{name}") as response:
            assert response.status == 200
            async for data in response.content.iter_chunked(1 << 16):
                size += len(data)
    return size


def freeze(disk: LoopDisk) -> None:
    with disk.frozen():
        time.sleep(FREEZE)
