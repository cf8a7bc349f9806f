"""The whole daemon with a CSI camera that is missing, stalls, recovers, or hangs."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from broadcaster.devices.picamera import source
from broadcaster.errors import DeviceHung
from broadcaster.stream import backoff, stall_watch
from tests.edges.app_rig import served
from tests.rigs.libcamera import Sensor
from tests.rigs.picamera2 import SimulatedPi


@pytest.fixture
def rig(monkeypatch):
    monkeypatch.setattr(backoff, "FIRST_DELAY", 0.1)
    monkeypatch.setattr(stall_watch, "STALL_LIMIT", 0.7)
    monkeypatch.setattr(source, "SILENCE_LIMIT", 0.5)
    pi = SimulatedPi()
    pi.install(monkeypatch)
    yield pi
    pi.reset()


async def test_missing_and_stalled_cameras_are_retried_until_they_work(rig, tmp_path, caplog):
    sensor, rig.system.sensors = Sensor(), []
    async with served(tmp_path, "picamera2") as daemon:
        await daemon.until("failed", "no-camera")
        rig.system.sensors = [sensor]
        status = await daemon.until("live")
        assert "picamera2 (imx708)" in json.dumps(status)
        sensor.is_silent = True
        await daemon.until("failed", "camera-stalled")
        sensor.is_silent = False
        await daemon.until("live")
        await daemon.stop()
        await daemon.until("offline")
        assert not sensor.is_open
        assert not rig.system.has_open_devices
    assert caplog.text.count("no CSI camera found") == 1
    assert caplog.text.count("loose ribbon cable") >= 1


async def test_auto_source_uses_the_csi_camera(rig, tmp_path):
    async with served(tmp_path, "auto") as daemon:
        await daemon.until("live")
        assert rig.sensor.is_open


async def test_camera_that_hangs_makes_the_daemon_exit(rig, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "CLOSE_LIMIT", 0.2)
    rig.sensor.close_gate = threading.Event()
    async with served(tmp_path, "picamera2") as daemon:
        await daemon.until("live")
        await daemon.stop()
        with pytest.raises(DeviceHung, match="only a new process"):
            await asyncio.wait_for(asyncio.shield(daemon.task), 20)
        rig.sensor.close_gate.set()


async def test_exception_in_a_picamera2_thread_makes_the_daemon_exit_and_is_logged(rig, tmp_path, monkeypatch, caplog):
    cameras = []

    def fail(camera, _: object) -> None:
        cameras.append(camera)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(source, "CLOSE_LIMIT", 0.2)
    async with served(tmp_path, "picamera2") as daemon:
        await daemon.until("live")
        monkeypatch.setattr(rig.picamera2.Picamera2, "process_requests", fail)
        with pytest.raises(DeviceHung):  # without that thread, picamera2 waits forever while stopping
            await asyncio.wait_for(asyncio.shield(daemon.task), 20)
    assert "OSError: [Errno 5] Input/output error" in caplog.text
    cameras[0].cancel_all_and_flush()  # ends the waiting thread of this test
