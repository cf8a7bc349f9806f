"""Buttons and tally light in relation to the stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from broadcaster.devices.fakes import FakePanel
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.ports import Control
from broadcaster.service.panel import PanelControl
from broadcaster.storage.state_file import StateFile
from tests.rigs.timetravel import TravelClock, travel
from tests.unit.stream_driver import StreamDriver


class FakeStream:
    """The part of `ports.StreamControl` that a panel uses; `requests` are all that it received."""

    def __init__(self, *, has_audio: bool = True) -> None:
        self.requests: list[object] = []
        self.muted = False
        self.status = StreamStatus(StreamState.OFFLINE, 0.0, AudioState.ON)
        self._has_audio = has_audio
        self._listeners: list[Callable[[StreamStatus], None]] = []

    def set_live(self, live: bool) -> None:
        self.requests.append(live)

    def toggle(self) -> None:
        self.requests.append("toggle")

    def mute(self, muted: bool) -> None:
        if self._has_audio:
            self.muted = muted
            self.change_to(self.status.state)

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def change_to(self, state: StreamState, reason: StreamReason | None = None) -> None:
        self.status = StreamStatus(state, 0.0, AudioState.ON, reason)
        for listener in tuple(self._listeners):
            listener(self.status)


class PanelControlDriver:
    def __init__(
        self, hold_action: str = "nothing", *, has_audio: bool = True, folder: Path = Path("/nonexistent")
    ) -> None:
        self.panel, self.stream = FakePanel(), FakeStream(has_audio=has_audio)
        self.powered_off = 0
        self.control = PanelControl(self.panel, self.stream, hold_action, self._power_off, StateFile(folder, "sound"))

    def _power_off(self) -> None:
        self.powered_off += 1


@pytest.mark.parametrize(
    ("control", "requests"), [(Control.TOGGLE, ["toggle"]), (Control.START, [True]), (Control.STOP, [False])]
)
def test_button_makes_the_same_request_as_the_api(control, requests):
    driver = PanelControlDriver()
    driver.control.open()
    driver.panel.press(control)
    assert driver.stream.requests == requests


def test_tally_light_shows_the_actual_state_not_the_desired_one():
    driver = PanelControlDriver()
    driver.control.open()
    driver.panel.press()
    assert driver.panel.shown == ["offline"]
    for state in ("starting", "live", "failed"):
        driver.stream.change_to(StreamState(state))
    assert driver.panel.shown == ["offline", "starting", "live", "failed"]
    driver.control.close()
    driver.control.close()
    assert not driver.panel.is_open
    driver.stream.change_to(StreamState.LIVE)


def test_long_press_does_nothing_by_default():
    driver = PanelControlDriver()
    driver.control.open()
    driver.panel.press(Control.HOLD)
    assert (driver.stream.requests, driver.stream.muted, driver.powered_off, driver.panel.acknowledged) == (
        [],
        False,
        0,
        0,
    )


def test_long_press_toggles_mute(tmp_path):
    driver = PanelControlDriver("mute", folder=tmp_path)
    driver.control.open()
    driver.stream.change_to(StreamState.LIVE)
    driver.panel.press(Control.HOLD)
    assert driver.stream.muted
    driver.panel.press(Control.HOLD)
    assert not driver.stream.muted
    assert driver.panel.muted == [False, False, True, False]
    assert driver.panel.acknowledged == 2


def test_mute_survives_a_restart_only_if_the_button_can_unmute(tmp_path):
    for muted in (True, False):
        driver = PanelControlDriver("mute", folder=tmp_path)
        driver.control.open()
        driver.panel.press(Control.HOLD)
        driver.control.close()
        again, other = PanelControlDriver("mute", folder=tmp_path), PanelControlDriver("nothing", folder=tmp_path)
        again.control.open()
        other.control.open()
        assert (again.stream.muted, other.stream.muted) == (muted, False)


def test_long_press_without_audio_is_logged(caplog):
    driver = PanelControlDriver("mute", has_audio=False)
    driver.control.open()
    with caplog.at_level(logging.INFO):
        driver.panel.press(Control.HOLD)
    assert "no audio to mute" in caplog.text
    assert driver.panel.acknowledged == 0


def test_long_press_powers_off():
    driver = PanelControlDriver("shutdown")
    driver.control.open()
    driver.panel.press(Control.HOLD)
    assert (driver.powered_off, driver.panel.acknowledged) == (1, 1)


def test_missing_pins_cause_one_warning(caplog):
    driver = PanelControlDriver()
    driver.panel.missing = True
    driver.control.open()
    driver.stream.change_to(StreamState.LIVE)
    driver.control.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no live button and no tally light" in caplog.text


@pytest.mark.parametrize(("failure", "within"), [("error", 0.0), ("stall", 2.0)])
def test_tally_light_goes_off_when_the_source_fails_while_live_is_desired(failure, within):
    async def scenario(clock: TravelClock) -> None:
        stream, panel = StreamDriver(clock), FakePanel()
        PanelControl(panel, stream.controller, "nothing", lambda: None, StateFile(Path("/nonexistent"), "sound")).open()
        shown: list[tuple[str, float]] = []
        stream.controller.watch(lambda status: shown.append((panel.shown[-1], clock.now)))
        async with stream.running():
            panel.press()
            await asyncio.sleep(0.1)
            stream.camera.deliver(clock)
            assert panel.shown[-1] == "live"
            failed_at = clock.now
            if failure == "error":
                stream.camera.sink.failed(SourceError("camera-lost", "unplugged"))
            await asyncio.sleep(2.5)
            assert shown[-1] == ("failed", pytest.approx(failed_at + within, abs=0.01))
            assert stream.desired_states == [True]

    travel(scenario)
