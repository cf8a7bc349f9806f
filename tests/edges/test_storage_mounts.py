"""Folders in /media and /mnt are used only while a disk is mounted there."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from broadcaster import sandbox
from broadcaster.model.recording import RecorderState
from broadcaster.sandbox import disk_folder_of
from broadcaster.storage.recordings import store
from broadcaster.storage.recordings.mounts import missing_disk
from tests.edges.recorder_rig import RecorderRig


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/media/usb/recordings", "/media"),
        ("/mnt", "/mnt"),
        ("/run/media/pi/USB", "/run/media"),
        ("/mediathek", None),
        ("/srv/media/usb", None),
        ("/var/lib/broadcaster/recordings", None),
    ],
)
def test_folders_for_disks(path, root):
    assert disk_folder_of(path) == root


def test_folder_elsewhere_needs_no_disk(tmp_path):
    assert missing_disk(str(tmp_path / "recordings")) == ""
    assert missing_disk("/srv/not/there") == ""


def test_folder_without_a_disk_is_refused():
    assert missing_disk("/mnt/usb-that-is-not-there/recordings").startswith("no disk is mounted there")


@pytest.fixture
def media(tmp_path, monkeypatch):
    """A folder that takes the place of /media."""
    folder = tmp_path / "media"
    (folder / "usb").mkdir(parents=True)
    monkeypatch.setattr(sandbox, "DISK_FOLDERS", (str(folder),))
    return folder


@pytest.fixture
def mount(media):
    """A function that mounts a disk at `media/usb`."""
    mounted = []

    def mount_one() -> Path:
        done = subprocess.run(["mount", "-t", "tmpfs", "disk", media / "usb"], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"needs root: {done.stderr.decode()}")
        mounted.append(media / "usb")
        return mounted[-1]

    yield mount_one
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_mount_of_the_same_disk_is_none(media):
    """In the service's sandbox, each of `ReadWritePaths=` is a mount."""
    folder = media / "usb"
    done = subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs root: {done.stderr.decode()}")
    try:
        assert missing_disk(str(folder / "recordings"))
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_recording_begins_by_itself_when_the_disk_is_mounted(tmp_path, media, mount, monkeypatch, caplog):
    monkeypatch.setattr(store, "RETRY_AFTER", 0.05)
    rig = RecorderRig(tmp_path, "live", folder=str(media / "usb/recordings"))
    await rig.recorder.start()
    rig.go_live()
    rig.play(10)
    await problem(rig, "no disk is mounted there")
    rig.play(1)
    assert rig.recorder.stats().state is RecorderState.FAILED
    assert not list((media / "usb").iterdir()), "nothing is written to the SD card"
    disk = mount()
    await problem(rig, "")
    rig.play(10)
    await rig.finish()
    assert len(list((disk / "recordings").glob("*.mp4"))) == 1
    assert len([one for one in caplog.records if ": no disk" in one.getMessage()]) == 1


async def problem(rig: RecorderRig, text: str) -> None:
    async with asyncio.timeout(10):
        while not (rig.store.problem.startswith(text) if text else rig.store.problem == ""):
            await asyncio.sleep(0.01)
