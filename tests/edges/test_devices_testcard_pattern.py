"""The test picture, drawn and encoded: the strip stays readable, the flash is on time."""

from statistics import mean

import pytest

from broadcaster.devices.encoder import BUFFER, Encoder
from broadcaster.devices.testcard import strip
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.devices.testcard.source import CAMERA_BUFFER
from tests.edges.devices_rig import decoded


def row(frame, y: int) -> bytes:
    plane = frame.planes[0]
    return bytes(plane)[y * plane.line_size :][: frame.width]


def strip_of(frame) -> strip.Reading | None:
    return strip.read(row(frame, frame.height - strip.height(frame.height) // 2))


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("size", [(640, 360), (160, 90), (1280, 720), (854, 480), (360, 640)])
def test_strip_has_the_expected_size(size, noise):
    frame = Pattern(*size, 30, noise=noise).draw(513, 1_700_000_000.25)
    top = size[1] - strip.height(size[1])
    expected = strip.luma_row(513, 1_700_000_000_250, size[0])
    assert (frame.width, frame.height, frame.format.name) == (*size, "yuv420p")
    assert {row(frame, y) for y in range(top, size[1])} == {expected}
    assert row(frame, top - 2) != expected


@pytest.mark.parametrize("size", [(640, 360), (854, 480)])
def test_strip_and_text_have_neutral_chroma(size):
    frame = Pattern(*size, 30).draw(0, 0.5)
    for plane in frame.planes[1:]:
        rows = [bytes(plane)[y * plane.line_size :][: size[0] // 2] for y in range(size[1] // 2)]
        assert set(b"".join(rows[-strip.height(size[1]) // 2 :])) == {128}
        assert set(rows[0]) == {128}
        assert len(set(rows[size[1] // 4])) > 1


@pytest.mark.parametrize(("noise", "buffer"), [(False, BUFFER), (True, CAMERA_BUFFER)])
def test_strip_is_readable_at_300_kbit_per_second_and_640x360(noise, buffer):
    pattern = Pattern(640, 360, 30, noise=noise)
    encoder = Encoder(width=640, height=360, fps=30, bitrate=300_000, keyframe_interval=2.0, buffer=buffer)
    moments = [1_700_000_000.0 + number / 30 for number in range(120)]
    units = [encoder.encode(pattern.draw(number, unix), unix) for number, unix in enumerate(moments)]
    assert sum(len(unit.data) for unit in units) * 8 / 4 < 330_000
    readings = [strip_of(frame) for frame in decoded(units)]
    assert readings == [strip.Reading(n, int(unix * 1000) % 2**20) for n, unix in enumerate(moments)]


@pytest.mark.parametrize(("noise", "least", "most"), [(False, 1.5, 4), (True, 8, 12)])
def test_noise_makes_keyframes_large(noise, least, most):
    pattern = Pattern(1280, 720, 30, noise=noise)
    buffer = CAMERA_BUFFER if noise else BUFFER
    encoder = Encoder(width=1280, height=720, fps=30, bitrate=2_500_000, keyframe_interval=2.0, buffer=buffer)
    units = [encoder.encode(pattern.draw(number, number / 30), number / 30) for number in range(300)]
    keyframes = [len(unit.data) for unit in units if unit.keyframe]
    others = [len(unit.data) for unit in units if not unit.keyframe]
    assert least < mean(keyframes) / mean(others) < most
    assert sum(keyframes + others) * 8 / 10 == pytest.approx(2_500_000, rel=0.05)


@pytest.mark.parametrize("fps", [30, 5, 2])
def test_first_pictures_of_each_second_flash(fps):
    pattern = Pattern(320, 180, fps)
    frames = [pattern.draw(number, 1_700_000_000.001 + number / fps) for number in range(2 * fps)]
    flashes = [number for number, frame in enumerate(frames) if row(frame, 0)[0] == strip.WHITE]
    count = max(1, round(fps * 0.1))
    assert flashes == [*range(count), *range(fps, fps + count)]


def test_text_and_background_change():
    pattern = Pattern(640, 360, 30)
    first, second = pattern.draw(1, 10.5), pattern.draw(2, 10.5)
    later = pattern.draw(2, 11.5)

    def band(frame, lines: slice) -> list[bytes]:
        return [row(frame, y) for y in range(*lines.indices(360))]

    upper, lower, below = slice(10, 45), slice(55, 90), slice(110, 330)
    assert band(first, upper) != band(second, upper)
    assert band(first, lower) == band(second, lower)
    assert band(second, lower) != band(later, lower)
    assert band(first, below) != band(second, below)
