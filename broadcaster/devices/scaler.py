"""Pictures of any size, shape and format, made fit for the encoder."""

from __future__ import annotations

from fractions import Fraction

from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

_PIXELS = "yuv420p"
_FULL_RANGE = 2
"""AVCOL_RANGE_JPEG: luma 0 to 255, which browsers do not expect."""
_TURNS = {90: ["transpose=cclock"], -90: ["transpose=clock"], 180: ["hflip", "vflip"], -180: ["hflip", "vflip"]}
"""Filters that turn a picture upright, by its rotation in degrees counterclockwise."""


def shown_size(picture: VideoFrame, pixel_aspect: Fraction) -> tuple[int, int]:
    """Width and height as a player shows a picture: upright, with square pixels."""
    width, height = round(picture.width * pixel_aspect), picture.height
    return (height, width) if abs(picture.rotation) == 90 else (width, height)


def fitted_size(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """The even size nearest to `width` x `height` that has its shape and fits the (even) box; never scaled up."""
    scale = min(1.0, box_width / width, box_height / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


class Scaler:
    """Turns, scales and converts pictures into yuv420p of `width` x `height` in limited range."""

    def __init__(self, width: int, height: int, *flips: str) -> None:
        """`flips` are hflip and vflip, done to a picture beside what it says itself about how it stands."""
        self._size = width, height
        self._flips = flips
        self._shape: tuple[int, int, str, int, int] | None = None
        self._graph: Graph | None = None

    def fit(self, picture: VideoFrame) -> VideoFrame:
        """`picture` itself if it fits as it is. Raises libav's errors."""
        shape = picture.width, picture.height, picture.format.name, picture.rotation, picture.color_range
        if shape != self._shape:  # a transport stream may change it on the way
            self._shape, self._graph = shape, self._new_graph(picture)
        if self._graph is None:
            return picture
        self._graph.vpush(picture)
        return self._graph.vpull()

    def _new_graph(self, picture: VideoFrame) -> Graph | None:
        width, height = self._size
        fits = (picture.width, picture.height, picture.format.name) == (width, height, _PIXELS)
        turns = [*_TURNS.get(picture.rotation, []), *self._flips]
        if fits and not turns and picture.color_range != _FULL_RANGE:
            return None
        scale = f"scale={width}:{height}:out_range=tv"
        return _chain(picture, [*turns, scale, f"format={_PIXELS}"])


def _chain(picture: VideoFrame, filters: list[str]) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=VideoFormat(picture.format.name),
        time_base=picture.time_base,
    )
    steps = [graph.add(name, arguments or None) for name, _, arguments in (step.partition("=") for step in filters)]
    graph.link_nodes(source, *steps, graph.add("buffersink")).configure()
    return graph
