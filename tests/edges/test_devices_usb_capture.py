"""From a camera's modes to a flow of pictures: scripted cameras with real H.264 and real pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import cycle

import pytest

from broadcaster.devices.board import Board
from broadcaster.devices.fakes import FakeClock
from broadcaster.devices.scaler import Scaler
from broadcaster.devices.usb import capture
from broadcaster.devices.usb.camera import CapturedFrame, Node
from broadcaster.devices.usb.capture import CaptureConfig, ObstacleCache, start_capture
from broadcaster.devices.usb.modes import Mode, RequestedMode
from broadcaster.devices.usb.pipelines import Passthrough, Transcoder
from broadcaster.errors import SourceError
from tests.edges.devices_rig import decoded
from tests.edges.test_devices_usb_pipelines import PC, SIZE, difference, encoded_h264, shots, without_sets

FPS = 25
NODE = Node("/dev/video0", "uvcvideo", "HD Pro Webcam C920", "usb-1", 0x04200001)
ORDER = CaptureConfig(RequestedMode(*SIZE, FPS), bitrate=500_000, keyframe_interval=2.0)
H264, MJPG, YUYV = (Mode(name, *SIZE, FPS) for name in ("H264", "MJPG", "YUYV"))
HFLIP, VFLIP, FORCE, BITRATE, PROFILE = 0x00980914, 0x00980915, 0x009909E5, 0x009909CF, 0x00990A6B


class ScriptedCamera:
    """What `Camera` does, without a device: `h264` are the pictures of its own encoder, each a picture's time later."""

    def __init__(self, clock: FakeClock, modes: list[Mode], h264: Sequence[bytes] = (), **controls: int) -> None:
        self.node = NODE
        self.stride = 0
        self.controls = controls
        self.values: dict[int, int] = {}
        self.started: list[Mode] = []
        self.stops = 0
        self._clock = clock
        self._modes = modes
        self._h264 = cycle(enumerate(h264)) if h264 else None
        self._number = -1

    def modes(self, wanted: RequestedMode) -> list[Mode]:
        return self._modes

    def start(self, mode: Mode) -> Mode:
        self.started.append(mode)
        return mode

    def stop(self) -> None:
        self.stops += 1

    def is_ready(self, seconds: float = 0.0) -> bool:
        self._clock.advance(1 / FPS)
        return self._h264 is not None

    def read(self, now: float) -> CapturedFrame:
        assert self._h264
        self._number += 1
        return CapturedFrame(next(self._h264)[1], now, self._number)

    def has(self, control: int) -> bool:
        return control in self.controls.values()

    def set(self, control: int, value: int) -> bool:
        self.values[control] = value
        return True


@pytest.fixture
def clock(monkeypatch) -> FakeClock:
    clock = FakeClock(monotonic=0)
    monkeypatch.setattr(capture, "time", clock)
    return clock


def h264(profile: str = "baseline", gop: int = 10, count: int = 100, edit: Callable[[bytes], bytes] = bytes):
    preset = "ultrafast" if profile == "baseline" else "veryfast"
    units = encoded_h264(count, profile=profile, g=str(gop), preset=preset)
    return [edit(unit) if index else unit for index, unit in enumerate(units)]


def start(camera: ScriptedCamera, order: CaptureConfig = ORDER, known: ObstacleCache | None = None, board: Board = PC):
    return start_capture(camera, order, board, {} if known is None else known)


def test_h264_that_browsers_take_passes_and_begins_with_its_keyframe(clock, caplog):
    camera = ScriptedCamera(clock, [YUYV, MJPG, H264], h264(edit=without_sets))
    known: ObstacleCache = {}
    with caplog.at_level(logging.INFO):
        flow = start(camera, known=known)
    assert isinstance(flow.pipeline, Passthrough)
    assert camera.started == [H264]
    assert (flow.traits.encoder, flow.traits.can_force_keyframe) == ("none (H.264 passes through)", False)
    units = flow.pipeline.units(flow.first_frame)
    for _ in range(5):
        units += flow.pipeline.units(camera.read(clock.monotonic()))
    assert units[0].keyframe
    assert len(decoded(units)) == 6
    assert list(known.values()) == [None]
    assert caplog.messages == [
        "HD Pro Webcam C920 (/dev/video0): H264 320x180 at 25 fps passes through without encoding (as requested)"
    ]


