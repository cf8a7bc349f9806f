"""A recorder in a process of its own, which can be stopped and killed: `python -m … FOLDER STATUS SEGMENT`.

It records the fake camera and microphone in real time. STATUS is a file of 8 bytes: the number of pictures so far.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.fakes.camera import FakeCamera, FakeMicrophone
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit, OpusFrame, StreamState
from broadcaster.outputs.recording.recorder import Recorder
from broadcaster.settings import RecordSettings
from broadcaster.storage.recordings.store import open_store
from broadcaster.stream.hub import Hub
from tests.edges.recorder_rig import Stream
from tests.rigs.daemon import ROOT


class RecorderProcess:
    """The process; `pictures` is how many have been published."""

    def __init__(self, folder: Path, status: Path, segment: float = 10.0) -> None:
        status.write_bytes(bytes(8))
        self._status = status
        command = [sys.executable, "-m", "tests.rigs.recorder_process", str(folder), str(status), str(segment)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    @property
    def pictures(self) -> int:
        return int(struct.unpack("<Q", self._status.read_bytes())[0])

    def has_open_files(self, device: int) -> bool:
        """Return whether a file or folder on this device (`st_dev`) is open."""
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                if link.stat().st_dev == device:
                    return True
            except FileNotFoundError:
                continue
            except OSError:
                return True
        return False

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> str:
        """End the process, and return its log."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        return self.process.communicate(timeout=30)[1]

    def kill(self) -> None:
        """Kill the process if it is still running."""
        if self.process.returncode is None:
            self.end(signal.SIGKILL)


class _Sink:
    def __init__(self, hub: Hub, status: Path) -> None:
        self._hub = hub
        self._count = 0
        with status.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    def picture(self, unit: AccessUnit) -> None:
        self._count += 1
        self._shared[:] = struct.pack("<Q", self._count)
        self._hub.publish_video(unit)

    def frame(self, frame: OpusFrame) -> None:
        self._hub.publish_audio(frame)

    def failed(self, error: SourceError) -> None:
        raise AssertionError(error)


async def _record(folder: str, status: str, segment: str) -> None:
    clock, stream, stopping = SystemClock(), Stream(), asyncio.Event()
    hub = Hub(clock)
    settings = RecordSettings(mode="live", folder=folder, segment=float(segment), keep_free=0, clip=0.0)
    recorder = Recorder(hub, stream, open_store(settings, Path(folder), clock), clock, settings)  # type: ignore[arg-type]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    stream.status = replace(stream.status, state=StreamState.LIVE)
    await recorder.start()
    camera, microphone, sink = (
        FakeCamera(clock, real_time=True),
        FakeMicrophone(clock, real_time=True),
        _Sink(hub, Path(status)),
    )
    hub.attach(camera)
    await camera.open(sink)
    await microphone.open(sink)
    await stopping.wait()
    await camera.close()
    await microphone.close()
    await recorder.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(_record(*sys.argv[1:]))
