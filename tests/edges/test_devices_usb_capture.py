"""Start of capture sessions with scripted cameras that deliver real H.264 and real pictures."""

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
from tests.edges.test_devices_usb_pipelines import PC, SIZE, captured_frames, difference, encoded_h264, without_sets

FPS = 25
NODE = Node("/dev/video0", "uvcvideo", "HD Pro Webcam C920", "usb-1", 0x04200001)
CONFIG = CaptureConfig(RequestedMode(*SIZE, FPS), bitrate=500_000, keyframe_interval=2.0)
H264, MJPG, YUYV = (Mode(name, *SIZE, FPS) for name in ("H264", "MJPG", "YUYV"))
HFLIP, VFLIP, FORCE, BITRATE, PROFILE = 0x00980914, 0x00980915, 0x009909E5, 0x009909CF, 0x00990A6B


class ScriptedCamera:
    """A `Camera` without a device; `h264` are its encoder's access units, each 1 / FPS seconds after the previous."""

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

    def modes(self, requested: RequestedMode) -> list[Mode]:
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


def start(
    camera: ScriptedCamera, config: CaptureConfig = CONFIG, obstacles: ObstacleCache | None = None, board: Board = PC
):
    return start_capture(camera, config, board, {} if obstacles is None else obstacles)


def test_h264_that_browsers_accept_passes_through_from_its_keyframe(clock, caplog):
    camera = ScriptedCamera(clock, [YUYV, MJPG, H264], h264(edit=without_sets))
    obstacles: ObstacleCache = {}
    with caplog.at_level(logging.INFO):
        session = start(camera, obstacles=obstacles)
    assert isinstance(session.pipeline, Passthrough)
    assert camera.started == [H264]
    assert (session.traits.encoder, session.traits.can_force_keyframe) == ("none (H.264 passes through)", False)
    units = session.pipeline.units(session.first_frame)
    for _ in range(5):
        units += session.pipeline.units(camera.read(clock.monotonic()))
    assert units[0].keyframe
    assert len(decoded(units)) == 6
    assert list(obstacles.values()) == [None]
    assert caplog.messages == [
        "HD Pro Webcam C920 (/dev/video0): H264 320x180 at 25 fps passes through without encoding (as requested)"
    ]


def test_the_h264_of_a_camera_is_checked_only_once(clock):
    obstacles: ObstacleCache = {}
    camera = ScriptedCamera(clock, [H264], h264(gop=40))
    start(camera, obstacles=obstacles)
    first = clock.monotonic()
    start(ScriptedCamera(clock, [H264], h264(gop=40)), obstacles=obstacles)
    assert first > 40 / FPS  # including the wait for a second keyframe
    assert clock.monotonic() - first < 0.2


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (lambda: h264("high"), "its profile is High"),
        (lambda: h264(gop=75), "keyframes are more than 2 s apart"),
        (lambda: h264()[1:9], "no keyframe came within 2 s"),
    ],
)
def test_h264_that_cannot_pass_through_is_replaced_by_the_next_best_mode(clock, caplog, units, text):
    camera = ScriptedCamera(clock, [YUYV, MJPG, H264], units())
    obstacles: ObstacleCache = {}
    with caplog.at_level(logging.INFO):
        session = start(camera, obstacles=obstacles)
    assert isinstance(session.pipeline, Transcoder)
    assert camera.started == [H264, YUYV]
    assert camera.stops == 1
    assert text in caplog.text
    assert clock.monotonic() < 6
    again = ScriptedCamera(clock, [MJPG, H264], units())
    start(again, obstacles=obstacles)
    assert again.started == [MJPG]


def test_h264_that_cannot_pass_through_is_transcoded_if_there_is_nothing_else(clock):
    camera_units = h264("high", count=12)
    camera = ScriptedCamera(clock, [H264], camera_units)
    session = start(camera)
    assert isinstance(session.pipeline, Transcoder)
    units = [
        unit
        for number, data in enumerate(camera_units)
        for unit in session.pipeline.units(CapturedFrame(data, number / FPS, number))
    ]
    assert len(units) == 12
    assert len(decoded(units)) == 12


def test_a_long_keyframe_interval_is_accepted_if_keyframes_can_be_requested(clock):
    camera = ScriptedCamera(clock, [H264], h264(gop=75), force=FORCE, bitrate=BITRATE, profile=PROFILE)
    session = start(camera)
    assert isinstance(session.pipeline, Passthrough)
    assert session.traits.can_force_keyframe
    assert session.traits.can_set_bitrate
    assert camera.values == {BITRATE: 500_000, PROFILE: 1}


def test_pictures_are_flipped_in_software_if_the_camera_cannot_flip_them(clock):
    flipped = CaptureConfig(CONFIG.requested, 500_000, 2.0, frozenset({"hflip", "vflip"}))
    able = ScriptedCamera(clock, [YUYV, H264], h264(), hflip=HFLIP, vflip=VFLIP)
    assert isinstance(start(able, flipped).pipeline, Passthrough)
    assert able.values == {HFLIP: 1, VFLIP: 1}
    unable = ScriptedCamera(clock, [YUYV, H264], h264())
    session = start(unable, flipped)
    assert isinstance(session.pipeline, Transcoder)
    upright = start(ScriptedCamera(clock, [YUYV])).pipeline
    frame = next(captured_frames("YUYV", 1))
    (straight,), (upside_down,) = (decoded(pipeline.units(frame)) for pipeline in (upright, session.pipeline))
    assert difference(straight, upside_down) > 10
    straight.time_base = Fraction(1, FPS)
    assert difference(Scaler(*SIZE, "hflip", "vflip").fit(straight), upside_down) < 4


def test_a_camera_without_supported_formats_is_rejected(clock):
    with pytest.raises(SourceError, match=r"none of its formats is supported \(BA81, Y16\)") as caught:
        start(ScriptedCamera(clock, [Mode("BA81", 640, 480, 30), Mode("Y16", 640, 480, 30)]))
    assert caught.value.reason == "no-camera"

    class OtherFormat(ScriptedCamera):
        def start(self, mode: Mode) -> Mode:
            return Mode("BA81", mode.width, mode.height, mode.fps)

    with pytest.raises(SourceError, match="BA81"):
        start(OtherFormat(clock, [YUYV]))


@pytest.mark.parametrize(
    ("mode", "requested", "size", "fps"),
    [
        (Mode("MJPG", 1920, 1080, 30), RequestedMode(1280, 720, 30), (1280, 720), 30),
        (Mode("YUYV", 640, 480, 30), RequestedMode(1280, 720, 30), (640, 480), 30),
        (Mode("MJPG", 1280, 720, 60), RequestedMode(1280, 720, 30), (1280, 720), 30),
        (Mode("MJPG", 1280, 720, 30), RequestedMode(1280, 720, 25), (1280, 720), 30),
        (Mode("MJPG", 1600, 1200, 15), RequestedMode(1280, 720, 30), (960, 720), 15),
    ],
)
def test_pictures_are_scaled_and_decimated_to_the_request_but_never_enlarged(clock, mode, requested, size, fps):
    traits = start(ScriptedCamera(clock, [mode]), CaptureConfig(requested, 500_000, 2.0)).traits
    assert (traits.width, traits.height, traits.fps) == (*size, fps)
