"""The project's own sources `file` play a film's first loop, both at once, against a clock that only waiting moves."""

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
    """A clock that stands still while any of the playing threads works, and then moves to the next alarm."""

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
        """Wait until the clock has moved by so many seconds."""
        with self._condition:
            alarm = self._now + seconds
            if alarm <= self._now:
                return
            self._alarms.append(alarm)
            self._stop_working()
            self._condition.wait_for(lambda: self._now >= alarm)

    def leave(self) -> None:
        """End one of the threads."""
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
    """Stands for a source's thread, for so many seconds of the clock; keeps what is delivered, or the error."""

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
    """What came out of the first loop; positions in seconds from its beginning."""

    def __init__(self, pictures: PlayingThread, sound: PlayingThread, origin: float) -> None:
        self.picture_error = pictures.error
        self.sound_error = sound.error
        ends = [thread.loop_end for thread in (pictures, sound) if thread.loop_end is not None]
        self.loop_end = min(ends, default=float("inf"))
        units = [unit for unit in pictures.items if unit.captured - origin < self.loop_end - 0.001]
        decoded = _decoded(units)
        self.positions = [unit.captured - origin for unit, _ in decoded]
        self.thumbnails = [_thumbnail(frame) for _, frame in decoded]
        self.aspect = decoded[0][1].width / decoded[0][1].height if decoded else 1.0
        self.sound = _sound([frame for frame in sound.items if frame.captured - origin < self.loop_end], origin)


def watch(path: Path, seconds: float, box: tuple[int, int]) -> Played:
    """Play a film's picture and sound for so many seconds; the picture is made to fit `box`."""
    clock = SharedClock(threads=2)
    file = MediaFile(str(path))
    options = {"width": box[0], "height": box[1], "fps": 30, "bitrate": BIT_RATE, "keyframe_interval": 1.0}
    video, audio = FileVideo(clock, file, **options), FileAudio(clock, file)  # type: ignore[arg-type]
    pictures, sound = PlayingThread(clock, file, seconds), PlayingThread(clock, file, seconds)
    origin = clock.monotonic() + START_DELAY

    def play_sound() -> None:
        pictures.waits.wait()  # as in the daemon, whose sound is opened after the picture
        sound.run(audio._run)

    threads = [threading.Thread(target=pictures.run, args=(video._run,)), threading.Thread(target=play_sound)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failure := pictures.failure or sound.failure:
        raise failure
    return Played(pictures, sound, origin)


def _decoded(units: list[AccessUnit]) -> list[tuple[AccessUnit, av.VideoFrame]]:
    """Return the access units with their pictures, without those that are damaged in the file itself."""
    decoder = av.CodecContext.create("h264", "r")
    found = []
    for unit in units:
        with contextlib.suppress(av.error.InvalidDataError):
            found += [(unit, frame) for frame in decoder.decode(av.Packet(unit.data))]
    return found


def _thumbnail(frame: av.VideoFrame) -> np.ndarray:
    small = frame.reformat(WIDTH, HEIGHT, "yuv444p", interpolation=Interpolation.AREA)
    return small.to_ndarray().astype(np.int16)


def _sound(frames: list[OpusFrame], origin: float) -> np.ndarray | None:
    """Return the decoded sound as (2, samples), from position 0."""
    if not frames:
        return None
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = RATE, "stereo"
    size = round((frames[-1].captured - origin + 1) * RATE)
    whole = np.zeros((2, size), np.float32)
    for frame in frames:
        for piece in decoder.decode(av.Packet(frame.data)):
            place = round((frame.captured - origin) * RATE)
            pcm = piece.to_ndarray()[:, max(0, -place) :]
            whole[:, max(0, place) : max(0, place) + pcm.shape[1]] = pcm
    return whole
