"""The state machine of the stream, as a table.

Viewers, tally light and service manager see five states. Internally `failed` has a second phase while a retry is in
progress, and `stopping` a second one that remembers a start request. Events that a phase does not list are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broadcaster.errors import StreamReason
from broadcaster.model.stream import StreamState
from broadcaster.stream.backoff import STEADY, BackOff

STARTING_LIMIT = 10.0
"""Seconds from opening the sources to the first keyframe."""


class Phase(StrEnum):
    """Internal phases; `STATES` maps them to the public states."""

    OFFLINE = "offline"
    STARTING = "starting"
    LIVE = "live"
    FAILED = "failed"
    RETRYING = "retrying"
    STOPPING = "stopping"
    RESTARTING = "restarting"


class Event(StrEnum):
    """Something that happened or was requested."""

    START = "start"
    STOP = "stop"
    KEYFRAME = "keyframe"
    FAILED = "source failed"
    TIMEOUT = "timeout"
    RETRY_DUE = "retry due"
    ARRIVED = "device appeared"
    CLOSED = "sources closed"


class Action(StrEnum):
    """What to do next."""

    OPEN = "open the sources"
    CLOSE = "close the sources"


STATES = {
    Phase.OFFLINE: StreamState.OFFLINE,
    Phase.STARTING: StreamState.STARTING,
    Phase.LIVE: StreamState.LIVE,
    Phase.FAILED: StreamState.FAILED,
    Phase.RETRYING: StreamState.FAILED,
    Phase.STOPPING: StreamState.STOPPING,
    Phase.RESTARTING: StreamState.STOPPING,
}

TABLE: dict[tuple[Phase, Event], tuple[Phase, Action | None]] = {
    (Phase.OFFLINE, Event.START): (Phase.STARTING, Action.OPEN),
    (Phase.STARTING, Event.KEYFRAME): (Phase.LIVE, None),
    (Phase.STARTING, Event.FAILED): (Phase.FAILED, Action.CLOSE),
    (Phase.STARTING, Event.TIMEOUT): (Phase.FAILED, Action.CLOSE),
    (Phase.STARTING, Event.STOP): (Phase.STOPPING, Action.CLOSE),
    (Phase.LIVE, Event.FAILED): (Phase.FAILED, Action.CLOSE),
    (Phase.LIVE, Event.STOP): (Phase.STOPPING, Action.CLOSE),
    (Phase.FAILED, Event.START): (Phase.RETRYING, Action.OPEN),
    (Phase.FAILED, Event.RETRY_DUE): (Phase.RETRYING, Action.OPEN),
    (Phase.FAILED, Event.ARRIVED): (Phase.RETRYING, Action.OPEN),
    (Phase.FAILED, Event.STOP): (Phase.STOPPING, Action.CLOSE),
    (Phase.RETRYING, Event.ARRIVED): (Phase.RETRYING, None),
    (Phase.RETRYING, Event.KEYFRAME): (Phase.LIVE, None),
    (Phase.RETRYING, Event.FAILED): (Phase.FAILED, Action.CLOSE),
    (Phase.RETRYING, Event.TIMEOUT): (Phase.FAILED, Action.CLOSE),
    (Phase.RETRYING, Event.STOP): (Phase.STOPPING, Action.CLOSE),
    (Phase.STOPPING, Event.CLOSED): (Phase.OFFLINE, None),
    (Phase.STOPPING, Event.START): (Phase.RESTARTING, None),
    (Phase.RESTARTING, Event.CLOSED): (Phase.STARTING, Action.OPEN),
    (Phase.RESTARTING, Event.STOP): (Phase.STOPPING, None),
}


@dataclass(frozen=True, slots=True)
class PublicState:
    """The state as viewers see it; `since` is the monotonic time at which it began."""

    state: StreamState
    since: float
    reason: StreamReason | None = None


class StreamMachine:
    """Applies events to the table; time is an argument."""

    def __init__(self, now: float) -> None:
        self.phase = Phase.OFFLINE
        self.shown = PublicState(StreamState.OFFLINE, now)
        self._back_off = BackOff()
        self._deadline: float | None = None

    @property
    def next_deadline(self) -> float | None:
        """When to call `tick`, in monotonic seconds: the end of `starting`, or the next retry."""
        return self._deadline

    def tick(self, now: float, stall_reason: StreamReason = StreamReason.CAMERA_STALLED) -> Action | None:
        """Return the action that a passed deadline requires; `stall_reason`: why a source has not started in time."""
        if self._deadline is None or now < self._deadline:
            return None
        if self.phase is Phase.FAILED:
            return self.step(Event.RETRY_DUE, now)
        return self.step(Event.TIMEOUT, now, stall_reason)

    def step(self, event: Event, now: float, reason: StreamReason | None = None) -> Action | None:
        """Take one event; `reason` belongs to `FAILED` and `TIMEOUT`."""
        if (self.phase, event) not in TABLE:
            return None
        self._count(event, now)
        self.phase, action = TABLE[self.phase, event]
        self._deadline = self._next_deadline(now)
        state = STATES[self.phase]
        if state is not self.shown.state:
            self.shown = PublicState(state, now, reason if state is StreamState.FAILED else None)
        return action

    def is_steady(self, now: float) -> bool:
        """Whether the stream has been live long enough for its next failure to count as the first one."""
        return self.phase is Phase.LIVE and now - self.shown.since >= STEADY

    def _count(self, event: Event, now: float) -> None:
        if event in (Event.FAILED, Event.TIMEOUT):
            self._back_off.failed(now - self.shown.since if self.phase is Phase.LIVE else None)
        elif event in (Event.STOP, Event.ARRIVED):
            self._back_off.reset()

    def _next_deadline(self, now: float) -> float | None:
        if self.phase in (Phase.STARTING, Phase.RETRYING):
            return now + STARTING_LIMIT
        if self.phase is Phase.FAILED:
            return now + self._back_off.delay
        return None
