"""Log lines of the stream: each change of state once, and each cause of a failure once."""

from __future__ import annotations

import logging

from broadcaster.model.stream import AudioState, StreamState, StreamStatus

log = logging.getLogger(__name__)

MAX_CAUSES = 20
"""Causes of failures to remember, so that each is logged once until the stream has been live for a while."""

_AUDIO = {AudioState.ON: "with audio", AudioState.NONE: "without audio", AudioState.LOST: "audio lost"}


class StreamLog:
    """Keeps the log short: a source may be retried for days, and the log may be on an SD card."""

    def __init__(self) -> None:
        self._causes: set[str] = set()
        self._explained = False
        self._last = ""

    def failure(self, cause: str, *, steady: bool) -> None:
        """Log why the stream failed; `steady`: it was live for a while before."""
        if steady or len(self._causes) >= MAX_CAUSES:
            self._causes.clear()
        level = logging.DEBUG if cause in self._causes else logging.WARNING
        self._causes.add(cause)
        self._explained = level == logging.WARNING
        log.log(level, "stream has failed: %s; retrying", cause)

    def status(self, status: StreamStatus) -> None:
        """Log a change of the state, or of the audio while live."""
        live = status.state is StreamState.LIVE
        has_failed = status.state is StreamState.FAILED
        line = f"stream has failed again ({status.reason})" if has_failed else f"stream is {status.state}"
        if line != self._last:
            self._last = line
            if not (has_failed and self._explained):
                level = logging.DEBUG if status.state is StreamState.STOPPING else logging.INFO
                log.log(level, "%s%s", line, f", {_AUDIO[status.sound]}" if live else "")
        elif live:
            log.info("stream is still live, now %s", _AUDIO[status.sound])
