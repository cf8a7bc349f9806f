"""The fan-out with two renditions: who gets which, and when the small one is encoded."""

from __future__ import annotations

import pytest

from broadcaster.delivery.congestion import AUDIO_RATE, LOW_FOR, SKIPPING_SHARE
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import AccessUnit, Quality, QualityPreference
from broadcaster.ports import VideoTraits
from broadcaster.stream.small_rendition import LINGER
from tests.unit.fanout_driver import SPS_PPS, FanoutDriver, RecordingSender, Source

RATE = 2_500_000


class TwoSizedSource(Source):
    """A source with both renditions; `is_on` says whether the small one is encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.traits = VideoTraits("fake", "fake", 1280, 720, 30, True, True, small_size=(640, 360))
        self.is_on = False
        self.small_keyframe = False

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        if quality is Quality.SMALL:
            self.small_keyframe = True
        else:
            super().request_keyframe()

    def encode_small(self, on: bool) -> None:
        self.small_keyframe |= on and not self.is_on
        self.is_on = on


class RenditionsDriver(FanoutDriver):
    """Publishes both renditions of each picture; the number of a small one is 100 higher."""

    source: TwoSizedSource

    def __init__(self) -> None:
        super().__init__(source=TwoSizedSource())

    def publish_both(self, *, key: bool = False) -> None:
        number = self.publish(key=key, size=10_000)
        if not self.source.is_on:
            return
        small_key, self.source.small_keyframe = self.source.small_keyframe, False
        body = (b"\0\0\0\1\x65" if small_key else b"\0\0\0\1\x41") + b"x" * 1500 + bytes([number + 100])
        unit = AccessUnit((SPS_PPS if small_key else b"") + body, self.clock.monotonic(), small_key)
        self.hub.publish_video(unit, Quality.SMALL)

    def report_narrow(self, viewer: str) -> None:
        """Report a bandwidth estimate that is too low for the full rendition, for long enough."""
        for _ in range(10):
            self.publish_both()
        self.fanout.report(viewer, ReceiverReport(0.0, 0, 500_000))
        for _ in range(round((LOW_FOR + 0.1) * 30)):
            self.publish_both()
        self.fanout.report(viewer, ReceiverReport(0.0, 0, 500_000))


@pytest.fixture
def driver():
    return RenditionsDriver()


def quality(driver: RenditionsDriver, viewer: str) -> Quality:
    stats = driver.fanout.queue_stats(viewer)
    assert stats is not None
    return stats.quality


async def test_slow_viewer_gets_the_small_rendition_and_the_others_everything(driver):
    slow, fast = driver.join("slow"), driver.join("fast")
    driver.publish_both(key=True)
    driver.report_narrow("slow")
    count = len(fast.frames)
    for _ in range(3):
        driver.publish_both()
    assert (quality(driver, "slow"), quality(driver, "fast")) == (Quality.SMALL, Quality.FULL)
    assert driver.source.is_on
    assert slow.qualities == [Quality.FULL, Quality.SMALL]
    assert fast.frames[count:] == [count + 1, count + 2, count + 3]
    assert driver.fanout.viewers_by_quality == {Quality.FULL: 1, Quality.SMALL: 1}


async def test_estimates_of_viewers_of_the_small_rendition_do_not_count_for_the_full_one(driver):
    driver.join("slow")
    driver.join("fast")
    driver.publish_both(key=True)
    driver.fanout.report("fast", ReceiverReport(0.0, 0, RATE))
    driver.report_narrow("slow")
    driver.fanout.report("fast", ReceiverReport(0.0, 0, RATE))
    assert driver.fanout.bandwidth_estimates() == [RATE]
    assert driver.fanout.bandwidth_estimates(Quality.SMALL) == [round((500_000 - AUDIO_RATE) * SKIPPING_SHARE)]


async def test_small_rendition_is_released_when_its_viewer_leaves(driver):
    viewer = driver.join("a")
    driver.publish_both(key=True)
    driver.fanout.prefer("a", QualityPreference.SMALL)
    assert driver.source.is_on
    driver.fanout.unsubscribe("a", viewer)
    driver.clock.advance(LINGER)
    driver.publish_both()
    assert not driver.source.is_on


async def test_chosen_rendition_begins_at_its_keyframe_with_the_next_picture(driver):
    viewer = driver.join("a")
    driver.publish_both(key=True)
    driver.fanout.prefer("a", QualityPreference.SMALL)
    for _ in range(3):
        driver.publish_both()
    assert viewer.frames == [1, 102, 103, 104]
    driver.fanout.prefer("a", QualityPreference.FULL)
    assert driver.source.requests > 0
    driver.publish_both()
    driver.publish_both(key=True)
    assert viewer.frames == [1, 102, 103, 104, 105, 6]


async def test_viewers_go_on_with_the_full_rendition_when_the_small_one_fails(driver):
    viewer = driver.join("a")
    driver.publish_both(key=True)
    driver.fanout.prefer("a", QualityPreference.SMALL)
    driver.publish_both()
    driver.source.traits = VideoTraits("fake", "fake", 1280, 720, 30, True, True)
    driver.source.is_on = False
    driver.publish_both()
    driver.publish_both(key=True)
    assert viewer.frames == [1, 102, 4]
    assert viewer.qualities == [Quality.FULL, Quality.SMALL, Quality.FULL]


async def test_choice_of_a_viewer_that_is_not_subscribed_is_ignored(driver):
    driver.fanout.prefer("ghost", QualityPreference.SMALL)
    assert not driver.source.is_on
    assert isinstance(driver.join("a"), RecordingSender)


async def test_next_peer_connection_of_a_slow_viewer_begins_with_the_small_rendition(driver):
    driver.join("other")
    driver.publish_both(key=True)
    sender = RecordingSender()
    driver.fanout.subscribe("slow", sender, QualityPreference.AUTO, Quality.SMALL)
    for _ in range(2):
        driver.publish_both()
    assert sender.frames == [102, 103]
    assert sender.qualities == [Quality.SMALL]


async def test_new_peer_connection_begins_with_the_full_rendition_where_there_is_no_small_one(driver):
    driver.source.traits = VideoTraits("fake", "fake", 1280, 720, 30, True, True)
    sender = RecordingSender()
    driver.fanout.subscribe("slow", sender, QualityPreference.SMALL, Quality.SMALL)
    driver.publish_both(key=True)
    assert sender.frames == [1]
    assert sender.qualities == [Quality.FULL]
