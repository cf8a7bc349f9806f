"""Display matrices: how a picture has to be rotated and mirrored to be upright, as libav filters."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

_ANGLE_TOLERANCE = 1.0
"""Degrees by which an angle may differ from a multiple of 90 and still count as one, as in ffmpeg."""


@dataclass(frozen=True, slots=True)
class DisplayMatrix:
    """The upper left of a display matrix (ISO/IEC 14496-12 §8.3.2): x' = a x + c y and y' = b x + d y, y downwards."""

    a: float
    b: float
    c: float
    d: float

    @property
    def angle(self) -> float:
        """Clockwise rotation in degrees, in [0, 360), after any mirroring."""
        across, down = math.hypot(self.a, self.c), math.hypot(self.b, self.d)
        if not across or not down:
            return 0.0
        return math.degrees(math.atan2(self.b / down, self.a / across)) % 360


def display_matrix(picture: VideoFrame) -> DisplayMatrix | None:
    """Return the matrix attached to a picture by the container or the stream itself; None if it has none."""
    for _ in Type:
        try:
            # Not `picture.side_data`: the picture and its container would refer to each other, so that each picture
            # would stay in memory until the next full garbage collection, which the daemon delays for minutes.
            data = bytes(SideDataContainer(picture)[Type.DISPLAYMATRIX])  # type: ignore[call-arg]  # stub
        except KeyError:
            return None
        except ValueError as error:
            # PyAV rejects all side data of a picture if it does not know the type of one ("31 is not a valid Type").
            picture = _without(picture, int(str(error).split()[0]))
        else:
            a, b, _, c, d = struct.unpack_from("=5i", data)
            return DisplayMatrix(a / 65536, b / 65536, c / 65536, d / 65536)
    return None


def _without(picture: VideoFrame, side_data_type: int) -> VideoFrame:
    """Return the picture without its side data of that type, such as the EXIF of a photo."""
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=VideoFormat(picture.format.name),
        time_base=picture.time_base,
    )
    delete = graph.add("sidedata", f"mode=delete:type={side_data_type}")
    graph.link_nodes(source, delete, graph.add("buffersink")).configure()
    graph.vpush(picture)
    return graph.vpull()


def upright_filters(matrix: DisplayMatrix | None) -> list[str]:
    """Return the filters that apply a matrix; the same as those of ffmpeg."""
    if matrix is None:
        return []
    angle = matrix.angle
    if abs(angle - 90) < _ANGLE_TOLERANCE:
        return ["transpose=cclock_flip" if matrix.c > 0 else "transpose=clock"]
    if abs(angle - 180) < _ANGLE_TOLERANCE:
        return ["hflip"] * (matrix.a < 0) + ["vflip"] * (matrix.d < 0)
    if abs(angle - 270) < _ANGLE_TOLERANCE:
        return ["transpose=clock_flip" if matrix.c < 0 else "transpose=cclock"]
    if _ANGLE_TOLERANCE < angle < 360 - _ANGLE_TOLERANCE:
        return [f"rotate={math.radians(angle):.6f}"]
    return ["vflip"] * (matrix.d < 0)


def swaps_sides(matrix: DisplayMatrix | None) -> bool:
    """Return whether applying the matrix swaps width and height."""
    return any(step.startswith("transpose") for step in upright_filters(matrix))
