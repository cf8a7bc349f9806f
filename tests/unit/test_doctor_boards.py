"""The doctor on four machines: what it finds in their trees, and what that means."""

import pytest

from broadcaster.devices.board import read_board
from broadcaster.doctor.checks import board, clock, permissions, power, room, wifi
from broadcaster.doctor.result import Level
from broadcaster.settings import Settings
from tests.rigs import boards
from tests.rigs.doctor import FINE, Patient, pc, pi, write

PIS = [boards.ZERO_2_W, boards.PI_4, boards.PI_5]


def every_line(machine: Patient):
    """All that a tree can tell."""
    shown = read_board(machine.root)
    firmware = power.read_firmware(machine)
    return [
        board.evaluate_board(shown),
        board.evaluate_system(shown, board.read_name(machine), board.read_kernel(machine)),
        power.evaluate_power(firmware, "pi", is_pi=shown.is_raspberry_pi),
        power.evaluate_temperature(firmware),
        wifi.evaluate(wifi.read_adapters(machine), has_iw=True),
        permissions.evaluate(permissions.read_devices(machine, Settings()), {"video"}, "pi"),
    ]


@pytest.mark.parametrize("machine", PIS, ids=lambda machine: machine.model)
def test_a_pi_that_is_fine_is_fine(tmp_path, machine):
    lines = every_line(pi(tmp_path, machine))
    assert [line.level for line in lines] == [Level.OK] * len(lines)
    assert lines[0].found.startswith(f"{machine.model}, ")
    assert lines[1].found == "Debian GNU/Linux 12 (bookworm), 64 bit, kernel 6.12.47+rpt-rpi-v8"


def test_a_pc_is_fine_and_says_what_it_does_not_measure(tmp_path):
    lines = every_line(pc(tmp_path))
    assert [line.level for line in lines] == [Level.OK] * len(lines)
    assert [line.found for line in lines] == [
        "no Raspberry Pi, 16.7 GB of memory, no hardware encoder: libx264",
        "Debian GNU/Linux 12 (bookworm), 64 bit, kernel 6.1.0-40-amd64",
        "not measured on this machine",
        "52 °C",
        "no Wi-Fi in use",
        "user pi may open 1 of 1 video devices",
    ]


@pytest.mark.parametrize(
    ("machine", "encoder"),
    [
        (boards.ZERO_2_W, "448 MB of memory, hardware H.264 encoder"),
        (boards.PI_4, "4.0 GB of memory, hardware H.264 encoder"),
        (boards.PI_5, "8.4 GB of memory, no hardware encoder: libx264"),
    ],
    ids=lambda value: getattr(value, "model", ""),
)
def test_the_board_says_how_pictures_are_encoded(tmp_path, machine, encoder):
    assert every_line(pi(tmp_path, machine))[0].found == f"{machine.model}, {encoder}"


def test_a_32_bit_system_is_broken_also_on_a_64_bit_kernel(tmp_path):
    line = every_line(pi(tmp_path, boards.PI_4_32_BIT))[1]
    assert (line.what, line.level) == ("system", Level.BROKEN)
    assert "64-bit" in line.fix


@pytest.mark.parametrize(
    ("bits", "found"),
    [
        ("0x1", "too little voltage now"),
        ("0x50000", "too little voltage, processor slowed down since it was started"),
        ("0x50005", "too little voltage, processor slowed down now; "
                    "too little voltage, processor slowed down since it was started"),
        ("0x80008", "soft temperature limit reached now; soft temperature limit reached since it was started"),
        ("0x20002", "processor held back now; processor held back since it was started"),
    ],
)  # fmt: skip
def test_each_bit_of_the_firmware_in_words(tmp_path, bits, found):
    machine = pi(tmp_path, boards.PI_4, {"vcgencmd get_throttled": f"throttled={bits}"})
    line = power.evaluate_power(power.read_firmware(machine), "pi", is_pi=True)
    assert (line.level, line.found) == (Level.WARNING, found)
    assert ("power supply" in line.fix) == ("voltage" in found)


def test_a_pi_without_vcgencmd_says_how_to_get_it(tmp_path):
    boards.build(tmp_path, boards.PI_4)
    line = power.evaluate_power(power.read_firmware(Patient(tmp_path)), "pi", is_pi=True)
    assert line.level is Level.WARNING
    assert "apt install" in line.fix


