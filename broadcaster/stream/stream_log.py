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
        self._last = ""

    def failure(self, cause: str, *, steady: bool) -> None:
        """Log why the video failed; `steady`: the stream was live for a while before."""
        if steady or len(self._causes) >= MAX_CAUSES:
            self._causes.clear()
        level = logging.DEBUG if cause in self._causes else logging.WARNING
        self._causes.add(cause)
        log.log(level, "video: %s; retrying", cause)

    def status(self, status: StreamStatus) -> None:
        """Log a change of the state, or of the audio while live."""
        live = status.state is StreamState.LIVE
        state = "has failed" if status.state is StreamState.FAILED else f"is {status.state}"
        line = f"stream {state}{f' ({status.reason})' if status.reason else ''}"
        if line != self._last:
            self._last = line
            log.info("%s%s", line, f", {_AUDIO[status.sound]}" if live else "")
        elif live:
            log.info("stream is still live, now %s", _AUDIO[status.sound])
