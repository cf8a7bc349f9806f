"""Conversion of pictures of any size, aspect ratio and format to what the encoder takes."""

from __future__ import annotations

from fractions import Fraction

from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from broadcaster.devices.orientation import DisplayMatrix, display_matrix, swaps_sides, upright_filters

_PIXELS = "yuv420p"
_FULL_RANGE = 2
"""AVCOL_RANGE_JPEG: luma 0 to 255, which browsers do not expect."""

_ANY_TIME_BASE = Fraction(1, 90_000)
"""Of pictures without timestamps: filters need one, and the encoder sets its own."""


def shown_size(picture: VideoFrame, pixel_aspect: Fraction) -> tuple[int, int]:
    """Return width and height of a picture as a player shows it: upright, with square pixels."""
    width, height = max(1, round(picture.width * pixel_aspect)), picture.height
    return (height, width) if swaps_sides(display_matrix(picture)) else (width, height)


def fitted_size(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """Return the even size with the aspect ratio of `width` x `height` that fits the (even) box; never scaled up."""
    scale = min(1.0, box_width / width, box_height / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


class Scaler:
    """Rotates, scales and converts pictures to yuv420p of `width` x `height` in limited range."""

    def __init__(self, width: int, height: int, *flips: str, method: str = "bicubic") -> None:
        """`flips` are hflip and vflip, applied after the display matrix of a picture; `method` is one of swscale's."""
        self._size = width, height
        self._method = method
        self._flips = flips
        self._input: tuple[int, int, str, int, DisplayMatrix | None, Fraction | None] | None = None
        self._graph: Graph | None = None

    def fit(self, picture: VideoFrame, pixel_aspect: Fraction | None = None) -> VideoFrame:
        """Return the converted picture; `picture` itself if nothing needs converting. Raises libav's errors.

        With `pixel_aspect`, a picture with another aspect ratio gets black bars; without, it is stretched.
        """
        matrix = display_matrix(picture)
        kind = picture.width, picture.height, picture.format.name, picture.color_range, matrix, pixel_aspect
        if kind != self._input:  # a transport stream may change it midway
            self._graph = self._new_graph(picture, matrix, self._inner_size(picture, pixel_aspect))
            self._input = kind
        if self._graph is None:
            return picture
        self._graph.vpush(picture)
        return self._graph.vpull()

    def _inner_size(self, picture: VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
        """Return the size to scale to; smaller than the output where bars are needed."""
        width, height = self._size
        if pixel_aspect is None:
            return self._size
        shown_width, shown_height = shown_size(picture, pixel_aspect)
        scale = min(width / shown_width, height / shown_height)
        inner = max(2, round(shown_width * scale / 2) * 2), max(2, round(shown_height * scale / 2) * 2)
        is_same_shape = width - inner[0] <= 2 and height - inner[1] <= 2
        return self._size if is_same_shape else inner

    def _new_graph(self, picture: VideoFrame, matrix: DisplayMatrix | None, inner: tuple[int, int]) -> Graph | None:
        turns = [*upright_filters(matrix), *self._flips]
        fits = (picture.width, picture.height, picture.format.name) == (*self._size, _PIXELS)
        if fits and not turns and inner == self._size and picture.color_range != _FULL_RANGE:
            return None
        steps = [*turns, f"scale={inner[0]}:{inner[1]}:out_range=tv:flags={self._method}", f"format={_PIXELS}"]
        if inner != self._size:
            steps.append("pad={}:{}:-1:-1".format(*self._size))
        return _chain(picture, steps)


def _chain(picture: VideoFrame, filters: list[str]) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=VideoFormat(picture.format.name),
        time_base=picture.time_base or _ANY_TIME_BASE,
    )
    steps = [graph.add(name, arguments or None) for name, _, arguments in (step.partition("=") for step in filters)]
    graph.link_nodes(source, *steps, graph.add("buffersink")).configure()
    return graph
