"""The microphone itself: `ports.AudioSource` of an ALSA capture device."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

from broadcaster.devices.microphone.cards import Device, choose, find_captures, listed
from broadcaster.devices.microphone.conditioner import LIMIT, Conditioner, Silence
from broadcaster.devices.microphone.recorder import Recorder, failure
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
    """`ports.AudioSource` of arecord: mono, or stereo where the device has two channels.

    `optional`: that there is no capture device at all is no fault then (`SourceAbsent`). Everything happens on one
    thread, to which the child process belongs from its first to its last moment; so `open` returns at once, and
    the sink hears what is wrong with the device. Of a device that gives nothing but zeros for long nothing is
    delivered until it gives sound again.
    """

    def __init__(self, clock: Clock, settings: AudioSettings, *, optional: bool = False) -> None:
        self._clock = clock
        self._wanted = settings.device
        self._gain = settings.gain
        self._optional = optional
        self._name = "alsa"
        self._thread: SourceThread[OpusFrame] | None = None
        self._told_of_silence = False

    @property
    def name(self) -> str:
        """What it is, for people; the card's own name once it has been found."""
        return self._name

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`, which hears of nearly every error.

        Raises `SourceError` while the last recording has not ended: each try would leave one more thread behind.
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
        device = self._find()
        self._name = device.for_people
        recorder = Recorder(thread, self._clock, device)
        channels = recorder.channels()
        encoder = OpusEncoder(channels)
        silence = Silence()
        sounded = False
        with closing(recorder.samples(channels)) as samples:
            for pcm, captured in self._in_step(samples, channels, device):
                sounds = not silence.lasts(pcm, captured)
                if sounds is not sounded:
                    self._tell(device, channels, sounds)
                    sounded = sounds
                if sounds:
                    data, lead = encoder.encode(pcm)
                    thread.deliver(OpusFrame(data, captured + lead))

    def _find(self) -> Device:
        there = find_captures()
        device = choose(self._wanted, there)
        if device is not None:
            return device
        raise SourceAbsent(StreamReason.INTERNAL, listed(there)) if self._optional else failure(listed(there))

    def _in_step(self, samples: Iterator[bytes], channels: int, device: Device) -> Iterator[tuple[bytes, float]]:
        """Frames of 20 ms on the monotonic clock, and their times of capture. Raises `SourceError`."""
        clock = SampleClock()
        conditioner = Conditioner(channels, self._gain)
        gaps = _Gaps(device)
        for pcm in samples:
            now = self._clock.monotonic()
            captured = clock.arrived(len(pcm) // (channels * SAMPLE_BYTES), now)
            if clock.too_fast:
                raise failure(f"microphone {device.for_people} gives sound faster than real time")
            gaps.see(clock.missing, now)
            yield from conditioner.push(pcm, captured)

    def _tell(self, device: Device, channels: int, sounds: bool) -> None:
        """One line when it begins, and one for a silence; a microphone with a switch would fill the log."""
        if not sounds:
            level = logging.DEBUG if self._told_of_silence else logging.WARNING
            self._told_of_silence = True
            text = "microphone %s: only zeros for %g s, so there is no sound; is it muted (alsamixer)?"
            log.log(level, text, device.for_people, LIMIT)
        else:
            level = logging.DEBUG if self._told_of_silence else logging.INFO
            log.log(level, "microphone %s: recording, %s", device.for_people, "stereo" if channels == 2 else "mono")


class _Gaps:
    """Tells of samples that were lost on their way, now and then."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._seen = 0.0
        self._sum = SkipCount()

    def see(self, missing: float, now: float) -> None:
        """`missing` is the sum of all gaps in seconds."""
        new, self._seen = missing - self._seen, missing
        if lost := self._sum.add(round(new * 1000), now):
            log.warning("microphone %s: %d ms of sound were lost, silence fills them", self._device.for_people, lost)
