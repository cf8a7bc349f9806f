"""What viewers are told about the stream besides its state: title, the owner's message, last and next time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broadcaster.model.stream import StreamState, StreamStatus
from broadcaster.ports import Clock, StreamControl
from broadcaster.settings import StationSettings
from broadcaster.signaling.messages import StationObject
from broadcaster.storage.private_json import PrivateJson


class Station:
    """Keeps the station's settings, and when the stream was live last, also over restarts."""

    def __init__(self, folder: Path | None, stream: StreamControl, clock: Clock) -> None:
        """`folder` is the state folder; None: nothing is stored."""
        self._stream = stream
        self._clock = clock
        self._file = None if folder is None else PrivateJson(folder / "station.json", "when the stream was live last")
        self._settings = StationSettings()
        self._state: StreamState | None = None
        self._unwatch: Callable[[], None] = _nothing
        stored = {} if self._file is None else self._file.load()
        last_live = stored.get("last_live")
        self._last_live = float(last_live) if isinstance(last_live, int | float) else None

    def start(self) -> None:
        """Start to note when the stream is live."""
        self._state = self._stream.status.state
        self._unwatch = self._stream.watch(self._stream_changed)

    def close(self) -> None:
        """Stop; idempotent."""
        self._unwatch()
        self._unwatch = _nothing

    def apply(self, settings: StationSettings) -> None:
        """Tell viewers this from now on, as they join."""
        self._settings = settings

    def _stream_changed(self, status: StreamStatus) -> None:
        """Note when the stream was live."""
        before, self._state = self._state, status.state
        if before is not status.state and StreamState.LIVE in (before, status.state):
            self._last_live = round(self._clock.unix())
            if self._file is not None:
                self._file.save({"last_live": self._last_live})

    def object(self) -> StationObject | None:
        """Return what a viewer is told; None if there is nothing to tell."""
        settings, next = self._settings, self._settings.next_unix
        station = StationObject(
            settings.title,
            settings.line,
            message=settings.message or None,
            last_live=None if self._state is StreamState.LIVE else self._last_live,
            next=next if next is not None and next > self._clock.unix() else None,
        )
        return None if station == StationObject("", "") else station


def _nothing() -> None:
    pass
