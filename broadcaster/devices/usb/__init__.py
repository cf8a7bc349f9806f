"""USB cameras and other plain V4L2 capture devices.

linuxpy, which accesses them, is loaded only when needed: because of its licence it is an optional extra, `usb`.
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
    """Return the source `v4l2`; the camera may be missing until it is opened.

    Raises `SourceError` where linuxpy is not installed.
    """
    with _linuxpy():
        from broadcaster.devices.usb.source import make_usb_camera  # noqa: PLC0415
    return make_usb_camera(settings, clock)


def unavailable_reason(device: str) -> str:
    """Search for the USB camera that `video.device` names; return why it is unavailable, or "". Blocking."""
    try:
        with _linuxpy():
            from broadcaster.devices.usb.find import unavailable_reason as search  # noqa: PLC0415
    except SourceError as error:
        return error.detail
    return search(device)


@contextmanager
def _linuxpy() -> Iterator[None]:
    """Convert a missing linuxpy to `SourceError`; any other missing module is a bug."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "linuxpy":
            raise
        raise SourceError(StreamReason.NO_CAMERA, _MISSING) from error
