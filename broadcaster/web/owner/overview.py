"""What the owner's page shows: the stream, its viewers, push targets, the recorder and the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from broadcaster.model.stats import Capacity, ViewerOverview
from broadcaster.ports import Clock, SettingsControl, StreamControl
from broadcaster.service.check_process import CheckProcess
from broadcaster.service.log_ring import LogRing
from broadcaster.service.machine_stats import MachineStats
from broadcaster.signaling.messages import stream_object
from broadcaster.web.players import Players
from broadcaster.web.viewers import Viewers

if TYPE_CHECKING:
    from broadcaster.ports.recording import RecorderControl
    from broadcaster.web.push.targets import PushTargets

COLUMNS = (
    "name", "link", "address", "player", "since", "state", "route", "quality", "loss", "round_trip", "estimate",
)  # fmt: skip
"""Fields of a viewer: `since` in Unix seconds, `loss` in percent, `round_trip` in ms, `estimate` in kbit/s."""

Row = tuple[object, ...]


@dataclass(slots=True)
class Parts:
    """The parts of the daemon that the owner's page shows and controls; None: there is no such part (yet)."""

    stream: StreamControl
    viewers: Viewers
    players: Players
    capacity: Callable[[], Capacity]
    clock: Clock
    log: LogRing
    push: Callable[[], PushTargets | None] = lambda: None
    recorder: RecorderControl | None = None
    machine: MachineStats | None = None
    settings: SettingsControl | None = None
    check: CheckProcess | None = None
    has_lamp: Callable[[], bool] = lambda: False
    save_muted: Callable[[bool], None] = lambda muted: None


class Overview:
    """Collects what the page shows; sections are shown as they are, viewers row by row."""

    def __init__(self, parts: Parts, version: str) -> None:
        self._parts = parts
        self._version = version

    def sections(self) -> dict[str, Any]:
        """Return everything except the viewers, as JSON values by the name of the section."""
        return {
            "stream": self._stream(),
            "source": self._source(),
            "load": self._load(),
            "push": self._push(),
            "recorder": None if self._parts.recorder is None else to_builtins(self._parts.recorder.stats()),
            "machine": self._machine(),
            "check": None if self._parts.check is None else self._parts.check.report,
            "settings": None if self._parts.settings is None else self._parts.settings.revision,
        }

    def rows(self) -> dict[str, Row]:
        """Return a row of `COLUMNS` for each viewer, by its id."""
        parts = self._parts
        now = parts.clock.unix()
        return {one.viewer: _row(one, now) for one in (*parts.viewers.overviews(), *parts.players.overviews())}

    def _stream(self) -> dict[str, Any]:
        stream = self._parts.stream
        return {
            **to_builtins(stream_object(stream.status)),
            "muted": stream.muted,
            "lamp": self._parts.has_lamp(),
            "limit": self._parts.viewers.sessions.limit,
        }

    def _source(self) -> dict[str, Any]:
        report = self._parts.stream.report()
        return {
            "video": report.video_source,
            "encoder": report.encoder,
            "audio": report.audio_source,
            "width": report.width,
            "height": report.height,
            "fps": report.fps,
            "openings": report.openings,
            "internal_errors": report.internal_errors,
            "version": self._version,
        }

    def _load(self) -> dict[str, Any]:
        capacity = self._parts.capacity()
        return {
            "bitrate": round(capacity.bitrate, -4),
            "bitrate_wanted": capacity.bitrate_wanted,
            "loop_lag_p99": capacity.loop_lag_p99,
            "overloaded": capacity.overloaded,
        }

    def _push(self) -> list[dict[str, Any]]:
        targets = self._parts.push()
        shown = [] if targets is None else [asdict(stats) for stats in targets.stats()]
        unix = self._parts.clock.unix()
        for target in shown:
            del target["peer"]
            seconds = target.pop("connected_for")
            target["since"] = None if seconds is None else round(unix - seconds)
        return shown

    def _machine(self) -> dict[str, Any] | None:
        machine = self._parts.machine
        return None if machine is None else {**asdict(machine.read()), "log": self._parts.log.last}


def _row(one: ViewerOverview, unix: float) -> Row:
    """Return the fields of a viewer, rounded so that they change only if that is worth showing."""
    return (
        one.name,
        one.link,
        one.address,
        one.player,
        round(unix - one.seconds),
        one.state,
        one.route,
        str(one.quality),
        round(one.loss * 100),
        None if one.round_trip is None else _round(one.round_trip * 1000),
        None if one.estimate is None else _round(one.estimate / 1000),
    )


def _round(value: float) -> int:
    """Return two significant digits."""
    step = 1 if value < 100 else 10 ** (len(str(int(value))) - 2)
    return round(value / step) * step
