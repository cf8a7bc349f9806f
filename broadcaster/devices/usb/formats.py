"""The pixel formats of V4L2 that can be used, what they cost, and what they are called in libav.

Pure tables; the names are V4L2's four letters (videodev2.h).
"""

from __future__ import annotations

from dataclasses import dataclass

H264 = "H264"
JPEG = frozenset({"MJPG", "JPEG"})
LAST_RESORT = 9.0
"""Cost of decoding a camera's H.264 only to encode it anew."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a raw picture, its lines measured in parts of the first plane's: bytes a pixel, lines a line."""

    bytes: float
    lines: float


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw format: libav's name for it, and its planes in their order."""

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
"""What it costs to make its pictures ready to send, from cheap to dear; a format that is not here cannot be used."""


def without_padding(data: bytes, pixel_format: str, width: int, height: int, stride: int) -> bytes:
    """A raw picture without what a camera puts behind each line; `stride` is the bytes of its first plane's lines.

    What is too short for a whole picture comes back too short.
    """
    planes = RAW[pixel_format].planes
    if stride <= round(width * planes[0].bytes):
        return data
    view = memoryview(data)
    lines: list[memoryview] = []
    start = 0
    for plane in planes:
        step = round(stride * plane.bytes / planes[0].bytes)
        wide, high = round(width * plane.bytes), round(height * plane.lines)
        lines += [view[start + line * step :][:wide] for line in range(high)]
        start += step * high
    return b"".join(lines)
