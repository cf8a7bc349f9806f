"""The video source `camera`: any camera that is present, now or later, and never the test picture."""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.devices.blocking import in_thread
from broadcaster.model.stream import Quality
from broadcaster.ports import VideoSink, VideoSource, VideoTraits
from broadcaster.settings import VideoSettings


class AutoCamera:
    """A `ports.VideoSource` that searches for a camera at the first `open`, and again after a failed `open`.

    `find` blocks, so it runs in a thread; it raises `SourceError` when there is no camera.
    """

    def __init__(self, find: Callable[[], VideoSource], settings: VideoSettings) -> None:
        self._find = find
        self._camera: VideoSource | None = None
        self._failed = False
        self._placeholder = VideoTraits(
            "camera", "not known yet", settings.width, settings.height, settings.fps, False, False
        )

    @property
    def traits(self) -> VideoTraits:
        """The camera's traits; placeholders until it has been opened."""
        return self._camera.traits if self._camera is not None else self._placeholder

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """Start delivering into `sink` and `small`. Raises `SourceError`."""
        if self._camera is None or self._failed:
            self._camera = None
            self._camera = await in_thread("cameras", self._find)
        self._failed = True
        await self._camera.open(sink, small)
        self._failed = False

    async def close(self) -> None:
        """Stop delivering and release the device; idempotent."""
        if self._camera is not None:
            await self._camera.close()

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Request a keyframe soon; does nothing where `can_force_keyframe` is false."""
        if self._camera is not None:
            self._camera.request_keyframe(quality)

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change the encoder's bit rate while running; does nothing where `can_set_bitrate` is false."""
        if self._camera is not None:
            self._camera.set_bitrate(bits_per_second, quality)

    def encode_small(self, on: bool) -> None:
        """Start or stop the encoder of the small rendition."""
        if self._camera is not None:
            self._camera.encode_small(on)
