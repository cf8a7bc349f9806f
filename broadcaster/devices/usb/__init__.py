"""USB cameras, and all else that is a plain V4L2 capture device: found, asked what they can, chosen, read, encoded.

linuxpy, which asks and reads them, is loaded when a camera is wanted: its licence makes it an extra of its own, `usb`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import Clock, VideoSource
from broadcaster.settings import VideoSettings

_MISSING = (
    "USB cameras need linuxpy, which is not installed here: pip install 'pi-broadcaster[usb]' "
    "(`make` and the installer do that)"
)


def usb_camera(settings: VideoSettings, clock: Clock) -> VideoSource:
    """The source `v4l2`; no camera needs to be there yet. Raises `SourceError` where linuxpy is not installed."""
    with _linuxpy():
        from broadcaster.devices.usb.source import make_usb_camera  # noqa: PLC0415
    return make_usb_camera(settings, clock)


def why_none(device: str) -> str:
    """Look for the USB camera that `video.device` means, blocking: why there is none, or nothing."""
    try:
        with _linuxpy():
            from broadcaster.devices.usb.find import why_none as look  # noqa: PLC0415
    except SourceError as error:
        return error.detail
    return look(device)


@contextmanager
def _linuxpy() -> Iterator[None]:
    """Inside it may turn out that linuxpy is missing, and nothing else may be."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "linuxpy":
            raise
        raise SourceError(StreamReason.NO_CAMERA, _MISSING) from error
