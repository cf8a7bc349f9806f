"""The small rendition: its encoder runs only while somebody needs it."""

from __future__ import annotations

import pytest

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality
from broadcaster.ports import VideoTraits
from broadcaster.stream.hub import Hub
from broadcaster.stream.rendition import SHORTEST_INTERVAL
from broadcaster.stream.small_rendition import LINGER, RETRY_AFTER, SmallSink


class TwoSizedSource:
    """Records the requests."""

    def __init__(self, small_size: tuple[int, int] | None = (640, 360)) -> None:
        self.traits = VideoTraits("fake", "fake", 1280, 720, 30, True, True, small_size=small_size)
        self.keyframes: list[Quality] = []
        self.switched: list[bool] = []

    def request_keyframe(self, quality: Quality) -> None:
        self.keyframes.append(quality)

    def encode_small(self, on: bool) -> None:
        self.switched.append(on)


class RecordingSubscriber:
    """Records the access units and counts the audio frames."""

    def __init__(self) -> None:
        self.units: list[AccessUnit] = []
        self.audio_frames = 0

    def source_changed(self) -> None:
        pass

    def video(self, unit: AccessUnit, now: float) -> bool:
        self.units.append(unit)
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        self.audio_frames += 1

    def ended(self, error: Exception) -> None:
        raise error


class SmallDriver:
    """A hub with both renditions."""

    def __init__(self) -> None:
        self.clock, self.source = FakeClock(), TwoSizedSource()
        self.hub = Hub(self.clock)
        self.small = self.hub.small
        self.sink = SmallSink(self.small, self.hub.publish_video, self.clock)
        self.hub.attach(self.source)

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def publish(self, after: float = 0.0, *, key: bool = False) -> AccessUnit:
        """Publish a full picture, and a small one if its encoder is on."""
        self.clock.advance(after)
        self.hub.publish_video(AccessUnit(b"full", self.now, key))
        small = AccessUnit(b"small", self.now, key)
        if self.source.switched[-1:] == [True]:
            self.sink.picture(small)
        return small


@pytest.fixture
def driver():
    return SmallDriver()


def test_encoder_runs_from_the_first_user_until_a_while_after_the_last(driver):
    driver.publish()
    assert driver.source.switched == []
    driver.small.use("a", driver.now)
    driver.small.use("b", driver.now)
    assert driver.source.switched == [True]
    driver.small.release("a", driver.now)
    driver.publish(LINGER + 1)
    assert driver.source.switched == [True]
    driver.small.release("b", driver.now)
    driver.publish(LINGER - 0.1)
    assert driver.small.is_running
    driver.publish(0.2)
    assert driver.source.switched == [True, False]
    driver.small.use("a", driver.now)
    assert driver.source.switched == [True, False, True]


def test_keyframe_is_forced_in_the_rendition_that_needs_it_with_a_gate_of_its_own(driver):
    driver.hub.full.request_keyframe("a", driver.now)
    driver.small.use("b", driver.now)
    driver.small.request_keyframe("b", driver.now)
    assert driver.source.keyframes == [Quality.FULL, Quality.SMALL]
    driver.publish(SHORTEST_INTERVAL, key=True)
    driver.small.request_keyframe("c", driver.now)
    assert driver.source.keyframes == [Quality.FULL, Quality.SMALL, Quality.SMALL]


def test_no_keyframe_is_requested_of_an_encoder_that_does_not_run(driver):
    driver.small.request_keyframe("a", driver.now)
    assert driver.source.keyframes == []


def test_subscribers_get_their_rendition_and_audio_once(driver):
    full, small = RecordingSubscriber(), RecordingSubscriber()
    driver.hub.subscribe("full", full)
    driver.hub.subscribe("small", small, Quality.SMALL)
    driver.small.use("a", driver.now)
    expected = [driver.publish(key=True), driver.publish(0.03)]
    driver.hub.publish_audio(OpusFrame(b"", driver.now))
    assert small.units == expected
    assert [unit.data for unit in full.units] == [b"full", b"full"]
    assert (full.audio_frames, small.audio_frames) == (1, 0)


def test_source_with_one_rendition_is_never_asked_for_another(driver):
    driver.source.traits = TwoSizedSource(None).traits
    driver.small.use("a", driver.now)
    driver.publish(1.0)
    assert not driver.small.is_available
    assert driver.source.switched == []


def test_encoder_starts_with_the_next_source_while_there_are_users(driver):
    driver.small.use("a", driver.now)
    driver.hub.attach(driver.source)
    assert not driver.small.is_running
    driver.publish(0.1)
    assert driver.source.switched == [True, True]


def test_failed_encoder_is_off_until_it_is_tried_again(driver, caplog):
    driver.small.use("a", driver.now)
    driver.sink.failed(SourceError(StreamReason.ENCODER, "no time for a second encoder"))
    driver.publish(1.0)
    assert not driver.small.is_available
    assert driver.source.switched == [True, False]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "no small rendition: no time for a second encoder; trying again when it is needed"
    ]
    driver.publish(RETRY_AFTER)
    assert driver.small.is_available
    assert driver.source.switched == [True, False, True]


def test_source_that_is_opened_again_gets_another_chance_at_once(driver):
    driver.small.use("a", driver.now)
    driver.sink.failed(SourceError(StreamReason.ENCODER, "broken"))
    driver.hub.attach(driver.source)
    driver.publish(0.1)
    assert driver.source.switched == [True, False, True]
