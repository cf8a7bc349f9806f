"""The hub: delivery of access units to subscribers, including slow and failing ones."""

from __future__ import annotations

import pytest

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality
from broadcaster.ports import VideoTraits
from broadcaster.stream.hub import Hub


class Source:
    traits = VideoTraits("fake", "fake", 640, 360, 30, True, False)

    def __init__(self) -> None:
        self.requests = 0

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        self.requests += 1


class Buffer:
    """A subscriber that accepts `capacity` access units, then refuses; raises `bug` if one is set."""

    def __init__(self, capacity: int = 100) -> None:
        self.capacity = capacity
        self.units: list[AccessUnit] = []
        self.frames: list[OpusFrame] = []
        self.changes = 0
        self.bug: Exception | None = None
        self.error: Exception | None = None

    def source_changed(self) -> None:
        self._raise_bug()
        self.changes += 1

    def video(self, unit: AccessUnit, now: float) -> bool:
        self._raise_bug()
        if len(self.units) >= self.capacity:
            return False
        self.units.append(unit)
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        self._raise_bug()
        self.frames.append(frame)

    def ended(self, error: Exception) -> None:
        self.error = error

    def _raise_bug(self) -> None:
        if self.bug is not None:
            raise self.bug


class HubDriver:
    def __init__(self) -> None:
        self.clock, self.source = FakeClock(), Source()
        self.hub = Hub(self.clock)
        self.hub.attach(self.source)

    def publish(self, *, key: bool = False, after: float = 0.0) -> AccessUnit:
        self.clock.advance(after)
        unit = AccessUnit(b"key" if key else b"delta", self.clock.monotonic(), key)
        self.hub.publish_video(unit)
        return unit


@pytest.fixture
def driver():
    return HubDriver()


def test_every_subscriber_receives_the_same_access_units(driver):
    first, second = Buffer(), Buffer()
    driver.hub.subscribe("first", first)
    driver.hub.subscribe("second", second)
    units = [driver.publish(key=True), driver.publish()]
    assert all(received is published for received, published in zip(first.units, units, strict=True))
    assert first.units == second.units


def test_new_subscriber_starts_with_a_fresh_cached_keyframe(driver):
    units = [driver.publish(key=True), driver.publish()]
    late = Buffer()
    driver.hub.subscribe("late", late)
    assert late.units == units
    assert driver.source.requests == 0


def test_new_subscriber_requests_a_keyframe_and_waits_for_it(driver):
    driver.publish(key=True)
    driver.publish(after=1.0)
    late = Buffer()
    subscription = driver.hub.subscribe("late", late)
    assert driver.source.requests == 1
    driver.publish()
    assert late.units == []
    assert subscription.dropped == 1
    assert late.units == [driver.publish(key=True)]


def test_full_subscriber_resumes_at_the_next_keyframe_and_drops_are_counted(driver):
    slow, other = Buffer(capacity=1), Buffer()
    subscription = driver.hub.subscribe("slow", slow)
    driver.hub.subscribe("other", other)
    first = driver.publish(key=True, after=10.0)
    driver.publish(after=1.0)
    slow.capacity = 10
    driver.publish()
    assert slow.units == [first]
    assert subscription.dropped == 2
    assert driver.source.requests > 0, "it needs a keyframe to resume"
    key = driver.publish(key=True)
    assert slow.units == [first, key]
    assert len(other.units) == 4


@pytest.mark.parametrize("call", ["video", "audio", "source"])
def test_bug_in_one_subscriber_ends_only_that_subscription(driver, call):
    broken, other = Buffer(), Buffer()
    driver.hub.subscribe("broken", broken)
    driver.hub.subscribe("other", other)
    driver.publish(key=True)
    broken.bug = LookupError("a bug")
    if call == "video":
        driver.publish()
    elif call == "audio":
        driver.hub.publish_audio(OpusFrame(b"opus", driver.clock.monotonic()))
    else:
        driver.hub.attach(driver.source)
    assert broken.error is broken.bug
    broken.error = None
    driver.publish(key=True)
    assert broken.error is None, "it is no longer called"
    assert other.units[-1].keyframe


def test_all_subscribers_wait_for_the_keyframe_of_a_new_source(driver):
    buffer = Buffer()
    driver.hub.subscribe("one", buffer)
    first = driver.publish(key=True)
    driver.hub.attach(driver.source)
    assert buffer.changes == 1
    driver.publish()
    second = driver.publish(key=True)
    assert buffer.units == [first, second]


def test_audio_is_delivered_until_the_subscription_ends(driver):
    buffer = Buffer()
    subscription = driver.hub.subscribe("one", buffer)
    frame = OpusFrame(b"opus", 1.0)
    driver.hub.publish_audio(frame)
    driver.hub.unsubscribe(subscription)
    driver.hub.unsubscribe(subscription)
    driver.hub.publish_audio(frame)
    driver.publish(key=True)
    assert buffer.frames == [frame]
    assert buffer.units == []
