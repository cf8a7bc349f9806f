"""New cameras in a folder that is really read, also while this process has no file descriptor left."""

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
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Looks:
    """Counts the looks at the folder, and arrivals."""

    def __init__(self) -> None:
        self.arrived = 0
        self._looked = asyncio.Event()

    def names(self) -> set[str]:
        self._looked.set()
        return {name for name in os.listdir(arrivals.FOLDER) if name.startswith(arrivals.PREFIX)}

    def arrive(self) -> None:
        self.arrived += 1

    async def wait(self, count: int = 2) -> None:
        """Wait until the folder has been looked at so often; what the last but one found is known by then."""
        for _ in range(count):
            self._looked.clear()
            await asyncio.wait_for(self._looked.wait(), 5)


@contextlib.asynccontextmanager
async def watching(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Looks]:
    looks = Looks()
    for name, value in {"FOLDER": folder, "INTERVAL": 0.01, "SETTLING": 0.0, "_list_devices": looks.names}.items():
        monkeypatch.setattr(arrivals, name, value)
    task = asyncio.create_task(arrivals.watch_arrivals(looks.arrive))
    try:
        await looks.wait()
        yield looks
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_new_camera_arrives_and_other_devices_do_not(monkeypatch, tmp_path):
    (tmp_path / "video0").touch()
    async with watching(monkeypatch, tmp_path) as looks:
        (tmp_path / "sda").touch()
        await looks.wait()
        assert looks.arrived == 0
        (tmp_path / "video2").touch()
        await looks.wait()
        assert looks.arrived == 1
        (tmp_path / "video2").unlink()
        await looks.wait()
        (tmp_path / "video2").touch()
        await looks.wait()
        assert looks.arrived == 2


async def test_without_descriptors_it_warns_once_and_what_comes_meanwhile_is_noticed_afterwards(
    monkeypatch, tmp_path, caplog
):
    async with watching(monkeypatch, tmp_path) as looks:
        (tmp_path / "video0").touch()
        with no_descriptors():
            await looks.wait(5)
            assert looks.arrived == 0
        await looks.wait()
        assert looks.arrived == 1
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"cannot look for new cameras in {tmp_path} for now: Too many open files"]


async def test_a_folder_that_is_not_there_yet_is_no_end(monkeypatch, tmp_path):
    folder = tmp_path / "dev"
    async with watching(monkeypatch, folder) as looks:
        folder.mkdir()
        await looks.wait()
        (folder / "video0").touch()
        await looks.wait()
        assert looks.arrived == 1
