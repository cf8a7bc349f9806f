"""A viewer's rendition on simulated networks: the small one before skipping, and the full one again afterwards.

The full rendition's bit rate does not change: other viewers have wide networks.
"""

from __future__ import annotations

import pytest

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.model.stream import Quality, QualityPreference
from tests.unit.simulated_encoder import Stream
from tests.unit.simulated_network import Link
from tests.unit.simulated_viewer import Simulation

SMALL = Stream(bitrate=400_000)
FULL_RATE = 4_000_000.0


def simulation(rate: float = FULL_RATE, *, small: Stream | None = SMALL, **options) -> Simulation:
    return Simulation(Stream(), Link(rate=rate, queue=0.5), small=small, **options)


def shown_fps(viewer: Simulation, seconds: float) -> float:
    """Run for `seconds`; return how many pictures per second the browser shows."""
    before = len(viewer.browser.shown)
    viewer.run(seconds)
    return (len(viewer.browser.shown) - before) / seconds


@pytest.mark.parametrize(("rate", "fps"), [(400_000, 20), (500_000, 24), (700_000, 28), (1_000_000, 29)])
def test_narrow_network_shows_the_small_rendition(rate, fps):
    viewer = simulation(rate)
    viewer.run(30)
    assert viewer.queue.quality is Quality.SMALL
    assert shown_fps(viewer, 30) >= fps


@pytest.mark.parametrize("rate", [500_000, 700_000])
def test_narrow_network_without_a_small_rendition_shows_few_pictures(rate):
    viewer = simulation(rate, small=None)
    viewer.run(30)
    assert shown_fps(viewer, 30) < 5


@pytest.mark.parametrize("report_interval", [0.1, 1.0])
@pytest.mark.parametrize("rate", [3_000_000, 4_000_000, 10_000_000])
def test_wide_network_never_leaves_the_full_rendition(rate, report_interval):
    viewer = simulation(rate, report_interval=report_interval)
    viewer.run(60)
    assert viewer.changes == []
    assert not viewer.small.is_on


@pytest.mark.parametrize("report_interval", [0.1, 1.0])
def test_full_rendition_is_back_within_20_s_when_the_network_is(report_interval):
    viewer = simulation(500_000, report_interval=report_interval)
    viewer.run(60)
    viewer.network.link = Link(rate=FULL_RATE, queue=0.5)
    viewer.run(20)
    assert viewer.queue.quality is Quality.FULL
    assert shown_fps(viewer, 20) > 29
    assert viewer.queue.health is ViewerHealth.WELL


def test_return_shows_every_picture():
    viewer = simulation(700_000)
    viewer.run(30)
    viewer.network.link = Link(rate=FULL_RATE, queue=0.5)
    viewer.run(2)
    before = viewer.queue.skipped
    assert shown_fps(viewer, 20) > 29.5
    assert viewer.queue.quality is Quality.FULL
    assert viewer.queue.skipped == before


def test_network_that_carries_little_more_than_the_small_rendition_is_not_flooded_with_padding():
    viewer = simulation(700_000)
    viewer.run(20)
    tally, before = viewer.measure(), viewer.padding
    viewer.run(120)
    assert viewer.padding - before < 0.05 * tally.packets


@pytest.mark.parametrize("rates", [(300_000, 3_000_000), (3_000_000, 700_000), (600_000, 2_000_000)])
@pytest.mark.parametrize("period", [1.0, 3.0, 10.0, 30.0])
def test_swinging_network_changes_the_rendition_at_most_six_times_a_minute(rates, period):
    viewer = simulation(rates[0])
    for count in range(round(180 / period)):
        viewer.network.link = Link(rate=rates[count % 2], queue=0.5)
        viewer.run(period)
    times = [at for at, _ in viewer.changes]
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[6:], strict=False))


def test_chosen_small_rendition_stays_on_a_wide_network():
    viewer = simulation()
    viewer.run(5)
    viewer.queue.prefer(QualityPreference.SMALL, viewer.now)
    assert shown_fps(viewer, 30) > 29
    assert viewer.queue.quality is Quality.SMALL
    viewer.queue.prefer(QualityPreference.FULL, viewer.now)
    viewer.run(2)
    assert viewer.queue.quality is Quality.FULL


def test_chosen_full_rendition_is_skipped_on_a_narrow_network():
    viewer = simulation(700_000)
    viewer.queue.prefer(QualityPreference.FULL, viewer.now)
    viewer.run(20)
    assert viewer.queue.quality is Quality.FULL
    assert viewer.queue.skipped > 100


def test_viewer_of_the_small_rendition_gets_the_full_one_when_there_is_no_small_one_any_more():
    viewer = simulation()
    viewer.queue.prefer(QualityPreference.SMALL, viewer.now)
    viewer.run(5)
    viewer.has_small = False
    viewer.small.turn(False)
    viewer.queue.small_ended(viewer.now)
    assert shown_fps(viewer, 5) > 28
    assert viewer.queue.quality is Quality.FULL


@pytest.mark.parametrize("small", [None, SMALL])
@pytest.mark.parametrize("report_interval", [0.1, 1.0])
@pytest.mark.parametrize("queue", [0.5, 3.0])
def test_single_viewer_has_the_highest_bit_rate_again_within_25_s(small, report_interval, queue):
    wide, narrow = Link(rate=20e6, queue=queue), Link(rate=500_000, queue=queue)
    viewer = Simulation(Stream(), wide, small=small, report_interval=report_interval, is_alone=True)
    viewer.run(10)
    viewer.network.link = narrow
    viewer.run(11)
    viewer.network.link = wide
    viewer.run(25)
    assert viewer.queue.quality is Quality.FULL
    assert viewer.rate(Quality.FULL) > 0.8 * Stream().bitrate
    viewer.run(20)
    assert viewer.rate(Quality.FULL) > 0.8 * Stream().bitrate
    assert viewer.queue.health is ViewerHealth.WELL


def test_single_viewer_on_a_network_that_stays_narrow_gets_little_padding():
    viewer = Simulation(Stream(), Link(rate=1_200_000, queue=0.5), small=None, report_interval=1.0, is_alone=True)
    viewer.run(20)
    tally, before = viewer.measure(), viewer.padding
    viewer.run(120)
    assert viewer.padding - before < 0.05 * tally.packets