def test_what_was_found_out_once_need_not_be_found_out_again(clock):
    known: ObstacleCache = {}
    camera = ScriptedCamera(clock, [H264], h264(gop=40))
    start(camera, known=known)
    first = clock.monotonic()
    start(ScriptedCamera(clock, [H264], h264(gop=40)), known=known)
    assert first > 40 / FPS  # it has waited for a second keyframe
    assert clock.monotonic() - first < 0.2


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (lambda: h264("high"), "its profile is High"),
        (lambda: h264(gop=75), "keyframes are more than 2 s apart"),
        (lambda: h264()[1:9], "no keyframe came within 2 s"),
    ],
)
def test_h264_that_does_not_pass_gives_way_to_the_next_best(clock, caplog, pictures, words):
    camera = ScriptedCamera(clock, [YUYV, MJPG, H264], pictures())
    known: ObstacleCache = {}
    with caplog.at_level(logging.INFO):
        flow = start(camera, known=known)
    assert isinstance(flow.pipeline, Transcoder)
    assert camera.started == [H264, YUYV]
    assert camera.stops == 1
    assert words in caplog.text
    assert clock.monotonic() < 6
    again = ScriptedCamera(clock, [MJPG, H264], pictures())
    start(again, known=known)
    assert again.started == [MJPG]


def test_a_camera_with_nothing_but_such_h264_has_it_decoded_and_encoded_anew(clock):
    pictures = h264("high", count=12)
    camera = ScriptedCamera(clock, [H264], pictures)
    flow = start(camera)
    assert isinstance(flow.pipeline, Transcoder)
    units = [
        unit
        for number, data in enumerate(pictures)
        for unit in flow.pipeline.units(CapturedFrame(data, number / FPS, number))
    ]
    assert len(units) == 12
    assert len(decoded(units)) == 12


def test_keyframes_far_apart_do_not_matter_where_one_can_be_asked_for(clock):
    camera = ScriptedCamera(clock, [H264], h264(gop=75), force=FORCE, bitrate=BITRATE, profile=PROFILE)
    flow = start(camera)
    assert isinstance(flow.pipeline, Passthrough)
    assert flow.traits.can_force_keyframe
    assert flow.traits.can_set_bitrate
    assert camera.values == {BITRATE: 500_000, PROFILE: 1}


def test_a_picture_that_the_camera_cannot_turn_is_turned_here(clock):
    turned = CaptureConfig(ORDER.requested, 500_000, 2.0, frozenset({"hflip", "vflip"}))
    able = ScriptedCamera(clock, [YUYV, H264], h264(), hflip=HFLIP, vflip=VFLIP)
    assert isinstance(start(able, turned).pipeline, Passthrough)
    assert able.values == {HFLIP: 1, VFLIP: 1}
    unable = ScriptedCamera(clock, [YUYV, H264], h264())
    flow = start(unable, turned)
    assert isinstance(flow.pipeline, Transcoder)
    upright = start(ScriptedCamera(clock, [YUYV])).pipeline
    shot = next(shots("YUYV", 1))
    (straight,), (upside_down,) = (decoded(way.units(shot)) for way in (upright, flow.pipeline))
    assert difference(straight, upside_down) > 10
    straight.time_base = Fraction(1, FPS)
    assert difference(Scaler(*SIZE, "hflip", "vflip").fit(straight), upside_down) < 4


def test_a_camera_that_gives_nothing_of_use_is_refused_with_words(clock):
    with pytest.raises(SourceError, match=r"none of its formats is supported \(BA81, Y16\)") as caught:
        start(ScriptedCamera(clock, [Mode("BA81", 640, 480, 30), Mode("Y16", 640, 480, 30)]))
    assert caught.value.reason == "no-camera"

    class Stubborn(ScriptedCamera):
        def start(self, mode: Mode) -> Mode:
            return Mode("BA81", mode.width, mode.height, mode.fps)

    with pytest.raises(SourceError, match="BA81"):
        start(Stubborn(clock, [YUYV]))


@pytest.mark.parametrize(
    ("mode", "wanted", "size", "fps"),
    [
        (Mode("MJPG", 1920, 1080, 30), RequestedMode(1280, 720, 30), (1280, 720), 30),
        (Mode("YUYV", 640, 480, 30), RequestedMode(1280, 720, 30), (640, 480), 30),
        (Mode("MJPG", 1280, 720, 60), RequestedMode(1280, 720, 30), (1280, 720), 30),
        (Mode("MJPG", 1280, 720, 30), RequestedMode(1280, 720, 25), (1280, 720), 30),
        (Mode("MJPG", 1600, 1200, 15), RequestedMode(1280, 720, 30), (960, 720), 15),
    ],
)
def test_what_is_sent_is_made_to_fit_but_never_larger_or_faster_than_the_camera(clock, mode, wanted, size, fps):
    traits = start(ScriptedCamera(clock, [mode]), CaptureConfig(wanted, 500_000, 2.0)).traits
    assert (traits.width, traits.height, traits.fps) == (*size, fps)
