import pytest

from broadcaster.devices.usb.formats import COST, H264, JPEG, RAW, without_padding

WIDTH, HEIGHT = 6, 4


def padded(name: str, extra: int) -> tuple[bytes, bytes, int]:
    """Return a picture with `extra` bytes of padding per line of the first plane, the same without, and its stride."""
    planes = RAW[name].planes
    stride = round(WIDTH * planes[0].bytes) + extra
    with_padding, without = b"", b""
    for number, plane in enumerate(planes):
        line = bytes([number + 1]) * round(WIDTH * plane.bytes)
        fill = round(stride * plane.bytes / planes[0].bytes) - len(line)
        with_padding += (line + b"\xff" * fill) * round(HEIGHT * plane.lines)
        without += line * round(HEIGHT * plane.lines)
    return with_padding, without, stride


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("extra", [0, 2, 26])
def test_padding_is_removed(name, extra):
    data, expected, stride = padded(name, extra)
    assert without_padding(data, name, WIDTH, HEIGHT, stride) == expected


def test_a_truncated_picture_stays_truncated():
    data, complete, stride = padded("YUYV", 4)
    assert len(without_padding(data[:-20], "YUYV", WIDTH, HEIGHT, stride)) < len(complete)


def test_stride_0_means_no_padding():
    assert without_padding(b"abc", "NV12", 2, 1, 0) == b"abc"


def test_exactly_the_supported_formats_have_a_cost():
    assert set(COST) == {H264, *JPEG, *RAW}
