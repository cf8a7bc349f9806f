"""Who has a device: real processes with a real lock, and a real open file."""

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
    program = [sys.executable, "-c", HOLD.format(lock=LOCK if lock else ""), str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


def test_who_has_locked_a_device_is_named_rather_than_who_has_it_open(tmp_path):
    device = tmp_path / "media0"
    device.touch()
    with holding(device, lock=False) as bystander, holding(device, lock=True) as locker:
        named = holders([device, tmp_path / "media1"])
        assert f"(process {locker})" in named
        assert str(bystander) not in named
        assert named == f"{Path(f'/proc/{locker}/comm').read_text().strip()} (process {locker})"
        assert str(tmp_path) not in named, "a command line may hold passwords"


def test_without_a_lock_all_are_named_who_have_it_open_but_not_ourselves(tmp_path):
    device = tmp_path / "video0"
    device.touch()
    with device.open("r+b"), holding(device, lock=False) as one, holding(device, lock=False) as other:
        named = holders([device])
        assert f"(process {one})" in named
        assert f"(process {other})" in named
        assert str(os.getpid()) not in named


def test_nobody(tmp_path):
    device = tmp_path / "video0"
    device.touch()
    with device.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert holders([device]) == ""


def test_of_a_process_that_is_hidden_only_the_number_is_told(tmp_path):
    device = tmp_path / "media0"
    device.touch()
    status = device.stat()
    where = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/locks").write_text(f"1: POSIX  ADVISORY  WRITE 712 {where} 0 EOF\n")
    assert holders([device], tmp_path) == "process 712"
