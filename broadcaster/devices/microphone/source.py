"""The microphone: `ports.AudioSource` of an ALSA capture device."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

from broadcaster.devices.microphone.capture import AlsaCapture, failure
from broadcaster.devices.microphone.cards import PcmDevice, choose_device, describe_devices, find_capture_devices
from broadcaster.devices.microphone.conditioner import SILENCE_LIMIT, Conditioner, SilenceDetector
from broadcaster.devices.microphone.sample_clock import SampleClock
from broadcaster.devices.opus import SAMPLE_BYTES, OpusEncoder
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceAbsent, StreamReason
from broadcaster.model.stream import OpusFrame
from broadcaster.ports import AudioSink, Clock
from broadcaster.settings import AudioSettings

log = logging.getLogger(__name__)


class Microphone:
    """`ports.AudioSource` by arecord: mono, or stereo if the device has two channels.

    With `optional`, a machine without any capture device is not a fault (`SourceAbsent`). Everything happens on one
    thread, which owns the child process all its life; so `open` returns at once, and the sink gets the errors of the
    device. A device that delivers nothing but zeros for long is treated as silent: nothing is delivered until it
    delivers audio again.
    """

    def __init__(self, clock: Clock, settings: AudioSettings, *, optional: bool = False) -> None:
        self._clock = clock
        self._device_setting = settings.device
        self._gain = settings.gain
        self._optional = optional
        self._name = "alsa"
        self._thread: SourceThread[OpusFrame] | None = None
        self._logged_silence = False

    @property
    def name(self) -> str:
        """The display name: "alsa", or the card's own name once it has been found."""
        return self._name

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`, which gets nearly all errors.

        Raises `SourceError` while the last recording has not ended, or each attempt would leave one more thread behind.
        """
        if self._thread and self._thread.is_running:
            raise failure(f"microphone {self._name} hangs: unplug it and plug it in again")
        self._thread = SourceThread("microphone", self._run, sink.frame, sink.failed)
        self._thread.start()

    async def close(self) -> None:
        """Stop delivering, and end arecord; idempotent."""
        if self._thread:
            await self._thread.close()
            self._thread = self._thread if self._thread.is_running else None

    def _run(self, thread: SourceThread[OpusFrame]) -> None:
        device = self._find_device()
        self._name = device.display_name
        capture = AlsaCapture(thread, self._clock, device)
        channels = capture.query_channels()
        encoder = OpusEncoder(channels)
        detector = SilenceDetector()
        has_audio = False
        with closing(capture.record(channels)) as samples:
            for pcm, captured in self._frames(samples, channels, device):
                had_audio, has_audio = has_audio, not detector.is_silent(pcm, captured)
                if has_audio is not had_audio:
                    self._log_change(device, channels, has_audio)
                if has_audio:
                    data, lead = encoder.encode(pcm)
                    thread.deliver(OpusFrame(data, captured + lead))

    def _find_device(self) -> PcmDevice:
        present = find_capture_devices()
        device = choose_device(self._device_setting, present)
        if device is not None:
            return device
        detail = describe_devices(present)
        raise SourceAbsent(StreamReason.INTERNAL, detail) if self._optional else failure(detail)

    def _frames(self, samples: Iterator[bytes], channels: int, device: PcmDevice) -> Iterator[tuple[bytes, float]]:
        """Yield 20 ms frames on the monotonic clock, and their capture times. Raises `SourceError`."""
        clock = SampleClock()
        conditioner = Conditioner(channels, self._gain)
        gaps = _GapLog(device)
        for pcm in samples:
            now = self._clock.monotonic()
            captured = clock.add(len(pcm) // (channels * SAMPLE_BYTES), now)
            if clock.too_fast:
                raise failure(f"microphone {device.display_name} delivers audio faster than real time")
            gaps.update(clock.missing, now)
            yield from conditioner.push(pcm, captured)

    def _log_change(self, device: PcmDevice, channels: int, has_audio: bool) -> None:
        """Log the start and the first silence; a microphone with a switch would fill the log."""
        if not has_audio:
            level = logging.DEBUG if self._logged_silence else logging.WARNING
            self._logged_silence = True
            text = "microphone %s: only zeros for %g s, so there is no audio; is it muted (alsamixer)?"
            log.log(level, text, device.display_name, SILENCE_LIMIT)
        else:
            level = logging.DEBUG if self._logged_silence else logging.INFO
            log.log(level, "microphone %s: recording, %s", device.display_name, "stereo" if channels == 2 else "mono")


class _GapLog:
    """Logs lost samples, with a rate limit."""

    def __init__(self, device: PcmDevice) -> None:
        self._device = device
        self._missing = 0.0
        self._unlogged = SkipCount()

    def update(self, missing: float, now: float) -> None:
        """Take the sum of all gaps so far in seconds."""
        new, self._missing = missing - self._missing, missing
        if lost := self._unlogged.add(round(new * 1000), now):
            log.warning("microphone %s: %d ms of audio lost, replaced by silence", self._device.display_name, lost)
