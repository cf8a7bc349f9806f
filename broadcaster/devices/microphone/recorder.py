"""arecord on one capture device: what it is asked, what it gives, and why it ended."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from broadcaster.devices.microphone.arecord import asking, explain, offered_channels, recording
from broadcaster.devices.microphone.cards import Device, find_captures, find_holder
from broadcaster.devices.microphone.child import Child
from broadcaster.devices.opus import SAMPLE_BYTES
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import OpusFrame
from broadcaster.ports import Clock

STALL_LIMIT = 2.0
"""Seconds without a sample after which the device counts as stalled."""
_NOTICE = 0.2
"""Seconds in which the thread notices that it is to end."""


class Recorder:
    """Runs arecord for a source's thread; what it began has ended when the thread is told to end."""

    def __init__(self, thread: SourceThread[OpusFrame], clock: Clock, device: Device) -> None:
        self._thread = thread
        self._clock = clock
        self._device = device

    def channels(self) -> int:
        """What to record, as the hardware says it: 1 or 2. Raises `SourceError` where it cannot be opened."""
        child = self._start(asking(self._device.unconverted))
        with child:
            for _ in self._output(child):
                pass
        offered = offered_channels(child.complaints)
        if offered is None:
            self._raise_why(child)
        return offered or 1

    def samples(self, channels: int) -> Generator[bytes]:
        """Whole samples as they come, until the thread is to end. Raises `SourceError` when they end before."""
        size = channels * SAMPLE_BYTES
        rest = b""
        child = self._start(recording(self._device.pcm, channels))
        with child:
            for piece in self._output(child):
                piece = rest + piece
                end = len(piece) - len(piece) % size
                rest = piece[end:]
                if end:
                    yield piece[:end]
        self._raise_why(child)

    def _start(self, command: Sequence[str]) -> Child:
        try:
            return Child(command)
        except FileNotFoundError:
            raise failure("there is no arecord on this machine: sudo apt install alsa-utils") from None
        except OSError as error:
            raise failure(f"arecord does not start: {error.strerror}") from error

    def _output(self, child: Child) -> Iterator[bytes]:
        heard = self._clock.monotonic()
        while self._thread.pause(0):
            output = child.read(_NOTICE)
            if output == b"":
                return
            now = self._clock.monotonic()
            if output:
                heard = now
                yield output
            elif now - heard >= STALL_LIMIT:
                raise failure(f"microphone {self._device.for_people} has given no sample for {STALL_LIMIT:g} s")

    def _raise_why(self, child: Child) -> None:
        """arecord has ended: say why, unless it was to end."""
        if self._thread.pause(0):
            holder = find_holder(self._device.capture)
            raise failure(explain(child.complaints, self._device, find_captures(), holder))


def failure(detail: str) -> SourceError:
    """A microphone's error; the page has no reasons for sound, only that it is lost."""
    return SourceError(StreamReason.INTERNAL, detail)
