"""State of the stream, as viewers, panel and service manager see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broadcaster.errors import StreamReason


class StreamState(StrEnum):
    """States of the one stream."""

    OFFLINE = "offline"
    STARTING = "starting"
    LIVE = "live"
    STOPPING = "stopping"
    FAILED = "failed"


class AudioState(StrEnum):
    """Whether the stream has sound: `none` is on purpose, `lost` is a fault."""

    ON = "on"
    NONE = "none"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What viewers are told about the stream; `since` is in Unix seconds."""

    state: StreamState
    since: float
    sound: AudioState
    reason: StreamReason | None = None
