"""An ext4 file system on a loop device, which can be frozen, filled, shut down and copied as a power cut leaves it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN (linux/fs/ext4/ext4.h): every access fails from now on, as on a disk that was pulled."""
_NO_FLUSH = 2


@dataclass(frozen=True)
class LoopDisk:
    """The image, and the folder at which it is mounted."""

    image: Path
    folder: Path

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let all writes hang inside the block."""
        run("fsfreeze", "--freeze", self.folder)
        try:
            yield
        finally:
            run("fsfreeze", "--unfreeze", self.folder)

    def shut_down(self) -> None:
        """Make every access fail."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NO_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(descriptor)

    def written(self) -> tuple[int, int]:
        """Return how many requests the device has written, and how many bytes (block/stat.rst of the kernel)."""
        device = run("losetup", "--noheadings", "--output", "NAME", "--associated", self.image).split()[0]
        fields = Path(f"/sys/block/{Path(device).name}/stat").read_text("ascii").split()
        return int(fields[4]), int(fields[6]) * 512

    def mount(self) -> None:
        """Mount the image, which replays its journal."""
        run("mount", "-o", "loop", self.image, self.folder)

    def unmount(self) -> None:
        """Unmount the image, also if it is in use."""
        run("umount", "--lazy", self.folder)

    def copy(self, image: Path) -> None:
        """Copy what has reached the disk, as a power cut leaves it."""
        run("cp", "--sparse=always", self.image, image)


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[LoopDisk]:
    """Mount an image inside the block."""
    folder.mkdir(exist_ok=True)
    disk = LoopDisk(image, folder)
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount()


@contextlib.contextmanager
def loop_disk(path: Path, megabytes: int = 64) -> Iterator[LoopDisk]:
    """Make a disk in the folder `path`, and mount it inside the block; skip the test if that is not allowed."""
    image = path / "disk.img"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    try:
        run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        with mounted(image, path / "disk") as disk:
            yield disk
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        if isinstance(error, subprocess.CalledProcessError) and error.cmd[0] not in ("mkfs.ext4", "mount"):
            raise
        pytest.skip(f"needs root, ext4 and loop devices: {error}")


def run(*command: object) -> str:
    """Run a command, and return its output. Raises CalledProcessError."""
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout
