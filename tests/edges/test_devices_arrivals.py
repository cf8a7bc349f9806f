"""Detection of new cameras in a real folder, also while the process has no free file descriptor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broadcaster.devices import arrivals


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Prevent this process from opening files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class ArrivalWatcher:
    """Lists the folder for `watch_arrivals`, and counts arrivals."""

    def __init__(self) -> None:
        self.arrived = 0
        self._polled = asyncio.Event()

    def list_devices(self) -> set[str]:
        self._polled.set()
        return {name for name in os.listdir(arrivals.FOLDER) if name.startswith(arrivals.PREFIX)}

    def arrive(self) -> None:
        self.arrived += 1

    async def wait_for_polls(self, count: int = 2) -> None:
        """Wait until the folder has been polled `count` times; all but the last poll have been processed by then."""
        for _ in range(count):
            self._polled.clear()
            await asyncio.wait_for(self._polled.wait(), 5)


@contextlib.asynccontextmanager
async def watching(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[ArrivalWatcher]:
    watcher = ArrivalWatcher()
    for name, value in {
        "FOLDER": folder,
        "INTERVAL": 0.01,
        "SETTLING": 0.0,
        "_list_devices": watcher.list_devices,
    }.items():
        monkeypatch.setattr(arrivals, name, value)
    task = asyncio.create_task(arrivals.watch_arrivals(watcher.arrive))
    try:
        await watcher.wait_for_polls()
        yield watcher
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_new_cameras_are_detected_and_other_devices_ignored(monkeypatch, tmp_path):
    (tmp_path / "video0").touch()
    async with watching(monkeypatch, tmp_path) as watcher:
        (tmp_path / "sda").touch()
        await watcher.wait_for_polls()
        assert watcher.arrived == 0
        (tmp_path / "video2").touch()
        await watcher.wait_for_polls()
        assert watcher.arrived == 1
        (tmp_path / "video2").unlink()
        await watcher.wait_for_polls()
        (tmp_path / "video2").touch()
        await watcher.wait_for_polls()
        assert watcher.arrived == 2


async def test_without_descriptors_a_warning_is_logged_once_and_detection_resumes(monkeypatch, tmp_path, caplog):
    async with watching(monkeypatch, tmp_path) as watcher:
        (tmp_path / "video0").touch()
        with no_descriptors():
            await watcher.wait_for_polls(5)
            assert watcher.arrived == 0
        await watcher.wait_for_polls()
        assert watcher.arrived == 1
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"cannot look for new cameras in {tmp_path} for now: Too many open files"]


async def test_a_missing_folder_does_not_end_the_watch(monkeypatch, tmp_path):
    folder = tmp_path / "dev"
    async with watching(monkeypatch, folder) as watcher:
        folder.mkdir()
        await watcher.wait_for_polls()
        (folder / "video0").touch()
        await watcher.wait_for_polls()
        assert watcher.arrived == 1
