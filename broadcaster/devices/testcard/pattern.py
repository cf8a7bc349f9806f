"""The test picture: TEST, frame number and wall-clock time, libav's moving `testsrc2`, and the strip.

Optionally, static noise covers half of it. It makes only keyframes larger, as the detail of a scene does with a camera
that does not move, because other pictures need not encode it again.

In the first tenth of each second, the band with the text is inverted from white on black to black on white: the flash
that accompanies the beep. Band and strip are written directly into the luma plane; libav leaves these rows black.
"""

from __future__ import annotations

import random
from datetime import datetime
from statistics import NormalDist

from av.filter import Graph
from av.video.frame import VideoFrame

from broadcaster.devices.testcard import strip
from broadcaster.devices.testcard.font import ADVANCE, GLYPH_HEIGHT, Font

FLASH = 0.1
"""Duration of flash and beep in seconds, from each full second of the wall clock."""
_COLUMNS = 12
"""Characters in a line: TEST and seven digits, or HH:MM:SS.mmm."""
_DOTS_ACROSS = 120
"""The picture's width in dots of the font: the text takes 60 % of it."""
_DOTS_DOWN = 2 * GLYPH_HEIGHT + 6
"""The band's height in dots: two lines, and two dots above, between and below."""
_NUMBER_LIMIT = 10**7
_NOISE_HEIGHT = 1 / 2
"""Fraction of the picture's height."""
_NOISE = NormalDist(128, 40)
"""Luma of the noise."""


class Pattern:
    """Draws the test picture at `width` x `height` (both even) and `fps` frames per second."""

    def __init__(self, width: int, height: int, fps: float, *, noise: bool = False) -> None:
        scale = max(1, min(width // _DOTS_ACROSS, height // _DOTS_DOWN // 3))
        band = _DOTS_DOWN * scale
        self._strip_height = strip.height(height)
        self._graph = _graph(width, height, fps, band, self._strip_height)
        self._stride = self._graph.vpull().planes[0].line_size
        self._bands = {flash: Band(scale, width, self._stride, flash=flash) for flash in (False, True)}
        self._flash = max(FLASH, 1 / fps)  # at least one picture per second, at any frame rate
        self._noise_at = band * self._stride
        self._noise = _noise(round(height * _NOISE_HEIGHT) * self._stride if noise else 0)

    def draw(self, number: int, unix: float) -> VideoFrame:
        """Return the next picture, as frame `number`, captured at `unix` seconds of the wall clock."""
        picture = self._graph.vpull()
        luma = memoryview(picture.planes[0])
        self._bands[unix % 1.0 < self._flash].draw(luma, number, unix)
        _put(luma, self._noise_at, self._noise)
        row = strip.luma_row(number, int(unix * 1000), picture.width).ljust(self._stride, b"\0")
        luma[self._stride * (picture.height - self._strip_height) :] = row * self._strip_height
        return picture


class Band:
    """The text band at the top of the picture, white on black or inverted."""

    def __init__(self, scale: int, width: int, stride: int, *, flash: bool) -> None:
        ink, paper = (strip.BLACK, strip.WHITE) if flash else (strip.WHITE, strip.BLACK)
        self._font = Font(scale, ink, paper)
        margin = (width - _COLUMNS * ADVANCE * scale) // 2
        self._left = bytes([paper]) * margin
        self._right = bytes([paper]) * (stride - margin - _COLUMNS * ADVANCE * scale)
        self._scale = scale
        self._gap = bytes([paper]) * (2 * scale * stride)

    def draw(self, luma: memoryview, number: int, unix: float) -> None:
        """Write frame number and local time into the first rows of a luma plane."""
        time = datetime.fromtimestamp(unix).strftime("%H:%M:%S.%f")[:_COLUMNS]
        offset = 0
        for text in (f"TEST {number % _NUMBER_LIMIT:07}", time):
            offset = _put(luma, offset, self._gap)
            for row in self._font.rows(text):
                # A row of dots at a time: one large block would cost a page fault for each of its pages.
                offset = _put(luma, offset, (self._left + row + self._right) * self._scale)
        _put(luma, offset, self._gap)


def _noise(size: int) -> bytes:
    """Return `size` bytes of luma, always the same."""
    values = bytes(max(strip.BLACK, min(strip.WHITE, round(_NOISE.inv_cdf((i + 0.5) / 256)))) for i in range(256))
    return random.Random(0).randbytes(size).translate(values)


def _put(luma: memoryview, offset: int, block: bytes) -> int:
    end = offset + len(block)
    luma[offset:end] = block
    return end


def _graph(width: int, height: int, fps: float, top: int, bottom: int) -> Graph:
    """Return a filter graph that produces the moving background with black bars above and below.

    The rows of `top` and `bottom` are not drawn, which saves a third of the cost; `pad` lets the source
    draw into the padded picture, so nothing is copied.
    """
    graph = Graph()
    graph.threads = 1  # none of these filters is threaded; libav would start idle threads
    inner = (height - top - bottom) // 2 * 2
    graph.link_nodes(
        graph.add("testsrc2", f"size={width}x{inner}:rate={fps}"),
        graph.add("format", "pix_fmts=yuv420p"),
        graph.add("pad", f"{width}:{height}:0:{top}"),
        graph.add("buffersink"),
    ).configure()
    return graph
