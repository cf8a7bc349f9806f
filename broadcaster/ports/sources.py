"""The clock, and the interfaces of video and audio sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality


class Clock(Protocol):
    """The source of time; tests use a fake one."""

    def monotonic(self) -> float:
        """Return monotonic seconds; only differences are meaningful."""

    def unix(self) -> float:
        """Return Unix seconds. They may jump: use them for display and the expiry of links, never for timers."""


@dataclass(frozen=True, slots=True)
class VideoTraits:
    """Properties of a video source; complete once it is open.

    `encoder` is a display name ("libx264", "none (H.264 passes through)"); `stall_reason` is the reason that is
    reported when the source delivers neither a picture nor an error. `small_size` is width and height of the small
    rendition; None if there is none, and then `no_small` is the reason.
    """

    source: str
    encoder: str
    width: int
    height: int
    fps: float
    can_force_keyframe: bool
    can_set_bitrate: bool
    stall_reason: StreamReason = StreamReason.CAMERA_STALLED
    small_size: tuple[int, int] | None = None
    no_small: str = "video.second is off"


class VideoSink(Protocol):
    """Receives what a video source delivers, on the event loop's thread."""

    def picture(self, unit: AccessUnit) -> None:
        """Take the next access unit, in capture order."""

    def failed(self, error: SourceError) -> None:
        """Take the error that ended the source; it delivers nothing more, and is going to be closed."""


class VideoSource(Protocol):
    """A device that delivers access units; it can be opened again after `close`, also when `open` failed.

    Many sources can encode the video a second time, smaller, for viewers on slow networks. The small rendition has an
    encoder, a bit rate and keyframes of its own, and the same capture times.
    """

    @property
    def traits(self) -> VideoTraits:
        """Properties of the source."""

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """Start delivering into `sink`, and into `small` while `encode_small` is on. Raises `SourceError`.

        `small.failed` ends the small rendition only, until the source is opened again.
        """

    async def close(self) -> None:
        """Stop delivering and release the device; idempotent."""

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Make one of the next pictures a keyframe; does nothing if `can_force_keyframe` is false."""

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change an encoder's bit rate while it runs; does nothing if `can_set_bitrate` is false."""

    def encode_small(self, on: bool) -> None:
        """Run the encoder of the small rendition, which begins with a keyframe, or stop it; off after `open`."""


class AudioSink(Protocol):
    """Receives what an audio source delivers, on the event loop's thread."""

    def frame(self, frame: OpusFrame) -> None:
        """Take the next Opus frame (20 ms), in capture order."""

    def failed(self, error: SourceError) -> None:
        """Take the error that ended the source; it delivers nothing more, and is going to be closed."""


class AudioSource(Protocol):
    """A device that delivers Opus frames; it can be opened again after `close`, also when `open` failed."""

    @property
    def name(self) -> str:
        """Display name of the source."""

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`."""

    async def close(self) -> None:
        """Stop delivering and release the device; idempotent."""
