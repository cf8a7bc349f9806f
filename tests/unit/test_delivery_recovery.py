"""A skipped viewer recovers with its network, and a narrow network is not flooded: traces in simulated time."""

from __future__ import annotations

import itertools

import pytest

from broadcaster.delivery.congestion import ViewerHealth
from tests.unit.simulated_network import Link, Tally
from tests.unit.simulated_viewer import Simulation, Stream

ALL = [(True, 2.0), (True, 30.0), (False, 0.5), (False, 1.0), (False, 2.0), (False, 5.0), (False, 10.0)]
"""Whether keyframes can be forced, and the seconds between periodic ones."""

WITHIN = 6.0
"""Seconds from the network's recovery, and a keyframe, until the viewer is well."""

BROWSER, SELDOM = 0.1, 1.0
"""Seconds between reports: of a browser, and as seldom as RFC 3550 §6.2 has them for a video of this rate or more."""

STREAMS = [
    Stream(fps, keyframe, interval, can_force)
    for fps, keyframe, (can_force, interval) in itertools.product((10, 25, 60), (2, 8, 12, 30), ALL)
]


def longest_recovery(stream: Stream) -> float:
    """Where keyframes cannot be forced, the next periodic one must be waited for."""
    return WITHIN if stream.can_force else stream.interval + WITHIN


@pytest.mark.parametrize("reports", [BROWSER, SELDOM])
@pytest.mark.parametrize("stream", STREAMS, ids=str)
def test_a_viewer_that_was_skipped_is_well_again_and_stays_well(stream, reports):
    trace = Simulation(stream, report_interval=reports, audio=False)
    trace.run(3.3)
    trace.stall()
    assert trace.until_well(longest_recovery(stream)) is not None
    skipped = trace.queue.skipped
    trace.run(5)
    assert trace.queue.skipped == skipped


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3])
@pytest.mark.parametrize("keyframe", [2, 10, 30])
def test_a_long_round_trip_takes_longer_but_is_no_queue(keyframe, delay):
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
def test_when_a_bad_network_recovers_so_does_the_viewer(keyframe, link):
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = link
    trace.run(15)
    trace.network.link = Link()
    recovered = trace.until_well(10)
    assert recovered is not None
    trace.run(8)
    assert trace.health is ViewerHealth.WELL


def on_a_narrow(link: Link, keyframe: float) -> tuple[Tally, float]:
    """What goes into it in 24 s, once the stream from before its fall has left the queue; and those seconds."""
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = link
    trace.run(8)
    tally = trace.measure()
    trace.run(24)
    return tally, trace.now - tally.began


@pytest.mark.parametrize("keyframe", [3, 10, 20])
@pytest.mark.parametrize("rate", [200_000, 500_000])
def test_a_deep_queue_is_not_kept_full(rate, keyframe):
    """Its depth would be the round trip of everything else there."""
    tally, seconds = on_a_narrow(Link(rate=rate, queue=3.0), keyframe)
    assert tally.waited / seconds < 1.2
    assert tally.dropped < 0.02 * tally.packets


@pytest.mark.parametrize("keyframe", [3, 10, 20])
@pytest.mark.parametrize("rate", [200_000, 500_000, 1_200_000])
def test_a_shallow_queue_is_not_flooded(rate, keyframe):
    tally, seconds = on_a_narrow(Link(rate=rate), keyframe)
    assert tally.bits / seconds < 1.15 * rate
    assert tally.dropped < 0.1 * tally.packets


@pytest.mark.parametrize("rate", [500_000, 1_200_000])
@pytest.mark.parametrize("keyframe", [3, 10])
def test_on_a_narrow_network_there_is_a_picture_now_and_then(keyframe, rate):
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = Link(rate=rate)
    trace.run(30)
    shown = [time for time in trace.browser.shown if time > 10]
    assert max(b - a for a, b in itertools.pairwise([10, *shown, trace.now])) < 5


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("keyframe", [3, 10])
def test_a_viewer_that_was_skipped_recovers_though_its_radio_loses_packets(keyframe, loss):
    trace = Simulation(Stream(keyframe=keyframe))
    trace.run(6)
    trace.network.link = Link(loss=loss)
    trace.stall()
    assert trace.until_well(WITHIN) is not None
    began, skipped = trace.now, trace.queue.skipped
    trace.run(15)
    assert trace.queue.skipped == skipped
    assert sum(time > began for time in trace.browser.shown) > 0.9 * 15 * 30


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("keyframe", [3, 10])
def test_loss_that_rtx_repairs_skips_nothing(keyframe, loss):
    trace = Simulation(Stream(keyframe=keyframe), Link(loss=loss))
    trace.run(20)
    assert trace.queue.skipped == 0
