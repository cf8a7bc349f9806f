"""Pipelines with real data: JPEG and raw pictures decoded, converted and encoded; H.264 passed through."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import av
import pytest

from broadcaster.devices.board import Board
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.scaler import Scaler
from broadcaster.devices.usb.camera import CapturedFrame, Node
from broadcaster.devices.usb.decoding import Decoder
from broadcaster.devices.usb.formats import JPEG, RAW
from broadcaster.devices.usb.modes import Mode
from broadcaster.devices.usb.pipelines import FrameDecimator, Passthrough, Transcoder, make_encoder
from broadcaster.media.h264 import NalType, is_keyframe, nal_type, split_nal_units
from tests.edges.devices_rig import decoded, pictures, times

SIZE = WIDTH, HEIGHT = 320, 180
FPS = 25
PC = Board("", 8 << 30, "", True)
PI = Board("Raspberry Pi 4 Model B Rev 1.4", 4 << 30, "/dev/video11", True)
NODE = Node("/dev/video0", "uvcvideo", "Camera", "usb-1", 0x04200001)


def captured_frames(name: str, count: int, stride: int = 0) -> Iterator[CapturedFrame]:
    """Yield frames as a camera with this pixel format delivers them; `stride` is the bytes per line with padding."""
    for number, picture in enumerate(pictures(count, WIDTH, HEIGHT)):
        yield CapturedFrame(frame_data(picture, name, stride), 100 + number / FPS, number)


def frame_data(picture: av.VideoFrame, name: str, stride: int) -> bytes:
    if name in JPEG:
        return jpeg(picture)
    converted = picture.reformat(format=RAW[name].name)
    data = b""
    for plane, layout in zip(converted.planes, RAW[name].planes, strict=True):
        length, count = round(WIDTH * layout.bytes), round(HEIGHT * layout.lines)
        step = round(stride * layout.bytes / RAW[name].planes[0].bytes) or length
        lines = (bytes(plane)[line * plane.line_size :][:length] for line in range(count))
        data += b"".join(line.ljust(step, b"\xaa") for line in lines)
    return data


def jpeg(picture: av.VideoFrame) -> bytes:
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = picture.width, picture.height, "yuvj422p", FPS
    codec.options = {"qmin": "2", "qmax": "4"}
    return b"".join(map(bytes, codec.encode(picture.reformat(format="yuvj422p"))))


def new_transcoder(
    name: str, stride: int = 0, *flips: str, keep_fps: float = 0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Transcoder:
    encoder = Encoder(width=size[0], height=size[1], fps=FPS, bitrate=1_000_000, keyframe_interval=2.0)
    decoder = Decoder(Mode(name, WIDTH, HEIGHT, FPS), stride)
    return Transcoder(decoder, Scaler(*size, *flips), encoder, FrameDecimator(keep_fps) if keep_fps else None)


def difference(one: av.VideoFrame, other: av.VideoFrame) -> float:
    """Return the mean difference of luma (0 to 255)."""
    pairs = zip(luma(one), luma(other), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height)


def luma(picture: av.VideoFrame) -> bytes:
    plane = picture.reformat(format="gray", dst_color_range="MPEG").planes[0]
    return b"".join(bytes(plane)[line * plane.line_size :][: picture.width] for line in range(picture.height))


@pytest.mark.parametrize("name", [*sorted(RAW), "MJPG"])
def test_every_format_is_transcoded_faithfully(name):
    pipeline = new_transcoder(name)
    units = [unit for frame in captured_frames(name, 3) for unit in pipeline.units(frame)]
    assert times(units) == [100, 100 + 1 / FPS, 100 + 2 / FPS]
    assert units[0].keyframe
    shown = decoded(units)
    assert len(shown) == 3
    original = next(pictures(1, WIDTH, HEIGHT))
    assert difference(shown[0], original) < 4
    if name != "GREY":
        assert is_colourful(shown[0])


def is_colourful(picture: av.VideoFrame) -> bool:
    return len(set(bytes(picture.planes[1]))) > 20


@pytest.mark.parametrize("name", ["YUYV", "NV12", "YU12"])
def test_line_padding_is_removed(name):
    stride = round(WIDTH * RAW[name].planes[0].bytes) + 64
    pipeline = new_transcoder(name, stride)
    (unit,) = pipeline.units(next(captured_frames(name, 1, stride)))
    assert difference(decoded([unit])[0], next(pictures(1, WIDTH, HEIGHT))) < 4


def test_pictures_are_scaled_and_flipped():
    pipeline = new_transcoder("YUYV", 0, "hflip", "vflip", size=(160, 90))
    (unit,) = pipeline.units(next(captured_frames("YUYV", 1)))
    shown = decoded([unit])[0]
    assert (shown.width, shown.height) == (160, 90)
    original = next(pictures(1, WIDTH, HEIGHT))
    upright = next(pictures(1, WIDTH, HEIGHT)).reformat(160, 90)
    flipped = Scaler(160, 90, "hflip", "vflip").fit(original)
    assert difference(shown, flipped) < 4
    assert difference(shown, upright) > 10


def test_damaged_pictures_are_skipped_and_logged_once(caplog):
    pipeline = new_transcoder("MJPG")
    good = list(captured_frames("MJPG", 3))
    with caplog.at_level(logging.WARNING):
        frames = [
            good[0],
            CapturedFrame(b"no jpeg", 100.04, 1),
            CapturedFrame(good[1].data[:40], 100.08, 2),
            CapturedFrame(good[2].data, 100.12, 3),
        ]
        units = [pipeline.units(frame) for frame in frames]
    assert [len(delivered) for delivered in units] == [1, 0, 0, 1]
    assert [record.message for record in caplog.records] == [
        "damaged pictures from the camera skipped: 1 (check the cable and the hub)"
    ]
    raw = new_transcoder("YUYV")
    assert raw.units(CapturedFrame(b"\0" * 100, 100, 0)) == []


def test_a_camera_that_is_too_fast_is_decimated_evenly():
    pipeline = new_transcoder("YUYV", keep_fps=12.5)
    assert [len(pipeline.units(frame)) for frame in captured_frames("YUYV", 6)] == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(("camera_fps", "fps"), [(60, 30), (50, 30), (30, 15), (30, 24), (120, 25), (60, 1)])
def test_decimation_keeps_the_frame_rate_despite_jitter(camera_fps, fps):
    decimator = FrameDecimator(fps)
    kept = sum(
        decimator.keeps(5 + number / camera_fps + (0.002 if number % 2 else 0)) for number in range(10 * camera_fps)
    )
    assert kept == pytest.approx(10 * fps, abs=1)


def test_decimation_restarts_after_a_pause():
    decimator = FrameDecimator(10)
    assert [decimator.keeps(moment) for moment in (0, 0.02, 7, 7.02, 7.1)] == [True, False, True, False, True]


class FakeControls:
    """A camera's controls as `Passthrough` uses them."""

    def __init__(self, *controls: int) -> None:
        self.available = controls
        self.calls: list[tuple[int, int]] = []

    def has(self, control: int) -> bool:
        return control in self.available

    def set(self, control: int, value: int) -> bool:
        self.calls.append((control, value))
        return True


