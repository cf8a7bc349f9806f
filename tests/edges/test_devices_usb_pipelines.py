"""A camera's pictures on their way: real JPEG and raw pictures decoded, converted, encoded; real H.264 passed on."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import av
import pytest

from broadcaster.devices.board import Board
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.m2m import HardwareEncoder, hardware_obstacle
from broadcaster.devices.scaler import Scaler
from broadcaster.devices.usb.camera import CapturedFrame, Node
from broadcaster.devices.usb.decoding import Decoder
from broadcaster.devices.usb.formats import JPEG, RAW
from broadcaster.devices.usb.modes import Mode
from broadcaster.devices.usb.pipelines import FrameDecimator, Passthrough, Transcoder, make_encoder
from broadcaster.errors import SourceError
from broadcaster.media.h264 import NalType, is_keyframe, nal_type, split_nal_units
from tests.edges.devices_rig import decoded, pictures, times

SIZE = WIDTH, HEIGHT = 320, 180
FPS = 25
PC = Board("", 8 << 30, "", True)
PI = Board("Raspberry Pi 4 Model B Rev 1.4", 4 << 30, "/dev/video11", True)
NODE = Node("/dev/video0", "uvcvideo", "Camera", "usb-1", 0x04200001)


def shots(name: str, count: int, stride: int = 0) -> Iterator[CapturedFrame]:
    """What a camera in that format would give; `stride` is what it puts in a line, padding and all."""
    for number, picture in enumerate(pictures(count, WIDTH, HEIGHT)):
        yield CapturedFrame(as_camera_gives(picture, name, stride), 100 + number / FPS, number)


def as_camera_gives(picture: av.VideoFrame, name: str, stride: int) -> bytes:
    if name in JPEG:
        return jpeg(picture)
    converted = picture.reformat(format=RAW[name].name)
    data = b""
    for plane, layout in zip(converted.planes, RAW[name].planes, strict=True):
        wide, high = round(WIDTH * layout.bytes), round(HEIGHT * layout.lines)
        step = round(stride * layout.bytes / RAW[name].planes[0].bytes) or wide
        lines = (bytes(plane)[line * plane.line_size :][:wide] for line in range(high))
        data += b"".join(line.ljust(step, b"\xaa") for line in lines)
    return data


def jpeg(picture: av.VideoFrame) -> bytes:
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = picture.width, picture.height, "yuvj422p", FPS
    codec.options = {"qmin": "2", "qmax": "4"}
    return b"".join(map(bytes, codec.encode(picture.reformat(format="yuvj422p"))))


def encoding(
    name: str, stride: int = 0, *flips: str, thin: float = 0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Transcoder:
    encoder = Encoder(width=size[0], height=size[1], fps=FPS, bitrate=1_000_000, keyframe_interval=2.0)
    decoder = Decoder(Mode(name, WIDTH, HEIGHT, FPS), stride)
    return Transcoder(decoder, Scaler(*size, *flips), encoder, FrameDecimator(thin) if thin else None)


def difference(one: av.VideoFrame, other: av.VideoFrame) -> float:
    """Mean difference of luma, of 255."""
    pairs = zip(luma(one), luma(other), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height)


def luma(picture: av.VideoFrame) -> bytes:
    plane = picture.reformat(format="gray", dst_color_range="MPEG").planes[0]
    return b"".join(bytes(plane)[line * plane.line_size :][: picture.width] for line in range(picture.height))


@pytest.mark.parametrize("name", [*sorted(RAW), "MJPG"])
def test_every_format_arrives_as_the_picture_that_it_was(name):
    way = encoding(name)
    units = [unit for shot in shots(name, 3) for unit in way.units(shot)]
    assert times(units) == [100, 100 + 1 / FPS, 100 + 2 / FPS]
    assert units[0].keyframe
    shown = decoded(units)
    assert len(shown) == 3
    original = next(pictures(1, WIDTH, HEIGHT))
    assert difference(shown[0], original) < 4
    if name != "GREY":
        assert colourful(shown[0])


def colourful(picture: av.VideoFrame) -> bool:
    return len(set(bytes(picture.planes[1]))) > 20


@pytest.mark.parametrize("name", ["YUYV", "NV12", "YU12"])
def test_padding_at_the_end_of_lines_does_not_tear_the_picture(name):
    stride = round(WIDTH * RAW[name].planes[0].bytes) + 64
    way = encoding(name, stride)
    (unit,) = way.units(next(shots(name, 1, stride)))
    assert difference(decoded([unit])[0], next(pictures(1, WIDTH, HEIGHT))) < 4


def test_a_picture_is_made_smaller_and_turned_where_the_camera_cannot():
    way = encoding("YUYV", 0, "hflip", "vflip", size=(160, 90))
    (unit,) = way.units(next(shots("YUYV", 1)))
    shown = decoded([unit])[0]
    assert (shown.width, shown.height) == (160, 90)
    original = next(pictures(1, WIDTH, HEIGHT))
    upright = next(pictures(1, WIDTH, HEIGHT)).reformat(160, 90)
    turned = Scaler(160, 90, "hflip", "vflip").fit(original)
    assert difference(shown, turned) < 4
    assert difference(shown, upright) > 10


def test_broken_pictures_are_left_out_and_summed_up(caplog):
    way = encoding("MJPG")
    good = list(shots("MJPG", 3))
    with caplog.at_level(logging.WARNING):
        cable = [
            good[0],
            CapturedFrame(b"no jpeg", 100.04, 1),
            CapturedFrame(good[1].data[:40], 100.08, 2),
            CapturedFrame(good[2].data, 100.12, 3),
        ]
        units = [way.units(shot) for shot in cable]
    assert [len(found) for found in units] == [1, 0, 0, 1]
    assert [record.message for record in caplog.records] == [
        "1 damaged pictures from the camera skipped (check the cable and the hub)"
    ]
    raw = encoding("YUYV")
    assert raw.units(CapturedFrame(b"\0" * 100, 100, 0)) == []


def test_a_camera_faster_than_wanted_is_thinned_out_evenly():
    way = encoding("YUYV", thin=12.5)
    assert [len(way.units(shot)) for shot in shots("YUYV", 6)] == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(("camera", "wanted"), [(60, 30), (50, 30), (30, 15), (30, 24), (120, 25), (60, 1)])
def test_thinning_keeps_to_the_rate_though_the_camera_is_uneven(camera, wanted):
    thinning = FrameDecimator(wanted)
    taken = sum(thinning.keeps(5 + number / camera + (0.002 if number % 2 else 0)) for number in range(10 * camera))
    assert taken == pytest.approx(10 * wanted, abs=1)


def test_thinning_goes_on_at_once_after_a_pause():
    thinning = FrameDecimator(10)
    assert [thinning.keeps(moment) for moment in (0, 0.02, 7, 7.02, 7.1)] == [True, False, True, False, True]


class FakeControls:
    """A camera's controls as `Passthrough` uses them."""

    def __init__(self, *controls: int) -> None:
        self.there = controls
        self.done: list[tuple[int, int]] = []

    def has(self, control: int) -> bool:
        return control in self.there

    def set(self, control: int, value: int) -> bool:
        self.done.append((control, value))
        return True


