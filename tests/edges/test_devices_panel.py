"""Buttons and LEDs with the real gpiozero, whose mock pins are driven from another thread."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from broadcaster.devices.fakes import FakeClock
from broadcaster.devices.panel import pins
from broadcaster.devices.panel.gpio import GpioPanel
from broadcaster.errors import PanelError
from broadcaster.model.stream import StreamState
from broadcaster.ports import Control
from broadcaster.settings import PanelSettings, read

ON_A_PI = Path("/proc/device-tree/system/linux,revision").exists()
TIMEOUT = 20.0
"""Seconds; generous, because test machines are shared."""


def panel_settings(*assignments: str) -> PanelSettings:
    return read("", ["panel.enabled=true", *(f"panel.{text}" for text in assignments)]).panel


class HeldPin(MockPin):
    """A pin whose button is held: it stays at ground in spite of the pull-up."""

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        self.drive_low()


class PanelDriver:
    """A panel on mock pins, which are driven from a thread; the driver advances the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.used: list[Control] = []
        self.factory = MockFactory()
        monkeypatch.setattr(pins, "pin_factory", lambda: self.factory)
        # Mock pins timestamp their edges by this clock.
        monkeypatch.setattr("gpiozero.pins.mock.monotonic", self.clock.monotonic)
        self._executor = ThreadPoolExecutor(1, "pins")
        self.panel: GpioPanel | None = None

    def open(self, *assignments: str) -> GpioPanel:
        self.panel = GpioPanel(panel_settings(*assignments), self.clock)
        self.panel.open(self.used.append)
        return self.panel

    def close(self) -> None:
        if self.panel is not None:
            self.panel.close()
        self._executor.shutdown()

    def level(self, number: int) -> bool:
        return self.factory.pin(number).state

    async def drive(self, number: int, *levels: bool, step: float = 0.001) -> None:
        """Drive the pin to these levels, one after the other, and let the last one settle."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._drive, number, levels, step)
        await self.wait(0.1)

    async def wait(self, seconds: float) -> None:
        """Let all edges arrive, then advance the clock."""
        await asyncio.sleep(0)
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    async def wait_until_used(self, *controls: Control) -> None:
        """Wait until the panel has reported exactly these."""
        async with asyncio.timeout(TIMEOUT):
            while len(self.used) < len(controls):
                await asyncio.sleep(0.01)
        assert self.used == list(controls)

    def _drive(self, number: int, levels: tuple[bool, ...], step: float) -> None:
        pin = self.factory.pin(number)
        for level in levels:
            self.clock.advance(step)
            pin.drive_high() if level else pin.drive_low()


@pytest.fixture
async def driver(monkeypatch) -> AsyncIterator[PanelDriver]:
    panel_driver = PanelDriver(monkeypatch)
    yield panel_driver
    panel_driver.close()


def bouncing(level: bool, times: int) -> list[bool]:
    return [level, *([not level, level] * times)]


async def test_press_is_reported_on_release(driver):
    driver.open()
    await driver.drive(17, False)
    await asyncio.sleep(0.05)
    assert driver.used == []
    await driver.drive(17, True)
    await driver.wait_until_used(Control.TOGGLE)


async def test_thousand_bouncing_presses_from_another_thread_are_reported(driver):
    driver.open()
    generator = random.Random(2)
    for _ in range(1000):
        await driver.drive(17, *bouncing(False, generator.randrange(6)))
        await driver.drive(17, *bouncing(True, generator.randrange(6)))
    await driver.wait_until_used(*[Control.TOGGLE] * 1000)
    await asyncio.sleep(0.1)
    assert len(driver.used) == 1000


async def test_start_and_stop_buttons(driver):
    driver.open("button=off", "start=5", "stop=6")
    for number in (5, 6, 5):
        await driver.drive(number, False)
        await driver.drive(number, True)
    await driver.wait_until_used(Control.START, Control.STOP, Control.START)


@pytest.mark.parametrize(
    ("wiring", "released", "pressed"),
    [(["pull=up"], True, False), (["pull=down", "button_active=high"], False, True),
     (["pull=none", "button_active=high"], False, True), (["pull=none", "button_active=low"], True, False)],
)  # fmt: skip
async def test_all_wirings_of_a_button(driver, wiring, released, pressed):
    pin = driver.factory.pin(17)
    pin.drive_high() if released else pin.drive_low()
    driver.open(*wiring)
    await driver.drive(17, pressed)
    await driver.drive(17, released)
    await driver.wait_until_used(Control.TOGGLE)


async def test_long_press_is_reported_while_held(driver):
    driver.open()
    await driver.drive(17, False)
    await driver.wait(3.0)
    await driver.wait_until_used(Control.HOLD)
    await driver.drive(17, True)
    await driver.drive(17, False)
    await driver.drive(17, True)
    await driver.wait_until_used(Control.HOLD, Control.TOGGLE)


async def test_button_pressed_at_start_is_ignored_until_released(driver):
    driver.factory.pin_class = HeldPin
    driver.open()
    assert not driver.level(17)
    await driver.wait(5.0)
    await driver.drive(17, True)
    await driver.drive(17, False)
    await driver.drive(17, True)
    await driver.wait_until_used(Control.TOGGLE)


@pytest.mark.parametrize(("active", "lit"), [("high", True), ("low", False)])
async def test_leds_follow_the_active_level_and_are_off_after_close(driver, active, lit):
    panel = driver.open(f"lamp_active={active}", "watch_lamp=22")
    assert [driver.level(number) for number in (27, 22)] == [not lit, not lit]
    panel.show(StreamState.LIVE, muted=False)
    panel.show_viewers(2)
    assert [driver.level(number) for number in (27, 22)] == [lit, lit]
    panel.show(StreamState.FAILED, muted=False)
    panel.show_viewers(0)
    assert [driver.level(number) for number in (27, 22)] == [not lit, not lit]
    panel.show(StreamState.LIVE, muted=False)
    states = driver.factory.pin(27).states
    panel.close()
    panel.close()
    assert states[-1].state is (not lit)
    assert driver.factory.pin(27).function == "input"
    panel.show(StreamState.LIVE, muted=False)
    panel.show_viewers(1)
    panel.acknowledge()


async def test_panel_can_be_reopened_and_ignores_presses_while_closed(driver):
    panel = driver.open()
    panel.close()
    await driver.drive(17, False, True)
    panel.open(driver.used.append)
    await driver.drive(17, False)
    await driver.drive(17, True)
    await driver.wait_until_used(Control.TOGGLE)


async def test_panel_without_a_tally_light(driver):
    panel = driver.open("lamp=off")
    panel.show(StreamState.LIVE, muted=False)
    panel.acknowledge()
    panel.show_viewers(1)
    assert driver.factory.pin(27).function == "input"


async def test_pin_in_use_raises_and_other_pins_are_released(driver):
    driver.factory.reserve_pins(driver, 17)
    with pytest.raises(PanelError, match="GPIO 17 cannot be used"):
        driver.open()
    driver.factory.release_pins(driver, 17)
    driver.panel.open(driver.used.append)


async def test_machine_without_pins_raises_and_keeps_the_working_directory(tmp_path, monkeypatch):
    """lgpio creates a FIFO in the working directory, where a service may not be able to write."""
    pytest.importorskip("lgpio", reason="lgpio has no wheel for this Python")
    if ON_A_PI:
        pytest.skip("this is a Raspberry Pi")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PanelError, match="no Raspberry Pi"):
        GpioPanel(panel_settings(), FakeClock()).open(lambda control: None)
    assert os.getcwd() == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_missing_library_is_reported_with_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    with pytest.raises(PanelError, match="apt install python3-lgpio"):
        GpioPanel(panel_settings(), FakeClock()).open(lambda control: None)


async def test_pin_factory_of_the_environment_is_used(monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert isinstance(pins.pin_factory(), MockFactory)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nonsense")
    with pytest.raises(PanelError, match="nonsense"):
        GpioPanel(panel_settings(), FakeClock()).open(lambda control: None)


def test_gpiozero_is_not_imported_without_a_panel():
    code = """
import sys
from broadcaster.app import Daemon, make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.settings import read
settings, clock = read("", ["video.source=test"]), SystemClock()
Daemon(settings, make_sources(settings.video, settings.audio, clock), clock)
sys.exit(any(name.split(".")[0] in ("gpiozero", "lgpio") for name in sys.modules))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_broken_gpiozero_disables_the_panel_with_one_warning():
    code = """
import sys
sys.modules["gpiozero"] = None
from broadcaster.app import Daemon, make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.settings import read
settings, clock = read("", ["video.source=test", "panel.enabled=true"]), SystemClock()
Daemon(settings, make_sources(settings.video, settings.audio, clock), clock)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert done.stderr.count("gpiozero cannot be loaded") == 1
