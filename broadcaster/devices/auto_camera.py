"""The video source `camera`: whatever camera there is, now or later, and never the test picture."""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.devices.blocking import call_aside
from broadcaster.ports import VideoSink, VideoSource, VideoTraits
from broadcaster.settings import VideoSettings


class AutoCamera:
    """`ports.VideoSource` of the camera that `find` finds at the first `open`, and again after one that failed.

    `find` blocks, and runs in a thread; it raises `SourceError` when there is none.
    """

    def __init__(self, find: Callable[[], VideoSource], wanted: VideoSettings) -> None:
        self._find = find
        self._camera: VideoSource | None = None
        self._stale = False
        self._unknown = VideoTraits("camera", "not known yet", wanted.width, wanted.height, wanted.fps, False, False)

    @property
    def traits(self) -> VideoTraits:
        """What it is and can do; true once it is open."""
        return self._camera.traits if self._camera is not None else self._unknown

    async def open(self, sink: VideoSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`."""
        if self._camera is None or self._stale:
            self._camera = None
            self._camera = await call_aside("cameras", self._find)
        self._stale = True
        await self._camera.open(sink)
        self._stale = False

    async def close(self) -> None:
        """Stop delivering and let go of the device; idempotent."""
        if self._camera is not None:
            await self._camera.close()

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe; does nothing where `can_force_keyframe` is false."""
        if self._camera is not None:
            self._camera.request_keyframe()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the encoder's rate while running; does nothing where `can_set_bitrate` is false."""
        if self._camera is not None:
            self._camera.set_bitrate(bits_per_second)