def test_a_vcgencmd_that_says_nothing_is_for_the_group_video(tmp_path):
    machine = pi(tmp_path, boards.PI_4, {"vcgencmd get_throttled": "VCHI initialization failed"})
    line = power.evaluate_power(power.read_firmware(machine), "pi", is_pi=True)
    assert line.level is Level.WARNING
    assert "usermod -aG video pi" in line.fix


@pytest.mark.parametrize(("celsius", "level"), [("69.9", "ok"), ("70.1", "warning"), ("84.0", "warning")])
def test_heat(tmp_path, celsius, level):
    machine = pi(tmp_path, boards.PI_5, {"vcgencmd measure_temp": f"temp={celsius}'C"})
    line = power.evaluate_temperature(power.read_firmware(machine))
    assert line.level == level
    assert ("too hot" in line.found) == (celsius == "84.0")


def test_wifi_that_saves_power_is_told_how_to_stop_it(tmp_path):
    machine = pi(tmp_path, boards.ZERO_2_W, {"iw dev wlan0 get power_save": "Power save: on"})
    line = wifi.evaluate(wifi.read_adapters(machine), has_iw=True)
    assert (line.level, line.found) == (Level.WARNING, "wlan0: power saving is on")
    assert "  sudo iw dev wlan0 set power_save off" in line.fix.splitlines()


def test_wifi_that_is_not_in_use_does_not_matter(tmp_path):
    machine = pi(tmp_path, boards.PI_4, {"iw dev wlan0 get power_save": "Power save: on"})
    write(tmp_path, "sys/class/net/wlan0/operstate", "down\n")
    assert wifi.evaluate(wifi.read_adapters(machine), has_iw=True).found == "no Wi-Fi in use"


def test_without_iw_nobody_knows_and_the_fix_is_to_install_it(tmp_path):
    machine = Patient(pi(tmp_path, boards.PI_4).root)
    line = wifi.evaluate(wifi.read_adapters(machine), has_iw=False)
    assert line.level is Level.WARNING
    assert "apt install iw" in line.fix


@pytest.mark.parametrize(
    ("now", "level", "says"),
    [
        (clock.Time(1_780_000_000, True, True), "ok", "2026-05-28 20:26 UTC, synchronised"),
        (clock.Time(1_780_000_000, True, False), "ok", "synchronised; no clock that runs without power"),
        (clock.Time(1_780_000_000, False, True), "warning", "not synchronised"),
        (clock.Time(1_000_000, True, False), "broken", "not set: it says 1970-01-12"),
    ],
)
def test_the_clock(now, level, says):
    line = clock.evaluate(now)
    assert line.level == level
    assert says in line.found


def test_only_some_machines_keep_time_without_power(tmp_path):
    assert clock.read_time(pc(tmp_path / "pc")).has_battery_clock
    assert clock.read_time(pi(tmp_path / "5", boards.PI_5)).has_battery_clock
    assert not clock.read_time(pi(tmp_path / "4", boards.PI_4)).has_battery_clock


def test_memory_is_judged_by_what_the_daemon_has_taken_already(tmp_path):
    write(tmp_path, "proc/meminfo", "MemTotal: 437904 kB\nMemAvailable: 100000 kB\nCmaFree: 80000 kB\n")
    found = room.read_room(Patient(tmp_path), tmp_path / "not" / "yet")
    assert (found.memory, found.cma, found.writable) == (102_400_000, 81_920_000, True)
    assert room.evaluate_memory(found, running=True).level is Level.OK
    assert room.evaluate_memory(found, running=False).level is Level.WARNING


@pytest.mark.parametrize(
    ("disk", "writable", "level"),
    [(1e9, True, "ok"), (1e8, True, "warning"), (1e6, True, "broken"), (1e9, False, "warning")],
)
def test_the_disk(disk, writable, level):
    assert room.evaluate_disk(room.Room(1, 0, int(disk), "/state", writable), "pi").level == level


def test_fine_answers_are_those_of_real_commands():
    assert wifi.understand(FINE["iw dev wlan0 get power_save"]) is False
    assert wifi.understand("command failed: Operation not supported (-95)") is None
    assert wifi.understand(None) is None
