"""Errors that the broadcaster raises on purpose; anything else that escapes is a bug."""

from __future__ import annotations

from enum import StrEnum


class StreamReason(StrEnum):
    """Why the stream is `failed`."""

    NO_CAMERA = "no-camera"
    CAMERA_BUSY = "camera-busy"
    CAMERA_LOST = "camera-lost"
    CAMERA_STALLED = "camera-stalled"
    ENCODER = "encoder"
    FILE = "file"
    INTERNAL = "internal"


class BroadcasterError(Exception):
    """Base of every error that a person can do something about."""


class SettingsError(BroadcasterError):
    """The settings cannot be used.

    `problems` holds one line for each wrong setting, all of them at once.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SourceError(BroadcasterError):
    """A camera, microphone, file or encoder could not be opened, or stopped working.

    `reason` is what viewers are told (the page turns it into a sentence); `detail` is for the log.
    """

    def __init__(self, reason: StreamReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class SourceAbsent(SourceError):
    """There is no such device, and nobody said that there must be one: no fault, but it may still come."""


class SourceBug(SourceError):
    """An exception in a source that nobody foresaw; `where` names the thread or call that raised `bug`."""

    def __init__(self, where: str, bug: Exception) -> None:
        super().__init__(StreamReason.INTERNAL, f"internal error in {where}: {type(bug).__name__}: {bug}")
        self.where = where
        self.bug = bug


class PanelError(BroadcasterError):
    """Button and lamp cannot be used; says why, and what to do."""


class DeviceHung(BroadcasterError):
    """A call into a device's library does not come back, so this process can have the device no more.

    It ends the daemon: the process that the service manager starts in its place gets the device anew.
    """


class BadMessage(BroadcasterError):
    """A signaling message that is known but malformed; `field` names the culprit."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BadAnswer(BroadcasterError):
    """An SDP answer that does not fit the offer, or that no browser would send."""
