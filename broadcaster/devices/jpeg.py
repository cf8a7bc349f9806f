"""Decodes one keyframe and encodes it as JPEG, for thumbnails and stills: in libav, on the CPU."""

from __future__ import annotations

from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

_QUALITY = 4
"""Quantizer of the JPEG, from 2 (best) to 31: about a tenth of a byte per pixel."""
_LAMBDA_PER_QUANTIZER = 118
"""FF_QP2LAMBDA of libavutil: the unit of `global_quality`."""
_MAX_KEYFRAME = 16 << 20
"""Bytes; no keyframe of a stream that the daemon sends is larger."""


def jpeg_of(keyframe: bytes, width: int | None = None) -> bytes:
    """Return a keyframe (an access unit in Annex B format with its SPS and PPS) as JPEG.

    The picture is scaled down to `width` pixels if it is wider; None keeps its size. This takes 5 to 50 ms of CPU
    time: call it in a thread. Raises ValueError if there is no picture in it that can be decoded.
    """
    picture = _decode(keyframe)
    scaled_width, height = _size(picture.width, picture.height, width)
    picture = picture.reformat(scaled_width, height, format="yuvj420p", dst_color_range=ColorRange.JPEG)
    return _encode(picture)


def _decode(keyframe: bytes) -> VideoFrame:
    """Return the first picture. Raises ValueError."""
    if len(keyframe) > _MAX_KEYFRAME:
        raise ValueError("the keyframe is too large")
    decoder = VideoCodecContext.create("h264", "r")
    decoder.thread_count = 1  # threads would delay the picture, and use cores that the stream needs
    try:
        pictures = [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)]
    except av.FFmpegError as error:
        raise ValueError(f"the keyframe cannot be decoded: {error.strerror or error}") from error
    if not pictures:
        raise ValueError("the keyframe has no picture")
    return pictures[0]


def _encode(picture: VideoFrame) -> bytes:
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, picture.format.name
    encoder.time_base = Fraction(1)  # one picture: any will do
    encoder.thread_count = 1
    encoder.flags |= Flags.qscale
    encoder.global_quality = _QUALITY * _LAMBDA_PER_QUANTIZER
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def _size(width: int, height: int, wanted: int | None) -> tuple[int, int]:
    """Return the size after scaling down to the wanted width, in even numbers of at least 2 pixels."""
    if wanted is None or wanted >= width:
        return width, height
    return max(2, wanted // 2 * 2), max(2, round(height * wanted / width / 2) * 2)
