"""Processes that hold a device, with real processes, locks and open files."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broadcaster.devices.holders import holders

HOLD = "import fcntl, sys; file = open(sys.argv[1], 'r+b'); {lock}print(flush=True); sys.stdin.read()"
LOCK = "fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB); "


@contextmanager
def holding(path: Path, *, lock: bool) -> Iterator[int]:
    """Start a process that opens `path` and locks it on request; yield its id."""
    program = [sys.executable, "-c", HOLD.format(lock=LOCK if lock else ""), str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


def test_only_the_process_with_the_lock_is_named(tmp_path):
    device = tmp_path / "media0"
    device.touch()
    with holding(device, lock=False) as opener, holding(device, lock=True) as locker:
        named = holders([device, tmp_path / "media1"])
        assert f"(process {locker})" in named
        assert str(opener) not in named
        assert named == f"{Path(f'/proc/{locker}/comm').read_text().strip()} (process {locker})"
        assert str(tmp_path) not in named, "a command line may hold passwords"


def test_without_a_lock_all_other_processes_with_the_device_open_are_named(tmp_path):
    device = tmp_path / "video0"
    device.touch()
    with device.open("r+b"), holding(device, lock=False) as first, holding(device, lock=False) as second:
        named = holders([device])
        assert f"(process {first})" in named
        assert f"(process {second})" in named
        assert str(os.getpid()) not in named


def test_the_own_process_is_not_named(tmp_path):
    device = tmp_path / "video0"
    device.touch()
    with device.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert holders([device]) == ""


def test_a_hidden_process_is_named_by_its_id_only(tmp_path):
    device = tmp_path / "media0"
    device.touch()
    status = device.stat()
    inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/locks").write_text(f"1: POSIX  ADVISORY  WRITE 712 {inode} 0 EOF\n")
    assert holders([device], tmp_path) == "process 712"