def encoded_h264(count: int, **options: str) -> list[bytes]:
    """H.264 as a camera's own encoder may make it."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = WIDTH, HEIGHT, "yuv420p", FPS
    codec.options = {"profile": "baseline", "tune": "zerolatency", "preset": "ultrafast", "g": "4", **options}
    return [bytes(packet) for picture in pictures(count, WIDTH, HEIGHT) for packet in codec.encode(picture)]


def without_sets(unit: bytes) -> bytes:
    nals = [bytes(nal) for nal in split_nal_units(unit) if nal_type(nal) not in (NalType.SPS, NalType.PPS)]
    return b"".join(b"\0\0\0\1" + nal for nal in nals)


def test_h264_passes_from_the_first_keyframe_on_with_its_sets_repeated():
    camera = encoded_h264(10)
    camera[4], camera[8] = without_sets(camera[4]), without_sets(camera[8])
    way = Passthrough(FakeControls())
    units = [unit for number in range(10) for unit in way.units(CapturedFrame(camera[number], number / FPS, number))]
    assert [unit.keyframe for unit in units] == [number % 4 == 0 for number in range(10)]
    assert all(is_keyframe(unit.data) for unit in units if unit.keyframe)
    assert len(decoded(units)) == 10
    late = Passthrough(FakeControls())
    units = [unit for number in range(1, 7) for unit in late.units(CapturedFrame(encoded_h264(8)[number], 0, number))]
    assert [unit.keyframe for unit in units] == [True, False, False]
    assert not any([late.can_force_keyframe, late.can_set_bitrate, late.can_skip_pictures])


def test_after_a_lost_picture_it_waits_for_a_keyframe_and_asks_for_one():
    camera = encoded_h264(10)
    controls = FakeControls(0x009909E5)
    way = Passthrough(controls)
    units = [unit for number in (0, 1, 3, 4, 5) for unit in way.units(CapturedFrame(camera[number], number, number))]
    assert [unit.captured for unit in units] == [0, 1, 4, 5]
    assert controls.done == [(0x009909E5, 1)]
    unnumbered = Passthrough(FakeControls())
    assert [len(unnumbered.units(CapturedFrame(camera[number], number, 0))) for number in range(3)] == [1, 1, 1]


def test_what_the_cameras_own_encoder_can_be_asked_for_is_asked_between_two_pictures():
    controls = FakeControls(0x009909E5, 0x009909CF)
    way = Passthrough(controls)
    way.request_keyframe()
    way.set_bitrate(800_000)
    assert controls.done == []
    way.units(CapturedFrame(encoded_h264(1)[0], 0, 0))
    assert sorted(controls.done) == [(0x009909CF, 800_000), (0x009909E5, 1)]


class Late:
    """A hardware encoder's ways on a real libx264: parameter sets once only, all pictures one late."""

    opened = 0

    def __init__(self) -> None:
        object.__setattr__(self, "_codec", av.CodecContext.create("libx264", "w"))
        object.__setattr__(self, "_held", [])
        object.__setattr__(self, "_count", 0)
        self._codec.options = {"profile": "baseline", "tune": "zerolatency", "forced-idr": "1"}

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._codec, name, value)

    def open(self) -> None:
        Late.opened += 1
        self._codec.open()

    def encode(self, picture: av.VideoFrame | None) -> list[av.Packet]:
        held, fresh = list(self._held), []
        for packet in self._codec.encode(picture):
            data = bytes(packet)
            first = self._count == 0
            object.__setattr__(self, "_count", self._count + 1)
            if first:
                sets = b"".join(
                    b"\0\0\0\1" + bytes(nal)
                    for nal in split_nal_units(data)
                    if nal_type(nal) in (NalType.SPS, NalType.PPS)
                )
                fresh.append(av.Packet(sets))
            kept = av.Packet(without_sets(data))
            kept.pts = packet.pts
            fresh.append(kept)
        self._held[:] = fresh
        return held + (fresh if picture is None else [])


