"""Fakes of all devices, shipped for tests, demonstrations and bug reports. They keep the rules of the real ones."""

from broadcaster.devices.fakes.camera import FakeCamera, FakeMicrophone
from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.devices.fakes.panel import FakePanel

__all__ = ["FakeCamera", "FakeClock", "FakeMicrophone", "FakePanel"]
