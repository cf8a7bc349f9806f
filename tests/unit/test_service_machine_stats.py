"""The machine's numbers, from files as a Pi and a container have them."""

from __future__ import annotations

from pathlib import Path

from broadcaster.devices.fakes import FakeClock
from broadcaster.service.machine_stats import MachineStats


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_numbers_of_a_pi(tmp_path: Path) -> None:
    write(tmp_path, "proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 2 3 4\n")
    write(tmp_path, "proc/meminfo", "MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:  400 kB\nHugePages_Total: 0\n")
    write(tmp_path, "proc/self/statm", "500 200 50 1 0 100 0\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "61234\n")
    write(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    clock = FakeClock()
    stats = MachineStats(clock, tmp_path, tmp_path)
    write(tmp_path, "proc/stat", "cpu  150 0 100 850 0 0 0 0 0 0\n")
    clock.advance(1.0)
    report = stats.read()
    assert report.load == 0.5
    assert (report.temperature, report.throttled) == (61.234, 0x50005)
    assert (report.memory_free, report.memory_total) == (400 * 1024, 1000 * 1024)
    assert report.memory is not None
    assert report.memory % 200 == 0
    assert report.disk_free is not None
    assert report.disk_total is not None
    assert 0 < report.disk_free <= report.disk_total
    assert report.cpu >= 0


def test_what_a_machine_does_not_tell_is_none(tmp_path: Path) -> None:
    write(tmp_path, "proc/stat", "cpu garbage\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "hot\n")
    report = MachineStats(FakeClock(), tmp_path / "missing", tmp_path).read()
    assert (report.load, report.temperature, report.throttled, report.disk_free) == (None, None, None, None)
    assert (report.memory, report.memory_total) == (None, None)
    assert report.cpu == 0.0


def test_processor_time_of_this_process(tmp_path: Path) -> None:
    clock = FakeClock()
    stats = MachineStats(clock, tmp_path)
    sum(range(3_000_000))
    clock.advance(0.001)
    assert stats.read().cpu > 1, "the clock stood still"
    clock.advance(1000.0)
    assert stats.read().cpu < 0.1
