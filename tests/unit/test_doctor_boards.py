"""Checks of board, system, power, Wi-Fi, clock, memory and disk, on fake Raspberry Pis and a fake PC."""

import pytest

from broadcaster.devices.board import read_board
from broadcaster.doctor.checks import board, clock, permissions, power, resources, wifi
from broadcaster.doctor.result import CheckResult, Level
from broadcaster.settings import Settings
from tests.rigs import boards
from tests.rigs.doctor import HEALTHY_OUTPUTS, FakeMachine, make_pc, make_pi, write

PIS = [boards.ZERO_2_W, boards.PI_4, boards.PI_5]


def check_all(machine: FakeMachine) -> list[CheckResult]:
    """Return the results of all checks that read only files and commands."""
    found = read_board(machine.root)
    firmware = power.read_firmware(machine)
    return [
        board.evaluate_board(found),
        board.evaluate_system(found, board.read_name(machine), board.read_kernel(machine)),
        power.evaluate_power(firmware, "pi", is_pi=found.is_raspberry_pi),
        power.evaluate_temperature(firmware),
        wifi.evaluate(wifi.read_adapters(machine), has_iw=True),
        permissions.evaluate(permissions.read_devices(machine, Settings()), {"video"}, "pi"),
    ]


def model_of(value: object) -> str:
    return getattr(value, "model", "")


@pytest.mark.parametrize("fake", PIS, ids=model_of)
def test_healthy_pi_is_fine(tmp_path, fake):
    results = check_all(make_pi(tmp_path, fake))
    assert [result.level for result in results] == [Level.OK] * len(results)
    assert results[0].found.startswith(f"{fake.model}, ")
    assert results[1].found == "Debian GNU/Linux 12 (bookworm), 64-bit, kernel 6.12.47+rpt-rpi-v8"


def test_pc_is_fine_and_reports_what_is_not_measured(tmp_path):
    results = check_all(make_pc(tmp_path))
    assert [result.level for result in results] == [Level.OK] * len(results)
    assert [result.found for result in results] == [
        "no Raspberry Pi, 16.7 GB of memory, no hardware encoder (libx264 is used)",
        "Debian GNU/Linux 12 (bookworm), 64-bit, kernel 6.1.0-40-amd64",
        "not measured on this machine",
        "52 °C",
        "no Wi-Fi in use",
        "user pi may open 1 of 1 video devices",
    ]


@pytest.mark.parametrize(
    ("fake", "found"),
    [
        (boards.ZERO_2_W, "448 MB of memory, hardware H.264 encoder"),
        (boards.PI_4, "4.0 GB of memory, hardware H.264 encoder"),
        (boards.PI_5, "8.4 GB of memory, no hardware encoder (libx264 is used)"),
    ],
    ids=model_of,
)
def test_board_result_names_memory_and_encoder(tmp_path, fake, found):
    assert check_all(make_pi(tmp_path, fake))[0].found == f"{fake.model}, {found}"


def test_32_bit_system_is_broken_even_on_a_64_bit_kernel(tmp_path):
    result = check_all(make_pi(tmp_path, boards.PI_4_32_BIT))[1]
    assert (result.what, result.level) == ("system", Level.BROKEN)
    assert "64-bit" in result.fix


@pytest.mark.parametrize(
    ("bits", "found"),
    [
        ("0x1", "now: supply voltage too low"),
        ("0x50000", "since boot: supply voltage too low, processor throttled"),
        ("0x50005", "now: supply voltage too low, processor throttled; "
                    "since boot: supply voltage too low, processor throttled"),
        ("0x80008", "now: soft temperature limit reached; since boot: soft temperature limit reached"),
        ("0x20002", "now: processor frequency capped; since boot: processor frequency capped"),
    ],
)  # fmt: skip
def test_each_throttling_bit_is_described(tmp_path, bits, found):
    machine = make_pi(tmp_path, boards.PI_4, {"vcgencmd get_throttled": f"throttled={bits}"})
    result = power.evaluate_power(power.read_firmware(machine), "pi", is_pi=True)
    assert (result.level, result.found) == (Level.WARNING, found)
    assert ("power supply" in result.fix) == ("voltage" in found)


def test_missing_vcgencmd_on_a_pi_is_a_warning_with_the_package(tmp_path):
    boards.build(tmp_path, boards.PI_4)
    result = power.evaluate_power(power.read_firmware(FakeMachine(tmp_path)), "pi", is_pi=True)
    assert result.level is Level.WARNING
    assert "apt install" in result.fix


