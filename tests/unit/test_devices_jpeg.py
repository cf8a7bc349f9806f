"""One keyframe as JPEG: right size, right picture, and an error instead of a picture for anything else."""

import io

import av
import pytest

from broadcaster.devices.fakes import canned
from broadcaster.devices.jpeg import jpeg_of


def decoded(jpeg: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as file:
        return next(file.decode(video=0))


def brightness(picture: av.VideoFrame) -> float:
    pixels = bytes(picture.reformat(format="rgb24").planes[0])  # which takes the range into account
    return sum(pixels) / len(pixels)


def original() -> av.VideoFrame:
    decoder = av.CodecContext.create("h264", "r")
    return [*decoder.decode(av.Packet(canned.pictures()[0])), *decoder.decode(None)][0]


@pytest.mark.parametrize(
    ("width", "size"),
    [(None, (320, 180)), (320, (320, 180)), (5000, (320, 180)), (160, (160, 90)), (101, (100, 56)), (1, (2, 2))],
)
def test_picture_is_scaled_down_only(width, size):
    picture = decoded(jpeg_of(canned.pictures()[0], width))
    assert (picture.width, picture.height) == size


def test_picture_is_the_same():
    picture = decoded(jpeg_of(canned.pictures()[0]))
    assert brightness(picture) == pytest.approx(brightness(original()), abs=1)


def test_small_picture_has_few_bytes():
    assert len(jpeg_of(canned.pictures(1280, 720)[0], 320)) < 20_000


@pytest.mark.parametrize("data", [b"", b"junk", bytes(1000), canned.pictures()[0][:40], canned.pictures()[1]])
def test_anything_else_is_an_error(data):
    with pytest.raises(ValueError, match="keyframe"):
        jpeg_of(data)


def test_huge_input_is_refused():
    with pytest.raises(ValueError, match="too large"):
        jpeg_of(bytes((16 << 20) + 1))
