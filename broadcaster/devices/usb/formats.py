"""The supported V4L2 pixel formats, their costs, and their names in libav.

Pure tables; keys are V4L2's four-character codes (videodev2.h).
"""

from __future__ import annotations

from dataclasses import dataclass

H264 = "H264"
JPEG = frozenset({"MJPG", "JPEG"})
LAST_RESORT = 9.0
"""Cost of transcoding a camera's H.264."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a raw picture: bytes per pixel, and lines per line of the picture."""

    bytes: float
    lines: float


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw format: its name in libav, and its planes in order."""

    name: str
    planes: tuple[Plane, ...]


_PACKED_422 = (Plane(2, 1),)
_PACKED_RGB = (Plane(3, 1),)
_TWO_PLANES = (Plane(1, 1), Plane(1, 0.5))

RAW = {
    "YU12": Raw("yuv420p", (Plane(1, 1), Plane(0.5, 0.5), Plane(0.5, 0.5))),
    "NV12": Raw("nv12", _TWO_PLANES),
    "NV21": Raw("nv21", _TWO_PLANES),
    "NV16": Raw("nv16", (Plane(1, 1), Plane(1, 1))),
    "YUYV": Raw("yuyv422", _PACKED_422),
    "UYVY": Raw("uyvy422", _PACKED_422),
    "YVYU": Raw("yvyu422", _PACKED_422),
    "RGB3": Raw("rgb24", _PACKED_RGB),
    "BGR3": Raw("bgr24", _PACKED_RGB),
    "GREY": Raw("gray", (Plane(1, 1),)),
}
COLOURLESS = frozenset({"GREY"})
COST = {
    H264: 0.0,
    **dict.fromkeys(("YU12", "NV12", "NV21"), 1.0),
    **dict.fromkeys(("NV16", "YUYV", "UYVY", "YVYU"), 2.0),
    **dict.fromkeys(("RGB3", "BGR3", "GREY"), 3.0),
    **dict.fromkeys(sorted(JPEG), 4.0),
}
"""Relative cost of converting pictures for sending; formats that are not listed are not supported."""


def without_padding(data: bytes, pixel_format: str, width: int, height: int, stride: int) -> bytes:
    """Return a raw picture without the padding after each line; `stride` is the bytes per line of its first plane.

    Truncated data yields a truncated picture.
    """
    planes = RAW[pixel_format].planes
    if stride <= round(width * planes[0].bytes):
        return data
    view = memoryview(data)
    lines: list[memoryview] = []
    start = 0
    for plane in planes:
        step = round(stride * plane.bytes / planes[0].bytes)
        length, count = round(width * plane.bytes), round(height * plane.lines)
        lines += [view[start + line * step :][:length] for line in range(count)]
        start += step * count
    return b"".join(lines)
