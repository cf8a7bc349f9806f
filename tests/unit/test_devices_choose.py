import logging
import subprocess
import sys
from dataclasses import replace

import pytest

from broadcaster.devices import choose
from broadcaster.devices.auto_camera import AutoCamera
from broadcaster.devices.board import Board
from broadcaster.devices.choose import make_sources
from broadcaster.devices.fakes import FakeClock
from broadcaster.devices.file.audio import FileAudio
from broadcaster.devices.file.video import FileVideo
from broadcaster.devices.microphone.source import Microphone
from broadcaster.devices.picamera.source import CsiCamera
from broadcaster.devices.testcard.beep import Beep
from broadcaster.devices.testcard.source import TestCard
from broadcaster.devices.usb.camera import Node
from broadcaster.devices.usb.find import DeviceScan
from broadcaster.devices.usb.source import UsbCamera
from broadcaster.errors import SourceError
from broadcaster.settings import AudioSettings, VideoSettings

NONE = type(None)
PI = Board("Raspberry Pi 4 Model B Rev 1.5", 4 << 30, "/dev/video11", True)
WEBCAM = Node("/dev/video0", "uvcvideo", "HD Pro Webcam C920", "usb-0000:01:00.0-1.2", 0x84200001)
SCAN = "broadcaster.devices.usb.find.scan_devices"
CSI_SEARCH = "broadcaster.devices.picamera.cameras.unavailable_reason"


@pytest.fixture(autouse=True)
def _no_cameras(monkeypatch):
    monkeypatch.setattr(SCAN, DeviceScan)
    monkeypatch.setattr(CSI_SEARCH, lambda device: "no CSI camera found")
    monkeypatch.setattr(choose, "read_board", lambda: PI)


def test_csi_cameras_are_not_mentioned_on_a_pc(monkeypatch, caplog):
    monkeypatch.setattr(choose, "read_board", lambda: replace(PI, model=""))
    make_sources(VideoSettings(source="auto"), AudioSettings(source="auto"), FakeClock())
    assert "no camera was found (no USB camera is plugged in" in caplog.text


@pytest.mark.parametrize(
    ("video", "audio", "sources"),
    [
        ("test", "test", (TestCard, Beep)),
        ("test", "auto", (TestCard, Beep)),
        ("test", "none", (TestCard, NONE)),
        ("test", "file", (TestCard, FileAudio)),
        ("file", "auto", (FileVideo, FileAudio)),
        ("file", "test", (FileVideo, Beep)),
        ("file", "none", (FileVideo, NONE)),
        ("file", "alsa", (FileVideo, Microphone)),
        ("v4l2", "none", (UsbCamera, NONE)),
        ("v4l2", "auto", (UsbCamera, Microphone)),
        ("picamera2", "auto", (CsiCamera, Microphone)),
        ("picamera2", "none", (CsiCamera, NONE)),
        ("auto", "auto", (TestCard, Beep)),
        ("camera", "auto", (AutoCamera, Microphone)),
    ],
)
def test_make_sources(video, audio, sources):
    both = make_sources(VideoSettings(source=video, file="a.mp4"), AudioSettings(source=audio), FakeClock())
    assert tuple(type(source) for source in both) == sources


def test_auto_logs_once_why_it_shows_the_test_picture(caplog):
    make_sources(VideoSettings(source="auto"), AudioSettings(source="auto"), FakeClock())
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "no CSI camera found; no USB camera is plugged in" in record.message


def test_auto_uses_a_connected_usb_camera(monkeypatch, caplog):
    monkeypatch.setattr(SCAN, lambda: DeviceScan((WEBCAM,)))
    video, _ = make_sources(VideoSettings(source="auto"), AudioSettings(source="none"), FakeClock())
    assert isinstance(video, UsbCamera)
    assert not caplog.records


def test_auto_shows_the_test_picture_if_the_named_camera_is_missing(monkeypatch, caplog):
    monkeypatch.setattr(SCAN, lambda: DeviceScan((WEBCAM,)))
    settings = VideoSettings(source="auto", device="Brio")
    video, _ = make_sources(settings, AudioSettings(source="none"), FakeClock())
    assert isinstance(video, TestCard)
    assert "'Brio' is not connected; available: /dev/video0 (HD Pro Webcam C920)" in caplog.text


