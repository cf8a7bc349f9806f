"""What recording costs the disk, and how soon a clip can be watched: on a real ext4, in real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from broadcaster.devices.panel import button
from tests.edges.recording_rig import DiskRig
from tests.faults.continuity import uninterrupted
from tests.faults.test_recording import FREEZE, download, freeze, size
from tests.rigs.daemon import Daemon
from tests.rigs.healthy import HealthyViewer
from tests.rigs.loop_disk import loop_disk
from tests.rigs.panel import panel_rig

pytestmark = pytest.mark.long

BITRATE = 2_500_000
MEASURED = 30.0
MAX_WRITES = 1.0
"""Per second."""
MAX_OVERHEAD = 1.05
BEFORE = 30.0
"""Seconds before the press that a clip must hold."""
DOWNLOADING = 10.0
"""Seconds."""
PATIENCE = 60.0

OPEN = """async name => {
    const video = document.createElement("video")
    video.muted = true
    video.src = `/recordings/${name}`
    document.body.append(video)
    await new Promise((resolve, reject) => {
        video.oncanplay = resolve
        video.onerror = () => reject(new Error(video.error.message))
    })
    return video.duration
}"""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


async def test_writes_of_a_recording(tmp_path, record):
    settings = {"video__bitrate": BITRATE, "video__bitrate_min": BITRATE, "video__test_pattern": "camera"}
    settings |= {"video__width": 640, "video__height": 360, "video__second": "off", "log__level": "warning"}
    with loop_disk(tmp_path, megabytes=128) as disk:
        recording = {"record__mode": "live", "record__folder": disk.folder, "record__keep_free": 0}
        async with Daemon(**settings, **recording) as daemon:
            await until(lambda: size(disk.folder) > 2 * BITRATE // 8)
            await next_chunk(disk.folder)
            requests, written, began = *disk.written(), time.monotonic()
            content, chunks = size(disk.folder), 0
            while time.monotonic() < began + MEASURED:
                await next_chunk(disk.folder)
                chunks += 1
            seconds, content = time.monotonic() - began, size(disk.folder) - content
            more, bytes_more = disk.written()
            assert await daemon.stop() == 0
    rate, overhead = chunks / seconds, (bytes_more - written) / content
    record(
        "disk-writes",
        f"{content * 8 / seconds / 1e6:.1f} Mbit/s: {rate:.2f} writes a second by the recorder, "
        f"{(more - requests) / seconds:.1f} at the device, with those of the journal; {overhead:.3f} × the bytes",
    )
    assert overhead <= MAX_OVERHEAD
    assert rate <= MAX_WRITES


async def next_chunk(folder: Path) -> None:
    """Wait until something is written, and a moment longer, until it has been flushed."""
    before = size(folder)
    await until(lambda: size(folder) > before)
    await asyncio.sleep(0.3)


async def test_frozen_disk_while_twenty_watch(tmp_path, record):
    settings = {"video__width": 320, "video__height": 180, "video__bitrate": 300_000, "video__second": "off"}
    with loop_disk(tmp_path) as disk:
        settings |= {"record__mode": "live", "record__folder": disk.folder, "record__keep_free": 0}
        async with AsyncExitStack() as stack:
            daemon = await stack.enter_async_context(Daemon(**settings))
            viewers = [await stack.enter_async_context(HealthyViewer(daemon.port)) for _ in range(20)]
            await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
            await until(lambda: size(disk.folder) > 0)
            await asyncio.sleep(2)
            before = (await daemon.status())["capacity"]["loop_lag_p99"]
            async with uninterrupted(*viewers) as continuity:
                await asyncio.to_thread(freeze, disk)
                await asyncio.sleep(1)
            status = await daemon.status()
            lag = status["capacity"]["loop_lag_p99"]
            assert status["recorder"]["gaps"] == 0
    record(
        "disk-frozen-20",
        f"{FREEZE:g} s: {continuity} at 20 viewers; loop lag {lag:g} ms (99th percentile), {before:g} ms before",
    )
    assert lag < max(20.0, 2 * before)


async def test_downloads_while_twenty_watch(tmp_path, record):
    rig = DiskRig(tmp_path)
    rig.disk.open()
    for _ in range(3):
        rig.record(150)
    rig.disk.close()
    settings = {"video__width": 320, "video__height": 180, "video__bitrate": 300_000, "video__second": "off"}
    settings |= {"record__mode": "demand", "record__folder": tmp_path, "record__keep_free": 0, "record__keep_days": 0}
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(Daemon(**settings))
        viewers = [await stack.enter_async_context(HealthyViewer(daemon.port)) for _ in range(20)]
        client = await stack.enter_async_context(aiohttp.ClientSession(daemon.url))
        await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
        await asyncio.sleep(2)
        before = (await daemon.status())["capacity"]["loop_lag_p99"]
        async with uninterrupted(*viewers) as continuity:
            sizes = await asyncio.gather(*(download(client, name, DOWNLOADING) for name in rig.files.names()))
        lag = (await daemon.status())["capacity"]["loop_lag_p99"]
    record(
        "downloads-20",
        f"{sum(sizes) / DOWNLOADING / 1e6:.1f} MB/s in all: {continuity} at 20 viewers; "
        f"loop lag {lag:g} ms (99th percentile), {before:g} ms before",
    )
    assert all(sizes)


async def seconds_in_memory(client: aiohttp.ClientSession) -> float:
    async with client.get("/api/status") as response:
        return float((await response.json())["recorder"]["in_memory"])


async def test_clip_is_playable_soon_after_the_button_was_held(tmp_path, open_page, record):
    settings = ("panel.hold_action=clip", "record.mode=demand", "record.keep_free=0", f"record.folder={tmp_path}")
    async with panel_rig(*settings, "record.clip=40") as rig:
        await rig.press()
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(f"http://127.0.0.1:{rig.port}") as client:
            while await seconds_in_memory(client) < BEFORE + 4:
                await asyncio.sleep(0.5)
        viewer = await open_page(f"http://127.0.0.1:{rig.port}/healthz")
        pressed = time.time()
        await rig.press(button.CLIP_HOLD + 0.1)
        await until(lambda: any(tmp_path.glob("*_kept.mp4")))
        (name,) = [file.name for file in tmp_path.glob("*_kept.mp4")]
        duration = await viewer.page.evaluate(OPEN, name)
        took = time.time() - pressed
    record(
        "clip",
        f"playable {took:.1f} s after the press, which lasted {button.CLIP_HOLD:g} s; it is {duration:.0f} s long",
    )
    assert duration > BEFORE + took - 1
    assert took < 3
