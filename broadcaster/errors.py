"""Errors that the broadcaster raises on purpose; any other exception that escapes is a bug."""

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
    """Base of all errors that a person can fix."""


class SettingsError(BroadcasterError):
    """The settings cannot be used.

    `problems` has one line for each error; all errors are reported together.
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
    """There is no such device, and the settings do not require one: no fault, and a device may still appear."""


class SourceBug(SourceError):
    """An unexpected exception in a source; `where` names the thread or call that raised `bug`."""

    def __init__(self, where: str, bug: Exception) -> None:
        super().__init__(StreamReason.INTERNAL, f"internal error in {where}: {type(bug).__name__}: {bug}")
        self.where = where
        self.bug = bug


class PanelError(BroadcasterError):
    """Buttons and LEDs cannot be used; the message gives the reason and the fix."""


class DeviceHung(BroadcasterError):
    """A call into a device's library does not return, so this process cannot use the device any more.

    It makes the daemon exit, so that systemd restarts it and the new process can open the device.
    """


class IllegalEvent(Exception):
    """An event that cannot happen in this state: a bug of the caller, which logs it and ignores the event."""


class BadMessage(BroadcasterError):
    """A signaling message of a known type that is malformed; `field` names the wrong field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BadAnswer(BroadcasterError):
    """An SDP answer that does not match the offer, or that no browser would send."""