def test_auto_prefers_a_csi_camera_to_a_usb_camera(monkeypatch, caplog):
    monkeypatch.setattr(SCAN, lambda: DeviceScan((WEBCAM,)))
    monkeypatch.setattr(CSI_SEARCH, lambda device: "" if device in ("", "imx708") else "no such CSI camera")
    for device, kind in (("", CsiCamera), ("imx708", CsiCamera), ("/dev/video0", UsbCamera)):
        settings = VideoSettings(source="auto", device=device)
        assert isinstance(make_sources(settings, AudioSettings(source="none"), FakeClock())[0], kind)
    assert not caplog.records


def test_a_named_source_is_not_replaced_without_a_camera(caplog):
    audio = AudioSettings(source="alsa")
    assert isinstance(make_sources(VideoSettings(source="picamera2"), audio, FakeClock())[0], CsiCamera)
    assert isinstance(make_sources(VideoSettings(source="v4l2"), audio, FakeClock())[0], UsbCamera)
    assert not caplog.records


WITHOUT_LINUXPY = """
import sys
sys.modules["linuxpy"] = None  # as if it were not installed
from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.errors import SourceError
from broadcaster.settings import AudioSettings, VideoSettings

for source in ("auto", "v4l2"):
    try:
        print(type(make_sources(VideoSettings(source=source), AudioSettings(), SystemClock())[0]).__name__)
    except SourceError as error:
        print(error.reason, error.detail)
"""


def test_without_linuxpy_only_usb_cameras_fail_and_the_error_says_what_to_install():
    process = subprocess.run([sys.executable, "-c", WITHOUT_LINUXPY], capture_output=True, text=True, timeout=60)
    remedy = "USB cameras need linuxpy, which is not installed here: pip install 'pi-broadcaster[usb]'"
    assert remedy in process.stderr, "why auto shows the test picture"
    first, second = process.stdout.splitlines()
    assert first == "TestCard"
    assert second.startswith(f"no-camera {remedy}")


def test_traits_before_opening_are_those_of_the_settings():
    video, _ = make_sources(VideoSettings(source="test", width=640, height=360), AudioSettings(), FakeClock())
    assert (video.traits.width, video.traits.height, video.traits.can_force_keyframe) == (640, 360, True)


@pytest.mark.parametrize(
    ("audio", "optional"),
    [
        (AudioSettings(), True),
        (AudioSettings(device="Device"), False),
        (AudioSettings(source="alsa"), False),
    ],
)
def test_only_a_microphone_that_is_not_named_is_optional(audio, optional, monkeypatch):
    options = []
    monkeypatch.setattr(
        "broadcaster.devices.choose.Microphone", lambda clock, settings, *, optional: options.append(optional)
    )
    make_sources(VideoSettings(source="v4l2"), audio, FakeClock())
    assert options == [optional]


async def test_source_camera_searches_at_each_open_and_never_shows_the_test_picture(monkeypatch):
    video, _ = make_sources(VideoSettings(source="camera"), AudioSettings(source="none"), FakeClock())
    with pytest.raises(SourceError, match="no CSI camera found; no USB camera is plugged in") as none:
        await video.open(None)
    assert none.value.reason == "no-camera"
    await video.close()
    opened = []

    async def fail_open(camera, sink, small):
        opened.append(type(camera))
        raise SourceError("camera-lost", "unplugged at once")

    monkeypatch.setattr(UsbCamera, "open", fail_open)
    monkeypatch.setattr(CsiCamera, "open", fail_open)
    monkeypatch.setattr(SCAN, lambda: DeviceScan((WEBCAM,)))
    with pytest.raises(SourceError, match="unplugged"):
        await video.open(None)
    assert video.traits.source == "v4l2"
    monkeypatch.setattr(CSI_SEARCH, lambda device: "")
    with pytest.raises(SourceError, match="unplugged"):
        await video.open(None)
    assert video.traits.source == "picamera2"
    assert opened == [UsbCamera, CsiCamera]
    await video.close()