def test_failing_vcgencmd_is_a_warning_with_the_group(tmp_path):
    machine = make_pi(tmp_path, boards.PI_4, {"vcgencmd get_throttled": "VCHI initialization failed"})
    result = power.evaluate_power(power.read_firmware(machine), "pi", is_pi=True)
    assert result.level is Level.WARNING
    assert "usermod -aG video pi" in result.fix


@pytest.mark.parametrize(("celsius", "level"), [("69.9", "ok"), ("70.1", "warning"), ("84.0", "warning")])
def test_temperature_limits(tmp_path, celsius, level):
    machine = make_pi(tmp_path, boards.PI_5, {"vcgencmd measure_temp": f"temp={celsius}'C"})
    result = power.evaluate_temperature(power.read_firmware(machine))
    assert result.level == level
    assert ("too hot" in result.found) == (celsius == "84.0")


def test_wifi_power_saving_is_a_warning_with_the_command(tmp_path):
    machine = make_pi(tmp_path, boards.ZERO_2_W, {"iw dev wlan0 get power_save": "Power save: on"})
    result = wifi.evaluate(wifi.read_adapters(machine), has_iw=True)
    assert (result.level, result.found) == (Level.WARNING, "wlan0: power saving is on")
    assert "  sudo iw dev wlan0 set power_save off" in result.fix.splitlines()


def test_wifi_adapter_that_is_down_is_ignored(tmp_path):
    machine = make_pi(tmp_path, boards.PI_4, {"iw dev wlan0 get power_save": "Power save: on"})
    write(tmp_path, "sys/class/net/wlan0/operstate", "down\n")
    assert wifi.evaluate(wifi.read_adapters(machine), has_iw=True).found == "no Wi-Fi in use"


def test_missing_iw_is_a_warning_with_the_package(tmp_path):
    machine = FakeMachine(make_pi(tmp_path, boards.PI_4).root)
    result = wifi.evaluate(wifi.read_adapters(machine), has_iw=False)
    assert result.level is Level.WARNING
    assert "apt install iw" in result.fix


@pytest.mark.parametrize(
    ("state", "level", "found"),
    [
        (clock.ClockState(1_780_000_000, True, True), "ok", "2026-05-28 20:26 UTC, synchronised"),
        (clock.ClockState(1_780_000_000, True, False), "ok", "synchronised; this machine has no battery-backed clock"),
        (clock.ClockState(1_780_000_000, False, True), "warning", "not synchronised"),
        (clock.ClockState(1_000_000, True, False), "broken", "not set: it shows 1970-01-12"),
    ],
)
def test_clock_must_be_set_and_synchronised(state, level, found):
    result = clock.evaluate(state)
    assert result.level == level
    assert found in result.found


def test_battery_backed_clocks_are_recognised(tmp_path):
    assert clock.read_clock(make_pc(tmp_path / "pc")).has_battery_clock
    assert clock.read_clock(make_pi(tmp_path / "5", boards.PI_5)).has_battery_clock
    assert not clock.read_clock(make_pi(tmp_path / "4", boards.PI_4)).has_battery_clock


def test_less_free_memory_is_required_while_the_daemon_runs(tmp_path):
    write(tmp_path, "proc/meminfo", "MemTotal: 437904 kB\nMemAvailable: 100000 kB\nCmaFree: 80000 kB\n")
    found = resources.read_resources(FakeMachine(tmp_path), tmp_path / "missing" / "folder")
    assert (found.memory, found.cma, found.writable) == (102_400_000, 81_920_000, True)
    assert resources.evaluate_memory(found, running=True).level is Level.OK
    assert resources.evaluate_memory(found, running=False).level is Level.WARNING


@pytest.mark.parametrize(
    ("disk", "writable", "level"),
    [(1e9, True, "ok"), (1e8, True, "warning"), (1e6, True, "broken"), (1e9, False, "warning")],
)
def test_disk_must_have_space_and_be_writable(disk, writable, level):
    assert resources.evaluate_disk(resources.Resources(1, 0, int(disk), "/state", writable), "pi").level == level


def test_output_of_iw_is_parsed():
    assert wifi.parse_power_save(HEALTHY_OUTPUTS["iw dev wlan0 get power_save"]) is False
    assert wifi.parse_power_save("command failed: Operation not supported (-95)") is None
    assert wifi.parse_power_save(None) is None
