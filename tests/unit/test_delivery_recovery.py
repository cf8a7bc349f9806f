"""Recovery of skipped viewers when their network recovers, and load on narrow networks, in simulated time."""

from __future__ import annotations

import itertools

import pytest

from broadcaster.delivery.congestion import ViewerHealth
from tests.unit.simulated_network import Link, Tally
from tests.unit.simulated_viewer import Simulation, Stream

KEYFRAME_SOURCES = [(True, 2.0), (True, 30.0), (False, 0.5), (False, 1.0), (False, 2.0), (False, 5.0), (False, 10.0)]
"""Whether keyframes can be forced, and the interval of periodic ones in seconds."""

RECOVERY_LIMIT = 6.0
"""Seconds from the recovery of the network and the next keyframe until the viewer is healthy."""

BROWSER_INTERVAL, LONG_INTERVAL = 0.1, 1.0
"""Seconds between receiver reports: of a browser, and the longest of RFC 3550 §6.2 for video of this rate or more."""

STREAMS = [
    Stream(fps, keyframe, interval, can_force)
    for fps, keyframe, (can_force, interval) in itertools.product((10, 25, 60), (2, 8, 12, 30), KEYFRAME_SOURCES)
]


def longest_recovery(stream: Stream) -> float:
    """Without forced keyframes, the viewer has to wait for the next periodic one."""
    return RECOVERY_LIMIT if stream.can_force else stream.interval + RECOVERY_LIMIT


@pytest.mark.parametrize("reports", [BROWSER_INTERVAL, LONG_INTERVAL])
@pytest.mark.parametrize("stream", STREAMS, ids=str)
def test_skipped_viewer_recovers_and_stays_healthy(stream, reports):
    trace = Simulation(stream, report_interval=reports, audio=False)
    trace.run(3.3)
    trace.stall()
    assert trace.until_well(longest_recovery(stream)) is not None
    skipped = trace.queue.skipped
    trace.run(5)
    assert trace.queue.skipped == skipped


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3])
@pytest.mark.parametrize("keyframe", [2, 10, 30])
def test_long_round_trip_time_is_not_taken_for_a_queue(keyframe, delay):
    trace = Simulation(Stream(keyframe=keyframe), Link(delay=delay))
    trace.run(4)
    trace.stall()
    assert trace.until_well(10) is not None
    trace.run(5)
    assert trace.health is ViewerHealth.WELL


NARROW = [
    *(Link(rate=rate, queue=queue) for rate in (200_000, 500_000, 1_200_000, 2_000_000) for queue in (0.3, 3.0)),
    Link(loss=0.6),
    Link(loss=1.0),
]


@pytest.mark.parametrize("link", NARROW, ids=str)
@pytest.mark.parametrize("keyframe", [3, 10, 20])
def test_viewer_recovers_with_its_network(keyframe, link):
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = link
    trace.run(15)
    trace.network.link = Link()
    recovered = trace.until_well(10)
    assert recovered is not None
    trace.run(8)
    assert trace.health is ViewerHealth.WELL


def measure_after_drop(link: Link, keyframe: float) -> tuple[Tally, float]:
    """Tally of 24 s on `link`, after the packets from before the drop have left its queue; and its exact duration."""
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = link
    trace.run(8)
    tally = trace.measure()
    trace.run(24)
    return tally, trace.now - tally.began


@pytest.mark.parametrize("keyframe", [3, 10, 20])
@pytest.mark.parametrize("rate", [200_000, 500_000])
def test_deep_queue_is_not_kept_full(rate, keyframe):
    """A full queue would delay all other traffic on that network."""
    tally, seconds = measure_after_drop(Link(rate=rate, queue=3.0), keyframe)
    assert tally.waited / seconds < 1.2
    assert tally.dropped < 0.02 * tally.packets


@pytest.mark.parametrize("keyframe", [3, 10, 20])
@pytest.mark.parametrize("rate", [200_000, 500_000, 1_200_000])
def test_shallow_queue_is_not_flooded(rate, keyframe):
    tally, seconds = measure_after_drop(Link(rate=rate), keyframe)
    assert tally.bits / seconds < 1.15 * rate
    assert tally.dropped < 0.1 * tally.packets


@pytest.mark.parametrize("rate", [500_000, 1_200_000])
@pytest.mark.parametrize("keyframe", [3, 10])
def test_narrow_network_shows_a_frame_at_least_every_five_seconds(keyframe, rate):
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = Link(rate=rate)
    trace.run(30)
    shown = [time for time in trace.browser.shown if time > 10]
    assert max(b - a for a, b in itertools.pairwise([10, *shown, trace.now])) < 5


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("keyframe", [3, 10])
def test_skipped_viewer_recovers_despite_packet_loss(keyframe, loss):
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = Link(loss=loss)
    trace.stall()
    assert trace.until_well(RECOVERY_LIMIT) is not None
    began, skipped = trace.now, trace.queue.skipped
    trace.run(15)
    assert trace.queue.skipped == skipped
    assert sum(time > began for time in trace.browser.shown) > 0.9 * 15 * 30


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("keyframe", [3, 10])
def test_loss_repaired_by_rtx_causes_no_skipping(keyframe, loss):
    trace = Simulation(Stream(keyframe=keyframe), Link(loss=loss))
    trace.run(20)
    assert trace.queue.skipped == 0
