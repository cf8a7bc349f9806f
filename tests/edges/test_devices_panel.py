"""Buttons and lamps through the real gpiozero, whose mock pins are driven from another thread."""

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
LIMIT = 20.0
"""Seconds; generous, because test machines are shared."""


def settings(*more: str) -> PanelSettings:
    return read("", ["panel.enabled=true", *(f"panel.{text}" for text in more)]).panel


class HeldPin(MockPin):
    """A pin whose button is held: no pull-up gets it away from ground."""

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        self.drive_low()


class Board:
    """Mock pins, a finger in a thread of its own, and a panel on a clock that the finger moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.used: list[Control] = []
        self.factory = MockFactory()
        monkeypatch.setattr(pins, "pin_factory", lambda: self.factory)
        # Mock pins take the time of their edges from here.
        monkeypatch.setattr("gpiozero.pins.mock.monotonic", self.clock.monotonic)
        self._finger = ThreadPoolExecutor(1, "finger")
        self.panel: GpioPanel | None = None

    def open(self, *more: str) -> GpioPanel:
        self.panel = GpioPanel(settings(*more), self.clock)
        self.panel.open(self.used.append)
        return self.panel

    def close(self) -> None:
        if self.panel is not None:
            self.panel.close()
        self._finger.shutdown()

    def level(self, number: int) -> bool:
        return self.factory.pin(number).state

    async def drive(self, number: int, *levels: bool, step: float = 0.001) -> None:
        """Let the pin have these levels, one after the other, and then rest for long enough."""
        await asyncio.get_running_loop().run_in_executor(self._finger, self._drive, number, levels, step)
        await self.rest(0.1)

    async def rest(self, seconds: float) -> None:
        """Let all edges arrive, then let so much time pass."""
        await asyncio.sleep(0)
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    async def used_is(self, *controls: Control) -> None:
        """Wait until the panel has told of exactly these."""
        async with asyncio.timeout(LIMIT):
            while len(self.used) < len(controls):
                await asyncio.sleep(0.01)
        assert self.used == list(controls)

    def _drive(self, number: int, levels: tuple[bool, ...], step: float) -> None:
        pin = self.factory.pin(number)
        for level in levels:
            self.clock.advance(step)
            pin.drive_high() if level else pin.drive_low()


@pytest.fixture
async def board(monkeypatch) -> AsyncIterator[Board]:
    made = Board(monkeypatch)
    yield made
    made.close()


def bouncing(level: bool, times: int) -> list[bool]:
    return [level, *([not level, level] * times)]


async def test_a_press_is_told_on_release(board):
    board.open()
    await board.drive(17, False)
    await asyncio.sleep(0.05)
    assert board.used == []
    await board.drive(17, True)
    await board.used_is(Control.TOGGLE)


async def test_a_thousand_bouncing_presses_from_another_thread_are_a_thousand(board):
    board.open()
    dice = random.Random(2)
    for _ in range(1000):
        await board.drive(17, *bouncing(False, dice.randrange(6)))
        await board.drive(17, *bouncing(True, dice.randrange(6)))
    await board.used_is(*[Control.TOGGLE] * 1000)
    await asyncio.sleep(0.1)
    assert len(board.used) == 1000


async def test_two_buttons_start_and_stop(board):
    board.open("button=off", "start=5", "stop=6")
    for number in (5, 6, 5):
        await board.drive(number, False)
        await board.drive(number, True)
    await board.used_is(Control.START, Control.STOP, Control.START)


@pytest.mark.parametrize(
    ("wiring", "rest", "pressed"),
    [(["pull=up"], True, False), (["pull=down", "button_active=high"], False, True),
     (["pull=none", "button_active=high"], False, True), (["pull=none", "button_active=low"], True, False)],
)  # fmt: skip
async def test_every_way_to_wire_a_button(board, wiring, rest, pressed):
    pin = board.factory.pin(17)
    pin.drive_high() if rest else pin.drive_low()
    board.open(*wiring)
    await board.drive(17, pressed)
    await board.drive(17, rest)
    await board.used_is(Control.TOGGLE)


async def test_a_long_press_is_told_while_it_is_held(board):
    board.open()
    await board.drive(17, False)
    await board.rest(3.0)
    await board.used_is(Control.HOLD)
    await board.drive(17, True)
    await board.drive(17, False)
    await board.drive(17, True)
    await board.used_is(Control.HOLD, Control.TOGGLE)


async def test_a_button_held_at_start_means_nothing_until_it_is_let_go(board):
    board.factory.pin_class = HeldPin
    board.open()
    assert not board.level(17)
    await board.rest(5.0)
    await board.drive(17, True)
    await board.drive(17, False)
    await board.drive(17, True)
    await board.used_is(Control.TOGGLE)


@pytest.mark.parametrize(("active", "lit"), [("high", True), ("low", False)])
async def test_the_lamps_are_lit_by_their_level_and_dark_in_the_end(board, active, lit):
    panel = board.open(f"lamp_active={active}", "watch_lamp=22")
    assert [board.level(number) for number in (27, 22)] == [not lit, not lit]
    panel.show(StreamState.LIVE, muted=False)
    panel.show_viewers(2)
    assert [board.level(number) for number in (27, 22)] == [lit, lit]
    panel.show(StreamState.FAILED, muted=False)
    panel.show_viewers(0)
    assert [board.level(number) for number in (27, 22)] == [not lit, not lit]
    panel.show(StreamState.LIVE, muted=False)
    states = board.factory.pin(27).states
    panel.close()
    panel.close()
    assert states[-1].state is (not lit)
    assert board.factory.pin(27).function == "input"
    panel.show(StreamState.LIVE, muted=False)
    panel.show_viewers(1)
    panel.acknowledge()


async def test_it_can_be_opened_again_and_hears_nothing_in_between(board):
    panel = board.open()
    panel.close()
    await board.drive(17, False, True)
    panel.open(board.used.append)
    await board.drive(17, False)
    await board.drive(17, True)
    await board.used_is(Control.TOGGLE)


async def test_without_a_lamp_there_is_nothing_to_show(board):
    panel = board.open("lamp=off")
    panel.show(StreamState.LIVE, muted=False)
    panel.acknowledge()
    panel.show_viewers(1)
    assert board.factory.pin(27).function == "input"


async def test_a_pin_in_use_is_said_in_words_and_the_others_are_released(board):
    board.factory.reserve_pins(board, 17)
    with pytest.raises(PanelError, match="GPIO 17 cannot be used"):
        board.open()
    board.factory.release_pins(board, 17)
    board.panel.open(board.used.append)


async def test_a_machine_without_pins_is_told_so_and_the_working_directory_stays(tmp_path, monkeypatch):
    """lgpio wants to leave a FIFO in the working directory; a service may not write there."""
    pytest.importorskip("lgpio", reason="lgpio has no wheel for this Python")
    if ON_A_PI:
        pytest.skip("this is a Raspberry Pi")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PanelError, match="no Raspberry Pi"):
        GpioPanel(settings(), FakeClock()).open(lambda control: None)
    assert os.getcwd() == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_missing_library_is_said_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    with pytest.raises(PanelError, match="apt install python3-lgpio"):
        GpioPanel(settings(), FakeClock()).open(lambda control: None)


async def test_a_pin_factory_named_by_the_environment_is_taken(monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert isinstance(pins.pin_factory(), MockFactory)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nonsense")
    with pytest.raises(PanelError, match="nonsense"):
        GpioPanel(settings(), FakeClock()).open(lambda control: None)


def test_without_a_panel_gpiozero_is_never_imported():
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


def test_a_broken_gpiozero_means_no_panel_and_one_warning():
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
