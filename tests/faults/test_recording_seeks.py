"""How long a seek takes in a browser: in a file of ten minutes, and in a day of 288 files that plays as one film."""

from __future__ import annotations

import os
import random
import statistics
from pathlib import Path

import pytest
from playwright.async_api import Page

from broadcaster.outputs.recording.names import file_name
from tests.edges.recording_rig import NOON, SECONDS, DiskRig
from tests.rigs.daemon import Daemon

pytestmark = pytest.mark.long

FILE, DAY = 600, 86_400
"""Seconds."""
FILES = 288
SEEKS = 40
MAX_P95 = 500.0
"""Milliseconds."""

OPEN = """async url => {
    const video = document.createElement("video")
    video.muted = true
    video.src = url
    document.body.replaceChildren(video)
    await new Promise((resolve, reject) => {
        video.onloadeddata = resolve
        video.onerror = () => reject(new Error(video.error.message))
    })
    return video.duration
}"""
SEEK = """async to => {
    const video = document.querySelector("video")
    const began = performance.now()
    await new Promise((resolve, reject) => {
        video.onseeked = resolve
        video.onerror = () => reject(new Error(video.error.message))
        video.currentTime = to
    })
    if (video.readyState < 2) throw new Error("there is no picture")
    return [video.currentTime, performance.now() - began]
}"""


def make_files(folder: Path) -> str:
    """Record a day of files of five minutes, which are one on the disk, and a file of ten; return the latter's name."""
    rig = DiskRig(folder)
    rig.disk.open()
    rig.record(DAY // FILES // SECONDS)
    (first,) = rig.files.names()
    rig.disk.close()
    for number in range(1, FILES):
        os.link(folder / first, folder / file_name(number + 1, NOON + number * DAY / FILES, kept=False))
    rig.restart()
    rig.clock.advance(DAY)
    rig.record(FILE // SECONDS)
    rig.disk.close()
    return rig.files.names()[-1]


async def seeks(page: Page, url: str, duration: float) -> tuple[float, float]:
    """Open a film, seek to random moments; return the median and the 95th percentile of how long that takes."""
    assert await page.evaluate(OPEN, url) == pytest.approx(duration, abs=1)
    generator, took = random.Random(12), []
    for _ in range(SEEKS):
        wanted = generator.uniform(0, duration - 1)
        shown, milliseconds = await page.evaluate(SEEK, wanted)
        assert shown == pytest.approx(wanted, abs=0.05)
        took.append(milliseconds)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


async def test_seeks_in_a_file_and_in_a_day(tmp_path, open_page, record):
    name = make_files(tmp_path)
    settings = {"video__width": 320, "video__height": 180, "video__bitrate": 300_000, "video__second": "off"}
    settings |= {"record__mode": "demand", "record__folder": tmp_path, "record__keep_free": 0, "record__keep_days": 0}
    async with Daemon(**settings) as daemon:
        page = (await open_page(f"{daemon.url}healthz")).page
        file = await seeks(page, f"/recordings/{name}", FILE)
        day = await seeks(page, f"/recordings/film.m3u8?from={NOON}&to={NOON + DAY}", DAY)
    texts = [f"{median:.0f} ms (median), {p95:.0f} ms (95th percentile)" for median, p95 in (file, day)]
    record("seek", f"Chromium, file: {texts[0]}; day (HLS): {texts[1]}")
    assert max(file[1], day[1]) < MAX_P95
