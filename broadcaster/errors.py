"""Exceptions that the broadcaster raises; any other exception that is not handled is a bug."""

from __future__ import annotations

from enum import StrEnum


class StreamReason(StrEnum):
    """Why the stream is in state `failed`."""

    NO_CAMERA = "no-camera"
    CAMERA_BUSY = "camera-busy"
    CAMERA_LOST = "camera-lost"
    CAMERA_STALLED = "camera-stalled"
    ENCODER = "encoder"
    FILE = "file"
    INTERNAL = "internal"


_DESCRIPTIONS = {
    StreamReason.NO_CAMERA: "no camera was found",
    StreamReason.CAMERA_BUSY: "another program uses the camera",
    StreamReason.CAMERA_LOST: "the camera was unplugged",
    StreamReason.CAMERA_STALLED: "the camera delivers no pictures",
    StreamReason.ENCODER: "the video encoder has failed",
    StreamReason.FILE: "the video file cannot be played",
    StreamReason.INTERNAL: "there is an internal error",
}


def describe_reason(reason: str) -> str:
    """Return a stream's reason in words, as far as it is known."""
    return {str(known): words for known, words in _DESCRIPTIONS.items()}.get(reason, reason or "the reason is unknown")


class BroadcasterError(Exception):
    """Base class of errors that the owner can fix."""


class SettingsError(BroadcasterError):
    """Invalid settings.

    `problems` has one line for each error; all errors are reported together.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SourceError(BroadcasterError):
    """A camera, microphone, file or encoder could not be opened, or stopped working.

    `reason` is sent to viewers (the page shows a sentence for it); `detail` is for the log.
    """

    def __init__(self, reason: StreamReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class SourceAbsent(SourceError):
    """There is no such device, and the settings do not require one; this is not a fault, and one may still appear."""


class SourceBug(SourceError):
    """An unexpected exception in a source; `where` names the thread or call that raised `bug`."""

    def __init__(self, where: str, bug: Exception) -> None:
        super().__init__(StreamReason.INTERNAL, f"internal error in {where}: {type(bug).__name__}: {bug}")
        self.where = where
        self.bug = bug


class PanelError(BroadcasterError):
    """Buttons and LEDs cannot be used; the message gives the reason and the fix."""


class DeviceHung(BroadcasterError):
    """A call into a device's library does not return, so this process can no longer use the device.

    It makes the daemon exit, so that systemd restarts it and the new process can open the device.
    """


class IllegalEvent(Exception):
    """An event that is illegal in the current state: a bug of the caller, which logs and ignores the event."""


class BadMessage(BroadcasterError):
    """A malformed signaling message of a known type; `field` names the invalid field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BadAnswer(BroadcasterError):
    """An SDP answer that does not match the offer, or that no browser would send."""


class PushError(BroadcasterError):
    """A push target cannot be reached, or does not take the stream; `http_status` is its answer, 0 if there is none."""

    def __init__(self, message: str, http_status: int = 0) -> None:
        super().__init__(message)
        self.http_status = http_status


class BusyError(BroadcasterError):
    """Too much is waiting for the same thing; the caller may try again in a moment."""


class RecordError(BroadcasterError):
    """The recorder cannot do what it was asked for; the message says why."""


class FormatChange(RecordError):
    """Recordings cannot become one file, because the video's format changes."""


class BadOffer(BroadcasterError):
    """An SDP offer of a player that cannot be answered, or that no player would send."""


class NoCommonCodec(BadOffer):
    """An SDP offer that asks for video, but has no H.264 that this stream could be."""