def encoded_h264(count: int, **options: str) -> list[bytes]:
    """Return access units as a camera's own encoder may deliver them."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = WIDTH, HEIGHT, "yuv420p", FPS
    codec.options = {"profile": "baseline", "tune": "zerolatency", "preset": "ultrafast", "g": "4", **options}
    return [bytes(packet) for picture in pictures(count, WIDTH, HEIGHT) for packet in codec.encode(picture)]


def without_sets(unit: bytes) -> bytes:
    nals = [bytes(nal) for nal in split_nal_units(unit) if nal_type(nal) not in (NalType.SPS, NalType.PPS)]
    return b"".join(b"\0\0\0\1" + nal for nal in nals)


def test_h264_passes_from_the_first_keyframe_with_parameter_sets_repeated():
    camera = encoded_h264(10)
    camera[4], camera[8] = without_sets(camera[4]), without_sets(camera[8])
    pipeline = Passthrough(FakeControls())
    units = [
        unit for number in range(10) for unit in pipeline.units(CapturedFrame(camera[number], number / FPS, number))
    ]
    assert [unit.keyframe for unit in units] == [number % 4 == 0 for number in range(10)]
    assert all(is_keyframe(unit.data) for unit in units if unit.keyframe)
    assert len(decoded(units)) == 10
    late = Passthrough(FakeControls())
    units = [unit for number in range(1, 7) for unit in late.units(CapturedFrame(encoded_h264(8)[number], 0, number))]
    assert [unit.keyframe for unit in units] == [True, False, False]
    assert not any([late.can_force_keyframe, late.can_set_bitrate, late.can_skip_pictures])


def test_after_a_lost_frame_passthrough_requests_a_keyframe_and_waits_for_it():
    camera = encoded_h264(10)
    controls = FakeControls(0x009909E5)
    pipeline = Passthrough(controls)
    units = [
        unit for number in (0, 1, 3, 4, 5) for unit in pipeline.units(CapturedFrame(camera[number], number, number))
    ]
    assert [unit.captured for unit in units] == [0, 1, 4, 5]
    assert controls.calls == [(0x009909E5, 1)]
    unnumbered = Passthrough(FakeControls())
    assert [len(unnumbered.units(CapturedFrame(camera[number], number, 0))) for number in range(3)] == [1, 1, 1]


def test_requests_are_passed_to_the_camera_with_the_next_frame():
    controls = FakeControls(0x009909E5, 0x009909CF)
    pipeline = Passthrough(controls)
    pipeline.request_keyframe()
    pipeline.set_bitrate(800_000)
    assert controls.calls == []
    pipeline.units(CapturedFrame(encoded_h264(1)[0], 0, 0))
    assert sorted(controls.calls) == [(0x009909CF, 800_000), (0x009909E5, 1)]


def test_make_encoder_uses_libx264_and_logs_why_if_there_is_a_hardware_encoder(caplog):
    with caplog.at_level(logging.INFO):
        assert make_encoder(PC, width=640, height=360, fps=25, bitrate=1, interval=2).name == "libx264"
        assert make_encoder(PI, width=848, height=480, fps=25, bitrate=1, interval=2).name == "libx264"
    assert caplog.messages == ["encoding with libx264: the hardware encoder takes only widths that are multiples of 64"]


def test_make_encoder_falls_back_to_libx264_if_the_hardware_encoder_fails(caplog):
    """The board claims to have one, but PyAV's h264_v4l2m2m finds no device on this machine."""
    assert make_encoder(PI, width=640, height=360, fps=25, bitrate=500_000, interval=2).name == "libx264"
    (record,) = [record for record in caplog.records if record.name.startswith("broadcaster")]
    assert record.levelno == logging.WARNING
    assert "using libx264 instead" in record.message
