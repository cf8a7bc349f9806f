"""Plays the first loop of a film with the project's own sources `file`, on a simulated clock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation

from broadcaster.devices.file.audio import FileAudio
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.timeline import START_DELAY
from broadcaster.devices.file.video import FileVideo
from broadcaster.devices.opus import RATE
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit, OpusFrame
from tests.films.reference import HEIGHT, WIDTH

BIT_RATE = 4_000_000


class SharedClock:
    """A clock that stands still while any of the threads is running, and then advances to the next wake-up time."""

    def __init__(self, threads: int) -> None:
        self._condition = threading.Condition()
        self._working = threads
        self._alarms: list[float] = []
        self._now = 1000.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self._now

    unix = monotonic

    def sleep(self, seconds: float) -> None:
        """Wait until the clock has advanced by `seconds`."""
        with self._condition:
            alarm = self._now + seconds
            if alarm <= self._now:
                return
            self._alarms.append(alarm)
            self._stop_working()
            self._condition.wait_for(lambda: self._now >= alarm)

    def leave(self) -> None:
        """Tell the clock that one of the threads has ended."""
        with self._condition:
            self._stop_working()

    def _stop_working(self) -> None:
        self._working -= 1
        if self._working == 0 and self._alarms:
            self._now = min(self._alarms)
            self._working = sum(alarm <= self._now for alarm in self._alarms)
            self._alarms = [alarm for alarm in self._alarms if alarm > self._now]
            self._condition.notify_all()


class PlayingThread:
    """Replaces a source's `SourceThread` for `seconds` of the clock; records what is delivered, or the error."""

    def __init__(self, clock: SharedClock, file: MediaFile, seconds: float) -> None:
        self._clock = clock
        self._file = file
        self._end = clock.monotonic() + START_DELAY + seconds
        self.items: list[Any] = []
        self.loop_end: float | None = None
        self.error: SourceError | None = None
        self.failure: BaseException | None = None
        self.waits = threading.Event()

    def pause(self, seconds: float) -> bool:
        """See `SourceThread.pause`."""
        self.waits.set()
        self._clock.sleep(seconds)
        return self._clock.monotonic() < self._end

    def call(self, function: Callable[[Any], None], value: object) -> None:
        """See `SourceThread.call`."""
        function(value)

    def deliver(self, item: Any) -> None:
        """See `SourceThread.deliver`."""
        self.items.append(item)
        if self.loop_end is None:
            self.loop_end = self._file.timeline.loop_end(0)

    def run(self, body: Callable[[Any], None]) -> None:
        """Run a source to its end."""
        try:
            body(self)
        except SourceError as error:
            self.error = error
        except BaseException as failure:  # noqa: BLE001 - raised again by `watch`
            self.failure = failure
        finally:
            self.waits.set()
            self._clock.leave()


class Played:
    """The first loop as played; positions in seconds from its beginning."""

    def __init__(self, video: PlayingThread, audio: PlayingThread, origin: float) -> None:
        self.video_error = video.error
        self.audio_error = audio.error
        ends = [thread.loop_end for thread in (video, audio) if thread.loop_end is not None]
        self.loop_end = min(ends, default=float("inf"))
        units = [unit for unit in video.items if unit.captured - origin < self.loop_end - 0.001]
        decoded = _decoded(units)
        self.positions = [unit.captured - origin for unit, _ in decoded]
        self.thumbnails = [_thumbnail(frame) for _, frame in decoded]
        self.aspect = decoded[0][1].width / decoded[0][1].height if decoded else 1.0
        self.audio = _decode_audio([frame for frame in audio.items if frame.captured - origin < self.loop_end], origin)


def watch(path: Path, seconds: float, box: tuple[int, int]) -> Played:
    """Play a film's video, scaled to fit `box`, and audio for `seconds`."""
    clock = SharedClock(threads=2)
    file = MediaFile(str(path))
    options = {"width": box[0], "height": box[1], "fps": 30, "bitrate": BIT_RATE, "keyframe_interval": 1.0}
    video, audio = FileVideo(clock, file, **options), FileAudio(clock, file)  # type: ignore[arg-type]
    video_thread, audio_thread = PlayingThread(clock, file, seconds), PlayingThread(clock, file, seconds)
    origin = clock.monotonic() + START_DELAY

    def play_audio() -> None:
        video_thread.waits.wait()  # as in the daemon, which opens the audio after the video
        audio_thread.run(audio._run)

    threads = [threading.Thread(target=video_thread.run, args=(video._run,)), threading.Thread(target=play_audio)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failure := video_thread.failure or audio_thread.failure:
        raise failure
    return Played(video_thread, audio_thread, origin)


def _decoded(units: list[AccessUnit]) -> list[tuple[AccessUnit, av.VideoFrame]]:
    """Return the access units with their decoded pictures, except those that are damaged in the file itself."""
    decoder = av.CodecContext.create("h264", "r")
    found = []
    for unit in units:
        with contextlib.suppress(av.error.InvalidDataError):
            found += [(unit, frame) for frame in decoder.decode(av.Packet(unit.data))]
    return found


def _thumbnail(frame: av.VideoFrame) -> np.ndarray:
    small = frame.reformat(WIDTH, HEIGHT, "yuv444p", interpolation=Interpolation.AREA)
    return small.to_ndarray().astype(np.int16)


def _decode_audio(frames: list[OpusFrame], origin: float) -> np.ndarray | None:
    """Return the decoded audio as (2, samples), from position 0."""
    if not frames:
        return None
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = RATE, "stereo"
    size = round((frames[-1].captured - origin + 1) * RATE)
    whole = np.zeros((2, size), np.float32)
    for frame in frames:
        for chunk in decoder.decode(av.Packet(frame.data)):
            start = round((frame.captured - origin) * RATE)
            pcm = chunk.to_ndarray()[:, max(0, -start) :]
            whole[:, max(0, start) : max(0, start) + pcm.shape[1]] = pcm
    return whole
