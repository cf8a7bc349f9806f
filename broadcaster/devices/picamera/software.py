"""H.264 by libx264 from copies of the camera's pictures, for boards without a hardware encoder (Pi 5)."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.loop_bridge import LoopBridge
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.picamera import library
from broadcaster.devices.small import RenditionsMixin, small_video
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock, VideoSink
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)


class SoftwareEncoding(RenditionsMixin):
    """Encodes a configured camera's pictures with `Encoder`, in a thread of its own; call `start` once.

    picamera2's software encoder cannot be used: with PyAV 14 and later a keyframe request raises TypeError in it, which
    ends the camera's thread.
    """

    name = Encoder.name

    def __init__(
        self,
        settings: VideoSettings,
        fps: float,
        bridge: LoopBridge[AccessUnit],
        clock: Clock,
        small: VideoSink | None = None,
    ) -> None:
        self._settings = settings
        self._fps = fps
        self._bridge = bridge
        self._clock = clock
        self._small_sink = small
        self._mapped_array: Any = None
        self._thread: threading.Thread | None = None
        # At most one picture waits; later ones are skipped, so that latency does not accumulate.
        self._pictures: queue.Queue[tuple[VideoFrame, float] | None] = queue.Queue(1)
        self._skips = SkipCount()

    def start(self, camera: Any) -> None:
        """Prepare to encode; pictures come once `camera` is started."""
        width, height = camera.camera_configuration()["main"]["size"]
        self._encoder = Encoder(
            width=width,
            height=height,
            fps=self._fps,
            bitrate=self._settings.bitrate,
            keyframe_interval=self._settings.keyframe_interval,
        )
        interval = self._settings.keyframe_interval
        self._small = small_video(self._settings).encoder(self._small_sink, width, height, interval)
        self._mapped_array = library.load("picamera2").MappedArray
        self._thread = threading.Thread(target=self._encode, name="camera-encoder", args=(self._encoder,), daemon=True)
        self._thread.start()
        camera.post_callback = self._on_request

    def stop(self, camera: Any) -> None:
        """End the thread; `camera` must be stopped."""
        camera.post_callback = None
        if self._thread:
            self._pictures.put(None)
            self._thread.join()

    def _on_request(self, request: Any) -> None:
        """In the camera's thread: copy the picture or skip it. Must be fast, because the camera needs the buffer."""
        with self._bridge.guard():
            self._copy(request)

    def _copy(self, request: Any) -> None:
        if self._pictures.full():
            if count := self._skips.add(1, self._clock.monotonic()):
                log.warning(
                    "encoding is too slow for the camera; %d pictures skipped (reduce video.width, video.height or "
                    "video.fps)",
                    count,
                )
            return
        captured = request.get_metadata()["SensorTimestamp"] / 1e9
        with self._mapped_array(request, "main", reshape=False, write=False) as mapped:
            picture = copy_picture(memoryview(mapped.array), **_layout(request.config["main"]))
        self._pictures.put((picture, captured))

    def _encode(self, encoder: Encoder) -> None:
        with self._bridge.guard():
            while item := self._pictures.get():
                picture, captured = item
                small = self._small
                if small:
                    small.prepare(picture)
                self._bridge.deliver(encoder.encode(picture, captured))
                if small:
                    small.feed(picture, captured, self._fps, encoder.load, self._bridge.call)
            return
        while self._pictures.get():  # after an error, discard pictures until `stop`
            pass


def copy_picture(memory: memoryview, width: int, height: int, stride: int) -> VideoFrame:
    """Copy consecutive planes of YUV420, with `stride` bytes per row of luma and half of it per row of chroma.

    The colour space is that of picamera2's video configuration: BT.709 from 720p up, SMPTE 170M below.
    """
    picture = VideoFrame(width, height, "yuv420p")
    start = 0
    for plane, step in zip(picture.planes, (stride, stride // 2, stride // 2), strict=True):
        _copy_rows(memory[start : start + step * plane.height], step, plane)
        start += step * plane.height
    is_hd = width >= 1280 and height >= 720
    picture.color_range = ColorRange.MPEG
    picture.colorspace = Colorspace.ITU709 if is_hd else Colorspace.SMPTE170M
    picture.color_primaries = ColorPrimaries.BT709 if is_hd else ColorPrimaries.SMPTE170M
    picture.color_trc = ColorTrc.BT709 if is_hd else ColorTrc.SMPTE170M
    return picture


def _copy_rows(rows: memoryview, stride: int, plane: VideoPlane) -> None:
    target = memoryview(plane)
    if plane.line_size == stride:
        target[: len(rows)] = rows
        return
    for row in range(plane.height):
        target[row * plane.line_size :][: plane.width] = rows[row * stride :][: plane.width]


def _layout(stream: dict[str, Any]) -> dict[str, int]:
    width, height = stream["size"]
    return {"width": width, "height": height, "stride": stream["stride"]}
