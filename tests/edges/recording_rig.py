"""Chunks of the fake camera and microphone, as a recorder hands them to the disk, and what is in the files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from broadcaster.devices.fakes import canned
from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.media.mp4_mend import closed_duration
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.outputs.recording.retention import Limits
from broadcaster.ports.recording import Chunk, Segment
from broadcaster.storage.recordings.disk import Disk, Job
from broadcaster.storage.recordings.folder import Folder
from tests.unit.recordings import tracks

SECONDS = 2
NOON = 1_772_366_400.0
"""2026-03-01, 12:00 UTC."""


def chunks(start: float, count: int, *, audio: bool = True) -> Iterator[Chunk]:
    """Yield chunks of two seconds, from this capture time on."""
    for number in range(count):
        begin = start + number * SECONDS
        pictures = [
            AccessUnit(canned.pictures()[index % 30], begin + index / 30, index % 30 == 0) for index in range(60)
        ]
        frames = [OpusFrame(canned.audio_frames()[index % 50], begin + index / 50) for index in range(100)]
        yield Chunk(tuple(pictures), tuple(frames) if audio else (), begin + SECONDS, tracks(False), number == 0)


def segment(started: float, *, kept: bool = False) -> Segment:
    return Segment(started, replace(tracks(False), audio=True), kept)


@dataclass
class Files:
    """A folder of recordings."""

    path: Path

    def names(self) -> list[str]:
        return sorted(file.name for file in self.path.glob("*.mp4"))

    def durations(self) -> list[float]:
        """Return the durations of all files; each must have been ended."""
        return [self.duration(name) for name in self.names()]

    def duration(self, name: str) -> float:
        descriptor = os.open(self.path / name, os.O_RDONLY)
        try:
            return closed_duration(partial(os.pread, descriptor))
        finally:
            os.close(descriptor)


class DiskRig:
    """The disk's side of the recorder, without its thread; time is under the test's control."""

    def __init__(self, path: Path, *, synchronized: bool = True, **limits: float) -> None:
        self.clock = FakeClock(unix=NOON)
        self.synchronized = synchronized
        self.files = Files(path)
        self.limits = Limits(**limits)  # type: ignore[arg-type]
        self.disk = self.make()

    def make(self) -> Disk:
        return Disk(Folder(self.files.path), self.limits, self.clock, lambda: self.synchronized)

    def restart(self) -> None:
        """Begin as the next daemon does, after `disk.close`."""
        self.disk = self.make()
        self.disk.open()

    def after_crash(self, path: Path) -> DiskRig:
        """Return the next daemon, with a copy of the folder as it is now."""
        shutil.copytree(self.files.path, path)
        rig = DiskRig(path, synchronized=self.synchronized)
        rig.clock.advance(self.clock.monotonic())
        rig.disk.open()
        return rig

    def begin(self, *, kept: bool = False) -> Job:
        job = Job(segment(self.clock.monotonic(), kept=kept))
        self.disk.begin(job)
        return job

    def write(self, job: Job, count: int = 1) -> None:
        for chunk in chunks(self.clock.monotonic(), count):
            self.disk.write(job, chunk, flush=True)
            self.clock.advance(SECONDS)

    def record(self, count: int = 2, *, kept: bool = False) -> Job:
        """Record one file."""
        job = self.begin(kept=kept)
        self.write(job, count)
        self.disk.end(job)
        return job
