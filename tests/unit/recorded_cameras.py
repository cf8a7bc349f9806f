"""Modes of three USB cameras, as `v4l2-ctl --list-formats-ext` lists them."""

from broadcaster.devices.usb.modes import Mode


def modes(text: str) -> list[Mode]:
    """Parse lines with format, size and frame rates: `MJPG 1280x720 30 25 20`."""
    modes = []
    for line in text.strip().splitlines():
        name, size, *rates = line.split()
        width, height = map(int, size.split("x"))
        modes += [Mode(name, width, height, float(rate)) for rate in rates]
    return modes


C920 = modes(
    """
    YUYV 640x480 30 24 20 15 10 7.5 5
    YUYV 160x90 30 24 20 15 10 7.5 5
    YUYV 320x240 30 24 20 15 10 7.5 5
    YUYV 640x360 30 24 20 15 10 7.5 5
    YUYV 800x600 24 20 15 10 7.5 5
    YUYV 960x720 15 10 7.5 5
    YUYV 1280x720 10 7.5 5
    YUYV 1920x1080 5
    YUYV 2304x1536 2
    H264 640x480 30 24 20 15 10 7.5 5
    H264 640x360 30 24 20 15 10 7.5 5
    H264 800x600 30 24 20 15 10 7.5 5
    H264 960x720 30 24 20 15 10 7.5 5
    H264 1280x720 30 24 20 15 10 7.5 5
    H264 1920x1080 30 24 20 15 10 7.5 5
    MJPG 640x480 30 24 20 15 10 7.5 5
    MJPG 640x360 30 24 20 15 10 7.5 5
    MJPG 800x600 30 24 20 15 10 7.5 5
    MJPG 960x720 30 24 20 15 10 7.5 5
    MJPG 1280x720 30 24 20 15 10 7.5 5
    MJPG 1920x1080 30 24 20 15 10 7.5 5
    """
)
"""Logitech HD Pro Webcam C920, with older firmware, which has H.264."""

CHEAP = modes(
    """
    MJPG 1280x720 30
    MJPG 640x480 30
    MJPG 640x360 30
    MJPG 320x240 30
    YUYV 1280x720 9
    YUYV 640x480 30
    YUYV 640x360 30
    YUYV 320x240 30
    """
)
"""A webcam for 10 euros."""

UHD = modes(
    """
    NV12 640x360 60 30 24
    NV12 1280x720 30 24 10
    NV12 1920x1080 10 5
    YUYV 640x360 30 24
    MJPG 1280x720 60 30 24
    MJPG 1920x1080 60 30 24
    MJPG 3840x2160 30 24
    """
)
"""A 4K camera, with NV12 at rates that USB allows."""
