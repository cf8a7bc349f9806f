"""The keyframe gate, by a fake clock."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.model.stream import AccessUnit
from broadcaster.stream.rendition import (
    LARGEST,
    SHORTEST_INTERVAL,
    SHORTEST_INTERVAL_PER_VIEWER,
    SHORTEST_PROBE_INTERVAL,
    KeyframeCache,
    KeyframeGate,
)


def test_the_first_request_is_served_at_once():
    gate = KeyframeGate()
    assert not gate.poll(0.0)
    gate.request("a")
    assert gate.poll(0.0)


def test_requests_within_the_interval_are_merged_into_one():
    gate = KeyframeGate()
    gate.request("a")
    assert gate.poll(10.0)
    gate.keyframe_published()
    gate.request("b")
    gate.request("c")
    assert not gate.poll(10.4)
    assert gate.next_deadline() == 10.5
    assert gate.poll(10.5)
    gate.keyframe_published()
    assert not gate.poll(99.0)
    assert gate.forced == 2


def test_one_viewer_cannot_set_the_pace():
    gate = KeyframeGate()
    gate.request("a")
    assert gate.poll(0.0)
    gate.keyframe_published()
    gate.request("a")
    assert not gate.poll(1.9)
    assert gate.poll(2.0)


def test_a_lost_request_is_repeated():
    gate = KeyframeGate()
    gate.request("a")
    assert gate.poll(0.0)
    assert not gate.poll(1.0)
    assert gate.poll(2.0)


def test_newcomers_are_served_at_once_or_with_others():
    gate = KeyframeGate()
    assert gate.serves("b", 0.0)
    gate.request("a")
    assert gate.poll(0.0)
    assert gate.serves("b", 0.03)
    gate.keyframe_published()
    assert not gate.serves("b", 0.4)
    assert gate.serves("b", 0.5)
    assert not gate.serves("a", 0.5), "it was served a moment ago"


def test_who_is_gone_waits_for_nothing():
    gate = KeyframeGate()
    gate.request("a")
    gate.forget("a")
    assert gate.next_deadline() is None
    assert not gate.poll(0.0)


def test_who_goes_and_comes_back_has_no_more_than_who_stays():
    gate, forced = KeyframeGate(), 0
    for tenth in range(200):
        gate.request("a")
        forced += gate.poll(tenth / 10)
        gate.keyframe_published()
        gate.forget("a")
    assert forced == 10


def test_the_books_are_kept_for_those_of_late_only():
    gate = KeyframeGate()
    for number in range(1000):
        gate.request(str(number))
        gate.poll(number * SHORTEST_INTERVAL)
        gate.keyframe_published()
    assert len(gate._served_at) <= SHORTEST_INTERVAL_PER_VIEWER / SHORTEST_INTERVAL


ROUNDING = 1e-9
"""Sums of floating-point delays are off by less than this."""


@given(st.lists(st.tuples(st.floats(0, 0.3), st.sampled_from("abc"), st.booleans()), max_size=60))
def test_intervals_hold_under_any_storm(steps):
    gate, now, forced, mine = KeyframeGate(), 0.0, [], []
    for delay, viewer, keyframe in steps:
        now += delay
        gate.request(viewer)
        alone = gate._waiting == {"a"}
        if gate.poll(now):
            forced.append(now)
            if alone:
                mine.append(now)
        if keyframe:
            gate.keyframe_published()
    assert all(b - a >= SHORTEST_INTERVAL - ROUNDING for a, b in itertools.pairwise(forced))
    assert all(b - a >= SHORTEST_INTERVAL_PER_VIEWER - ROUNDING for a, b in itertools.pairwise(mine))


def test_all_slow_viewers_together_are_tried_a_minimum_time_apart():
    gate = KeyframeGate()
    gate.request_probe()
    assert gate.poll(0.0)
    gate.keyframe_published()
    gate.request_probe()
    gate.request_probe()
    assert not gate.poll(SHORTEST_PROBE_INTERVAL - 0.1)
    assert gate.poll(SHORTEST_PROBE_INTERVAL)


def test_the_cache_is_emptied_by_what_is_too_long_or_too_large():
    for size, after in ((LARGEST + 1, 0.1), (1, 2.5)):
        cache = KeyframeCache()
        cache.add(AccessUnit(b"key", 50.0, True), 50.0)
        assert cache.is_fresh(50.0)
        cache.add(AccessUnit(b"x" * size, 50.0 + after, False), 50.0 + after)
        assert cache.units == []
        assert not cache.is_fresh(50.0 + after)


def test_the_cache_holds_what_follows_the_last_keyframe():
    cache, key, delta = KeyframeCache(), AccessUnit(b"key", 1.0, True), AccessUnit(b"delta", 1.1, False)
    for unit in (delta, key, delta, key, delta):
        cache.add(unit, unit.captured)
    assert cache.units == [key, delta]
