"""What viewers are told about the stream besides its state."""

from __future__ import annotations

from pathlib import Path

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.model.stream import StreamState
from broadcaster.settings import StationSettings
from broadcaster.signaling.messages import StationObject
from broadcaster.web.station import Station
from tests.edges.web_rig import ControlledStream

SETTINGS = StationSettings("Garden", "Birds", "Back soon", "2023-11-20 00:00+00:00")


def test_nothing_is_told_before_there_is_something() -> None:
    station = Station(None, ControlledStream(StreamState.OFFLINE), FakeClock())
    station.start()
    assert station.object() is None


def test_settings_and_last_time_are_told_also_after_a_restart(tmp_path: Path) -> None:
    clock, stream = FakeClock(), ControlledStream(StreamState.OFFLINE)
    station = Station(tmp_path, stream, clock)
    station.start()
    station.apply(SETTINGS)
    next = SETTINGS.next_unix
    assert station.object() == StationObject("Garden", "Birds", "Back soon", None, next)
    stream.change(StreamState.LIVE)
    clock.advance(60)
    assert station.object() == StationObject("Garden", "Birds", "Back soon", None, next), "it is live now"
    stream.change(StreamState.STOPPING)
    clock.advance(60)
    stream.change(StreamState.OFFLINE)
    told = station.object()
    assert told == StationObject("Garden", "Birds", "Back soon", 1_700_000_060, next)
    station.close()
    assert not stream.listeners
    again = Station(tmp_path, stream, clock)
    again.apply(SETTINGS)
    assert again.object() == told


def test_planned_start_that_has_passed_is_not_told() -> None:
    clock = FakeClock()
    station = Station(None, ControlledStream(StreamState.OFFLINE), clock)
    station.apply(StationSettings("Garden", next="2023-11-14 22:13:00+00:00"))
    assert station.object() == StationObject("Garden", "")


def test_damaged_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "station.json").write_text('{"last_live": "yesterday"}')
    assert Station(tmp_path, ControlledStream(StreamState.OFFLINE), FakeClock()).object() is None
