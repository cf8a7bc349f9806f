"""The software encoder with real libx264: profile, keyframes, bit rate, and decodability."""

import pytest

from broadcaster.devices.encoder import BUFFER, Encoder
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.media.h264 import NalType, is_keyframe, nal_type, split_nal_units
from broadcaster.model.stream import AccessUnit
from tests.edges.devices_rig import decoded

FPS = 30
RATE = 1_000_000
SIZE = 640, 360


@pytest.fixture(scope="module")
def pictures():
    """Four seconds of pictures, shared by all tests of this module; the encoder does not keep them."""
    pattern = Pattern(*SIZE, FPS)
    return [pattern.draw(number, number / FPS) for number in range(4 * FPS)]


def new_encoder(rate: int = RATE, interval: float = 2.0) -> Encoder:
    return Encoder(width=SIZE[0], height=SIZE[1], fps=FPS, bitrate=rate, keyframe_interval=interval)


def encode(encoder: Encoder, pictures, start: int = 0, count: int = 120) -> list[AccessUnit]:
    return [encoder.encode(pictures[index % 120], index / FPS) for index in range(start, start + count)]


def rate_of(units: list[AccessUnit]) -> float:
    return sum(len(unit.data) for unit in units) * 8 * FPS / len(units)


def keyframes(units: list[AccessUnit]) -> list[int]:
    return [index for index, unit in enumerate(units) if unit.keyframe]


def test_every_picture_is_encoded_without_delay_and_decodes(pictures):
    units = encode(new_encoder(), pictures, count=90)
    assert [unit.captured for unit in units] == [index / FPS for index in range(90)]
    assert len(decoded(units)) == 90


def test_output_is_constrained_baseline_of_the_right_level(pictures):
    unit = encode(new_encoder(), pictures, count=1)[0]
    sps = next(nal for nal in split_nal_units(unit.data) if nal_type(nal) == NalType.SPS)
    profile, constraints, level = sps[1], sps[2], sps[3]
    assert (profile, constraints & 0xC0) == (66, 0xC0)
    assert level == 30  # 640x360 at 30 fps: 27600 macroblocks per second (H.264 table A-1)


def test_one_slice_per_picture_if_one_thread_is_enough(pictures):
    for unit in encode(new_encoder(), pictures, count=3):
        kinds = [nal_type(nal) for nal in split_nal_units(unit.data)]
        assert sum(kind in (NalType.SLICE, NalType.IDR) for kind in kinds) == 1


def test_keyframes_come_at_the_interval_with_parameter_sets(pictures):
    units = encode(new_encoder(interval=1.0), pictures, count=65)
    assert keyframes(units) == [0, 30, 60]
    assert [is_keyframe(unit.data) for unit in units] == [unit.keyframe for unit in units]


def test_a_requested_keyframe_is_the_next_picture_and_restarts_the_interval(pictures):
    encoder = new_encoder(interval=1.0)
    first = encode(encoder, pictures, count=10)
    encoder.request_keyframe()
    encoder.request_keyframe()
    assert keyframes(first + encode(encoder, pictures, 10, 40)) == [0, 10, 40]


def test_keyframes_fit_the_vbv_buffer(pictures):
    units = encode(new_encoder(), pictures)
    assert max(len(unit.data) for unit in units) * 8 < RATE * BUFFER * 1.1


def test_the_bit_rate_is_kept_and_changes_while_running(pictures):
    encoder = new_encoder()
    assert rate_of(encode(encoder, pictures)) == pytest.approx(RATE, rel=0.15)
    encoder.set_bitrate(300_000)
    encode(encoder, pictures, 120, 30)
    assert rate_of(encode(encoder, pictures, 150)) == pytest.approx(300_000, rel=0.15)
    encoder.set_bitrate(2_000_000)
    encode(encoder, pictures, 270, 60)
    assert rate_of(encode(encoder, pictures, 330)) == pytest.approx(2_000_000, rel=0.15)


def test_rate_control_follows_capture_times_not_the_nominal_frame_rate(pictures):
    """As in a screen recording: 1 s at 30 fps, then 3 s at 5 fps, with 11.25 fps nominal."""
    encoder = Encoder(width=SIZE[0], height=SIZE[1], fps=11.25, bitrate=500_000, keyframe_interval=2.0)
    sizes = [0] * 16
    keyframes_at = []
    for second in range(16):
        fps = FPS if second % 4 == 0 else 5
        for index in range(fps):
            unit = encoder.encode(pictures[(second * FPS + index) % 120], second + index / fps)
            sizes[second] += len(unit.data) * 8
            keyframes_at += [unit.captured] if unit.keyframe else []
    assert max(sizes) < 500_000 * 1.4
    assert keyframes_at == pytest.approx([2.0 * index for index in range(8)], abs=0.1)


@pytest.mark.parametrize("fps", [0.0001, 1 / 60, 1000, 90000])
def test_any_nominal_frame_rate_is_accepted(pictures, fps):
    encoder = Encoder(width=SIZE[0], height=SIZE[1], fps=fps, bitrate=500_000, keyframe_interval=2.0)
    units = [encoder.encode(pictures[index], index * 0.2) for index in range(15)]
    assert keyframes(units) == [0, 10]
    assert len(decoded(units)) == 15


def test_pictures_with_equal_capture_times_are_encoded(pictures):
    encoder = new_encoder()
    assert len(decoded([encoder.encode(picture, 7.0) for picture in pictures[:5]])) == 5


def test_output_stays_decodable_across_rate_changes(pictures):
    encoder = new_encoder()
    units = []
    for index, rate in enumerate([RATE, 200_000, 3_000_000, 500_000]):
        encoder.set_bitrate(rate)
        encoder.request_keyframe()
        units += encode(encoder, pictures, 20 * index, 20)
    assert keyframes(units) == [0, 20, 40, 60]
    frames = decoded(units)
    assert len(frames) == 80
    assert not any(frame.is_corrupt for frame in frames)
