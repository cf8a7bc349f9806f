"""What the page of recordings says besides the list: the machine's clock, space and retention, the recorder's state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from broadcaster.model.recording import RecorderStats
from broadcaster.outputs.recording.retention import Limits
from broadcaster.ports import Clock
from broadcaster.ports.recording import RecordingLibrary


class RecordingStatus:
    """Makes these fields; `recorder` is None if there is none."""

    def __init__(
        self,
        library: RecordingLibrary,
        limits: Callable[[], Limits],
        recorder: Callable[[], RecorderStats] | None,
        clock: Clock,
    ) -> None:
        self._library = library
        self._limits = limits
        self._recorder = recorder
        self._clock = clock

    def fields(self, *, operator: bool) -> dict[str, Any]:
        """Return the fields; what concerns the disk is for the operator only."""
        now = self._clock.unix()
        shown: dict[str, Any] = {"now": now, "utc_offset": time.localtime(now).tm_gmtoff}
        if self._recorder is not None:
            stats = self._recorder()
            shown["recorder"] = {"mode": stats.mode, "state": stats.state}
            if operator:
                shown["recorder"]["problem"] = stats.store.problem
        if operator:
            shown["storage"] = self._storage()
        return shown

    def _storage(self) -> dict[str, float]:
        stats, limits = self._library.stats(), self._limits()
        return {
            "bytes": stats.bytes,
            "files": stats.files,
            "free": stats.free,
            "keep_days": limits.days,
            "keep_bytes": limits.bytes,
            "keep_free": limits.free,
        }
