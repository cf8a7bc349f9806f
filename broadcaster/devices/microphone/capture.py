"""arecord on one capture device: its channels, its samples, and why it ended."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from broadcaster.devices.microphone.arecord import explain_failure, parse_channels, query_command, record_command
from broadcaster.devices.microphone.cards import PcmDevice, find_capture_devices, find_holder
from broadcaster.devices.microphone.child import ChildProcess
from broadcaster.devices.opus import SAMPLE_BYTES
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import OpusFrame
from broadcaster.ports import Clock

STALL_LIMIT = 2.0
"""Seconds without a sample after which the device counts as stalled."""
_POLL_INTERVAL = 0.2
"""Seconds between two checks whether the thread is closed."""


class AlsaCapture:
    """Runs arecord in a source's thread; its child processes end when the thread is closed."""

    def __init__(self, thread: SourceThread[OpusFrame], clock: Clock, device: PcmDevice) -> None:
        self._thread = thread
        self._clock = clock
        self._device = device

    def query_channels(self) -> int:
        """Return the number of channels to record, 1 or 2. Raises `SourceError` if the device cannot be opened."""
        child = self._start(query_command(self._device.unconverted))
        with child:
            for _ in self._output(child):
                pass
        channels = parse_channels(child.error_output)
        if channels is None:
            self._raise_failure(child)
        return channels or 1

    def record(self, channels: int) -> Generator[bytes]:
        """Yield samples as they arrive, until the thread is closed. Raises `SourceError` if they end before."""
        size = channels * SAMPLE_BYTES
        rest = b""
        child = self._start(record_command(self._device.pcm, channels))
        with child:
            for output in self._output(child):
                data = rest + output
                end = len(data) - len(data) % size
                rest = data[end:]
                if end:
                    yield data[:end]
        self._raise_failure(child)

    def _start(self, command: Sequence[str]) -> ChildProcess:
        try:
            return ChildProcess(command)
        except FileNotFoundError:
            raise failure("arecord is not installed: sudo apt install alsa-utils") from None
        except OSError as error:
            raise failure(f"arecord does not start: {error.strerror}") from error

    def _output(self, child: ChildProcess) -> Iterator[bytes]:
        last_output = self._clock.monotonic()
        while self._thread.pause(0):
            output = child.read(_POLL_INTERVAL)
            if output == b"":
                return
            now = self._clock.monotonic()
            if output:
                last_output = now
                yield output
            elif now - last_output >= STALL_LIMIT:
                raise failure(f"microphone {self._device.display_name} has delivered no sample for {STALL_LIMIT:g} s")

    def _raise_failure(self, child: ChildProcess) -> None:
        """Raise why arecord has ended, unless the thread is closed."""
        if self._thread.pause(0):
            holder = find_holder(self._device.capture)
            raise failure(explain_failure(child.error_output, self._device, find_capture_devices(), holder))


def failure(detail: str) -> SourceError:
    """Return an error of the microphone; viewers are told only that the audio is lost, so the reason is unspecific."""
    return SourceError(StreamReason.INTERNAL, detail)
