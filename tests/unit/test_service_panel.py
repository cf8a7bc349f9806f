"""What the buttons ask for, and what the lamps are told."""

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


class Stream:
    """The part of `ports.StreamControl` that a panel uses; `asked` is all that it was asked for."""

    def __init__(self, *, has_sound: bool = True) -> None:
        self.asked: list[object] = []
        self.muted = False
        self.status = StreamStatus(StreamState.OFFLINE, 0.0, AudioState.ON)
        self._has_sound = has_sound
        self._listeners: list[Callable[[StreamStatus], None]] = []

    def set_live(self, live: bool) -> None:
        self.asked.append(live)

    def toggle(self) -> None:
        self.asked.append("toggle")

    def mute(self, muted: bool) -> None:
        if self._has_sound:
            self.muted = muted
            self.become(self.status.state)

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def become(self, state: StreamState, reason: StreamReason | None = None) -> None:
        self.status = StreamStatus(state, 0.0, AudioState.ON, reason)
        for listener in tuple(self._listeners):
            listener(self.status)


class PanelControlRig:
    def __init__(
        self, hold_action: str = "nothing", *, has_sound: bool = True, folder: Path = Path("/nonexistent")
    ) -> None:
        self.panel, self.stream = FakePanel(), Stream(has_sound=has_sound)
        self.powered_off = 0
        self.control = PanelControl(self.panel, self.stream, hold_action, self._power_off, StateFile(folder, "sound"))

    def _power_off(self) -> None:
        self.powered_off += 1


@pytest.mark.parametrize(
    ("control", "asked"), [(Control.TOGGLE, ["toggle"]), (Control.START, [True]), (Control.STOP, [False])]
)
def test_a_button_posts_the_event_that_the_api_posts(control, asked):
    rig = PanelControlRig()
    rig.control.open()
    rig.panel.press(control)
    assert rig.stream.asked == asked


def test_the_lamp_follows_the_stream_not_the_wish():
    rig = PanelControlRig()
    rig.control.open()
    rig.panel.press()
    assert rig.panel.shown == ["offline"]
    for state in ("starting", "live", "failed"):
        rig.stream.become(StreamState(state))
    assert rig.panel.shown == ["offline", "starting", "live", "failed"]
    rig.control.close()
    rig.control.close()
    assert not rig.panel.is_open
    rig.stream.become(StreamState.LIVE)


def test_a_long_press_means_nothing_unless_told_otherwise():
    rig = PanelControlRig()
    rig.control.open()
    rig.panel.press(Control.HOLD)
    assert (rig.stream.asked, rig.stream.muted, rig.powered_off, rig.panel.acknowledged) == ([], False, 0, 0)


def test_a_long_press_mutes_and_the_next_one_ends_that(tmp_path):
    rig = PanelControlRig("mute", folder=tmp_path)
    rig.control.open()
    rig.stream.become(StreamState.LIVE)
    rig.panel.press(Control.HOLD)
    assert rig.stream.muted
    rig.panel.press(Control.HOLD)
    assert not rig.stream.muted
    assert rig.panel.muted == [False, False, True, False]
    assert rig.panel.acknowledged == 2


def test_muted_stays_muted_when_the_daemon_starts_anew_as_long_as_the_button_can_end_it(tmp_path):
    for muted in (True, False):
        rig = PanelControlRig("mute", folder=tmp_path)
        rig.control.open()
        rig.panel.press(Control.HOLD)
        rig.control.close()
        again, other = PanelControlRig("mute", folder=tmp_path), PanelControlRig("nothing", folder=tmp_path)
        again.control.open()
        other.control.open()
        assert (again.stream.muted, other.stream.muted) == (muted, False)


def test_where_there_is_no_sound_a_long_press_says_so(caplog):
    rig = PanelControlRig("mute", has_sound=False)
    rig.control.open()
    with caplog.at_level(logging.INFO):
        rig.panel.press(Control.HOLD)
    assert "no sound to mute" in caplog.text
    assert rig.panel.acknowledged == 0


def test_a_long_press_switches_the_machine_off():
    rig = PanelControlRig("shutdown")
    rig.control.open()
    rig.panel.press(Control.HOLD)
    assert (rig.powered_off, rig.panel.acknowledged) == (1, 1)


def test_without_pins_there_is_one_warning_and_the_stream_goes_on(caplog):
    rig = PanelControlRig()
    rig.panel.missing = True
    rig.control.open()
    rig.stream.become(StreamState.LIVE)
    rig.control.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no live button and no lamp" in caplog.text


@pytest.mark.parametrize(("dies", "within"), [("loudly", 0.0), ("silently", 2.0)])
def test_the_lamp_goes_off_when_the_source_dies_whatever_is_wished(dies, within):
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
            died = clock.now
            if dies == "loudly":
                stream.camera.sink.failed(SourceError("camera-lost", "unplugged"))
            await asyncio.sleep(2.5)
            assert shown[-1] == ("failed", pytest.approx(died + within, abs=0.01))
            assert stream.desired_states == [True]

    travel(scenario)
