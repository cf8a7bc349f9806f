"""A microphone, out of a can."""

from __future__ import annotations

from broadcaster.devices.fakes import canned
from broadcaster.devices.fakes.device import FakeDevice, garbage_bytes
from broadcaster.devices.opus import FRAME
from broadcaster.errors import SourceAbsent, StreamReason
from broadcaster.model.access_units import OpusFrame
from broadcaster.ports import AudioSink, Clock


class FakeMicrophone(FakeDevice[AudioSink]):
    """`ports.AudioSource` that repeats one second of a real tone in Opus, a frame of 20 ms at each step.

    Faults on request: `fail_open`, `be_absent`, `stall`, `vanish`, `shift_time`, `garble`.
    """

    name = "fake"

    def __init__(self, clock: Clock, *, real_time: bool = False) -> None:
        super().__init__(clock, FRAME, real_time=real_time, lost=StreamReason.INTERNAL)
        self._frames = canned.sounds()
        self._index = 0

    def be_absent(self, times: int = 1) -> None:
        """Let the next `times` calls of `open` raise `SourceAbsent`: there is none, and none is needed."""
        self._open_errors += [SourceAbsent(self._lost, "scripted: no microphone") for _ in range(times)]

    def _begin(self) -> None:
        self._index = 0

    def _deliver(self, sink: AudioSink, captured: float, *, garbage: bool) -> None:
        sink.frame(OpusFrame(garbage_bytes() if garbage else self._frames[self._index], captured))
        self._index = (self._index + 1) % len(self._frames)
