"""Helpers for tests of CSI cameras: boards, cameras on a simulated Pi, and expected errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from broadcaster.devices.board import Board
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.picamera.source import CsiCamera
from broadcaster.errors import SourceError
from broadcaster.settings import VideoSettings
from tests.edges.devices_rig import Sink
from tests.rigs.picamera2 import SimulatedPi

ZERO_2_W = Board("Raspberry Pi Zero 2 W Rev 1.0", 437_904 << 10, "/dev/video11", True)
PI_4 = Board("Raspberry Pi 4 Model B Rev 1.4", 4 << 30, "/dev/video11", True)
PI_5 = Board("Raspberry Pi 5 Model B Rev 1.0", 8 << 30, "", True)
SMALL = {"width": 320, "height": 180, "bitrate": 510_000}


def simulated_pi(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedPi]:
    """Run this process on a simulated board while the generator is suspended."""
    simulated = SimulatedPi()
    simulated.install(monkeypatch)
    yield simulated
    simulated.reset()


def new_camera(board: Board = PI_5, **settings: object) -> CsiCamera:
    return CsiCamera(SystemClock(), VideoSettings(**(SMALL | settings)), board)


@contextlib.asynccontextmanager
async def failing(camera: CsiCamera) -> AsyncIterator[SourceError]:
    """Open a camera and yield the expected error; close the camera at the end, as the stream does."""
    with pytest.raises(SourceError) as caught:
        await camera.open(Sink())
    error = SourceError(caught.value.reason, caught.value.detail)
    del caught  # its traceback holds references to the devices
    yield error
    await camera.close()


async def until(condition, limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)
