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
PLUGGED_IN = "broadcaster.devices.usb.find.scan_devices"
CSI = "broadcaster.devices.picamera.cameras.unavailable_reason"


@pytest.fixture(autouse=True)
def _nothing_plugged_in(monkeypatch):
    monkeypatch.setattr(PLUGGED_IN, DeviceScan)
    monkeypatch.setattr(CSI, lambda device: "no CSI camera found")
    monkeypatch.setattr(choose, "read_board", lambda: PI)


def test_on_a_pc_nobody_is_told_of_cameras_that_only_a_pi_has(monkeypatch, caplog):
    monkeypatch.setattr(choose, "read_board", lambda: replace(PI, model=""))
    make_sources(VideoSettings(source="auto"), AudioSettings(source="auto"), FakeClock())
    assert "no camera is available (no USB camera is plugged in" in caplog.text


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
def test_words_become_sources(video, audio, sources):
    made = make_sources(VideoSettings(source=video, file="a.mp4"), AudioSettings(source=audio), FakeClock())
    assert tuple(type(source) for source in made) == sources


def test_auto_says_once_why_it_shows_the_test_picture(caplog):
    make_sources(VideoSettings(source="auto"), AudioSettings(source="auto"), FakeClock())
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "no CSI camera found; no USB camera is plugged in" in record.message


def test_auto_takes_the_usb_camera_that_is_there(monkeypatch, caplog):
    monkeypatch.setattr(PLUGGED_IN, lambda: DeviceScan((WEBCAM,)))
    made, _ = make_sources(VideoSettings(source="auto"), AudioSettings(source="none"), FakeClock())
    assert isinstance(made, UsbCamera)
    assert not caplog.records


def test_auto_shows_the_test_picture_when_the_named_camera_is_not_there(monkeypatch, caplog):
    monkeypatch.setattr(PLUGGED_IN, lambda: DeviceScan((WEBCAM,)))
    settings = VideoSettings(source="auto", device="Brio")
    made, _ = make_sources(settings, AudioSettings(source="none"), FakeClock())
    assert isinstance(made, TestCard)
    assert "'Brio' is not connected; available: /dev/video0 (HD Pro Webcam C920)" in caplog.text


def test_auto_takes_a_csi_camera_before_a_usb_camera(monkeypatch, caplog):
    monkeypatch.setattr(PLUGGED_IN, lambda: DeviceScan((WEBCAM,)))
    monkeypatch.setattr(CSI, lambda device: "" if device in ("", "imx708") else "no such CSI camera")
    for device, kind in (("", CsiCamera), ("imx708", CsiCamera), ("/dev/video0", UsbCamera)):
        settings = VideoSettings(source="auto", device=device)
        assert isinstance(make_sources(settings, AudioSettings(source="none"), FakeClock())[0], kind)
    assert not caplog.records


def test_a_named_source_is_never_replaced_though_there_is_no_camera(caplog):
    sound = AudioSettings(source="alsa")
    assert isinstance(make_sources(VideoSettings(source="picamera2"), sound, FakeClock())[0], CsiCamera)
    assert isinstance(make_sources(VideoSettings(source="v4l2"), sound, FakeClock())[0], UsbCamera)
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


def test_without_the_library_of_usb_cameras_all_else_works_and_it_says_what_to_install():
    ended = subprocess.run([sys.executable, "-c", WITHOUT_LINUXPY], capture_output=True, text=True, timeout=60)
    remedy = "USB cameras need linuxpy, which is not installed here: pip install 'pi-broadcaster[usb]'"
    assert remedy in ended.stderr, "why auto shows the test picture"
    first, second = ended.stdout.splitlines()
    assert first == "TestCard"
    assert second.startswith(f"no-camera {remedy}")


def test_the_traits_before_opening_are_those_of_the_settings():
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
def test_only_a_microphone_that_nobody_asked_for_may_be_missing(audio, optional, monkeypatch):
    made = []
    monkeypatch.setattr(
        "broadcaster.devices.choose.Microphone", lambda clock, settings, *, optional: made.append(optional)
    )
    make_sources(VideoSettings(source="v4l2"), audio, FakeClock())
    assert made == [optional]


async def test_camera_means_whatever_there_is_at_each_opening_and_never_the_test_picture(monkeypatch):
    made, _ = make_sources(VideoSettings(source="camera"), AudioSettings(source="none"), FakeClock())
    with pytest.raises(SourceError, match="no CSI camera found; no USB camera is plugged in") as none:
        await made.open(None)
    assert none.value.reason == "no-camera"
    await made.close()
    opened = []

    async def opening(camera, sink):
        opened.append(type(camera))
        raise SourceError("camera-lost", "unplugged at once")

    monkeypatch.setattr(UsbCamera, "open", opening)
    monkeypatch.setattr(CsiCamera, "open", opening)
    monkeypatch.setattr(PLUGGED_IN, lambda: DeviceScan((WEBCAM,)))
    with pytest.raises(SourceError, match="unplugged"):
        await made.open(None)
    assert made.traits.source == "v4l2"
    monkeypatch.setattr(CSI, lambda device: "")
    with pytest.raises(SourceError, match="unplugged"):
        await made.open(None)
    assert made.traits.source == "picamera2"
    assert opened == [UsbCamera, CsiCamera]
    await made.close()
