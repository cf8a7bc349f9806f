import pytest

from broadcaster.devices.usb.formats import COST, H264, JPEG, RAW, without_padding

WIDTH, HEIGHT = 6, 4


def padded(name: str, extra: int) -> tuple[bytes, bytes, int]:
    """A picture whose lines carry `extra` bytes of padding (in proportion), the same without, and its stride."""
    planes = RAW[name].planes
    stride = round(WIDTH * planes[0].bytes) + extra
    wide, tight = b"", b""
    for number, plane in enumerate(planes):
        line = bytes([number + 1]) * round(WIDTH * plane.bytes)
        fill = round(stride * plane.bytes / planes[0].bytes) - len(line)
        wide += (line + b"\xff" * fill) * round(HEIGHT * plane.lines)
        tight += line * round(HEIGHT * plane.lines)
    return wide, tight, stride


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("extra", [0, 2, 26])
def test_padding_is_taken_away(name, extra):
    data, tight, stride = padded(name, extra)
    assert without_padding(data, name, WIDTH, HEIGHT, stride) == tight


def test_a_picture_cut_off_stays_too_short():
    data, tight, stride = padded("YUYV", 4)
    assert len(without_padding(data[:-20], "YUYV", WIDTH, HEIGHT, stride)) < len(tight)


def test_a_camera_that_names_no_line_length_has_no_padding():
    assert without_padding(b"abc", "NV12", 2, 1, 0) == b"abc"


def test_every_format_has_its_cost_and_the_other_way_round():
    assert set(COST) == {H264, *JPEG, *RAW}
