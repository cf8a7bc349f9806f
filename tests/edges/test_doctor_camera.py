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
    def probe_camera(fake: boards.FakeBoard, source: str = "picamera2"):
        board = read_board(boards.build(tmp_path, fake))
        monkeypatch.setattr(choose, "read_board", lambda: board)
        video = VideoSettings(source=source, width=320, height=180, bitrate=510_000)
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
    found, speed = probe(fake, source="auto")
    assert (found.what, speed.what) == ("camera", "encoder")
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
    found, speed = probe(fake)
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