def test_the_hardware_encoder_gives_each_picture_its_own_time_and_every_keyframe_its_sets():
    Late.opened = 0
    encoder = HardwareEncoder(width=WIDTH, height=HEIGHT, fps=FPS, bitrate=500_000, keyframe_interval=0.4, create=Late)
    units = []
    for number, picture in enumerate(pictures(25, WIDTH, HEIGHT)):
        if number == 4:
            encoder.request_keyframe()
        if number == 12:
            encoder.set_bitrate(300_000)
        units += encoder.encode(picture, 50 + number)
    assert times(units) == [50 + number for number in range(24)]  # the last one is still inside
    assert [int(unit.captured - 50) for unit in units if unit.keyframe] == [0, 4, 14]
    assert all(is_keyframe(unit.data) for unit in units if unit.keyframe)
    assert len(decoded(units)) == 24
    assert Late.opened == 2  # the new rate took a new encoder, at the keyframe that was due anyway


def test_a_hardware_encoder_that_gives_another_profile_is_an_error_not_a_black_page():
    class High(Late):
        def __init__(self) -> None:
            super().__init__()
            self._codec.options = {"profile": "high", "preset": "medium", "tune": "zerolatency"}

    encoder = HardwareEncoder(width=WIDTH, height=HEIGHT, fps=FPS, bitrate=500_000, keyframe_interval=1, create=High)
    first, second = pictures(2, WIDTH, HEIGHT)
    assert encoder.encode(first, 0) == []
    with pytest.raises(SourceError, match="profile is High"):
        encoder.encode(second, 0)


@pytest.mark.parametrize(
    ("size", "words"),
    [((1280, 720), None), ((1920, 1080), None), ((2560, 1440), "at most 1920x1080"), ((848, 480), "multiples of 64")],
)
def test_the_hardware_encoder_takes_only_sizes_that_come_out_whole(size, words):
    obstacle = hardware_obstacle(*size)
    assert obstacle is None if words is None else words in obstacle


def test_without_a_hardware_encoder_it_is_libx264_and_where_there_is_one_the_log_says_why(caplog):
    with caplog.at_level(logging.INFO):
        assert make_encoder(PC, width=640, height=360, fps=25, bitrate=1, interval=2).name == "libx264"
        assert make_encoder(PI, width=848, height=480, fps=25, bitrate=1, interval=2).name == "libx264"
    assert caplog.messages == ["encoding with libx264: the hardware encoder takes only widths that are multiples of 64"]


def test_a_hardware_encoder_that_does_not_open_gives_way_with_a_warning(caplog):
    """The board says it has one; the real h264_v4l2m2m of PyAV finds no device here and says so."""
    assert make_encoder(PI, width=640, height=360, fps=25, bitrate=500_000, interval=2).name == "libx264"
    (record,) = [record for record in caplog.records if record.name.startswith("broadcaster")]
    assert record.levelno == logging.WARNING
    assert "using libx264 instead" in record.message
