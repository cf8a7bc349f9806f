"""The doctor opens the camera that the daemon would, on a board with an encoder and one without.

It is the real picamera2 over a libcamera of memory.
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
from broadcaster.doctor.unit import Service
from broadcaster.settings import AudioSettings, Settings, VideoSettings
from tests.rigs import boards
from tests.rigs.picamera2 import Rig


@pytest.fixture
def rig(monkeypatch):
    made = Rig()
    made.install(monkeypatch)
    monkeypatch.setattr(camera, "TRIAL", 0.3)
    monkeypatch.setattr(camera, "GLANCE", 0.3)
    monkeypatch.setattr(camera, "complete", asyncio.run)  # pytest wants every loop closed
    yield made
    made.forget()


@pytest.fixture
def probe(rig, monkeypatch, tmp_path):
    def look_at(machine: boards.Machine, source: str = "picamera2"):
        board = read_board(boards.build(tmp_path, machine))
        monkeypatch.setattr(choose, "read_board", lambda: board)
        video = VideoSettings(source=source, width=320, height=180, bitrate=510_000)
        settings = Settings(video=video, audio=AudioSettings(source="none"))
        me, nobody = Account("pi", "broadcaster"), Holders({}, {})
        return camera.probe(
            CheckContext(
                machine=Machine(tmp_path),
                board=board,
                settings=settings,
                settings_file="",
                problems=(),
                account=me,
                service=Service(),
                running=None,
                holders=nobody,
                page_addresses=lambda web, port: [],
            )
        )

    return look_at


@pytest.mark.parametrize(
    ("machine", "encoder"),
    [
        (boards.ZERO_2_W, "hardware (/dev/video11): "),
        (boards.PI_5, "libx264 manages "),
    ],
    ids=lambda value: getattr(value, "model", ""),
)
def test_the_camera_of_a_board_is_opened_and_its_encoder_tried(probe, machine, encoder):
    found, speed = probe(machine, source="auto")
    assert (found.what, speed.what) == ("camera", "encoder")
    assert found.level is not Level.BROKEN
    assert found.found.startswith("picamera2 (imx708), 320×180, first picture after ")
    assert "camera 0: imx708" in found.found
    assert speed.found.startswith(encoder)
    assert "30 are wanted" in speed.found


@pytest.mark.parametrize(
    ("machine", "encoder"),
    [
        (boards.ZERO_2_W, "hardware (/dev/video11), not tried: there are no pictures to encode"),
        (boards.PI_5, "libx264 manages "),
    ],
    ids=lambda value: getattr(value, "model", ""),
)
def test_a_camera_that_is_not_there_is_broken_where_it_is_named(probe, rig, machine, encoder):
    rig.system.sensors = []
    found, speed = probe(machine)
    assert found.level is Level.BROKEN
    assert "check the ribbon cable" in found.found
    assert "rpicam-hello --list-cameras" in found.fix
    assert speed.found.startswith(encoder)


@pytest.mark.parametrize("source", ["camera", "auto", "v4l2"])
def test_a_bare_wheel_is_told_which_library_it_lacks_and_not_to_seat_a_cable(source, probe, rig, monkeypatch):
    rig.system.sensors = []
    without(monkeypatch, "linuxpy")
    line = probe(boards.PC, source)[0]
    assert line.level is not Level.OK
    assert "pip install 'pi-broadcaster[usb]'" in line.found
    assert "pipx install --force 'pi-broadcaster[usb]'" in line.fix
    assert "cable" not in line.fix


def test_on_a_pi_without_that_library_its_own_camera_s_cable_may_still_be_it(probe, rig, monkeypatch):
    rig.system.sensors = []
    without(monkeypatch, "linuxpy")
    line = probe(boards.PI_4, "camera")[0]
    assert "pi-broadcaster[usb]" in line.fix
    assert "cable" in line.fix


def without(monkeypatch, library):
    """As if that library were not installed."""
    for name in [name for name in sys.modules if name.startswith((library, "broadcaster.devices.usb."))]:
        monkeypatch.delitem(sys.modules, name)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == library else find(name, *more))
    monkeypatch.setitem(sys.modules, library, None)
