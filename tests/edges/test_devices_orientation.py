"""Each display matrix applied to a picture with four different quadrants, compared with the matrix's own mapping."""

import struct
import sys
from fractions import Fraction

import av
import pytest

from broadcaster.devices.file.media_info import read_media_info
from broadcaster.devices.orientation import DisplayMatrix, display_matrix, upright_filters
from broadcaster.devices.scaler import Scaler, shown_size
from tests.edges.devices_rig import HEIGHT, WIDTH, make_file

MATRICES = {
    "upright": (1, 0, 0, 1),
    "90": (0, 1, -1, 0),
    "180": (-1, 0, 0, -1),
    "270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "mirrored 90": (0, 1, 1, 0),
    "mirrored 180": (1, 0, 0, -1),
    "mirrored 270": (0, -1, -1, 0),
}
LEVELS = {(-1, -1): 40, (1, -1): 90, (-1, 1): 150, (1, 1): 210}
"""Luma of each quadrant, by the signs of its coordinates relative to the centre, y downwards."""


def with_matrix(path, a, b, c, d):
    """Set the display matrix of the only track of an MP4 file (ISO/IEC 14496-12 §8.3.2); return its path."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    values = struct.unpack_from(">9i", data, at)
    assert values == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, at, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return str(path)


def write_quadrants(path, size):
    """Write a constrained baseline video of three pictures, whose quadrants have the `LEVELS`; return its path."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"profile": "baseline", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(3):
            picture = av.VideoFrame(*size, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            rows = [
                bytes([LEVELS[-1 if x < size[0] / 2 else 1, -1 if y < size[1] / 2 else 1] for x in range(size[0])])
                for y in range(size[1])
            ]
            stride = picture.planes[0].line_size
            picture.planes[0].update(b"".join(row.ljust(stride, b"\0") for row in rows))
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def quadrants(picture):
    """Return the luma in the middle of each quadrant."""
    plane = picture.planes[0]
    luma = memoryview(bytes(plane))
    centres = {sign: (picture.width * (2 + sign) // 4, picture.height * (2 + sign) // 4) for sign in (-1, 1)}
    return {(x, y): luma[centres[y][1] * plane.line_size + centres[x][0]] for x, y in LEVELS}


@pytest.mark.parametrize("size", [(96, 64), (64, 64)], ids=["oblong", "square"])
@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
def test_picture_is_transformed_as_the_matrix_defines(tmp_path, matrix, size):
    path = with_matrix(write_quadrants(tmp_path / "a.mp4", size), *matrix)
    with av.open(path) as container:
        picture = next(container.decode(video=0))
    a, b, c, d = matrix
    expected = {(a * x + c * y, b * x + d * y): level for (x, y), level in LEVELS.items()}
    upright = Scaler(*shown_size(picture, Fraction(1))).fit(picture)
    assert (upright.width, upright.height) == (size if a else size[::-1])
    assert quadrants(upright) == pytest.approx(expected, abs=6)


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
def test_only_upright_video_passes_through(tmp_path, matrix):
    path = with_matrix(write_quadrants(tmp_path / "a.mp4", (64, 64)), *matrix)
    obstacle = read_media_info(path).video.obstacle
    assert obstacle == (None if matrix == MATRICES["upright"] else "it has to be rotated, mirrored or stretched")


EXIF_ORDER = ["upright", "mirrored", "180", "mirrored 180", "mirrored 90", "90", "mirrored 270", "270"]
"""The names of the matrices for the EXIF orientations 1 to 8 (EXIF 2.3 §4.6.4 A)."""


@pytest.mark.parametrize("name", EXIF_ORDER)
def test_photo_is_rotated_according_to_exif(tmp_path, name):
    path = tmp_path / "a.jpg"
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        container.mux([*stream.encode(av.VideoFrame(96, 64, "yuvj420p")), *stream.encode(None)])
    number = EXIF_ORDER.index(name) + 1
    body = b"Exif\0\0MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHHI", 0x112, 3, 1, number, 0, 0)
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
    if picture.rotation == 0 and number > 4:
        pytest.skip("this libav does not read EXIF")
    a, b, c, d = MATRICES[name]
    assert upright_filters(display_matrix(picture)) == upright_filters(DisplayMatrix(a, b, c, d))


def test_arbitrary_angle_is_rotated_within_the_frame():
    half = 0.5**0.5
    assert upright_filters(DisplayMatrix(half, half, -half, half)) == ["rotate=0.785398"]


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1)])
def test_degenerate_matrix_changes_nothing(matrix):
    assert upright_filters(DisplayMatrix(*matrix)) == []


def test_picture_without_a_matrix(tmp_path):
    with av.open(make_file(tmp_path / "a.mp4", seconds=0.1)) as container:
        picture = next(container.decode(video=0))
    assert display_matrix(picture) is None
    assert shown_size(picture, Fraction(4, 3)) == (round(WIDTH * 4 / 3), HEIGHT)


def test_reading_the_matrix_leaves_no_reference_to_the_picture():
    picture = av.VideoFrame(64, 64, "yuv420p")
    before = sys.getrefcount(picture)
    assert display_matrix(picture) is None
    assert sys.getrefcount(picture) == before


def test_picture_of_another_aspect_ratio_gets_bars():
    picture = av.VideoFrame(64, 64, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes([200]) * plane.buffer_size)
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    fitted = Scaler(128, 64).fit(picture, Fraction(1))
    row = bytes(fitted.planes[0])[32 * fitted.planes[0].line_size :][:128]
    assert (row[0], row[31], row[33], row[94], row[127]) == (16, 16, 200, 200, 16)
    assert bytes(Scaler(128, 64).fit(picture).planes[0])[32 * fitted.planes[0].line_size] == 200
