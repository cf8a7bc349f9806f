"""The fake camera and the fake microphone: sources under a test's control."""

from __future__ import annotations

from broadcaster.devices.fakes import canned
from broadcaster.devices.fakes.device import FakeDevice, garbage_bytes
from broadcaster.devices.opus import FRAME
from broadcaster.errors import SourceAbsent, StreamReason
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality
from broadcaster.ports import AudioSink, Clock, VideoSink, VideoTraits


class FakeCamera(FakeDevice[VideoSink]):
    """`ports.VideoSource` that repeats one second of real constrained baseline H.264, 320x180 at 30 fps.

    It begins with a keyframe and has one per second, and one at the next picture when requested, unless
    `forces_keyframes` is false. `keyframe_requests` and `bitrates` record what was requested.
    Faults on request: `fail_open`, `stall`, `hang`, `vanish`, `shift_time`, `garble`, `bloat`, `resize`.
    """

    def __init__(self, clock: Clock, *, real_time: bool = False, forces_keyframes: bool = True) -> None:
        super().__init__(clock, 1 / canned.FPS, real_time=real_time, lost=StreamReason.CAMERA_LOST)
        self.keyframe_requests = 0
        self.bitrates: list[int] = []
        self._traits = VideoTraits(
            "fake", "none (canned)", canned.WIDTH, canned.HEIGHT, canned.FPS, forces_keyframes, forces_keyframes
        )
        self._pictures = canned.pictures()
        self._index = 0
        self._bloated = False

    @property
    def traits(self) -> VideoTraits:
        """Properties of the source."""
        return self._traits

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """See `FakeDevice.open`; there is no small rendition."""
        await super().open(sink)

    def encode_small(self, on: bool) -> None:
        """Do nothing: there is no small rendition."""

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Make the next picture a keyframe, unless `forces_keyframes` is false."""
        self.keyframe_requests += 1
        if self._traits.can_force_keyframe:
            self._index = 0

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Record the rate; the canned pictures do not change."""
        if self._traits.can_set_bitrate:
            self.bitrates.append(bits_per_second)

    def bloat(self) -> None:
        """Make the next picture a keyframe of about 100 kB, and the one after it a keyframe of normal size."""
        self._bloated = True

    def resize(self, width: int, height: int) -> None:
        """Continue with pictures of another size, beginning with a keyframe."""
        self._pictures, self._index = canned.pictures(width, height), 0

    def _begin(self) -> None:
        self._index = 0
        self._bloated = False

    def _deliver(self, sink: VideoSink, captured: float, *, garbage: bool) -> None:
        if garbage:
            sink.picture(AccessUnit(garbage_bytes(), captured, keyframe=False))
        elif self._bloated:
            self._bloated, self._index = False, 0
            sink.picture(AccessUnit(canned.huge_keyframe(), captured, keyframe=True))
        else:
            index = self._index
            # Before the call, because the sink may request a keyframe in it.
            self._index = (index + 1) % len(self._pictures)
            sink.picture(AccessUnit(self._pictures[index], captured, keyframe=index == 0))


class FakeMicrophone(FakeDevice[AudioSink]):
    """`ports.AudioSource` that repeats one second of a real tone in Opus, one 20 ms frame per step.

    Faults on request: `fail_open`, `be_absent`, `stall`, `vanish`, `shift_time`, `garble`.
    """

    name = "fake"

    def __init__(self, clock: Clock, *, real_time: bool = False) -> None:
        super().__init__(clock, FRAME, real_time=real_time, lost=StreamReason.INTERNAL)
        self._frames = canned.audio_frames()
        self._index = 0

    def be_absent(self, times: int = 1) -> None:
        """Make the next `times` calls of `open` raise `SourceAbsent`, as for an optional microphone."""
        self._open_errors += [SourceAbsent(self._lost, "scripted: no microphone") for _ in range(times)]

    def _begin(self) -> None:
        self._index = 0

    def _deliver(self, sink: AudioSink, captured: float, *, garbage: bool) -> None:
        sink.frame(OpusFrame(garbage_bytes() if garbage else self._frames[self._index], captured))
        self._index = (self._index + 1) % len(self._frames)
