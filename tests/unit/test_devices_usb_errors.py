import errno
import os
import pwd

import pytest

from broadcaster.devices.usb import errors
from broadcaster.devices.usb.camera import Node, capture_time
from broadcaster.devices.usb.errors import camera_errors
from broadcaster.errors import SourceError

NODE = Node("/dev/video0", "uvcvideo", "USB Camera", "usb-1", 0x04200001)


def converted(number: int) -> SourceError:
    with pytest.raises(SourceError) as caught, camera_errors(NODE):
        raise OSError(number, os.strerror(number))
    assert caught.value.detail.startswith("USB Camera (/dev/video0): ")
    return caught.value


@pytest.mark.parametrize(
    ("number", "reason", "text"),
    [
        (errno.ENODEV, "camera-lost", "unplugged"),
        (errno.EIO, "camera-lost", "cable"),
        (errno.ENOSPC, "camera-busy", "not enough USB bandwidth"),
        (errno.ETIMEDOUT, "camera-stalled", "unplug it and plug it in again"),
        (errno.EPROTO, "camera-stalled", "does not answer"),
        (errno.EINVAL, "camera-stalled", "Invalid argument"),
        (errno.EACCES, "no-camera", f"sudo usermod --append --groups video {pwd.getpwuid(os.geteuid()).pw_name}, then"),
    ],
)
def test_each_error_has_a_reason_and_a_remedy(number, reason, text):
    error = converted(number)
    assert error.reason == reason
    assert text in error.detail


def test_a_busy_camera_error_names_the_processes_that_use_it(monkeypatch):
    monkeypatch.setattr(errors, "holders", lambda devices: "mpv (process 7), ffmpeg (process 42)")
    error = converted(errno.EBUSY)
    assert error.reason == "camera-busy"
    assert error.detail.endswith("in use by mpv (process 7), ffmpeg (process 42): stop that first")
    monkeypatch.setattr(errors, "holders", lambda devices: "")
    assert "sudo fuser -v /dev/video0" in converted(errno.EBUSY).detail


def test_capture_time_uses_the_timestamp_only_if_plausible():
    assert capture_time(99.97, monotonic=True, now=100.0) == 99.97
    assert capture_time(99.97, monotonic=False, now=100.0) == 100.0
    assert capture_time(100.01, monotonic=True, now=100.0) == 100.0
    assert capture_time(50.0, monotonic=True, now=100.0) == 100.0
