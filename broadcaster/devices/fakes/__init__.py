"""Fakes of every device, shipped: tests, demonstrations and bug reports run on them. They keep the real rules."""

from broadcaster.devices.fakes.camera import FakeCamera, FakeMicrophone
from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.devices.fakes.panel import FakePanel

__all__ = ["FakeCamera", "FakeClock", "FakeMicrophone", "FakePanel"]
