"""A folder in the long run: a week of files with a limit of bytes, their list, and a day of files after a power cut."""

import asyncio
import os
import shutil
import statistics
import time

import aiohttp
import pytest

from broadcaster.outputs.recording.names import file_name
from broadcaster.storage.recordings import index as index_module
from broadcaster.storage.recordings.index import FILE
from tests.edges.app_rig import served
from tests.edges.recording_rig import NOON, DiskRig
from tests.edges.test_recordings_watching import SETTINGS

FILE_SECONDS = 300
WEEK, DAY = 7 * 288, 288
LIMIT = 100
"""Files that the limit of bytes has room for."""
LONGEST_LIST, LONGEST_MENDING = 0.050, 2.0
"""Seconds."""


async def test_week_of_files_keeps_the_limit_and_is_listed_quickly(tmp_path, monkeypatch):
    for name in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, name, lambda descriptor: None)  # 6000 of them take minutes
    monkeypatch.setattr(index_module, "_PRAGMAS", "PRAGMA synchronous = OFF;")
    rig = DiskRig(tmp_path)
    rig.record(1)
    (one,) = (file.stat().st_size for file in tmp_path.glob("*.mp4"))
    rig.disk.close()
    rig = DiskRig(tmp_path, bytes=LIMIT * one)
    largest = 0
    for _ in range(WEEK):
        rig.record(1)
        rig.clock.advance(FILE_SECONDS - 2)
        largest = max(largest, sum(recording.size for recording in rig.disk.recordings))
    assert LIMIT * one <= largest <= (LIMIT + 1) * one
    assert rig.disk.recordings[-1].number == rig.disk.recordings[0].number + len(rig.disk.recordings) - 1
    assert len(rig.files.names()) == len(rig.disk.recordings) in (LIMIT, LIMIT + 1)
    rig.disk.close()


async def test_list_of_a_week_is_sent_quickly(tmp_path):
    day_of_files(tmp_path / "recordings", WEEK)
    answer, times = "", []
    async with served(tmp_path, "test", *SETTINGS) as daemon, aiohttp.ClientSession() as client, asyncio.timeout(60):
        while len(times) < 9:
            began = time.monotonic()
            async with client.get(f"http://127.0.0.1:{daemon.port}/api/recordings") as response:
                assert response.status == 200
                answer = await response.text()
            if answer.count('"name"') == WEEK:  # it reads the files first
                times.append(time.monotonic() - began)
    print(f"list of {WEEK} files: {statistics.median(times) * 1000:.1f} ms")
    assert min(times) < LONGEST_LIST


@pytest.mark.parametrize("index", [True, False])
def test_day_of_files_is_ready_quickly_after_a_power_cut(tmp_path, index):
    rig = day_of_files(tmp_path / "before", DAY)
    rig.disk.open()
    rig.write(rig.begin(), FILE_SECONDS // 2)
    name = rig.files.names()[-1]
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    after = DiskRig(tmp_path / "after")
    if not index:
        (tmp_path / "after" / FILE).unlink()
    began = time.monotonic()
    after.disk.open()
    took = time.monotonic() - began
    print(f"{DAY} files, one mended: {took:.2f} s")
    assert len(after.disk.recordings) == DAY + 1
    assert after.files.duration(name) == pytest.approx(FILE_SECONDS, abs=0.1)
    assert took < LONGEST_MENDING
    after.disk.close()
    rig.disk.close()


def day_of_files(path, count: int) -> DiskRig:
    """Return a rig with so many files, which are links to one; it is not open."""
    rig = DiskRig(path)
    rig.record(1)
    (name,) = rig.files.names()
    rig.disk.close()
    for number in range(2, count + 1):
        os.link(path / name, path / file_name(number, NOON + number * FILE_SECONDS, kept=False))
    return rig
