"""Recordings in Chromium and Firefox: ended, mended after a power cut, or being written, they play and seek."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page

from tests.edges.recording_rig import DiskRig
from tests.edges.timelapse_rig import running
from tests.rigs.firefox import firefox

PAGE = "<!doctype html><video muted></video>"
OPEN = """async name => {
    const video = document.querySelector("video")
    video.src = name
    await new Promise((resolve, reject) => {
        video.onloadeddata = resolve
        video.onerror = () => reject(new Error(video.error.message))
    })
    return [video.duration, video.videoWidth, video.videoHeight]
}"""
PLAY = """async seconds => {
    const video = document.querySelector("video")
    await video.play()
    while (video.currentTime < seconds) await new Promise(resolve => video.requestVideoFrameCallback(resolve))
    video.pause()
    return [video.getVideoPlaybackQuality().totalVideoFrames, video.webkitAudioDecodedByteCount]
}"""
SEEK = """async to => {
    const video = document.querySelector("video")
    const began = performance.now()
    const shown = new Promise(resolve => video.requestVideoFrameCallback((_, frame) => resolve(frame.mediaTime)))
    video.currentTime = to
    return [await shown, performance.now() - began]
}"""
LENGTH = 20
"""Seconds of each file."""


@pytest_asyncio.fixture(loop_scope="session")
async def files(tmp_path: Path) -> AsyncIterator[tuple[DiskRig, str]]:
    """A folder of recordings, and the address at which a web server serves it with ranges."""
    rig = DiskRig(tmp_path / "recordings")
    rig.disk.open()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_static("/", tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield rig, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()
    rig.disk.close()


async def open_video(browser: Browser, url: str, file: str) -> tuple[Page, list[float]]:
    page = await (await browser.new_context()).new_page()
    await page.goto(url)
    return page, await page.evaluate(OPEN, file)


def cut_and_mend(file: Path, folder: Path) -> None:
    """Copy the folder, cut the last fragment of the file there, and put zeros behind it, as a power cut may."""
    shutil.copytree(file.parent, folder)
    size = file.stat().st_size
    os.truncate(folder / file.name, size - 5000)
    os.truncate(folder / file.name, size + 4096)
    after = DiskRig(folder)
    after.disk.open()
    after.disk.close()


@pytest.mark.parametrize("state", ["ended", "mended"])
async def test_recording_plays_and_seeks(browser, files, state, tmp_path):
    rig, url = files
    job = rig.begin()
    rig.write(job, LENGTH // 2)
    length, folder = float(LENGTH), "recordings"
    (name,) = rig.files.names()
    if state == "ended":
        rig.disk.end(job)
    else:  # the last fragment is cut, and a page of zeros is behind it, as after a power cut
        folder, length = "after", LENGTH - 2
        cut_and_mend(rig.files.path / name, tmp_path / "after")
    page, (duration, width, height) = await open_video(browser, url, f"{folder}/{name}")
    assert duration == pytest.approx(length, abs=0.05)
    assert (width, height) == (320, 180)
    frames, audio = await page.evaluate(PLAY, 1.0)
    assert frames >= 25
    assert audio > 0
    for target in (15.5, 3.2, length - 0.5, 0.0):
        shown, took = await page.evaluate(SEEK, target)
        print(f"{state}: seek to {target:g} s in {took:.0f} ms")
        assert shown == pytest.approx(target, abs=0.05)
    await page.context.close()


async def test_timelapse_plays_and_seeks(browser, files, tmp_path):
    async with running(tmp_path / "timelapse", 1.0) as rig:
        rig.keyframes(60)
        assert await rig.finish() == [60]
        (name,) = rig.files.names()
    page, (duration, width, height) = await open_video(browser, files[1], f"timelapse/recordings/{name}")
    assert duration == pytest.approx(4, abs=0.01)
    assert (width, height) == (320, 180)
    assert (await page.evaluate(PLAY, 1.0))[0] >= 12
    assert (await page.evaluate(SEEK, 3.02))[0] == pytest.approx(3, abs=0.01)
    await page.context.close()


async def test_recording_plays_while_it_is_written(browser, files):
    rig, url = files
    job = rig.begin()
    rig.write(job, 3)
    page, _ = await open_video(browser, url, f"recordings/{rig.files.names()[0]}")
    frames, _ = await page.evaluate(PLAY, 1.0)
    assert frames >= 25
    await page.context.close()


async def test_recording_plays_and_seeks_in_firefox(files):
    rig, url = files
    rig.record(LENGTH // 2)
    async with firefox() as page:

        async def call(function: str, argument: object) -> list[float]:
            return list(json.loads(await page.evaluate(f"({function})({json.dumps(argument)}).then(JSON.stringify)")))

        await page.open(url)
        duration, width, height = await call(OPEN, f"recordings/{rig.files.names()[0]}")
        assert duration == pytest.approx(LENGTH, abs=0.05)
        assert (width, height) == (320, 180)
        assert (await call(PLAY, 1.0))[0] >= 25
        for target in (15.5, 3.2, LENGTH - 0.5):
            shown, took = await call(SEEK, target)
            print(f"Firefox: seek to {target:g} s in {took:.0f} ms")
            assert shown == pytest.approx(target, abs=0.05)
