"""The check of the camera, on boards with and without a hardware encoder.

It opens the real picamera2 on top of a simulated libcamera.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys

import pytest

from broadcaster.devices import choose
from broadcaster.devices.board import read_board
from broadcaster.doctor.account import Account
from broadcaster.doctor.checks import camera
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.holders import Holders
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import Level
from broadcaster.doctor.unit import ServiceUnit
from broadcaster.settings import AudioSettings, Settings, VideoSettings
from tests.rigs import boards
from tests.rigs.picamera2 import SimulatedPi


@pytest.fixture
def rig(monkeypatch):
    created = SimulatedPi()
    created.install(monkeypatch)
    monkeypatch.setattr(camera, "MEASUREMENT", 0.3)
    monkeypatch.setattr(camera, "SHORT_MEASUREMENT", 0.3)
    monkeypatch.setattr(camera, "run_coroutine", asyncio.run)  # pytest requires that every event loop is closed
    yield created
    created.reset()


@pytest.fixture
def probe(rig, monkeypatch, tmp_path):
    def probe_camera(fake: boards.FakeBoard, source: str = "picamera2", **values: object):
        board = read_board(boards.build(tmp_path, fake))
        monkeypatch.setattr(choose, "read_board", lambda: board)
        video = VideoSettings(source=source, width=320, height=180, bitrate=510_000, **values)
        settings = Settings(video=video, audio=AudioSettings(source="none"))
        return camera.probe(
            CheckContext(
                machine=Machine(tmp_path),
                board=board,
                settings=settings,
                settings_file="",
                problems=(),
                account=Account("pi", "broadcaster"),
                service=ServiceUnit(),
                running=None,
                holders=Holders({}, {}),
                page_addresses=lambda web, port: [],
            )
        )

    return probe_camera


@pytest.mark.parametrize(
    ("fake", "encoder"),
    [
        (boards.ZERO_2_W, "hardware (/dev/video11): "),
        (boards.PI_5, "libx264 can encode "),
    ],
    ids=lambda value: getattr(value, "model", ""),
)
def test_camera_is_opened_and_encoder_measured(probe, fake, encoder):
    found, speed, small = probe(fake, source="auto")
    assert [result.what for result in (found, speed, small)] == ["camera", "encoder", "rendition"]
    assert small.found == "none: the video of 320x180 is too small for a second rendition of 320x180"
    assert found.level is not Level.BROKEN
    assert found.found.startswith("picamera2 (imx708), 320×180, first picture after ")
    assert "camera 0: imx708" in found.found
    assert speed.found.startswith(encoder)
    assert "the stream needs 30" in speed.found


@pytest.mark.parametrize(
    ("fake", "encoder"),
    [
        (boards.ZERO_2_W, "hardware (/dev/video11), not measured: there are no pictures to encode"),
        (boards.PI_5, "libx264 can encode "),
    ],
    ids=lambda value: getattr(value, "model", ""),
)
def test_missing_configured_camera_is_broken(probe, rig, fake, encoder):
    rig.system.sensors = []
    found, speed, small = probe(fake)
    assert small.found == "not checked: there are no pictures to encode"
    assert found.level is Level.BROKEN
    assert "check the ribbon cable" in found.found
    assert "rpicam-hello --list-cameras" in found.fix
    assert speed.found.startswith(encoder)


def test_missing_camera_of_a_pc_is_a_usb_camera(probe, rig):
    rig.system.sensors = []
    result = probe(boards.PC, "auto")[0]
    assert result.level is Level.WARNING
    assert "lsusb" in result.fix
    assert "rpicam-hello" not in result.fix


def test_second_rendition_of_a_hardware_encoder_is_tried(probe, rig):
    small = probe(boards.PI_4, second="160x90")[2]
    assert small.found.startswith("160×90")
    assert "libx264" not in small.found
    assert [("format", 160, 90) in context.log for context in rig.codec.contexts] == [False, True]
    assert rig.codec.closed


def test_load_of_both_software_encoders_is_measured(probe, rig):
    small = probe(boards.PI_5, second="160x90")[2]
    assert small.found.startswith("160×90")
    assert "libx264" in small.found or "too slow to encode both" in small.found  # on a loaded machine
    assert not rig.codec.opened


def test_second_encoder_that_does_not_start_is_a_warning(probe, rig, monkeypatch):
    open_device = rig.codec.open

    def open_second_with_fault(*arguments: object, **options: object):
        context = open_device(*arguments, **options)
        if rig.codec.opened == 2:
            context.errors["VIDIOC_STREAMON"] = OSError(12, "Cannot allocate memory")
        return context

    monkeypatch.setattr(rig.modules["picamera2.encoders.v4l2_encoder"], "open", open_second_with_fault)
    found, _, small = probe(boards.PI_4, second="160x90")
    assert found.level is not Level.BROKEN
    assert small.level is Level.WARNING
    assert "160×90: cannot start the second encoder" in small.found


def test_refused_second_rendition_is_fine_with_its_reason(probe):
    small = probe(boards.PI_4, second="off")[2]
    assert (small.level, small.found) == (Level.OK, "none: video.second is off")


@pytest.mark.parametrize("source", ["camera", "auto", "v4l2"])
def test_missing_usb_library_is_reported_instead_of_a_cable(source, probe, rig, monkeypatch):
    rig.system.sensors = []
    uninstall(monkeypatch, "linuxpy")
    result = probe(boards.PC, source)[0]
    assert result.level is not Level.OK
    assert "pip install 'pi-broadcaster[usb]'" in result.found
    assert "pipx install --force 'pi-broadcaster[usb]'" in result.fix
    assert "cable" not in result.fix


def test_missing_usb_library_on_a_pi_is_reported_together_with_the_cable(probe, rig, monkeypatch):
    rig.system.sensors = []
    uninstall(monkeypatch, "linuxpy")
    result = probe(boards.PI_4, "camera")[0]
    assert "pi-broadcaster[usb]" in result.fix
    assert "cable" in result.fix


def uninstall(monkeypatch, library):
    """Make imports of a library fail, as if it were not installed."""
    for name in [name for name in sys.modules if name.startswith((library, "broadcaster.devices.usb."))]:
        monkeypatch.delitem(sys.modules, name)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == library else find(name, *more))
    monkeypatch.setitem(sys.modules, library, None)
