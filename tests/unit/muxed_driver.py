"""The muxed stream with a source of two renditions and players behind simulated links, in simulated time."""

from __future__ import annotations

from dataclasses import dataclass, field

from broadcaster.devices.fakes import canned
from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality, QualityPreference
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.ports import VideoTraits
from broadcaster.stream.hub import Hub
from tests.unit.simulated_tcp import SimulatedPlayer

STEPS = 200
"""Per second."""
STEP = 1 / STEPS
FPS = 30
SMALL_SIZE = (160, 90)


class TwoRenditions:
    """`ports.VideoSource` whose encoders the driver runs; `keyframes` are those requested and not made yet."""

    def __init__(self, *, small: bool) -> None:
        self.traits = VideoTraits("fake", "fake", 320, 180, FPS, True, True, small_size=SMALL_SIZE if small else None)
        self.keyframes: set[Quality] = {Quality.FULL}
        self.small_on = False
        self.requests = 0

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        self.requests += 1
        self.keyframes.add(quality)

    def encode_small(self, on: bool) -> None:
        self.small_on = on
        self.keyframes.add(Quality.SMALL)


@dataclass
class MuxedDriver:
    """Advances time in steps of 5 ms; pictures come 30 times a second, of the given bit rates, audio 50 times."""

    bitrate: float = 2_500_000
    small_bitrate: float = 400_000
    has_small: bool = True
    keyframe_interval: float = 2.0
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.hub = Hub(self.clock, small_bitrate=self.small_bitrate)
        self.has_audio = True
        self.stream = MuxedStream(self.hub, self.clock, lambda: self.has_audio)
        self.source = TwoRenditions(small=self.has_small)
        self.hub.attach(self.source)  # type: ignore[arg-type]
        self.players: list[SimulatedPlayer] = []
        self.frozen = False
        self._steps = 0
        self._last_keyframe = {Quality.FULL: 0.0, Quality.SMALL: 0.0}

    def join(
        self,
        rate: float = 50e6,
        preference: QualityPreference = QualityPreference.AUTO,
        last: Quality = Quality.FULL,
        buffer: int = 32_000,
    ) -> SimulatedPlayer:
        player = SimulatedPlayer(rate, buffer)
        player.viewer = self.stream.subscribe(f"v{len(self.players) + 1}", player, preference, last)
        self.players.append(player)
        return player

    def leave(self, player: SimulatedPlayer) -> None:
        self.players.remove(player)
        self.stream.unsubscribe(player.viewer)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.clock.advance(STEP)
            now = self.clock.monotonic()
            self._steps += 1
            if self._steps * FPS // STEPS > (self._steps - 1) * FPS // STEPS and not self.frozen:
                self._picture(Quality.FULL, now)
                if self.source.small_on:
                    self._picture(Quality.SMALL, now)
            if self._steps % 4 == 0 and self.has_audio:
                self.hub.publish_audio(OpusFrame(canned.audio_frames()[self._steps // 4 % 50], now - 0.03))
            for player in self.players:
                player.step(now, STEP)

    def _picture(self, quality: Quality, now: float) -> None:
        """Publish a picture; keyframes are eight times as large as others, as those of an encoder."""
        due = now - self._last_keyframe[quality] >= self.keyframe_interval
        keyframe = due or quality in self.source.keyframes
        rate = self.bitrate if quality is Quality.FULL else self.small_bitrate
        size = int(rate / 8 / FPS * (8 if keyframe else 0.88))
        size_of = (canned.WIDTH, canned.HEIGHT) if quality is Quality.FULL else SMALL_SIZE
        data = canned.pictures(*size_of)[0] if keyframe else b"\0\0\0\1\x41"
        if keyframe:
            self.source.keyframes.discard(quality)
            self._last_keyframe[quality] = now
        data += b"\0\0\0\1\x41" + b"x" * max(0, size - len(data)) if keyframe else b"x" * size
        self.hub.publish_video(AccessUnit(data, now - 0.02, keyframe), quality)


def lateness(driver: MuxedDriver, player: SimulatedPlayer) -> list[tuple[float, float]]:
    """Return for each picture when it arrived, and how many seconds after its capture."""
    base = driver.stream._base
    return [(arrived, arrived - base - sample.time / 90_000) for arrived, sample in player.pictures]
